"""Asks every arm every question, some questions at a time, within a budget.

The arms take turns, so that a run that ends early has asked all of them the same questions, and a
machine that is busy for a while is busy for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from noria.evaluate.arms.respond import Respondent
from noria.evaluate.questions import Question
from noria.evaluate.records import Record
from noria.jobs import silent
from noria.protocols import Clock, Progress

TURN = 32  # questions that an arm answers before the next one's turn


@dataclass(frozen=True, slots=True)
class Run:
    """The records of each arm, for the same questions in the same order, and what was not asked."""

    records: dict[str, tuple[Record, ...]]
    unasked: int


def run(
    questions: Sequence[Question],
    respondents: Sequence[Respondent],
    clock: Clock,
    max_seconds: float | None = None,
    progress: Progress = silent,
) -> Run:
    """Ask ``questions``; after ``max_seconds`` no turn is begun but the first."""
    for respondent in respondents:
        respondent.warm(questions)
    began = clock()
    records: dict[str, list[Record]] = {each.arm.name: [] for each in respondents}
    asked = 0
    for first in range(0, len(questions), TURN):
        if first and max_seconds is not None and clock() - began > max_seconds:
            break
        some = questions[first : first + TURN]
        for respondent in respondents:
            name = respondent.arm.name
            before = len(records[name])

            def tell(count: int, name: str = name, before: int = before) -> None:
                progress(name, before + count, len(questions))

            prepared = [respondent.prepare(question) for question in some]
            records[name] += respondent.respond(prepared, tell)
            tell(len(some))
        asked += len(some)
    return Run({name: tuple(found) for name, found in records.items()}, len(questions) - asked)
