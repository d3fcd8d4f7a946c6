"""A database comes to the schema of this version, from nothing and from older ones."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

import noria.store
from noria.errors import NoriaError
from noria.store.database import HEAD, VERSIONS, connect, opened, version_of
from noria.store.schema import metadata
from noria.store.state import State

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSIONS.name})
        return compare_metadata(context, metadata)


def upgraded(url: str) -> Engine:
    """Brought to the schema step by step, as an old database is."""
    engine = connect(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE live (name VARCHAR(100) PRIMARY KEY, "
                "value TEXT NOT NULL, at TIMESTAMP NOT NULL)"
            )
        )
        connection.execute(text("INSERT INTO live VALUES ('passages', '{}', '2026-01-01')"))
    engine.dispose()
    return opened(url)


def test_a_new_database_has_the_tables(engine: Engine) -> None:
    assert differences(engine) == []
    with engine.connect() as connection:
        assert version_of(connection) == HEAD


def test_an_old_database_is_brought_to_the_same_and_loses_nothing(url: str) -> None:
    engine = upgraded(url)
    told = [str(each) for each in differences(engine) if "live" not in str(each)]
    assert told == []  # the table from before was made by hand here
    with engine.connect() as connection:
        assert version_of(connection) == HEAD
        assert connection.execute(text("SELECT value FROM live")).scalar() == "{}"
    engine.dispose()


def test_the_newest_migration_is_the_one_that_is_expected() -> None:
    config = Config()
    folder = f"{noria.store.__path__[0]}/migrations"
    config.set_main_option("script_location", folder)
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_database_of_a_newer_noria_is_left_alone(url: str) -> None:
    engine = opened(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE noria_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(NoriaError, match="newer Noria"):
        opened(url)


def test_several_may_open_a_new_database_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        engines = list(threads.map(opened, [url] * 4))
    assert all(differences(engine) == [] for engine in engines[:1])
    for engine in engines:
        engine.dispose()


def test_what_is_live_is_read_again(url: str) -> None:
    state = State(url)
    state.make_live("passages", {"table": "a"}, NOW)
    state.close()
    again = State(url)
    assert again.live("passages") == {"table": "a"}
    again.close()
