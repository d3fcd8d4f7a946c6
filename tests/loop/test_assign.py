"""Who gets which arm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.loop.assign import Experiment, Split, place

ONE = Experiment("one", "salt")
UNITS = [f"user {number}" for number in range(20_000)]
shares = st.floats(0.001, 0.3)
words = st.text(max_size=12)


def test_a_canary_unit_stays_one_while_the_ramp_grows() -> None:
    split, before = Split(), set()
    for share in (0.01, 0.05, 0.25, 0.5, 1.0):
        split = split.widened("canary", share)
        now = {unit for unit in UNITS if split.arm(place(unit, ONE)) == "canary"}
        assert before <= now
        assert len(now) / len(UNITS) == pytest.approx(share, abs=0.012)
        before = now
    assert split.arm(0.999999) == "canary"


@settings(max_examples=50)
@given(words, words, words)
def test_a_place_is_the_same_every_time_and_below_one(unit, experiment, salt) -> None:
    at = place(unit, Experiment(experiment, salt))
    assert 0 <= at < 1
    assert at == place(unit, Experiment(experiment, salt))


@settings(max_examples=50)
@given(shares, shares, shares, st.lists(st.floats(0, 1, exclude_max=True), min_size=20))
def test_whoever_is_in_an_arm_stays_there_while_any_arm_grows(a, b, more, places) -> None:
    split = Split().widened("a", a).widened("b", b)
    for grown, arm in ((split.widened("a", a + more), "a"), (split.widened("b", b + more), "b")):
        for at in places:
            assert grown.arm(at) == split.arm(at) or (split.arm(at), grown.arm(at)) == ("live", arm)


@settings(max_examples=50)
@given(shares, shares, st.lists(st.floats(0, 1, exclude_max=True), min_size=20))
def test_an_arm_that_ends_leaves_the_others_as_they_were(a, b, places) -> None:
    split = Split().widened("a", a).widened("b", b).widened("a", 2 * a)
    for at in places:
        left = "live" if split.arm(at) == "a" else split.arm(at)
        assert split.without("a").arm(at) == left
    assert split.without("a").share("b") == split.share("b")
    assert split.without("a").share("a") == 0


def test_places_are_uniform() -> None:
    counts, _ = np.histogram([place(unit, ONE) for unit in UNITS], bins=20, range=(0, 1))
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-square of 19 degrees: 0.999


def test_two_experiments_choose_independently() -> None:
    one = np.array([place(unit, ONE) < 0.1 for unit in UNITS])
    for other in (Experiment("one", "pepper"), Experiment("two", "salt")):
        two = np.array([place(unit, other) < 0.1 for unit in UNITS])
        assert (one & two).mean() == pytest.approx(0.01, abs=0.0025)


def test_names_that_read_alike_when_joined_are_kept_apart() -> None:
    assert place("c", Experiment("b", "a")) != place("", Experiment("bc", "a"))
    assert place("c", Experiment("b", "a")) != place("c", Experiment("", "ab"))


def test_what_cannot_be_given_is_refused() -> None:
    split = Split().widened("a", 0.5)
    assert split.widened("a", 0.5) is split
    with pytest.raises(UsageError, match=r"60\.0% more, but 50\.0% of the traffic is left"):
        split.widened("b", 0.6)
    with pytest.raises(UsageError, match=r"has 50\.0% and was to get 20\.0%"):
        split.widened("a", 0.2)
    with pytest.raises(UsageError, match="other than 'live'"):
        split.widened("live", 0.9)
