"""The decision, on stages whose end can be seen by eye, and looked at more or less often."""

from dataclasses import replace

import numpy as np
import pytest

from noria.errors import UsageError
from noria.loop.decide import decide, first_decision
from noria.loop.ledger import Judged, Ledger, Marks
from noria.loop.plan import Plan

PLAN = Plan(least=500)
LAST = len(PLAN.shares) - 1


def stage(n: int, *, good: float = 0.8, live: float = 0.8, canary_fails: int = 0) -> Ledger:
    """Every second unit has the canary; of each arm's answers, a share is good, spread evenly.

    Of the failing units the first ``canary_fails`` are the canary's, one in ten units.
    """
    canary = np.tile([True, False], n // 2)
    own = np.arange(n) // 2  # an arm's own units, counted
    rate = np.where(canary, good, live)
    success = np.floor((own + 1) * rate) > np.floor(own * rate)
    at = np.arange(1, n + 1)
    failed = Marks(np.ones(canary_fails, dtype=bool), 10 * np.arange(1, canary_fails + 1))
    return Ledger(canary, {"errors": failed}, Judged(canary, success, at))


def drawn(seed: int, n: int = 4000, share: float = 0.5) -> Ledger:
    """A stage of which nobody knows how it ends."""
    rng = np.random.default_rng(seed)
    good, fails = rng.choice([0.65, 0.8, 0.95]), rng.choice([0.02, 0.06])
    canary, at = rng.random(n) < share, np.arange(1, n + 1)
    failing = np.flatnonzero(rng.random(n) < np.where(canary, fails, 0.02))
    success = rng.random(n) < np.where(canary, good, 0.8)
    judged = np.sort(rng.choice(n, n // 2, replace=False))
    return Ledger(
        canary,
        {"errors": Marks(canary[failing], at[failing])},
        Judged(canary[judged], success[judged], np.minimum(at[judged] + 7, n)),  # judged later
    )


def test_equal_answers_are_promoted_where_the_gate_saw_a_gain() -> None:
    found = decide(PLAN, LAST, stage(12_000), gain=True)
    assert (found.kind, found.to, found.better) == ("promote", 1.0, False)
    assert "as no worse" in found.sentence


def test_equal_answers_without_a_gain_end_inconclusive() -> None:
    assert decide(PLAN, LAST, stage(12_000), gain=False).kind == "hold"
    found = decide(PLAN, LAST, stage(20_000), gain=False)
    assert (found.kind, found.to) == ("inconclusive", 0.0)
    assert "the live release stays" in found.sentence


def test_better_answers_need_no_gate() -> None:
    found = decide(PLAN, LAST, stage(8000, good=0.9), gain=False)
    assert (found.kind, found.better) == ("promote", True)


def test_worse_answers_are_rolled_back_and_say_why() -> None:
    found = decide(PLAN, LAST, stage(8000, good=0.7), gain=True)
    assert (found.kind, found.to) == ("rollback", 0.0)
    (worse,) = (check for check in found.checks if check.name == "quality, worse")
    assert worse.measured >= worse.bound == 400
    assert worse.low < worse.estimate < worse.high
    assert worse.at == worse.n <= 8000
    assert worse.sentence in found.sentence


def test_early_stages_widen_and_never_promote() -> None:
    found = decide(Plan(shares=(0.5, 0.6), least=500), 0, stage(8000, good=0.9), gain=True)
    assert (found.kind, found.to) == ("widen", 0.6)
    assert not found.better
    assert {check.says for check in found.checks} == {"invalid", "worse", "ready"}


def test_a_stage_is_not_left_before_the_burn_in_nor_before_the_least() -> None:
    plan = Plan(shares=(0.5, 0.6), least=500)
    assert decide(plan, 0, stage(480), gain=True).kind == "hold"  # 48 failures an arm
    assert decide(plan, 0, stage(500), gain=True).kind == "widen"
    assert decide(plan, 0, stage(2000, good=0.999), gain=True).kind == "hold"  # one of 1,000 bad


def test_twenty_failing_units_of_the_canary_alone_roll_it_back() -> None:
    found = first_decision(PLAN, LAST, stage(12_000, canary_fails=20), gain=True, every=20)
    # of n canary units in n failing ones, e = 2 (2^(n+1) - 1) / 2 / (n + 1): 400 is passed at 12
    assert (found.kind, found.units) == ("rollback", 120)
    assert "12 of 12 failing units had the canary" in found.sentence


def test_what_rolls_back_goes_before_what_promotes() -> None:
    plan = replace(PLAN, least=100)
    good = stage(12_000, good=0.9, canary_fails=12)
    late = Ledger(good.exposed, {"errors": Marks(np.ones(12, bool), np.full(12, 12_000))},
                  good.judged)  # fmt: skip
    assert decide(plan, LAST, late, gain=True).kind == "rollback"
    assert decide(plan, LAST, late.until(11_999), gain=True).kind == "promote"


def test_lost_units_make_the_stage_invalid() -> None:
    found = decide(PLAN, LAST, replace(stage(12_000), exposed=np.arange(12_000) % 5 < 2), gain=True)
    assert found.kind == "inconclusive"
    assert found.sentence.startswith("Invalid")


def test_an_overdue_stage_ends() -> None:
    assert decide(PLAN, LAST, stage(1000), gain=True).kind == "hold"
    assert decide(PLAN, LAST, stage(1000), gain=True, overdue=True).kind == "inconclusive"


def test_nothing_yet_is_held() -> None:
    none = np.zeros(0, dtype=bool)
    for plan in (PLAN, replace(PLAN, quality="side by side")):
        found = decide(plan, LAST, Ledger(none), gain=True)
        assert found.kind == "hold"
        assert all(check.at is None for check in found.checks)


def test_pairs_decide_with_little_traffic() -> None:
    plan = Plan(shares=(0.5,), quality="side by side", margin=0.05, least=100)
    at = np.repeat(np.arange(1, 101), 3)

    def judged(won: list[bool]) -> Ledger:
        return Ledger(np.tile([True, False], 50), preferred=Marks(np.array(won * 60), at))

    assert decide(plan, 0, judged([True, True, True, True, False]), gain=False).better
    assert decide(plan, 0, judged([False, False, False, True, False]), gain=True).kind == "rollback"


@pytest.mark.parametrize("wrong", [-1, 4])
def test_a_stage_that_the_ramp_does_not_have_is_refused(wrong) -> None:
    with pytest.raises(UsageError, match=f"stage {wrong} was asked for; expected one of the .* 4"):
        decide(PLAN, wrong, stage(100), gain=True)


def test_failures_that_no_guardrail_watches_are_refused() -> None:
    marks = Marks(np.ones(1, bool), np.ones(1, np.int64))
    with pytest.raises(UsageError, match=r"failed by 'error', which no guardrail watches"):
        decide(PLAN, LAST, Ledger(np.ones(1, bool), {"error": marks}), gain=True)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("every", [20, 130])
def test_whoever_looks_at_every_block_finds_what_is_computed_at_once(seed, every) -> None:
    plan = Plan(shares=(0.25, 0.5), least=400, most=3000)
    for at, share in enumerate(plan.shares):
        ledger = drawn(seed, share=share)
        looks = (
            decide(plan, at, ledger.until(look), gain=bool(seed % 2))
            for look in range(every, 4001, every)
        )
        one_by_one = next(found for found in looks if found.kind != "hold")
        at_once = first_decision(plan, at, ledger, gain=bool(seed % 2), every=every)
        assert repr(at_once) == repr(one_by_one)  # repr: no NaN equals itself


@pytest.mark.parametrize("seed", range(5))
def test_what_a_check_has_said_it_does_not_take_back(seed) -> None:
    ledger, spoken = drawn(seed), {}
    for look in range(100, 4001, 100):
        checks = {c.name: c for c in decide(PLAN, LAST, ledger.until(look), gain=True).checks}
        assert all(checks[name] == said for name, said in spoken.items())
        spoken = {name: check for name, check in checks.items() if check.at is not None}
