"""Which examples can teach the retriever, and by whom."""

from dataclasses import replace

import pytest

from noria.evaluate.questions import Question
from noria.tune.examples import Example
from noria.tune.teaching import LONGEST, Teacher, searching
from noria.types import Message

WELL = Question("q1", "Who dug the well?", documents=("wells.md",), answers=("Ada",))
MARS = replace(WELL, answers=(), unanswerable=True)


@pytest.mark.parametrize(
    ("example", "teachers"),
    [
        (Example(WELL, "Ada"), {"contrast", "likelihoods"}),
        (Example(replace(WELL, documents=()), "Ada"), {"contrast", "likelihoods"}),
        (Example(replace(WELL, answers=()), ""), {"contrast"}),  # the document is enough to mark it
        (Example(replace(WELL, answers=(), documents=()), ""), set()),
        (Example(WELL, "A" * (LONGEST + 1)), set()),
        (Example(MARS, ""), set()),
        (Example(replace(WELL, task="classification"), "Ada"), set()),
        (Example(WELL, "Ada", turns=(Message("user", "Who?"),)), set()),
    ],
)
def test_what_can_teach(example: Example, teachers: set[Teacher]) -> None:
    every: tuple[Teacher, ...] = ("contrast", "likelihoods")
    assert {teacher for teacher in every if searching([example], teacher)} == teachers
