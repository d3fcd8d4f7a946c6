"""Whether something happens more often than with a known chance: a binomial e-process.

An e-process is a wager against a hypothesis: money that starts at 1 and, if the hypothesis is
true, does not grow on average, however one stops. So it ever reaches 100 in at most one of 100
cases (Ville, 1939). Wagers are mixed over all chances above the one in question, Beta(1, 1) cut off
below it (Robbins, Annals of Mathematical Statistics 41, 1970, p. 1397; Ramdas, Grünwald, Vovk and
Shafer, Statistical Science 38, 2023, section 3). Pure arithmetic.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-290  # below, floats lose digits

Values = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]


def excess(hits: Counts, of: Counts, chance: float) -> Values:
    """The logarithm of the e-value against "a hit has at most this ``chance``".

    Three hits of three at even chance: of the wagers on 1/2 to 1, the mean of (2 θ)³ is 15/4.

    >>> round(float(np.exp(excess(np.array([3]), np.array([3]), 0.5))[0]), 6)
    3.75
    """
    from scipy.special import betaincc, betaln  # type: ignore[import-untyped]

    misses = of - hits
    above = betaincc(hits + 1, misses + 1, chance)
    likelihood = hits * math.log(chance) + misses * math.log1p(-chance)
    won = (
        betaln(hits + 1, misses + 1)
        + np.log(np.maximum(above, SMALLEST))
        - math.log1p(-chance)
        - likelihood
    )
    # far fewer hits than expected: the part above ``chance`` is too small for a float. The wager
    # is lost, and its value is at most that of an exponential with the slope at ``chance``.
    lost = above <= SMALLEST
    slope = np.where(lost, misses - hits * (1 - chance) / chance, 1.0)
    return np.where(lost, -np.log(slope), won)


def bounds(hits: int, of: int, alpha: float) -> tuple[float, float]:
    """Between which chances the true one lies, at all times at once, but for ``alpha``.

    Those that the wager over all chances, Beta(1, 1), has not won 1 / ``alpha`` against.

    >>> low, high = bounds(50, 100, 0.05)
    >>> round(low, 3), round(high, 3)
    (0.345, 0.655)
    >>> bounds(0, 0, 0.05)
    (0.0, 1.0)
    """
    if not of:
        return 0.0, 1.0
    mixed = math.lgamma(hits + 1) + math.lgamma(of - hits + 1) - math.lgamma(of + 2)

    def won(chance: float) -> bool:
        told = _times(hits, chance) + _times(of - hits, 1 - chance)
        return mixed - told >= -math.log(alpha)

    centre = hits / of
    return _edge(won, 0.0, centre), _edge(won, 1.0, centre)


def _times(count: int, chance: float) -> float:
    """``count`` logarithms of ``chance``; none of an impossible one are zero."""
    if not count:
        return 0.0
    return count * math.log(chance) if chance > 0 else -math.inf


def _edge(won: Callable[[float], bool], outside: float, inside: float) -> float:
    """Where ``won`` changes between ``outside`` and ``inside``."""
    if not won(outside):
        return outside
    for _ in range(40):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if won(middle) else (outside, middle)
    return outside
