import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import text

from noria.errors import ConfigError, NoriaError
from noria.store.database import connect
from noria.store.sqlite import write_ahead
from noria.store.state import State

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_what_was_made_live_is_live(tmp_path) -> None:
    state = State(f"sqlite:///{tmp_path / 'deep' / 'er' / 'state.db'}")
    assert state.live("passages") is None
    state.make_live("passages", {"table": "a", "languages": ["en"]}, NOW)
    state.make_live("model", {"release": "r1"}, NOW)
    state.make_live("passages", {"table": "b"}, NOW + timedelta(days=1))
    assert state.live("passages") == {"table": "b"}
    assert state.live("model") == {"release": "r1"}
    state.close()


def test_another_process_sees_it(tmp_path) -> None:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    one, other = State(url), State(url)
    one.make_live("passages", {"table": "it's \u00fc"}, NOW)
    assert other.live("passages") == {"table": "it's \u00fc"}
    one.close()
    other.close()


def test_many_threads_write_in_turn(tmp_path) -> None:
    state = State(f"sqlite:///{tmp_path / 'state.db'}")
    state.make_live("x", {"n": -1}, NOW)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: state.make_live("x", {"n": n}, NOW), range(16)))
    assert state.live("x") in [{"n": n} for n in range(16)]
    state.close()


def test_many_threads_write_the_first_row(tmp_path) -> None:
    state = State(f"sqlite:///{tmp_path / 'state.db'}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: state.make_live("x", {"n": n}, NOW), range(16)))
    assert state.live("x") in [{"n": n} for n in range(16)]
    state.close()


def test_many_open_a_new_file_at_once(tmp_path) -> None:
    for turn in range(10):  # both failed in most turns: the log and the tables were made twice
        url, together = f"sqlite:///{tmp_path / str(turn)}.db", Barrier(6)

        def open_and_write(n: int, url: str = url, together: Barrier = together) -> None:
            together.wait()
            state = State(url)
            state.make_live("x", {"n": n}, NOW)
            state.close()

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(open_and_write, range(6)))


def test_a_log_that_another_holds_is_not_waited_for_longer_than_told(tmp_path) -> None:
    other = sqlite3.connect(tmp_path / "x.db")
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN EXCLUSIVE")
    connection = sqlite3.connect(tmp_path / "x.db", timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(connection, 0.1)
    other.rollback()
    write_ahead(connection, 0.1)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_sqlite_is_durable_and_lets_readers_read(tmp_path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'state.db'}")
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 10_000
    engine.dispose()


def test_what_is_no_url_is_an_error_of_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"store\.url: expected an SQLAlchemy URL"):
        State("just/a/path.db")


def test_what_is_no_database_is_told_without_its_password(tmp_path) -> None:
    file = tmp_path / "state.db"
    file.write_text("not a database, but a text that is long enough to be taken for one" * 20)
    with pytest.raises(NoriaError, match=r"store\.url: cannot open sqlite.*not a database"):
        State(f"sqlite:///{file}")
