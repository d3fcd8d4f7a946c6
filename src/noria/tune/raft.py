"""Learns to answer from a slate of passages, of which one may hold the answer.

RAFT (Zhang et al. 2024): a share of the examples see the golden passage among hard distractors, the
rest only distractors. Where RAFT then teaches to answer from memory, this teaches to abstain.
The prompt is the one that is served. The distractors are the passages that retrieval finds for the
question in other documents.

Questions on the same passage share one slate, so that its passages are read once (``pack``).
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from noria.answer.answerer import Answerer
from noria.answer.prompt import build
from noria.errors import NoriaError
from noria.evaluate.arms.respond import gold
from noria.funnel.funnel import Funnel
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.examples import Example
from noria.tune.render import Lesson, Renderer
from noria.tune.sft import ABSTENTION, Lessons, response
from noria.types import Candidate, Query

TOGETHER = 8  # questions that share a slate
STAGE = "finding distractors"


@dataclass(frozen=True, slots=True)
class Slates:
    """How slates are made: how many passages, and in which share of them the golden one stands.

    ``ordered``: as retrieval ranks them; else the golden passage stands anywhere.
    """

    passages: int = 4
    golden: float = 0.9
    ordered: bool = True
    seed: int = 0


def raft(
    examples: Sequence[Example],
    answerer: Answerer,
    funnel: Funnel,
    renderer: Renderer,
    slates: Slates = Slates(),
    progress: Progress = silent,
) -> Lessons:
    """A lesson for each example that has a gold text.

    An unanswerable question is shown the passage that it was written for, and learns to abstain.
    """
    lessons: list[Lesson] = []
    problems: list[str] = []
    chance = random.Random(slates.seed)
    done = 0
    for group in together(examples):
        done += len(group)
        progress(STAGE, done, len(examples))
        best = gold(group[0].question)
        if best is None:
            problems += [f"{each.id}: no gold text; RAFT needs one, or use radit" for each in group]
            continue
        slate, golden = shown(group, best, funnel, slates, chance)
        for example in group:
            try:
                chat, _ = build(
                    example.question.text, slate, answerer.llm.count, answerer.prompt_tokens
                )
                wanted = response(example) if golden else ABSTENTION
                lessons.append(renderer.lesson(example.id, chat, wanted, example.weight))
            except NoriaError as error:
                problems.append(str(error))
    return Lessons(tuple(lessons), tuple(problems))


def together(examples: Sequence[Example]) -> Iterator[list[Example]]:
    """Examples on the same gold text, at most ``TOGETHER``."""
    groups: dict[str | None, list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.question.context].append(example)
    for context, group in groups.items():
        size = TOGETHER if context is not None else 1
        yield from (group[i : i + size] for i in range(0, len(group), size))


def shown(
    group: Sequence[Example],
    best: Candidate,
    funnel: Funnel,
    slates: Slates,
    chance: random.Random,
) -> tuple[list[Candidate], bool]:
    """The slate of a group, and whether the golden passage is on it."""
    golden = chance.random() < slates.golden
    ranked = votes(group, best, funnel)
    distractors = [each for each in ranked if each is not best]
    slate = distractors[: slates.passages - golden]
    if golden and slates.ordered:
        slate.insert(min(ranked.index(best), len(slate)), best)
    elif golden:
        slate.insert(chance.randint(0, len(slate)), best)
    return slate, golden


def votes(group: Sequence[Example], best: Candidate, funnel: Funnel) -> list[Candidate]:
    """What retrieval finds for the group's questions, with ``best`` in place of its document."""
    documents = {name for each in group for name in each.question.documents}
    ranked: list[Candidate] = []
    for candidate in found_for(group, funnel):
        named = candidate.item.document in documents
        if not named:
            ranked.append(candidate)
        elif best not in ranked:
            ranked.append(best)
    return ranked if best in ranked else [*ranked, best]


def found_for(group: Sequence[Example], funnel: Funnel) -> list[Candidate]:
    """What retrieval finds for the questions of a group, by the sum of 1/rank."""
    score: dict[str, float] = defaultdict(float)
    found: dict[str, Candidate] = {}
    for example in group:
        query = Query(example.id, example.question.text)
        for rank, candidate in enumerate(funnel.search(query).candidates, 1):
            found[candidate.item.id] = candidate
            score[candidate.item.id] += 1 / rank
    return sorted(found.values(), key=lambda each: (-score[each.item.id], each.item.id))
