"""What chance allows us to say of differences. Pure arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000  # an interval is then stable to about two digits

Values = NDArray[np.float64]


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
