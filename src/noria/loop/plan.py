"""What a ramp is to be: its shares, its guardrails, its margin, and the errors it may make.

Set before the first unit is exposed and frozen with it. Knows no outcomes.
"""

import math
from dataclasses import dataclass
from typing import Literal

from noria.errors import UsageError
from noria.loop.sequential.asymptotic import BURN_IN
from noria.loop.sequential.guardrail import Guardrail
from noria.loop.spending import Spending, spend

SHARES = (0.01, 0.05, 0.25, 0.5)  # at half, both arms learn alike fast; beyond, it is promoted
# At half the traffic the guardrails find units that fail in 6 % instead of 2 % within 3,000 in more
# than 19 of 20 cases (docs/experiments.md). Answers are often shown to be good before that, and a
# canary that fails would have been promoted by then.
LEAST = 3000
USUAL = (
    Guardrail("errors"),
    Guardrail("timeouts"),
    Guardrail("empty or ungrounded"),
    Guardrail("slow"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A ramp.

    ``shares``: the canary's, of the units of both arms (``Split.beside_live``), stage by stage.
    ``quality``: by single judgements of either arm's answers, or by pairs of answers side by side.
    ``margin``: how much worse still counts as no worse, in the success rate, or in the share of
    pairs in which the canary's answer is preferred. ``rollback``, ``promotion``: the chance of a
    false one, over the whole ramp. ``rivals``: how many arms run against the live release.
    ``least``: units in a stage before it may be widened or promoted, however good the answers are;
    ``most``: units after which it ends.
    """

    shares: tuple[float, ...] = SHARES
    guardrails: tuple[Guardrail, ...] = USUAL
    quality: Literal["judged", "side by side"] = "judged"
    margin: float = 0.03
    rollback: float = 0.05
    promotion: float = 0.05
    rivals: int = 1
    least: int = LEAST
    most: int = 20_000

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.shares, self.shares[1:], strict=False))
        if not self.shares or not rising or not 0 < self.shares[0] <= self.shares[-1] < 1:
            raise UsageError(
                f"the shares of the ramp are {self.shares}; expected at least one, each larger "
                "than the one before, all between 0 and 1, as (0.01, 0.05, 0.25, 0.5)"
            )
        if not 0 < self.margin < 0.5:
            raise UsageError(
                f"the margin is {self.margin}; expected more than 0 and less than 0.5, as 0.03 for "
                "three points. Without a margin ask for a better release, not for one that is no "
                "worse"
            )
        if not 0 < self.rollback < 1 or not 0 < self.promotion < 1 or self.rivals < 1:
            raise UsageError(
                f"rollback is {self.rollback}, promotion {self.promotion}, rivals {self.rivals}; "
                "expected two chances of an error between 0 and 1, as 0.05, and at least one rival"
            )

    @property
    def spending(self) -> Spending:
        """What each test of a stage may err with."""
        return spend(
            self.rollback,
            self.promotion,
            stages=len(self.shares),
            guardrails=len(self.guardrails),
            rivals=self.rivals,
        )

    def last(self, stage: int) -> bool:
        """Whether this stage is the one that may promote."""
        return stage == len(self.shares) - 1


def ramp(judged_a_day: float, days: float, success: float = 0.8) -> tuple[float, ...]:
    """The shares of a ramp that begins where its first stage can be left within ``days``.

    A stage is left after the burn-in, 20 successes and 20 failures of each arm; the rarer of both,
    of the smaller arm, takes longest. ``success``: the live release's rate. ``judged_a_day``: units
    of which a judgement comes in. Raises UsageError where even half the traffic is too little.

    >>> ramp(5000, days=3), ramp(1000, days=3), ramp(100, days=3)
    ((0.01, 0.05, 0.25, 0.5), (0.05, 0.25, 0.5), (0.5,))
    """
    if not 0 < success < 1:
        raise UsageError(
            f"the live release's success rate is {success}; expected one between 0 and 1. Where "
            "all or no answers are good, single judgements tell nothing: judge side by side"
        )
    # judgements of the smaller arm; 1 - 0.8 is a little less than 0.2
    needed = math.ceil(BURN_IN / min(success, 1 - success) - 1e-9)
    shares = tuple(share for share in SHARES if share * judged_a_day * days >= needed)
    if not shares:
        raise UsageError(
            f"{judged_a_day:g} judged units a day give half the traffic "
            f"{judged_a_day * days / 2:.0f} judgements in {days:g} days; a stage needs "
            f"{needed}. Give it {math.ceil(2 * needed / max(judged_a_day, 1e-9))} days, "
            "or let pairs of answers be judged side by side"
        )
    return shares
