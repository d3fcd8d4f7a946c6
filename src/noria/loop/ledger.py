"""What one stage of a canary has seen: who was exposed, what failed, what was judged.

Rows of the server become arrays, each unit counted once. Knows no statistics and no storage.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from noria.errors import UsageError
from noria.loop.assign import CANARY, LIVE

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

QUALITY = "quality"  # was the answer good?
PREFERENCE = "preference"  # of two answers to one question, was the canary's the better?


@dataclass(frozen=True, slots=True)
class Entry:
    """A unit came in, and was about to be served by ``arm``: what a row of ``exposures`` says."""

    unit: str
    arm: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit: ``kind`` is the name of a guardrail, 'quality' or 'preference'.

    ``success``: nothing failed; the answer was good; or the canary's answer was preferred. A
    preference belongs to no arm and no exposure, its unit is the question that both answered.
    """

    unit: str
    arm: str
    kind: str
    success: bool
    at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Yes or no, in the order in which it became known.

    ``at``: how many units had been exposed by then.
    """

    yes: Flags
    at: Places

    def until(self, exposed: int) -> "Marks":
        """What was known when ``exposed`` units had been exposed."""
        known = np.searchsorted(self.at, exposed, side="right")
        return Marks(self.yes[:known], self.at[:known])


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The first judgement of each unit, in the order of judging; ``at`` as in ``Marks``."""

    canary: Flags
    success: Flags
    at: Places

    def until(self, exposed: int) -> "Judged":
        """What was known when ``exposed`` units had been exposed."""
        known = np.searchsorted(self.at, exposed, side="right")
        return Judged(self.canary[:known], self.success[:known], self.at[:known])


def no_marks() -> Marks:
    """Nothing known yet."""
    return Marks(np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64))


def no_judgements() -> Judged:
    """Nothing judged yet."""
    return Judged(np.zeros(0, np.bool_), np.zeros(0, np.bool_), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """One stage, which began empty.

    ``exposed``: of each unit in order, whether it got the canary. ``failed``: by guardrail, of each
    failing unit at its first failure, whether it had the canary. ``preferred``: of each question
    that both answered, whether the canary's answer was the better; ties are not in it.
    """

    exposed: Flags
    failed: Mapping[str, Marks] = field(default_factory=dict)
    judged: Judged = field(default_factory=no_judgements)
    preferred: Marks = field(default_factory=no_marks)

    def until(self, exposed: int) -> "Ledger":
        """The ledger as it was when ``exposed`` units had been exposed."""
        return Ledger(
            self.exposed[:exposed],
            {name: marks.until(exposed) for name, marks in self.failed.items()},
            self.judged.until(exposed),
            self.preferred.until(exposed),
        )


def read(exposures: Iterable[Entry], outcomes: Iterable[Outcome], canary: str = CANARY) -> Ledger:
    """The ledger of one stage, of the two arms ``canary`` and 'live'; other arms are passed over.

    Each unit counts once: at its first exposure, its first failure of each guardrail, and its first
    judgement. Outcomes of units that are not among the exposures are passed over, so whoever leaves
    out the exposures of units that a fallback served has left them out everywhere. Raises
    UsageError for a unit that met both arms.
    """
    first: dict[str, Entry] = {}
    for exposure in sorted(exposures, key=lambda row: row.at):
        if exposure.arm in (canary, LIVE):
            _same(first.setdefault(exposure.unit, exposure), exposure)
    times = np.array([row.at.timestamp() for row in first.values()])
    counted: dict[tuple[str, str], Outcome] = {}
    for outcome in sorted(outcomes, key=lambda row: row.at):
        if outcome.kind != PREFERENCE:
            own = first.get(outcome.unit)
            if own is None or outcome.arm not in (canary, LIVE):
                continue
            _same(own, outcome)
        if not outcome.success or outcome.kind in (QUALITY, PREFERENCE):
            counted.setdefault((outcome.kind, outcome.unit), outcome)
    rows: dict[str, list[Outcome]] = {}
    for (kind, _), outcome in counted.items():
        rows.setdefault(kind, []).append(outcome)
    judged, preferred = rows.pop(QUALITY, []), rows.pop(PREFERENCE, [])
    return Ledger(
        _flags(row.arm == canary for row in first.values()),
        {
            name: Marks(_flags(row.arm == canary for row in own), _places(own, times))
            for name, own in rows.items()
        },
        Judged(
            _flags(row.arm == canary for row in judged),
            _flags(row.success for row in judged),
            _places(judged, times),
        ),
        Marks(_flags(row.success for row in preferred), _places(preferred, times)),
    )


def _same(first: Entry, later: Entry | Outcome) -> None:
    if first.arm != later.arm:
        raise UsageError(
            f"the unit {first.unit!r} was exposed to {first.arm!r} and later met {later.arm!r}; "
            "expected one arm for each unit within a stage. Were the share or the salt changed? "
            "Then begin a new stage"
        )


def _flags(told: Iterable[bool]) -> Flags:
    return np.fromiter(told, dtype=np.bool_)


def _places(rows: list[Outcome], times: NDArray[np.float64]) -> Places:
    at = np.array([row.at.timestamp() for row in rows])
    return np.searchsorted(times, at, side="right").astype(np.int64)
