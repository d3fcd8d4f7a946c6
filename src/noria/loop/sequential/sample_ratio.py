"""Whether the arms have as many units as they should: else nothing else can be believed.

The multinomial test of Lindon and Malek (Anytime-Valid Inference for Multinomial Count Data,
NeurIPS 2022, section 2): a Dirichlet that sits at the intended shares is wagered against them. A
mismatch means that units were lost on the way, and those that are lost are seldom like the others.
Pure arithmetic.
"""

import math

import numpy as np

from noria.loop.sequential.shares import Flags, Values

FIRM = 100.0  # how many units the Dirichlet counts for: a leak of some percent is found soonest
INVALID = 1000.0  # false alarms in at most one of a thousand stages


def evidence(canary: Flags, share: float) -> Values:
    """The logarithm of the e-value against ``share``, after each exposed unit.

    The first unit tells nothing, since the Dirichlet expects what was intended:

    >>> bool(np.isclose(evidence(np.array([True]), 0.05)[0], 0))
    True
    """
    from scipy.special import betaln  # type: ignore[import-untyped]

    hits = np.cumsum(canary)
    misses = np.arange(1, len(canary) + 1) - hits
    a, b = FIRM * share, FIRM * (1 - share)
    likelihood = hits * math.log(share) + misses * math.log1p(-share)
    return np.asarray(betaln(a + hits, b + misses) - betaln(a, b) - likelihood)
