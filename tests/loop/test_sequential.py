"""The statistics, where their expectations can be added up or worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from noria.loop.sequential import asymptotic, difference, guardrail, preference, sample_ratio
from noria.loop.sequential.shares import bounds, excess

chances = st.floats(0.01, 0.95)
TIMES = 30


def mean_e(of: int, chance: float, null: float) -> float:
    """The e-value's expectation after ``of`` trials: over all numbers of hits."""
    hits = np.arange(of + 1)
    e = excess(hits, np.full(of + 1, of), null)
    return float(np.exp(binom.logpmf(hits, of, chance) + e).sum())


@settings(max_examples=50)
@given(chances, st.integers(1, 200))
def test_a_wager_does_not_win_on_average_where_nothing_is_wrong(null, of) -> None:
    assert mean_e(of, null, null) == pytest.approx(1, rel=1e-6)
    assert mean_e(of, null / 2, null) <= 1 + 1e-6


def test_a_wager_wins_where_hits_are_more_often_than_they_should_be() -> None:
    assert mean_e(100, 0.7, 0.5) > 100


def test_far_fewer_hits_than_expected_lose_the_wager() -> None:
    # no hit of n at even chance: the mean of (2 (1 - θ))ⁿ over 1/2 to 1 is 1 / (n + 1)
    n = np.array([100, 1000, 1100, 100_000])
    assert excess(np.zeros(4, dtype=int), n, 0.5) == pytest.approx(-np.log(n + 1), abs=2e-3)
    # some hits, but far too few: on both sides of what a float holds
    few = excess(np.array([100, 120, 140, 160]), np.array([2000, 2400, 2800, 3200]), 0.5)
    assert few == pytest.approx(-np.log(0.9 * np.array([2000, 2400, 2800, 3200])), rel=0.01)


def test_bounds_hold_what_was_seen_and_narrow() -> None:
    widths = []
    for n in (10, 100, 1000):
        low, high = bounds(n // 5, n, 0.05)
        assert 0 < low < 0.2 < high < 1
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert bounds(0, 50, 0.05)[0] == 0
    assert bounds(50, 50, 0.05)[1] == 1


def test_bounds_hold_at_all_times_at_once() -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(200):
        hits = np.cumsum(rng.random(300) < 0.3)
        looks = (bounds(int(hits[n - 1]), n, 0.05) for n in range(10, 300, 10))
        missed += any(not low <= 0.3 <= high for low, high in looks)
    assert missed <= 16  # 5 % of 200, and what chance adds


def test_a_guardrail_that_tolerates_more_expects_more() -> None:
    # the canary may fail twice as often: of 3 failing units at half the traffic, 2 are its own
    assert guardrail.Guardrail("slow", tolerated=2).null(0.5) == pytest.approx(2 / 3)
    # equally often, at 1 % of the traffic, whatever the threshold: its share of the traffic
    assert guardrail.Guardrail("slow").null(0.01) == pytest.approx(0.01)


def test_a_guardrail_needs_no_rate_and_minds_no_outage() -> None:
    # an outage of the database fails all units of both arms: a tenth of them has the canary
    outage = np.tile([True] + [False] * 9, 100)
    assert guardrail.evidence(outage, 0.1)[-1] < 0


def test_the_sample_ratio_does_not_win_on_average_either() -> None:
    hits = np.arange(TIMES + 1)
    arms = [np.array([True] * k + [False] * (TIMES - k)) for k in hits]
    e = np.exp([sample_ratio.evidence(arm, 0.05)[-1] for arm in arms])
    assert (binom.pmf(hits, TIMES, 0.05) * e).sum() == pytest.approx(1)


def test_a_leak_of_a_fifth_is_found() -> None:
    rng = np.random.default_rng(1)
    found = sample_ratio.evidence(rng.random(10_000) < 0.08, 0.1) >= np.log(sample_ratio.INVALID)
    assert 500 < np.argmax(found) < 8000


@settings(max_examples=25)
@given(chances, st.integers(1, 19), st.integers(0, 20), st.integers(0, 20))
def test_a_block_does_not_win_on_average_where_both_succeed_equally(p, size, good, bad) -> None:
    # the first block is given; in the second, ``size`` of 20 had the canary
    canary = np.tile([True] * size + [False] * (20 - size), 2)
    first = np.array([True] * min(good, 20) + [False] * (20 - min(good, 20)))
    first = np.roll(first, bad)
    total = 0.0
    for k in range(size + 1):
        for j in range(21 - size):
            second = [True] * k + [False] * (size - k) + [True] * j + [False] * (20 - size - j)
            e = difference.evidence(canary, np.concatenate([first, second]))
            chance = binom.pmf(k, size, p) * binom.pmf(j, 20 - size, p)
            total += chance * np.exp(e[1] - e[0])
    assert total <= 1 + 1e-9


def test_the_first_block_has_nothing_to_wager_by() -> None:
    canary = np.tile([True, False], 10)
    assert difference.evidence(canary, canary)[0] == pytest.approx(0)


def test_the_margin_is_the_formula_worked_out_by_hand() -> None:
    # p = 0.8 in both arms of 3,800: v = 0.64, ρ² = (5.9915 + 1.7904 + 1) / 5000 = 0.0017564
    # n ρ² + 1 = 14.35; sqrt(0.64 * 14.35 / (7600² * 0.0017564) * ln(14.35 / 0.0025)) = 0.0280
    half, good = np.array([3800]), np.array([3040])
    assert asymptotic.width(half, good, half, good, 0.05)[0] == pytest.approx(0.0280, abs=5e-5)


def test_nothing_is_said_before_the_burn_in() -> None:
    canary = np.tile([True, False], 2000)
    success = np.ones(4000, dtype=bool)
    success[[*range(0, 38, 2), *range(1, 400, 2)]] = False  # 19 of the canary's failed
    found = asymptotic.sequence(canary, success, 0.05)
    assert not found.ready.any()
    assert (found.low == -1).all()
    assert (found.high == 1).all()
    success[38] = False  # the twentieth
    assert asymptotic.sequence(canary, success, 0.05).ready[-1]


def test_pairs_won_and_lost_mirror_each_other() -> None:
    won = np.array([True] * 14 + [False] * 6)
    assert preference.worse(~won) == pytest.approx(preference.above(won, 0.5))
    assert preference.above(won, 0.45)[-1] > preference.above(won, 0.5)[-1]
