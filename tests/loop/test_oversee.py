"""From rows of the store to a decision that is done and written down."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, insert, update

from noria.loop.assign import LIVE, Experiment, Split, place
from noria.loop.deploy import ended, promoted, rolled_back, taken_over, tried, widened
from noria.loop.oversee import FOREVER, Ramp, ledger_of, overseen, ramp_of, settled
from noria.store.journal import Journal
from noria.store.rollouts import Rollouts
from noria.store.schema import exposures, feedback
from noria.types import Exposure, Feedback, Rollout

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
QUICK = Ramp(shares=(0.5,), least=100, most=4000, gain=True)


@pytest.fixture
def journal(engine: Engine) -> Iterator[Journal]:
    journal = Journal(engine)
    yield journal
    journal.close()


def begun(engine: Engine, ramp: Ramp | None = QUICK, share: float = 0.5) -> Rollouts:
    rows = Rollouts(engine)
    first = rows.change(None, Rollout("r1"), "promote", "r1", {}, NOW)
    plan = settled(ramp) if ramp else {}
    after = tried(first, {"r2": share}, "x1", "salt", NOW, plan)
    rows.change(first, after, "canary", "r2", {}, NOW)
    return rows


def crowd(
    rows: Rollouts, engine: Engine, units: int, good: dict[str, float], **failing: float
) -> None:
    """Users who are served by what they are drawn to, and judge it, each once."""
    state, drawn = rows.now(), np.random.default_rng(7)
    assert state is not None
    assert state.trial is not None
    experiment = Experiment(state.trial.experiment, state.trial.salt)
    split = Split(state.trial.steps)
    shown, judged = [], []
    for n in range(units):
        at, user = NOW + timedelta(seconds=n), f"u{n}"
        arm = split.arm(place(user, experiment))
        release = state.live if arm == LIVE else arm
        outcome = "error" if drawn.random() < failing.get(release, 0.0) else "ok"
        shown.append(Exposure(f"a-{n}", at, "x1", user, release, outcome=outcome, seconds=0.1))
        value = 1.0 if drawn.random() < good[release] else -1.0
        thumb = Feedback(f"f-{n}", at, "t", user, f"a-{n}", "thumb", value, release=release)
        judged.append(asdict(thumb) | {"ranking": None, "digest": ""})
    with engine.begin() as connection:  # at once: the journal's own way is tested elsewhere
        connection.execute(insert(exposures), [asdict(each) for each in shown])
        connection.execute(insert(feedback), judged)


@pytest.mark.parametrize(
    ("good", "fails", "action", "live"),
    [
        ({"r1": 0.6, "r2": 0.85}, {}, "promote", "r2"),
        ({"r1": 0.85, "r2": 0.5}, {}, "rollback", "r1"),
        ({"r1": 0.8, "r2": 0.8}, {"r2": 0.15}, "rollback", "r1"),
    ],
)
def test_what_the_crowd_thinks_is_done(
    engine: Engine,
    journal: Journal,
    good: dict[str, float],
    fails: dict[str, float],
    action: str,
    live: str,
) -> None:
    rows = begun(engine)
    crowd(rows, engine, 1500, good, **fails)
    found = overseen(rows, journal, NOW + timedelta(hours=1))
    assert found is not None
    assert rows.history(1)[0].action == action
    assert rows.now() == found[1]
    assert (found[1].live, found[1].trial) == (live, None)
    assert rows.history(1)[0].reason["sentence"] == found[0].sentence
    assert overseen(rows, journal, NOW) is None  # nothing is tried any more


def test_of_a_share_that_was_set_by_hand_only_harm_is_acted_on(
    engine: Engine, journal: Journal
) -> None:
    rows = begun(engine, ramp=None)
    crowd(rows, engine, 600, {"r1": 0.5, "r2": 0.95})
    found = overseen(rows, journal, NOW + timedelta(days=99))
    assert found is not None
    assert found[1].trial is not None


def test_a_ramp_that_people_take_over_is_theirs() -> None:
    ramped = tried(Rollout("r1"), {"r2": 0.01}, "x", "s", NOW, settled(Ramp()))
    by_hand = taken_over(widened(ramped, "r2", 0.1, NOW))
    assert by_hand.trial is not None
    assert ramp_of(by_hand.trial, "r2") == Ramp(
        shares=(0.1,), by_hand=True, most=FOREVER, days=float(FOREVER)
    )


def test_holding_is_noted_once_until_more_is_seen(engine: Engine, journal: Journal) -> None:
    rows = begun(engine)
    crowd(rows, engine, 40, {"r1": 0.8, "r2": 0.8})
    for _ in range(3):
        overseen(rows, journal, NOW + timedelta(minutes=1))
    assert [change.action for change in rows.history()] == ["hold", "canary", "promote"]


def test_a_stage_that_takes_too_long_ends_with_what_is_live(
    engine: Engine, journal: Journal
) -> None:
    rows = begun(engine)
    crowd(rows, engine, 40, {"r1": 0.8, "r2": 0.8})
    overseen(rows, journal, NOW + timedelta(days=15))
    assert rows.history(1)[0].action == "inconclusive"
    assert rows.now() == Rollout("r1")


def test_who_met_both_counts_nowhere_and_a_fallback_is_an_error() -> None:
    shown = [
        Exposure("a-1", NOW, "x1", "u1", "r1"),
        Exposure("a-2", NOW, "x1", "u1", "r2"),
        Exposure("a-3", NOW, "x1", "u2", "r2", fallback=True, outcome="ok"),
        Exposure("a-4", NOW, "x1", "u3", "r1", outcome="ok", seconds=9.0),
        Exposure("a-5", NOW - timedelta(seconds=1), "x1", "u4", "r2"),  # of the stage before
    ]
    thumbs = [
        Feedback(f"f{n}", NOW, "t", "u", answer, "thumb", 1.0)
        for n, answer in enumerate(("a-1", "a-3", "a-4"))
    ]
    ledger = ledger_of(NOW, "r2", "r1", shown, thumbs, slow_after=5.0)
    assert ledger.exposed.tolist() == [True, False]
    assert {name: marks.yes.tolist() for name, marks in ledger.failed.items()} == {
        "errors": [True],
        "slow": [False],
    }
    assert (ledger.judged.canary.tolist(), ledger.judged.success.tolist()) == ([False], [True])


def test_changes_of_what_is_live() -> None:
    assert rolled_back(promoted(Rollout("r1"), "r2")) == Rollout("r1", "r2")
    both = tried(Rollout("r1"), {"a": 0.2, "b": 0.2}, "x", "s", NOW)
    assert both.trial is not None
    assert (both.trial.kind, both.trial.releases) == ("ab", ("a", "b"))
    assert promoted(both, "a") == Rollout("a", "r1")
    assert promoted(replace(both, previous="r0"), "r1") == Rollout("r1", "r0")
    assert rolled_back(both) == Rollout("r1")
    alone = ended(both, "a")
    assert alone.trial is not None
    assert alone.trial.releases == ("b",)
    assert Split(alone.trial.steps).arm(0.3) == "b"  # whose users stay
    assert ended(alone, "b") == Rollout("r1")


def test_a_release_that_kills_its_server_is_rolled_back(engine: Engine, journal: Journal) -> None:
    """Such an answer never ends: nobody is left to write how it did."""
    rows = begun(engine)
    crowd(rows, engine, 1500, {"r1": 0.8, "r2": 0.8})
    killed = update(exposures).where(exposures.c.release == "r2", exposures.c.answer.like("%7"))
    with engine.begin() as connection:
        connection.execute(killed.values(outcome=None, seconds=None))
    found = overseen(rows, journal, NOW + timedelta(hours=1))
    assert found is not None
    assert found[0].kind == "rollback"
    assert "errors" in found[0].sentence


def test_what_is_being_answered_has_not_failed_yet() -> None:
    shown = [
        Exposure("a-1", NOW, "x1", "u1", "r1", outcome="ok", seconds=1.0),
        Exposure("a-2", NOW + timedelta(minutes=3), "x1", "u2", "r2"),
    ]
    for minutes, failed in ((4, []), (7, []), (9, [True])):
        now = NOW + timedelta(minutes=minutes)
        ledger = ledger_of(NOW, "r2", "r1", shown, [], None, now, timedelta(minutes=5))
        marks = ledger.failed.get("errors")
        assert (marks.yes.tolist() if marks else []) == failed


def test_by_hand_harm_is_seen_however_late_it_comes(engine: Engine, journal: Journal) -> None:
    by_hand = Ramp(shares=(0.5,), most=1000, by_hand=True, slow_after=3.0)
    rows = begun(engine, ramp=by_hand)
    crowd(rows, engine, 2500, {"r1": 0.8, "r2": 0.8})
    with engine.begin() as connection:
        late = exposures.c.at > NOW + timedelta(seconds=1500)
        slow = update(exposures).where(exposures.c.release == "r2", late)
        connection.execute(slow.values(seconds=9.0))
    found = overseen(rows, journal, NOW + timedelta(days=99))
    assert found is not None
    assert found[0].kind == "rollback"
    assert "slow" in found[0].sentence
