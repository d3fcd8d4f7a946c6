"""Learns to answer exactly what an arm is asked.

``sft`` learns from the prompts of the arm ``base``, without passages; other objectives learn from
those of ``rag`` where examples stand for passages. The prompt in training is the prompt in service,
so nothing has to be said twice and nothing can differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from noria.errors import NoriaError
from noria.evaluate.arms.respond import Respondent
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.examples import Example
from noria.tune.render import Lesson, Renderer
from noria.types import Chat

ABSTENTION = "I don't know."  # what the prompts ask for where the passages do not hold the answer


@dataclass(frozen=True, slots=True)
class Lessons:
    """What is learnt, and what of the data could not become a lesson, with the reason."""

    lessons: tuple[Lesson, ...]
    problems: tuple[str, ...] = ()


def as_asked(
    examples: Sequence[Example],
    respondent: Respondent,
    renderer: Renderer,
    progress: Progress = silent,
) -> Lessons:
    """A lesson for each example, asked as ``respondent`` asks."""
    lessons: list[Lesson] = []
    problems: list[str] = []
    respondent.warm([example.question for example in examples])
    for place, example in enumerate(examples):
        try:
            chat = example.turns or asked(example, respondent)
            lessons.append(renderer.lesson(example.id, chat, response(example), example.weight))
        except NoriaError as error:
            problems.append(str(error))
        progress("preparing", place + 1, len(examples))
    return Lessons(tuple(lessons), tuple(problems))


def asked(example: Example, respondent: Respondent) -> Chat:
    """The chat in which an arm puts the example's question."""
    prompt = respondent.prepare(example.question).prompt
    if prompt is None or isinstance(prompt, str):
        raise NoriaError(f"{example.id}: nothing was found to read, so there is nothing to learn")
    return prompt


def response(example: Example) -> str:
    """What is to be written."""
    return example.response or (ABSTENTION if example.question.unanswerable else "")
