"""Whether the canary's units fail more often than the live release's.

Of the units that failed, the canary's share is looked at. If both releases fail equally often, a
failing unit is the canary's with the canary's share of the traffic, however often failures happen
and whatever the hour: so no rate has to be known or to stay the same (Lindon and Malek, Anytime-
Valid Inference for Multinomial Count Data, NeurIPS 2022, section 3). Pure arithmetic.
"""

from dataclasses import dataclass

import numpy as np

from noria.loop.sequential.shares import Flags, Values, excess

LEAST = 100.0  # an e-value that rolls back is at least this, whatever alpha would allow
SLOWER = 1.2  # times the live release's 95th percentile


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A way to fail. ``tolerated``: how many times as often as the live release the canary may.

    >>> round(Guardrail("slow", tolerated=1.5).null(0.5), 3)
    0.6
    """

    name: str
    tolerated: float = 1.0

    def null(self, share: float) -> float:
        """The largest share of failing units that is the canary's where nothing is wrong.

        Failing equally often, it is the canary's ``share`` of the traffic, also where the failure
        is a threshold set at the live release's 95th percentile: both are held against the same
        number, and the 5 % cancel. A canary that may fail r times as often has r times the weight.

        >>> Guardrail("errors").null(0.05)
        0.05
        """
        weight = self.tolerated * share
        return weight / (weight + 1 - share)


def evidence(canary: Flags, null: float) -> Values:
    """The logarithm of the e-value after each failing unit, given which were the canary's.

    >>> bool(evidence(np.array([True] * 8), 0.5)[-1] > np.log(20))
    True
    """
    return excess(np.cumsum(canary), np.arange(1, len(canary) + 1), null)


def too_slow(live_p95: float, factor: float = SLOWER) -> float:
    """From how many seconds on an answer counts as a failure of the guardrail 'slow'.

    ``live_p95``: of the live release, measured before the stage and frozen with it. A threshold
    that moved with the canary's own latency would hide what it is to find.

    >>> too_slow(2.0)
    2.4
    """
    return live_p95 * factor
