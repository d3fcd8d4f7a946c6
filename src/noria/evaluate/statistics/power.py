"""How small a difference so many questions show, and how many questions a difference needs.

By the normal approximation: a paired test at 5 % sees a true difference in 80 % of the cases when
it is 1.960 + 0.842 standard errors (Chow, Shao, Wang, Lokhnygina: Sample Size Calculations in
Clinical Research, 3rd edition, 2017, section 3.1).
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

SEEN = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
THREE = 3  # of n questions, none of which differed, as many may differ after all, at 95 %


def detectable(differences: Values | float, n: int) -> float:
    """The smallest true difference that ``n`` questions show in 4 of 5 cases.

    ``differences``: those seen, question by question, or their standard deviation. Where all
    questions differ alike, their deviation is not known: then 3 of ``n`` are taken to differ by 1
    more (the rule of three), which is the worst case for a metric between 0 and 1. NaN where
    nothing is known.

    >>> round(detectable(0.5, 200), 3), round(detectable(0.0, 200), 3)
    (0.099, 0.024)
    """
    deviation = deviation_of(differences)
    if n < 1 or math.isnan(deviation):
        return math.nan
    return SEEN * (deviation or math.sqrt(THREE / n)) / math.sqrt(n)


def needed(differences: Values | float, difference: float) -> int:
    """How many questions show a true ``difference`` in 4 of 5 cases; at least 2.

    ``differences``: as for ``detectable``, of some questions like those. Raises ValueError where
    no number of questions would do, or nothing is known.

    >>> needed(0.5, 0.1), needed(0.5, -0.05)
    (197, 785)
    """
    deviation = deviation_of(differences)
    if not difference or math.isnan(deviation) or math.isnan(difference):
        raise ValueError(
            f"expected a difference that is not zero, and two or more questions to judge by; "
            f"got a difference of {difference}, a deviation of {deviation}"
        )
    return max(2, math.ceil((SEEN * deviation / difference) ** 2))


def deviation(low: float, high: float, n: int) -> float:
    """The standard deviation that a 95 % interval over ``n`` questions tells of one question.

    For figures that are no mean of their questions, such as BLEU.

    >>> round(deviation(-0.098, 0.098, 100), 3)
    0.5
    """
    return (high - low) / 2 / NormalDist().inv_cdf(0.975) * math.sqrt(n)


def deviation_of(differences: Values | float) -> float:
    """Of at least two questions; NaN of fewer."""
    if isinstance(differences, float | int):
        return float(differences)
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else math.nan
    rounding = 1e-12 * float(np.abs(differences).max(initial=0.0))
    return 0.0 if spread <= rounding else spread
