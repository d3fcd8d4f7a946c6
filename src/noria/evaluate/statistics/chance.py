"""How far chance may have moved a figure, told from its standard error and its skew.

Pure arithmetic: knows no questions and draws nothing. The statistics are arrays, one place a
figure.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit  # type: ignore[import-untyped]

Values = NDArray[np.float64]

LEVEL = 0.95
TAIL = (1 - LEVEL) / 2
LONGEST = 1.5  # times Student's side; see ``bounds``
TINY = 1e-12  # relative: a smaller spread is the rounding of equal numbers


@dataclass(frozen=True)
class Spread:
    """What is known of how ``estimate`` varies: ``error`` is its standard error.

    ``skew``: that of its sampling distribution; for a mean, the skewness of the values over the
    root of their number. ``freedom``: Student's degrees.
    """

    estimate: Values
    error: Values
    skew: Values
    freedom: Values


def spread_of(values: Values) -> Spread:
    """The spread of the means of the columns of ``values``, each of two or more; NaN is none."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=0) / n
    centred = np.where(known, filled - mean, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / n)
    deviation = np.where(deviation > TINY * np.abs(filled).max(axis=0), deviation, 0.0)
    third = (centred**3).sum(axis=0) / n
    return Spread(
        mean,
        deviation / np.sqrt(n - 1),
        ratio(third, deviation**3) / np.sqrt(n),
        np.asarray(n - 1, dtype=np.float64),
    )


def minus(one: Spread, other: Spread) -> Spread:
    """The spread of the difference of two independent figures (Welch and Satterthwaite)."""
    square = one.error**2 + other.error**2
    error = np.sqrt(square)
    parts = one.error**4 / one.freedom + other.error**4 / other.freedom
    third = one.skew * one.error**3 - other.skew * other.error**3
    freedom = np.where(parts > 0, ratio(square**2, parts), one.freedom + other.freedom)
    return Spread(one.estimate - other.estimate, error, ratio(third, error**3), freedom)


def bounds(spread: Spread) -> tuple[Values, Values]:
    """The 95 % interval: Student's, made longer on one side for skew, as Hall's is.

    Hall's (Journal of the Royal Statistical Society B 54, 1992, p. 221) takes the skew out of the
    t-statistic. Alone it fails where few questions differ, since their skew tells little; Student's
    alone fails where many small losses outweigh few large gains. The wider of both holds. At most
    half is added: where very few differ, the cubic's inverse leaps far beyond what exact intervals
    of shares have.
    """
    edge = stdtrit(spread.freedom, 1 - TAIL)
    above = np.clip(bent_back(edge, spread.skew), edge, LONGEST * edge)
    below = np.clip(bent_back(-edge, spread.skew), -LONGEST * edge, -edge)
    return spread.estimate - above * spread.error, spread.estimate - below * spread.error


def agreeing(spread: Spread) -> tuple[Values, Values]:
    """How far zero lies beyond the interval's lower and upper side, in Student's units.

    One of both is above ``stdtrit(freedom, 0.975)`` exactly where ``bounds`` leave zero out. NaN
    where the error is not known.
    """
    t = np.where(spread.estimate == 0, 0.0, ratio(spread.estimate, spread.error, np.inf))
    t = np.where(np.isnan(spread.error), np.nan, t)
    finite = np.where(np.isfinite(t), t, 0.0)
    bent = np.where(np.isfinite(t), bend(finite, spread.skew), t)
    return (
        np.minimum(t, np.maximum(bent, t / LONGEST)),
        np.minimum(-t, np.maximum(-bent, -t / LONGEST)),
    )


def p_of(spread: Spread) -> Values:
    """The p-value of zero: below 0.05 exactly where ``bounds`` leave zero out."""
    above, below = agreeing(spread)
    return two_sided(np.maximum(above, below), spread.freedom)


def two_sided(t: Values, freedom: Values) -> Values:
    """The chance of a statistic at least as far out as ``t``; 1 for those not above zero."""
    return np.asarray(2 * stdtr(freedom, -np.maximum(t, 0.0)))


def bend(t: Values, skew: Values) -> Values:
    """Hall's cubic: a t-statistic without its skew. It only ever rises with ``t``."""
    return t + skew * t**2 / 3 + skew**2 * t**3 / 27 + skew / 6


def bent_back(t: Values, skew: Values) -> Values:
    """The statistic that ``bend`` makes ``t``.

    >>> skew = np.array([0.4])
    >>> bool(np.isclose(bend(bent_back(np.array([1.5]), skew), skew), 1.5)[0])
    True
    """
    straight = np.abs(skew) < 1e-9
    safe = np.where(straight, 1.0, skew)
    return np.where(straight, t, 3 / safe * (np.cbrt(1 + safe * (t - safe / 6)) - 1))


def wilson(mean: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927): it stays between 0 and 1, and is never a point.

    >>> low, high = wilson(1.0, 10)
    >>> round(low, 3), round(high, 3)
    (0.722, 1.0)
    """
    z = float(ndtri(1 - TAIL))
    centre = (mean + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(mean * (1 - mean) / n + z**2 / (4 * n**2)))
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


def widened(n: int) -> float:
    """The share of resamples below the interval's lower side, for ``n`` questions.

    The bootstrap takes the spread of few questions for too small, and the normal distribution for
    Student's; a lower percentile makes up for both (Hesterberg, The American Statistician 69, 2015,
    p. 379).

    >>> round(widened(10), 4), round(widened(1000), 4)
    (0.0086, 0.0248)
    """
    return float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 1 - TAIL)))


def narrowed(share: Values, n: NDArray[np.intp]) -> Values:
    """The inverse of ``widened``: a share of resamples, in Student's units."""
    return np.asarray(-ndtri(share) * np.sqrt((n - 1) / n))


def ratio(above: Values, below: Values, where_zero: float = 0.0) -> Values:
    """``above`` by ``below``; by zero, ``where_zero`` with the sign of ``above``."""
    safe = np.where(below > 0, below, 1.0)
    if where_zero == 0.0:
        return np.where(below > 0, above / safe, 0.0)
    return np.where(below > 0, above / safe, np.copysign(where_zero, above))
