"""Whether two arms succeed equally often: exact at any rate, without a normal distribution.

Turner, Ly and Grünwald (Generic E-Variables for Exact Sequential k-Sample Tests, Journal of
Statistical Planning and Inference 230, 2024, section 2). In each block an arm's own rate, learnt
from earlier blocks, is wagered against the rate of both together. Pure arithmetic.
"""

import numpy as np

from noria.loop.sequential.shares import Counts, Flags, Values

BLOCK = 20  # judgements; a block has one wager, so it must not see its own outcomes
PRIOR = 0.5  # Beta(1/2, 1/2), Krichevsky and Trofimov's: loses least to the best wager in hindsight


def evidence(canary: Flags, success: Flags) -> Values:
    """The logarithm of the e-value against "equally often", after each whole block.

    >>> canary = np.tile([True, False], 100)
    >>> bool(evidence(canary, canary)[-1] > 100), len(evidence(canary, canary))
    (True, 10)
    >>> bool(np.isclose(evidence(canary, np.ones(200, dtype=bool)), 0).all())
    True
    """
    on, off = counts(canary, success), counts(~canary, success)
    p_on, p_off = learnt(*on), learnt(*off)
    pooled = (on[0] * p_on + off[0] * p_off) / BLOCK
    return np.cumsum(_won(*on, p_on, pooled) + _won(*off, p_off, pooled))


def counts(arm: Flags, success: Flags) -> tuple[Counts, Counts]:
    """How many judgements, and how many successes, an arm has in each whole block."""
    whole = len(arm) // BLOCK * BLOCK
    own = arm[:whole].reshape(-1, BLOCK)
    return own.sum(axis=1), (own & success[:whole].reshape(-1, BLOCK)).sum(axis=1)


def learnt(n: Counts, successes: Counts) -> Values:
    """An arm's rate as the blocks before each one tell it."""
    before = np.cumsum(n) - n
    good = np.cumsum(successes) - successes
    return (good + PRIOR) / (before + 2 * PRIOR)


def _won(n: Counts, successes: Counts, own: Values, pooled: Values) -> Values:
    return np.asarray(
        successes * np.log(own / pooled) + (n - successes) * np.log((1 - own) / (1 - pooled))
    )
