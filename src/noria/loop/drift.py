"""Whether figures are spread otherwise now than they were: the population stability index.

``PSI = sum over bins of (now - before) * ln(now / before)``, of the shares that lie in each bin
(Siddiqi, Credit Risk Scorecards, 2006, who calls 0.1 to 0.25 a small change). Where nothing has
changed it is about a chi-square of bins - 1 degrees, times 1/n + 1/m (Yurdakul and Naranjo,
Statistical properties of the population stability index, 2020), so that of 100 values against 100
it is 0.18 by chance alone. An alarm needs both: more than 0.2, and more than chance gives in one of
a hundred looks. Pure arithmetic: knows no models, and where figures come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri  # type: ignore[import-untyped]

Values = NDArray[np.float64]

BINS = 10
NOTABLE = 0.2  # below it nothing was moved that anybody would act on
CHANCE = 0.01  # how often chance alone may seem to be drift, over all figures of one kind
LEAST = 100  # values on each side; with fewer, the bound is above 0.4 and little is found
DIRECTIONS = 3  # of the questions' vectors: those in which they differ most


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one figure has moved. ``bound``: what chance alone stays below."""

    figure: str
    psi: float
    bound: float

    @property
    def alarm(self) -> bool:
        """Whether that is much, and more than chance."""
        return self.psi > max(NOTABLE, self.bound)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far figures of one kind have moved. ``shifts``: none where too few values are there.

    ``against``: what they are compared with; ``before`` and ``now``: how many there are of each.
    """

    what: str
    against: str
    before: int
    now: int
    shifts: tuple[Shift, ...] = ()

    @property
    def alarm(self) -> bool:
        """Whether any figure has moved."""
        return any(shift.alarm for shift in self.shifts)

    @property
    def furthest(self) -> Shift | None:
        """The figure that is nearest to an alarm, or furthest beyond it."""
        return max(self.shifts, key=lambda s: s.psi / max(NOTABLE, s.bound), default=None)

    @property
    def sentence(self) -> str:
        """What it says, in words.

        >>> moved = Shift("confidence", psi=0.4, bound=0.1)
        >>> Drift("scores", "its first answers", 500, 1000, (moved,)).sentence
        'other than its first answers: confidence, PSI 0.40 (chance: 0.10), 1000 against 500'
        >>> Drift("scores", "its first answers", 500, 30).sentence
        'too few to tell: 30 against 500, expected 100 of each'
        """
        furthest = self.furthest
        if furthest is None:
            return f"too few to tell: {self.now} against {self.before}, expected {LEAST} of each"
        said = "a little other than" if furthest.psi > furthest.bound else "like"
        said = "other than" if self.alarm else said
        return (
            f"{said} {self.against}: {furthest.figure}, PSI {furthest.psi:.2f} "
            f"(chance: {furthest.bound:.2f}), {self.now} against {self.before}"
        )

    def as_json(self) -> dict[str, Any]:
        """The same as JSON has it; ``alarm`` is null where nothing can be told."""
        return {
            "against": self.against,
            "before": self.before,
            "now": self.now,
            "alarm": self.alarm if self.shifts else None,
            "psi": {shift.figure: round(shift.psi, 4) for shift in self.shifts},
            "chance": {shift.figure: round(shift.bound, 4) for shift in self.shifts},
            "sentence": self.sentence,
        }


def drift(
    what: str, against: str, before: Mapping[str, Values], now: Mapping[str, Values]
) -> Drift:
    """Compare the figures of which both sides have values enough."""
    names = [n for n in before if min(len(before[n]), len(now.get(n, ()))) >= LEAST]
    shifts = tuple(shift(name, before[name], now[name], len(names)) for name in names)
    return Drift(what, against, most(before), most(now), shifts)


def most(side: Mapping[str, Values]) -> int:
    """How many values the figure with most of them has."""
    return max(map(len, side.values()), default=0)


def shift(figure: str, before: Values, now: Values, figures: int = 1) -> Shift:
    """How far ``figure`` has moved; the chance of an error is shared among ``figures``."""
    edges = cuts(before)
    chance = 1 / len(before) + 1 / len(now)
    bound = chance * float(chdtri(max(len(edges), 1), CHANCE / figures))
    return Shift(figure, psi(before, now, edges), bound)


def cuts(before: Values, bins: int = BINS) -> Values:
    """Where bins end that hold equal shares of ``before``; fewer where many values are equal.

    >>> cuts(np.arange(100.0), 4)
    array([24.75, 49.5 , 74.25])
    >>> cuts(np.array([0.0] * 9 + [1.0]), 4)
    array([0.])
    """
    return np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))


def psi(before: Values, now: Values, edges: Values) -> float:
    """The index over the bins that end at ``edges``.

    >>> half = np.array([0.0, 1.0] * 50)
    >>> round(psi(half, half, np.array([0.5])), 3), round(psi(half, half * 0, np.array([0.5])), 2)
    (0.0, 2.63)
    """
    then, here = shares(before, edges), shares(now, edges)
    return float(np.sum((here - then) * np.log(here / then)))


def shares(values: Values, edges: Values) -> Values:
    """The share of values in each bin; half a value more in each, so that none is empty."""
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) + 0.5
    return counts / counts.sum()  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Chart:
    """Known questions, and the directions in which they differ most."""

    known: Values
    centre: Values
    directions: Values

    @classmethod
    def of(cls, known: Values) -> "Chart":
        """The chart of these vectors, each of length 1."""
        centre = known.mean(axis=0)
        _, _, directions = np.linalg.svd(known - centre, full_matrices=False)
        return cls(known, centre, directions[:DIRECTIONS])

    def placed(self, vectors: Values, texts: Sequence[str]) -> dict[str, Values]:
        """Where questions lie, and how long they are: one number a question each.

        ``nearest``: the cosine with the nearest known one, which falls when people ask of what is
        new; ``direction 1`` and on: which moves when topics that are known grow or shrink;
        ``words``: their number, which tells bots and pasted texts. Vectors themselves have too
        many dimensions for bins.

        The known ones must not be among those that are placed: a question is its own nearest.
        """
        along = (vectors - self.centre) @ self.directions.T
        return {
            "nearest": (vectors @ self.known.T).max(axis=1),
            **{f"direction {n}": along[:, n - 1] for n in range(1, along.shape[1] + 1)},
            "words": np.array([len(text.split()) for text in texts], dtype=np.float64),
        }
