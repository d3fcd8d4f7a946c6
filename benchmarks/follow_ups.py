"""Do follow-up questions find their passage? QuAC's last questions, with and without what was said.

    python benchmarks/follow_ups.py --data DIR              # the half that nothing was chosen by
    python benchmarks/follow_ups.py --data DIR --half dev   # the ways that were tried

A question counts if the dialogue's section has its answer, word for word; found is a passage of
that section that holds the answer. ``raw`` searches with the question alone, ``condensed`` as
Noria does. All sections of both halves are searched.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _common import SEED, arguments, models, show
from noria.answer.condense import condensed
from noria.build import House
from noria.config import Settings
from noria.evaluate.beir import Collection
from noria.evaluate.retrieval import indexed
from noria.evaluate.statistics.intervals import difference
from noria.types import Document, Query

K = 5


@dataclass(frozen=True)
class Turn:
    """The last question of a dialogue, what was said before, and the section that answers it."""

    question: str
    history: tuple[str, ...]
    section: str
    answer: str


def ways() -> Mapping[str, Callable[[Turn], str]]:
    """How a follow-up may be searched for."""

    def joined(turns: int, words: int, answers: bool) -> Callable[[Turn], str]:
        def text(turn: Turn) -> str:
            said = turn.history if answers else turn.history[::2]
            cut = [" ".join(each.split()[:words]) for each in said[-turns:] if turns]
            return " ".join([*cut, turn.question])

        return text

    return {
        "raw": lambda turn: turn.question,
        "last question": joined(1, 40, False),
        "last exchange": joined(2, 40, True),
        "two exchanges": joined(4, 40, True),
        "two exchanges, short": joined(4, 15, True),
        "three exchanges": joined(6, 40, True),
        "all questions": joined(20, 40, False),
        "all": joined(40, 40, True),
    }


def main() -> None:
    """Measure, and print."""
    given = arguments(__doc__ or "", options)
    sections, turns = read(given.data / "qa" / "quac.jsonl")
    random.Random(SEED).shuffle(turns)
    half = turns[: len(turns) // 2] if given.half == "dev" else turns[len(turns) // 2 :]
    chosen = ways() if given.half == "dev" else {
        "raw": ways()["raw"], "condensed": lambda turn: condensed(turn.question, turn.history)
    }  # fmt: skip
    found = searched(sections, half, chosen, given.home)
    told = {name: sum(hits) / len(hits) for name, hits in found.items()}
    last = list(found)[-1]
    show({
        "questions": len(half), "sections": len(sections), "recall@5": told,
        "difference": interval(found["raw"], found[last]), "of": [last, "raw"],
    })  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--half", choices=["dev", "test"], default="test")


def read(path: Path) -> tuple[dict[str, str], list[Turn]]:
    """Sections by their id, and the last questions that a section answers."""
    sections: dict[str, str] = {}
    turns: list[Turn] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        head, *said = row["context"].split("\n\nQuestion: ")
        text = head.removesuffix(" CANNOTANSWER")
        id = f"s{len(sections)}"
        id = next((known for known, other in sections.items() if other == text), id)
        sections[id] = text
        history: list[str] = []
        for each in said[:-1]:
            question, _, answer = each.partition("\nAnswer: ")
            answered = "" if answer.strip() == "CANNOTANSWER" else answer.strip()
            history += [question.strip(), answered]
        if history and row["answer"] != "CANNOTANSWER" and row["answer"].strip() in text:
            last = said[-1].partition("\nAnswer:")[0].strip()
            turns.append(Turn(last, tuple(history), id, row["answer"].strip()))
    return sections, turns


def searched(
    sections: Mapping[str, str],
    turns: Sequence[Turn],
    chosen: Mapping[str, Callable[[Turn], str]],
    home: Path,
) -> dict[str, list[float]]:
    """For each way, whether each question found a passage that holds its answer."""
    documents = tuple(Document(id, id, text, "text/plain") for id, text in sections.items())
    at = models()
    table = indexed(
        Collection(documents, {}, {}), at.encoder, at.splitter, at.languages, home, _tell
    )
    funnel = House(Settings(home=home)).funnel_over(table, at.encoder)
    found: dict[str, list[float]] = {}
    for name, text in chosen.items():
        hits = []
        for place, turn in enumerate(turns):
            slate = funnel.search(Query(str(place), text(turn)), K)
            hits.append(float(any(holds(c.item, turn) for c in slate.candidates)))
        found[name] = hits
        _tell(name, len(found), len(chosen))
    return found


def holds(item: Any, turn: Turn) -> bool:
    """Whether a passage is of the dialogue's section and has the answer, or most of it."""
    beginning = turn.answer[:40]
    return item.document == turn.section and beginning in item.text


def interval(before: Sequence[float], after: Sequence[float]) -> dict[str, float]:
    """The mean paired difference with its 95 % interval."""
    found = difference(np.array(before), np.array(after), np.random.default_rng(SEED))
    return {"mean": found.difference, "low": found.low, "high": found.high}


def _tell(stage: str, done: int, total: int) -> None:
    print(f"{stage}: {done} of {total}", file=sys.stderr)


if __name__ == "__main__":
    main()
