"""Between which bounds the difference of two success rates lies, at all times at once.

An asymptotic confidence sequence: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Time-Uniform
Central Limit Theory and Asymptotic Confidence Sequences, Annals of Statistics 52, 2024, section
2.2; TensorZero uses the same. Its lower bound says both: above minus the margin is not inferior,
above zero is better. One bound that holds at all times pays for both claims. Pure arithmetic.
"""

import math
from dataclasses import dataclass

import numpy as np

from noria.loop.sequential.difference import counts
from noria.loop.sequential.shares import Counts, Flags, Values

TIGHTEST = 5000  # judgements: where the bounds are tightest for their alpha
# Successes, and failures, of each arm, before anything is said. "Asymptotic" is a promise about
# large counts: without this rule, from 30 judgements an arm on, 25 % of the canaries that were
# equal were called different (a canary of 5 %, 95 % successes; docs/experiments.md).
BURN_IN = 20
PSEUDO = 1.0  # a success and a failure more in each arm: no variance is ever taken for zero


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """The canary's success rate minus the live release's, after each whole block.

    ``least``: successes or failures of an arm, the rarest. ``ready``: whether they were enough for
    the burn-in; before, the bounds are -1 and 1, which is always true.
    """

    estimate: Values
    low: Values
    high: Values
    least: Counts
    ready: Flags


def sequence(canary: Flags, success: Flags, alpha: float, burn_in: int = BURN_IN) -> Sequence:
    """The bounds of the difference, for judgements in order; both sides together miss by ``alpha``.

    >>> canary = np.tile([True, True, False, False], 2000)
    >>> found = sequence(canary, np.tile([True, False], 4000), 0.05)
    >>> round(float(found.estimate[-1]), 3), round(float(found.low[-1]), 3)
    (0.0, -0.034)
    """
    n_on, k_on = (np.cumsum(part) for part in counts(canary, success))
    n_off, k_off = (np.cumsum(part) for part in counts(~canary, success))
    estimate = _rate(k_on, n_on) - _rate(k_off, n_off)
    margin = width(n_on, k_on, n_off, k_off, alpha)
    least = np.minimum.reduce([k_on, n_on - k_on, k_off, n_off - k_off])
    ready = least >= burn_in
    return Sequence(
        estimate,
        np.where(ready, np.maximum(estimate - margin, -1.0), -1.0),
        np.where(ready, np.minimum(estimate + margin, 1.0), 1.0),
        least,
        ready,
    )


def width(n_on: Counts, k_on: Counts, n_off: Counts, k_off: Counts, alpha: float) -> Values:
    """Half the length of the bounds; each arm's variance with a success and a failure more.

    The arms' own counts stand for the intended shares: where one arm's users judge more often than
    the other's, they are the truth.
    """
    n = n_on + n_off
    # what one judgement adds to the variance of the difference: σ₁²/π + σ₀²/(1 - π)
    spread = n * (_variance(k_on, n_on) + _variance(k_off, n_off))
    mixed = n * tuned(alpha) + 1
    return np.asarray(np.sqrt(spread * mixed / (n * n * tuned(alpha)) * np.log(mixed / alpha**2)))


def tuned(alpha: float) -> float:
    """The ρ² for which the bounds are, very nearly, tightest at ``TIGHTEST`` judgements.

    >>> round(tuned(0.05), 5)
    0.00176
    """
    log = -2 * math.log(alpha)
    return (log + math.log(log) + 1) / TIGHTEST


def _rate(k: Counts, n: Counts) -> Values:
    return np.asarray(k / np.maximum(n, 1))


def _variance(k: Counts, n: Counts) -> Values:
    p = (k + PSEUDO) / (n + 2 * PSEUDO)
    return np.asarray(p * (1 - p) / np.maximum(n, 1))
