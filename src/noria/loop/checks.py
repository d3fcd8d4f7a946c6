"""What each test says of a stage, with its numbers: measured, bound, interval, a sentence.

A test that has spoken stays as it was then, so that a decision can be written down, and so that one
who looks seldom finds what one would have found who always looks. Knows no ramp.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from noria.loop.ledger import Judged, Marks
from noria.loop.sequential import asymptotic, difference, guardrail, preference, sample_ratio
from noria.loop.sequential.shares import Counts, Flags, Values, bounds

Says = Literal["worse", "invalid", "not inferior", "better", "ready"]

LARGEST = 700.0  # the logarithm of an e-value that still is a number


@dataclass(frozen=True, slots=True)
class Check:
    """One test of one stage.

    ``measured`` is held against ``bound``: an e-value, a lower bound, or a count. ``estimate`` lies
    between ``low`` and ``high``: the canary's share of units or of preferences, or its success rate
    minus the live release's; NaN where nothing is known. ``n``: of how many units, failures or
    judgements. ``says``: what it claims once it speaks, and ``at``: how many units had been exposed
    when it did; None as long as it is silent.
    """

    name: str
    measured: float
    bound: float
    estimate: float
    low: float
    high: float
    n: int
    says: Says
    at: int | None
    sentence: str

    def spoke(self, says: Says) -> bool:
        """Whether it claims this."""
        return self.says == says and self.at is not None


def sample_ratio_check(exposed: Flags, share: float) -> Check:
    """Whether as many units got the canary as should."""
    return _of_share(
        ("sample ratio", "invalid"),
        Marks(exposed, np.arange(1, len(exposed) + 1)),
        sample_ratio.evidence(exposed, share),
        sample_ratio.INVALID,
        f"units got the canary, where {share:.2%} should",
    )


def guardrail_check(rail: guardrail.Guardrail, failed: Marks, share: float, alpha: float) -> Check:
    """Whether the canary's units fail more often than is tolerated."""
    null = rail.null(share)
    return _of_share(
        (rail.name, "worse"),
        failed,
        guardrail.evidence(failed.yes, null),
        max(guardrail.LEAST, 1 / alpha),
        f"failing units had the canary, where {null:.1%} may",
    )


def preference_checks(
    preferred: Marks, *, margin: float, worse: float, promoted: float
) -> tuple[Check, ...]:
    """Worse, not inferior and better, of pairs judged side by side.

    ``worse`` and ``promoted``: what the claims may err with.
    """
    tests: tuple[tuple[Says, Values, float, float], ...] = (
        ("worse", preference.worse(preferred.yes), worse, 0.5),
        ("not inferior", preference.above(preferred.yes, 0.5 - margin), promoted, 0.5 - margin),
        ("better", preference.above(preferred.yes, 0.5), promoted, 0.5),
    )
    return tuple(
        _of_share(
            (f"preference, {says}", says),
            preferred,
            evidence,
            1 / alpha,
            f"pairs were won by the canary's answer, held against {against:.1%}",
        )
        for says, evidence, alpha, against in tests
    )


def quality_checks(
    judged: Judged, *, margin: float, worse: float, promoted: float
) -> tuple[Check, ...]:
    """Burn-in, worse, not inferior and better, of single judgements, after each whole block.

    ``worse`` and ``promoted``: what the claims may err with; the interval is that of ``promoted``.
    """
    found = asymptotic.sequence(judged.canary, judged.success, promoted)
    at = judged.at[difference.BLOCK - 1 :: difference.BLOCK]
    wager = difference.evidence(judged.canary, judged.success)
    # any difference wins the wager; only one to the worse rolls back
    lost = (wager >= -math.log(worse)) & (found.estimate < 0)
    return (
        _of_difference(
            "ready", found, found.ready, at, found.least.astype(np.float64), asymptotic.BURN_IN
        ),
        _of_difference("worse", found, lost, at, np.exp(np.minimum(wager, LARGEST)), 1 / worse),
        _of_difference("not inferior", found, found.low > -margin, at, found.low, -margin),
        _of_difference("better", found, found.low > 0, at, found.low, 0.0),
    )


def _of_share(
    named: tuple[str, Says], marks: Marks, evidence: Values, bound: float, told: str
) -> Check:
    """A check of how often the answer was yes, by the logarithms of its e-values."""
    place, spoke = _first(evidence >= math.log(bound))
    n = place + 1
    hits = int(marks.yes[:n].sum())
    e = math.exp(min(float(evidence[place]), LARGEST)) if n else 1.0
    share = hits / n if n else math.nan
    low, high = bounds(hits, n, 1 / bound)
    sentence = (
        f"{named[0]}: {hits:,} of {n:,} {told}; e = {e:.3g}, and {bound:.3g} is needed"
        if n
        else f"{named[0]}: nothing yet"
    )
    at = int(marks.at[place]) if spoke else None
    return Check(named[0], e, bound, share, low, high, n, named[1], at, sentence)


def _of_difference(
    says: Says,
    found: asymptotic.Sequence,
    claimed: Flags,
    at: Counts,
    measured: Values,
    bound: float,
) -> Check:
    """A check of the success rates, by what it claims after each block."""
    name = "burn-in" if says == "ready" else f"quality, {says}"
    place, spoke = _first(claimed)
    if place < 0:
        return Check(
            name, math.nan, bound, math.nan, -1.0, 1.0, 0, says, None, f"{name}: nothing yet"
        )
    value, low, high = (float(row[place]) for row in (found.estimate, found.low, found.high))
    n, told = (place + 1) * difference.BLOCK, float(measured[place])
    sentence = (
        f"{name}: {value:+.2%} [{low:+.2%}, {high:+.2%}] successes over {n:,} judgements; "
        f"{told:.3g}, and {bound:.3g} is needed"
    )
    spoken = int(at[place]) if spoke else None
    return Check(name, told, bound, value, low, high, n, says, spoken, sentence)


def _first(claimed: Flags) -> tuple[int, bool]:
    """The first place at which something is claimed, else the last one; and whether it is."""
    places = np.flatnonzero(claimed)
    return (int(places[0]), True) if len(places) else (len(claimed) - 1, False)
