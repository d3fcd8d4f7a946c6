"""How long two releases take to answer the same questions: in turns, nothing remembered.

Asked one after the other, a machine that is busy for a minute would slow only one of them. Knows
no models: it is handed what answers.
"""

from collections.abc import Sequence
from typing import Protocol

from noria.jobs import silent
from noria.loop.gate import Pace
from noria.protocols import Clock, Progress
from noria.types import Answer, Query

ASKED = 30  # questions: a minute or so for a small model


class Answers(Protocol):
    """What is timed."""

    def answer(self, query: Query) -> Answer:
        """The answer, checked."""
        ...


def paced(
    live: Answers, new: Answers, questions: Sequence[str], clock: Clock, progress: Progress = silent
) -> Pace:
    """Seconds of both for ``ASKED`` of ``questions``, or all; who begins changes each time.

    Before that each answers one question that does not count, and has warmed up.
    """
    chosen = questions[:: max(1, len(questions) // ASKED)][:ASKED]
    seconds: dict[str, list[float]] = {"live": [], "new": []}
    for n, question in enumerate([*chosen[:1], *chosen]):
        pair = [("live", live), ("new", new)]
        for name, answerer in pair if n % 2 else reversed(pair):
            began = clock()
            answerer.answer(Query(f"pace {n}", question))
            if n:
                seconds[name].append(clock() - began)
        progress("timing both", n, len(chosen))
    return Pace(tuple(seconds["live"]), tuple(seconds["new"]))
