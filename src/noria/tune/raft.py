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
from noria.errors import NoriaError
from noria.evaluate.arms.respond import gold
from noria.evaluate.recorded import says
from noria.funnel.funnel import Funnel
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.examples import Example
from noria.tune.material import document_of
from noria.tune.render import Lesson, Renderer
from noria.tune.sft import ABSTENTION, Lessons, response
from noria.types import Candidate, Query

DEPTH = 8  # passages that are found for a question: the golden one may not be among the first
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
        if group[0].question.context is None:
            problems += [f"{each.id}: no gold text; RAFT needs one, or use radit" for each in group]
            continue
        slate, golden = shown(group, funnel, slates, chance)
        for example in group:
            try:
                chat, _ = answerer.put(example.question.text, slate)
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
    funnel: Funnel,
    slates: Slates,
    chance: random.Random,
) -> tuple[list[Candidate], bool]:
    """The slate of a group, and whether the golden passage is on it."""
    golden = chance.random() < slates.golden
    ranked, best = votes(group, funnel)
    distractors = [each for each in ranked if each is not best]
    slate = distractors[: slates.passages - golden]
    if golden and slates.ordered:
        slate.insert(min(ranked.index(best), len(slate)), best)
    elif golden:
        slate.insert(chance.randint(0, len(slate)), best)
    return slate, golden


def votes(group: Sequence[Example], funnel: Funnel) -> tuple[list[Candidate], Candidate]:
    """What retrieval finds for a group's questions, best first, and the golden passage among it.

    The golden passage is the one that retrieval finds in the gold document, so that it looks like
    the others; where it finds none, the gold text. What else holds an answer is no distractor.
    """
    documents = {document_of(each.question) for each in group}
    ranked = found_for(group, funnel)
    own = [each for each in ranked if each.item.document in documents]
    best = next((each for each in own if any(answers(e, each) for e in group)), None)
    golden = best or (own[0] if own else gold(group[0].question))
    assert golden is not None  # the group has a context
    rest = [
        each
        for each in ranked
        if each is golden
        or (each.item.document not in documents and not any(answers(e, each) for e in group))
    ]
    return (rest if golden in rest else [*rest, golden]), golden


def answers(example: Example, candidate: Candidate) -> bool:
    """Whether a passage spells the answer."""
    return bool(example.question.answers) and says(candidate.item.text, example.question.answers)


def found_for(group: Sequence[Example], funnel: Funnel) -> list[Candidate]:
    """What retrieval finds for the questions of a group, by the sum of 1/rank."""
    score: dict[str, float] = defaultdict(float)
    found: dict[str, Candidate] = {}
    for example in group:
        query = Query(example.id, example.question.text)
        for rank, candidate in enumerate(funnel.search(query, DEPTH).candidates, 1):
            found[candidate.item.id] = candidate
            score[candidate.item.id] += 1 / rank
    return sorted(found.values(), key=lambda each: (-score[each.item.id], each.item.id))
