"""How one chat went: when it waited, began to be written and ended, and what came of it.

What is counted and what is traced are both read from it. It holds no word that anybody wrote but
those of the answer. Knows neither Prometheus nor OpenTelemetry.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter, time_ns

from noria.serve.conversation import ended_by, outcome_of
from noria.serve.slots import FullError
from noria.types import Answer


@dataclass(slots=True)
class Course:
    """One chat on its way; seconds count from when it came.

    ``model``: as it was asked for. ``release``: which is to answer, empty until that is known.
    ``parent``: the headers that name the trace it belongs to. ``came``: nanoseconds since 1970.
    ``waited``: seconds until it got a place; ``first``: until its first piece was there.
    """

    id: str
    model: str
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    parent: Mapping[str, str] = field(default_factory=dict)
    came: int = field(default_factory=time_ns)
    since: float = field(default_factory=perf_counter)
    release: str = ""
    waited: float | None = None
    first: float | None = None
    seconds: float = 0.0
    outcome: str = ""
    answer: Answer | None = None
    error: str = ""

    def placed(self) -> None:
        """It got a place to be answered in."""
        self.waited = perf_counter() - self.since

    def told(self, piece: str | Answer) -> None:
        """A piece of it is there, or all of it."""
        now = perf_counter() - self.since
        if self.first is None:
            self.first = now
        if isinstance(piece, Answer):
            self.answer, self.release, self.seconds = piece, piece.release, now
            self.outcome = outcome_of(piece)

    def failed(self, error: BaseException) -> None:
        """It ended without an answer."""
        self.seconds = perf_counter() - self.since
        self.outcome = "full" if isinstance(error, FullError) else ended_by(error)
        self.error = "" if self.outcome == "left" else type(error).__qualname__
