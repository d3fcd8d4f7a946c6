"""What each objective makes of examples: the lessons of the generator."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from noria.evaluate.arms.arm import BUILT_IN
from noria.evaluate.arms.respond import TALKING, Respondent
from noria.evaluate.contest import kin
from noria.evaluate.questions import Question
from noria.evaluate.statistics.folds import connected
from noria.evaluate.statistics.folds import folds as folded
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.examples import Example
from noria.tune.material import Material, sampled
from noria.tune.radit import Reading, radit
from noria.tune.raft import Slates, raft
from noria.tune.render import Renderer
from noria.tune.sft import Lessons, as_asked
from noria.tune.workshop import Workshop
from noria.types import Manner

Objective = Literal["sft", "raft", "radit", "retriever"]
OBJECTIVES: tuple[Objective, ...] = ("sft", "raft", "radit", "retriever")
ASKED_AS = {"sft": "base", "raft": "rag", "radit": "rag"}  # the arm whose prompts are learnt
JUDGED = 128  # examples whose held-out loss is taken: each look at them takes time
# Alone, each passage teaches more for the time that it takes to read.
READINGS: Mapping[Manner, Reading] = {
    "in turn": Reading(),
    "together": Reading(alone=1, slated=1.0),
}
MANNERS: Mapping[Objective, Manner] = {"radit": "in turn"}  # how others read: together
FOLDS = 20  # of the examples: one is never shown an example of its own fold


def lessons(
    objective: Objective,
    manner: Manner,
    material: Material,
    at: Workshop,
    renderer: Renderer,
    seed: int,
    progress: Progress = silent,
) -> tuple[Lessons, Lessons]:
    """The lessons to learn from, and those held out, asked as the objective's arm asks.

    ``manner``: how passages will be read when the release serves. ``seed`` draws which lessons
    abstain, and which held-out ones judge.
    """
    judged = sampled(material.held_out, JUDGED, seed)
    every = (*material.train, *judged)
    questions = [each.question for each in every]
    pool = [each.question for each in material.train]
    folds = apart(pool)
    arm = BUILT_IN[ASKED_AS[objective]]
    (respondent,) = at.ready([arm], questions, material.texts, pool, folds)
    respondent = replace(respondent, manner=manner)
    train, held_out = (
        of(objective, some, respondent, renderer, seed, progress)
        for some in (material.train, judged)
    )
    return train, held_out


def apart(pool: Sequence[Question]) -> dict[str, int]:
    """The fold of each question; those that are kin are in one, so that none shows another."""
    keys = [kin(question) for question in pool]
    parts = min(FOLDS, len(connected(keys)))
    placed = folded(keys, parts, 0) if parts > 1 else [0] * len(pool)
    return {question.id: fold for question, fold in zip(pool, placed, strict=True)}


def of(
    objective: Objective,
    examples: Sequence[Example],
    respondent: Respondent,
    renderer: Renderer,
    seed: int,
    progress: Progress,
) -> Lessons:
    """The lessons of some examples.

    Questions that are answered in words go the objective's way; all others, such as labels, and
    choices that stand in the prompt, are asked as the arm asks.
    """
    reads = [each for each in examples if each.question.task in TALKING and not each.turns]
    if objective == "sft" or not reads:
        return as_asked(examples, respondent, renderer, progress)
    respondent.warm([each.question for each in reads])
    passages = respondent.answerer, respondent.funnel, renderer
    if objective == "raft":
        read = raft(reads, *passages, Slates(seed=seed), progress)
    else:
        reading = replace(READINGS[respondent.manner], seed=seed)
        read = radit(reads, *passages, reading, progress)
    others = [each for each in examples if each.question.task not in TALKING or each.turns]
    if not others:
        return read
    asked = as_asked(others, respondent, renderer, progress)
    return Lessons((*read.lessons, *asked.lessons), (*read.problems, *asked.problems))
