"""Teaches the query encoder of a configuration: from examples to a tower that serves.

Contrast needs examples that name their passage; the generator's likelihoods need only answers. The
passages are those that search finds now, by meaning and by words: the first are the hardest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import numpy as np

from noria.corpus.snapshot import Passage, Snapshot
from noria.errors import UsageError
from noria.evaluate.arms.respond import TALKING, holds
from noria.jobs import silent
from noria.models import towers
from noria.models.encode import sentence_transformer
from noria.protocols import Progress
from noria.tune import attention
from noria.tune.asked import Asked, Exam, QueryRecipe, Taught
from noria.tune.examples import Example
from noria.tune.likelihoods import Reading, likelihoods, opinions, temperature
from noria.tune.material import Material, sampled
from noria.tune.render import Renderer
from noria.tune.retriever import teach
from noria.tune.weights import ADAPTER, quickest
from noria.tune.workshop import Workshop
from noria.types import Candidate, Query

Teacher = Literal["contrast", "likelihoods"]
DEPTH = 100  # passages that each leg finds for a question: what it is held against
LONGEST = 500  # characters of an answer: a longer one stands in no passage
READ = 8  # of these, those after which the generator is asked
CONSULTED = 200  # questions that the generator is asked at most: it reads READ passages for each
RECIPES = {"contrast": QueryRecipe(), "likelihoods": QueryRecipe(direction="reverse")}


class NothingToTeachError(UsageError):
    """No question is known to be answered by a passage that it finds."""


@dataclass(frozen=True)
class Met:
    """Passages that some question met, each a row, and where each question met which.

    ``best[i]``: rows that question ``i`` finds first, by meaning and by words in turns;
    ``right[i]``: those with its answer.
    """

    examples: tuple[Example, ...]
    passages: tuple[Passage, ...]
    best: tuple[tuple[int, ...], ...]
    right: tuple[tuple[int, ...], ...]

    @property
    def vectors(self) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        """One row a passage."""
        return np.array([passage.vector for passage in self.passages], dtype=np.float32)


def taught(
    material: Material,
    at: Workshop,
    teacher: Teacher,
    seed: int,
    folder: Path,
    progress: Progress = silent,
    trained: Path | None = None,
) -> Taught:
    """Teach a copy of the query encoder, and write it into ``folder``.

    ``trained``: what training made of the generator, an adapter or all weights; without it, the
    generator teaches as it was. The encoder's best epoch is chosen by how high the held-out
    questions find their passage; none may be better than before. Raises NothingToTeachError where
    no question has a passage to find.
    """
    train, held_out = (searching(some, teacher) for some in (material.train, material.held_out))
    if teacher == "likelihoods":
        train = sampled(train, CONSULTED, seed)
    if not train or not held_out:
        raise NothingToTeachError(
            f"{len(train)} questions to learn from and {len(held_out)} held out are answered from "
            "passages; the retriever needs some of each"
        )
    snapshot = at.passages(material.texts).snapshot()
    met = meet((*train, *held_out), snapshot, at, progress)
    learnt, apart = range(len(train)), range(len(train), len(met.examples))
    asked = (
        marked(met, learnt) if teacher == "contrast" else helped(met, learnt, at, progress, trained)
    )
    exam = Exam(marked(met, apart), met.vectors)
    if not asked or not exam.asked:
        raise NothingToTeachError(
            "no question finds a passage that is known to hold its answer; name documents, or give "
            "a context (docs/training-data.md)"
        )
    model = sentence_transformer(at.encoder_folder, at.device)
    recipe = replace(RECIPES[teacher], seed=seed)
    rows, drawn = balanced(asked)
    told = teach(model, drawn, met.vectors[rows], recipe, exam, progress)
    towers.save(model, folder, at.encoder.fingerprint)
    return told


def searching(examples: Sequence[Example], teacher: Teacher) -> tuple[Example, ...]:
    """Those whose answer stands in a passage: neither labels, nor chats, nor the unanswerable.

    The generator judges by the answer; for contrast the name of the right document is enough.
    """
    return tuple(
        each
        for each in examples
        if each.question.task in TALKING
        and not each.turns
        and not each.question.unanswerable
        and (each.response or (teacher == "contrast" and each.question.documents))
        and len(each.response) <= LONGEST
    )


def meet(examples: Sequence[Example], snapshot: Snapshot, at: Workshop, progress: Progress) -> Met:
    """What each question finds by meaning, and by words."""
    vectors = at.encoder.encode_queries([each.question.text for each in examples])
    found = []
    for place, (example, vector) in enumerate(zip(examples, vectors, strict=True)):
        query = Query(example.id, example.question.text)
        legs = snapshot.dense(vector, query, DEPTH), snapshot.lexical(query.text, query, DEPTH)
        found.append(in_turns(*(leg.rows.tolist() for leg in legs)))
        progress("finding passages", place + 1, len(examples))
    rows = np.unique(np.concatenate(found))
    passages = snapshot.passages(rows)
    best = tuple(tuple(np.searchsorted(rows, some).tolist()) for some in found)
    right = tuple(
        tuple(row for row in sorted(some) if right_one(example, passages[row]))
        for example, some in zip(examples, best, strict=True)
    )
    return Met(tuple(examples), passages, best, right)


def in_turns(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """The first of each, the second of each, and so on; what both have, once.

    >>> in_turns([3, 1, 4], [1, 5])
    [3, 1, 5, 4]
    """
    pairs = zip_longest(one, other)
    return list(dict.fromkeys(row for pair in pairs for row in pair if row is not None))


def right_one(example: Example, passage: Passage) -> bool:
    """Whether a passage is known to hold the answer."""
    return holds(example.question, [Candidate(passage.item, 0.0)]) is True


def marked(met: Met, places: Sequence[int]) -> list[Asked]:
    """Questions with the passages that hold their answer, trusted alike."""
    return [
        Asked(met.examples[place].question.text, dict.fromkeys(right, 1 / len(right)))
        for place in places
        if (right := met.right[place])
    ]


def balanced(asked: Sequence[Asked]) -> tuple[list[int], list[Asked]]:
    """The passages that some question is drawn to most, and the questions with trust in them alone.

    A passage that draws no question would only be pushed away, by all of them: documents that no
    example asks about, the held-out ones among them, would be found less often than before.

    >>> balanced([Asked("a", {5: 0.9, 7: 0.1}), Asked("b", {5: 0.2, 8: 0.8})])[0]
    [5, 8]
    """
    rows = sorted(
        {row for each in asked for row, p in each.trust.items() if p == max(each.trust.values())}
    )
    place = {row: at for at, row in enumerate(rows)}
    kept = [{place[row]: p for row, p in each.trust.items() if row in place} for each in asked]
    return rows, [
        Asked(each.text, {row: p / sum(trust.values()) for row, p in trust.items()})
        for each, trust in zip(asked, kept, strict=True)
    ]


def helped(
    met: Met, places: Sequence[int], at: Workshop, progress: Progress, trained: Path | None = None
) -> list[Asked]:
    """Questions with the generator's trust in the passages that each finds first."""
    tokenizer, model = generator(at, trained)
    best = [met.best[place][:READ] for place in places]
    readings = [
        Reading(
            met.examples[place].id,
            met.examples[place].question.text,
            met.examples[place].response,
            tuple(Candidate(met.passages[row].item, 0.0) for row in found),
        )
        for place, found in zip(places, best, strict=True)
    ]
    said = likelihoods(
        model,
        Renderer(tokenizer, at.longest),
        readings,
        lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"]),
        at.prompt_tokens,
        precision=quickest(at.device),
        progress=progress,
    )
    return opinions([each.question for each in readings], best, said, temperature(said))


def generator(at: Workshop, trained: Path | None) -> tuple[Any, Any]:
    """Tokenizer and model of the generator, as it was or as it was ``trained``."""
    from noria.models.adapters import adapted
    from noria.models.transformers import loaded

    whole = trained is not None and not (trained / ADAPTER).exists()
    tokenizer, model = loaded(trained if trained and whole else at.folder)
    attention.use(model)
    if trained and not whole:
        model = adapted(model, trained)
    return tokenizer, model.to(at.device)
