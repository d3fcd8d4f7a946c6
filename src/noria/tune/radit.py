"""Teaches the generator to read what is retrieved: RA-DIT's LM-ft (Lin et al. 2023, section 2.2).

Each of the best passages that retrieval finds makes a lesson of its own; or the whole slate makes
one, where that is what will be served. Where the paper teaches to answer from whatever was found,
even when it does not hold the answer, this teaches to abstain, in a bounded share of the lessons:
in service the next passage is read then.

Questions on one text share the passages that are found for them together, so that each passage is
read once for all of them (``pack``).
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from noria.answer.answerer import Answerer
from noria.errors import NoriaError
from noria.evaluate.questions import Question
from noria.evaluate.recorded import says
from noria.funnel.funnel import Funnel
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.decoys import decoyed
from noria.tune.examples import Example
from noria.tune.material import document_of
from noria.tune.raft import STAGE, found_for, together
from noria.tune.render import Lesson, Renderer
from noria.tune.sft import ABSTENTION, Lessons
from noria.types import Candidate


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read. ``alone``: passages that make a lesson of their own; ``slate``: of the slate.

    ``slated``: the share of texts whose questions see a slate too, which takes four times as long
    to read. ``abstaining``: the share of lessons on passages
    without the answer, at most. ``decoys``: the share of lessons in which a passage gives an
    instruction, which is not to be followed.
    """

    alone: int = 3
    slate: int = 4
    slated: float = 0.0
    abstaining: float = 0.1
    decoys: float = 0.2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """An example with the passages that it is shown, and what is to be said then."""

    example: Example
    name: str  # of these passages, among those of the example
    passages: tuple[Candidate, ...]
    wanted: str


def radit(
    examples: Sequence[Example],
    answerer: Answerer,
    funnel: Funnel,
    renderer: Renderer,
    reading: Reading = Reading(),
    progress: Progress = silent,
) -> Lessons:
    """The lessons of each example, on what ``funnel`` finds for it."""
    answered: list[Shown] = []
    abstaining: list[Shown] = []
    done, chance = 0, random.Random(reading.seed)
    for group in together(examples):
        done += len(group)
        progress(STAGE, done, len(examples))
        shown_to = list(slates(found_for(group, funnel), reading, chance))
        for example in group:
            for name, passages in shown_to:
                lacking = lacks(example.question, passages)
                wanted = ABSTENTION if lacking else example.response
                side = abstaining if lacking else answered
                side.append(Shown(example, name, tuple(passages), wanted))
    kept = bounded(abstaining, len(answered), reading)
    shown = [disturbed(each, reading, chance) for each in (*answered, *kept)]
    return rendered(shown, answerer, renderer, progress)


def disturbed(shown: Shown, reading: Reading, chance: random.Random) -> Shown:
    """In some cases with an instruction in one of the passages; what is to be said stays."""
    if chance.random() >= reading.decoys:
        return shown
    place = chance.randrange(len(shown.passages))
    passages = list(shown.passages)
    passages[place] = decoyed(passages[place], chance)
    return replace(shown, passages=tuple(passages))


def rendered(
    shown: Sequence[Shown], answerer: Answerer, renderer: Renderer, progress: Progress
) -> Lessons:
    """The lessons as tokens, and what could not become one."""
    lessons: list[Lesson] = []
    problems: list[str] = []
    for place, each in enumerate(shown):
        id, example = f"{each.example.id} {each.name}", each.example
        try:
            chat, _ = answerer.put(example.question.text, each.passages)
            lessons.append(renderer.lesson(id, chat, each.wanted, example.weight))
        except NoriaError as error:
            problems.append(str(error))
        progress("preparing", place + 1, len(shown))
    return Lessons(tuple(lessons), tuple(problems))


def lacks(question: Question, shown: Sequence[Candidate]) -> bool:
    """Whether passages are known not to answer; where nothing is known, they may.

    A text that answers in other words than the response spells nothing: then its document decides.
    """
    if question.unanswerable:
        return True
    spelled = any(says(each.item.text, question.answers) for each in shown)
    if question.context is None and not question.documents:
        return question.task == "qa" and bool(question.answers) and not spelled
    named = any(each.item.document == document_of(question) for each in shown)
    spells = question.context is None or says(question.context, question.answers)
    return not named or (question.task == "qa" and spells and not spelled)


def slates(
    found: Sequence[Candidate], reading: Reading, chance: random.Random
) -> Iterator[tuple[str, list[Candidate]]]:
    """The slate as it is served, in some cases, then each of the best passages alone."""
    if reading.slate and chance.random() < reading.slated:
        yield "slate", list(found[: reading.slate])
    for place, candidate in enumerate(found[: reading.alone]):
        yield f"passage {place + 1}", [candidate]


def bounded(abstaining: Sequence[Shown], answered: int, reading: Reading) -> list[Shown]:
    """As many of those that abstain as their share allows, drawn by the seed."""
    most = round(answered * reading.abstaining / (1 - reading.abstaining))
    if len(abstaining) <= most:
        return list(abstaining)
    return random.Random(reading.seed).sample(list(abstaining), most)
