"""What chance allows us to say of differences. Pure arithmetic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000  # an interval is then stable to about two digits

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """A figure of a set of questions, such as a mean, macro-F1, or BLEU.

    ``figure`` takes how often each question counts, shape (draws, questions), and gives the figure
    of each draw, shape (draws,); NaN where a draw has none. ``values``: one number a question,
    where the figure is their mean; else None.
    """

    figure: Callable[[Values], Values]
    values: Values | None = None


def mean_of(values: Values) -> Measure:
    """The mean of one number a question.

    >>> float(mean_of(np.array([0.0, 1.0])).figure(np.array([[1.0, 3.0]]))[0])
    0.75
    """
    return Measure(lambda counts: counts @ values / counts.sum(axis=1), values)


@dataclass(frozen=True, slots=True)
class Difference:
    """Two means over the same questions, and new minus old with its 95 % interval."""

    old: float
    new: float
    difference: float
    low: float
    high: float


def difference(old: Values, new: Values, rng: np.random.Generator) -> Difference:
    """Compare question by question, by the paired bootstrap; ``old[i]`` and ``new[i]`` belong.

    >>> difference(np.array([0.0, 0.5]), np.array([0.5, 1.0]), np.random.default_rng(0))
    Difference(old=0.25, new=0.75, difference=0.5, low=0.5, high=0.5)
    """
    paired = new - old
    size = len(paired)
    means = [paired[rng.integers(0, size, size)].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return Difference(
        float(old.mean()), float(new.mean()), float(paired.mean()), float(low), float(high)
    )


def differences(
    old: Mapping[str, Values], new: Mapping[str, Values], rng: np.random.Generator
) -> dict[str, Difference]:
    """``difference`` of each metric."""
    return {name: difference(old[name], new[name], rng) for name in old}
