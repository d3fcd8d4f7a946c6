"""Long work is found again where it stopped, and one at a time does it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from noria.errors import BusyError
from noria.store.jobs import RUNNING, Jobs

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_the_newest_is_found_again_as_it_was_kept(engine: Engine) -> None:
    jobs = Jobs(engine)
    assert jobs.last("turn") is None
    jobs.begin("t-1", "turn", NOON)
    later = jobs.begin("t-2", "turn", NOON + timedelta(hours=1))
    jobs.begin("x-1", "other", NOON + timedelta(hours=2))
    kept = jobs.keep(replace(later, step="build", record={"dataset": "d1"}), NOON)
    found = Jobs(engine).last("turn", RUNNING)
    assert found == kept
    assert (found.step, found.record) == ("build", {"dataset": "d1"})
    jobs.keep(replace(kept, state="refused"), NOON)
    assert [each.id for each in jobs.list("turn")] == ["t-2", "t-1"]
    assert (last := jobs.last("turn", RUNNING)) is not None
    assert last.id == "t-1"


def test_one_at_a_time(engine: Engine, tmp_path: Path) -> None:
    jobs = Jobs(engine)
    with jobs.alone(tmp_path / "a.lock", "turning"), pytest.raises(BusyError, match="turning"):
        jobs.alone(tmp_path / "a.lock", "turning").__enter__()
    with jobs.alone(tmp_path / "a.lock", "turning"):
        pass  # who has ended lets go


def test_another_machine_with_the_same_database_waits_too(engine: Engine, tmp_path: Path) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite's file is on one machine")
    here, there = Jobs(engine), Jobs(engine)
    with (
        here.alone(tmp_path / "here.lock", "turning"),
        pytest.raises(BusyError, match="another machine"),
        there.alone(tmp_path / "there.lock", "turning"),
    ):
        pass
    with there.alone(tmp_path / "there.lock", "turning"):
        pass
