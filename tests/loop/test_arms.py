"""Several arms against one live release: the budget is shared, and each ends alone."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import Engine, insert

from noria.cli.status import decided
from noria.errors import UsageError
from noria.loop.assign import LIVE, Split
from noria.loop.decide import decide, first_decision
from noria.loop.deploy import promoted, rolled_back, shadowed, tried, widened
from noria.loop.ledger import Judged, Ledger, Marks
from noria.loop.oversee import Ramp, overseen, ramp_of, settled
from noria.loop.plan import Plan
from noria.serve.route import UnknownModelError, drawn, shadow
from noria.store.journal import Journal
from noria.store.rollouts import Rollouts
from noria.store.schema import exposures, feedback
from noria.types import Exposure, Feedback, Rollout

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ARMS = {"a": 0.25, "b": 0.25}
LOADED = ("r1", "a", "b")
QUICK = settled(Ramp(least=100, most=4000, rivals=2))
THIRD = 1 / 3  # of the units of an arm and of live, where each of two arms has a quarter of all
RUNS, UNITS = 200, 4000


@pytest.fixture
def journal(engine: Engine) -> Iterator[Journal]:
    journal = Journal(engine)
    yield journal
    journal.close()


def begun(engine: Engine) -> Rollouts:
    rows = Rollouts(engine)
    first = rows.change(None, Rollout("r1"), "promote", "r1", {}, NOW)
    rows.change(first, tried(first, ARMS, "x1", "salt", NOW, QUICK), "ab", "a", {}, NOW)
    return rows


def crowd(
    rows: Rollouts, engine: Engine, users: range, good: dict[str, float], **failing: float
) -> None:
    """Users who are served by what the service would draw for them, and judge it, each once."""
    state, chance = rows.now(), np.random.default_rng(users.start)
    assert state is not None
    shown, judged = [], []
    for n in users:
        at, unit = NOW + timedelta(seconds=n), f"u{n}"
        to = drawn("noria", unit, state, LOADED)
        outcome = "error" if chance.random() < failing.get(to.release, 0.0) else "ok"
        value = 1.0 if chance.random() < good[to.release] else -1.0
        if to.experiment:
            shown.append(Exposure(f"a-{n}", at, to.experiment, unit, to.release, False, outcome, 1))
            thumb = Feedback(f"f-{n}", at, "t", unit, f"a-{n}", "thumb", value)
            judged.append(asdict(thumb) | {"ranking": None, "digest": ""})
    with engine.begin() as connection:
        connection.execute(insert(exposures), [asdict(each) for each in shown])
        connection.execute(insert(feedback), judged)


def looked(rows: Rollouts, journal: Journal, times: int = 1) -> list[tuple[str, str]]:
    """What was noted by so many looks, oldest first: the action, and of whom."""
    before = len(rows.history())
    for _ in range(times):
        overseen(rows, journal, NOW + timedelta(hours=2))
    changes = rows.history()[: len(rows.history()) - before]
    return [(change.action, change.release) for change in reversed(changes)]


def test_the_better_of_two_is_promoted_and_the_other_ends_with_it(
    engine: Engine, journal: Journal
) -> None:
    rows = begun(engine)
    crowd(rows, engine, range(3000), {"r1": 0.6, "a": 0.6, "b": 0.85})
    # the first arm is looked at first, and what is only noted waits
    assert looked(rows, journal) == [("promote", "b")]
    assert rows.now() == Rollout("b", "r1")


def test_harm_ends_its_arm_alone_and_the_other_is_compared_as_before(
    engine: Engine, journal: Journal
) -> None:
    rows = begun(engine)
    crowd(rows, engine, range(1500), {"r1": 0.7, "a": 0.7, "b": 0.7}, a=0.4)
    assert looked(rows, journal) == [("rollback", "a")]
    state = rows.now()
    assert state is not None
    assert state.trial is not None
    assert state.trial.releases == ("b",)
    assert ramp_of(state.trial, "b").shares == pytest.approx((THIRD,))
    assert ramp_of(state.trial, "b").rivals == 2  # the other had its half
    # users of the arm that ended are no more of live's than they should be, nor its victims
    crowd(rows, engine, range(1500, 6000), {"r1": 0.7, "a": 0.0, "b": 0.85})
    assert looked(rows, journal) == [("promote", "b")]
    checks = {check["name"]: check for check in rows.history(1)[0].reason["checks"]}
    assert checks["sample ratio"]["at"] is None


def test_each_arm_is_noted_once_until_more_is_seen(engine: Engine, journal: Journal) -> None:
    rows = begun(engine)
    crowd(rows, engine, range(60), {"r1": 0.7, "a": 0.7, "b": 0.7})
    assert looked(rows, journal, times=5) == [("hold", "a"), ("hold", "b")]
    state = rows.now()
    assert state is not None
    first, second = decided(rows.history(), state.trial)
    assert first.startswith("decided   a: Held after 4")
    assert second.startswith("decided   b: Held after 4")
    assert decided(rows.history(), None) == [second.replace("b: ", "")]


def test_a_shadow_is_nobodys_to_decide(engine: Engine, journal: Journal) -> None:
    rows = Rollouts(engine)
    first = rows.change(None, Rollout("r1"), "promote", "r1", {}, NOW)
    after = shadowed(first, "a", 0.1, "x1", "salt", NOW)
    rows.change(first, after, "shadow", "a", {}, NOW)
    assert overseen(rows, journal, NOW + timedelta(days=99)) is None
    assert rows.now() == after  # and comes back from the row as it was
    assert len(rows.history()) == 2
    assert promoted(after, "a") == Rollout("a", "r1")
    assert rolled_back(after) == Rollout("r1")


def test_one_trial_at_a_time() -> None:
    unseen = shadowed(Rollout("r1"), "a", 0.1, "x1", "salt", NOW)
    with pytest.raises(UsageError, match="a is a shadow; end that first"):
        tried(unseen, {"a": 0.1}, "x2", "salt", NOW)
    with pytest.raises(UsageError, match="a is not being tried"):
        widened(unseen, "a", 0.5, NOW)
    with pytest.raises(UsageError, match="a, b is being tried; end that first"):
        shadowed(tried(Rollout("r1"), ARMS, "x1", "salt", NOW), "c", 0.1, "x2", "salt", NOW)
    with pytest.raises(UsageError, match="r1 is live"):
        shadowed(Rollout("r1"), "r1", 0.1, "x1", "salt", NOW)


def test_what_is_live_keeps_as_many_users_as_an_arm() -> None:
    third = {"a": THIRD, "b": THIRD}
    assert tried(Rollout("r1"), third, "x", "s", NOW).trial is not None
    with pytest.raises(UsageError, match=r"leave 20.0% of the users to r1.*at most 0.333"):
        tried(Rollout("r1"), {"a": 0.4, "b": 0.4}, "x", "s", NOW)


def test_arms_of_different_sizes_are_each_held_to_their_own() -> None:
    trial = tried(Rollout("r1"), {"a": 0.1, "b": 0.3}, "x", "s", NOW).trial
    assert trial is not None
    assert ramp_of(trial, "a").shares == pytest.approx((0.1 / 0.7,))
    assert ramp_of(trial, "b").shares == pytest.approx((0.3 / 0.9,))
    assert ramp_of(trial, "a").by_hand


def test_a_shadow_is_drawn_beside_and_never_instead() -> None:
    state = shadowed(Rollout("r1"), "a", 0.5, "x1", "salt", NOW)
    for unit in (f"u{n}" for n in range(20)):
        assert drawn("noria", unit, state, LOADED).release == "r1"
        assert drawn("noria", unit, state, LOADED).experiment == ""
    assert {shadow("noria", f"u{n}", state, LOADED) for n in range(20)} == {"a", None}
    assert {shadow("noria", f"u{n}", state, ("r1",)) for n in range(20)} == {None}
    assert {shadow("r1", f"u{n}", state, LOADED) for n in range(20)} == {None}
    with pytest.raises(UnknownModelError):
        drawn("canary", "u1", state, LOADED)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 25)), min_size=1, max_size=4),
    st.sampled_from("abc"),
)
def test_what_ends_changes_nobody_elses_share(grown: list[tuple[str, int]], ends: str) -> None:
    split = Split()
    for arm, more in grown:
        split = split.widened(arm, split.share(arm) + more / 100)
    after = split.without(ends)
    for arm in {arm for arm, _ in grown} - {ends}:
        assert after.beside_live(arm) == pytest.approx(split.beside_live(arm))
    for at in np.linspace(0, 0.999, 50):
        assert after.returned(at) == (split.arm(at) == ends)
        assert after.arm(at) == (LIVE if split.arm(at) == ends else split.arm(at))


def arms(
    rng: np.random.Generator, good: dict[str, float]
) -> dict[str, tuple[Ledger, NDArray[np.intp]]]:
    """One experiment: of each arm its ledger, and when each of its units came."""
    names = np.array(["a", "b", LIVE])
    arm = names[rng.choice(3, UNITS, p=[0.25, 0.25, 0.5])]
    success = rng.random(UNITS) < np.array([good[name] for name in arm])
    failing = rng.random(UNITS) < 0.02
    found = {}
    for name in ("a", "b"):
        (when,) = np.nonzero((arm == name) | (arm == LIVE))
        canary, at = arm[when] == name, np.arange(1, len(when) + 1)
        failed = Marks(canary[failing[when]], at[failing[when]])
        ledger = Ledger(canary, {"errors": failed}, Judged(canary, success[when], at))
        found[name] = (ledger, when)
    return found


def winners(seed: int, good: dict[str, float], plan: Plan) -> list[str]:
    """Who was promoted in each run, as the overseer does it: the first; "" for nobody."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(RUNS):
        ends: list[tuple[int, str]] = []
        for name, (ledger, when) in arms(rng, good).items():
            told = first_decision(plan, 0, ledger, gain=False, every=20)
            if told.kind == "promote":
                ends.append((int(when[min(told.units, len(when)) - 1]), name))
        found.append(min(ends)[1] if ends else "")
    return found


def plan(rivals: int) -> Plan:
    return Plan(shares=(THIRD,), least=200, most=UNITS, rivals=rivals)


def test_two_arms_that_are_no_better_are_hardly_ever_promoted() -> None:
    found = winners(5, {"a": 0.8, "b": 0.8, LIVE: 0.8}, plan(2))
    # 5 % of 200 are 10; the bounds are cautious, so that fewer come
    assert sum(map(bool, found)) <= 10


def test_the_better_arm_wins() -> None:
    found = winners(6, {"a": 0.7, "b": 0.8, LIVE: 0.7}, plan(2))
    assert found.count("b") >= 190
    assert found.count("a") <= 5


def test_the_budget_is_halved_between_two() -> None:
    rng = np.random.default_rng(7)
    ledger, _ = arms(rng, {"a": 0.78, "b": 0.7, LIVE: 0.7})["a"]

    def moment(rivals: int) -> float:
        return first_decision(plan(rivals), 0, ledger, gain=False).units

    assert moment(1) < moment(2) < moment(8)
    checks = {check.name: check for check in decide(plan(2), 0, ledger, gain=False).checks}
    assert checks["errors"].bound == pytest.approx(2 * 5 / 0.05)  # arms and tests, of 5 %
