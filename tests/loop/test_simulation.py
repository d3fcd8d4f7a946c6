"""Small ramps with a known truth: few mistakes are made, and what is bad is found.

``benchmarks/canary.py`` has the large ones.
"""

from collections import Counter

import numpy as np

from noria.loop.checks import quality_checks
from noria.loop.decide import first_decision
from noria.loop.ledger import Judged, Ledger, Marks
from noria.loop.plan import Plan

PLAN = Plan()
RUNS, UNITS = 60, 8000


def ends(seed: int, *, good: float = 0.8, errors: float = 0.02) -> Counter[str]:
    """How often each decision was found at half the traffic; 80 % good, 2 % failing is equal."""
    rng = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for _ in range(RUNS):
        canary, at = rng.random(UNITS) < 0.5, np.arange(1, UNITS + 1)
        failing = np.flatnonzero(rng.random(UNITS) < np.where(canary, errors, 0.02))
        success = rng.random(UNITS) < np.where(canary, good, 0.8)
        ledger = Ledger(
            canary,
            {"errors": Marks(canary[failing], at[failing])},
            Judged(canary, success, at),
        )
        found[first_decision(PLAN, 3, ledger, gain=True, every=20).kind] += 1
    return found


def test_equal_releases_are_hardly_ever_rolled_back() -> None:
    found = ends(0)
    assert found["rollback"] <= 3  # at most 5 % of 60
    assert found["promote"] >= 30


def test_a_canary_that_is_worse_by_five_points_is_never_promoted() -> None:
    found = ends(1, good=0.75)
    assert found["promote"] == 0
    assert found["rollback"] >= 45


def test_a_canary_that_is_better_is_promoted() -> None:
    assert ends(2, good=0.85)["promote"] >= 57


def test_a_canary_that_fails_is_rolled_back() -> None:
    assert ends(3, errors=0.06)["rollback"] >= 57


def test_without_the_burn_in_a_rare_canary_would_be_let_through() -> None:
    # 95 % good, the canary 92 %, and 5 % of the traffic: the case that the rule is for
    rng = np.random.default_rng(4)
    passed = 0
    for _ in range(100):
        canary = rng.random(8000) < 0.05
        success = rng.random(8000) < np.where(canary, 0.92, 0.95)
        judged = Judged(canary, success, np.arange(1, 8001))
        checks = quality_checks(judged, margin=0.03, worse=0.0025, promoted=0.05)
        passed += any(check.spoke("not inferior") for check in checks)
    assert passed <= 5
