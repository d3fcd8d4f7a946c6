"""What is live: one row, with its history; whoever decided on an older state changes nothing."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from noria.errors import BusyError, NoriaError
from noria.store.rollouts import Rollouts
from noria.types import Rollout, Trial

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TRIAL = Trial("x1", "canary", (("r2", 0.05),), "salt", NOW)


def test_the_row_comes_back_as_it_was(engine: Engine) -> None:
    rows = Rollouts(engine)
    assert rows.now() is None
    first, second = Rollout("r1"), Rollout("r1", None, TRIAL)
    rows.change(None, first, "promote", "r1", {"by": "hand"}, NOW)
    rows.change(first, second, "canary", "r2", {"share": 0.05}, NOW)
    assert rows.now() == second
    assert [(c.action, c.release, c.state) for c in rows.history()] == [
        ("canary", "r2", second),
        ("promote", "r1", first),
    ]
    assert rows.history()[0].reason == {"share": 0.05}


def test_who_was_slower_changes_nothing(engine: Engine) -> None:
    rows, first = Rollouts(engine), Rollout("r1")
    rows.change(None, first, "promote", "r1", {}, NOW)
    rows.change(first, Rollout("r2", "r1"), "promote", "r2", {}, NOW)
    for before in (None, first):
        with pytest.raises(BusyError):
            rows.change(before, Rollout("r3"), "promote", "r3", {}, NOW)
    assert rows.now() == Rollout("r2", "r1")
    assert len(rows.history()) == 2


def test_a_decision_that_changes_nothing_is_written_down_too(engine: Engine) -> None:
    rows, first = Rollouts(engine), Rollout("r1")
    rows.change(None, first, "promote", "r1", {}, NOW)
    rows.change(first, first, "hold", "r1", {"n": 100}, NOW)
    assert [change.action for change in rows.history()] == ["hold", "promote"]


def test_a_row_that_was_changed_by_hand_is_told(engine: Engine) -> None:
    rows = Rollouts(engine)
    rows.change(None, Rollout("r1"), "promote", "r1", {}, NOW)
    with engine.begin() as connection:
        connection.execute(text("UPDATE live SET value = '{}' WHERE name = 'rollout'"))
    with pytest.raises(NoriaError, match="changed by hand"):
        rows.now()


def test_who_may_answer_is_named_once() -> None:
    assert Rollout("r1", "r2", TRIAL).releases == ("r1", "r2")
