"""Databases to test on: SQLite in a file, and PostgreSQL where one can be reached."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from noria.store.database import connect, opened

POSTGRES = os.environ.get("NORIA_POSTGRES", "")  # postgresql+psycopg://user@host/database


def each() -> list[object]:
    """SQLite, and PostgreSQL under its mark."""
    absent = pytest.mark.skipif(not POSTGRES, reason="set NORIA_POSTGRES to a database's URL")
    return ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, absent])]


def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database, which goes away afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'state.db'}"
        return
    schema = f"test_{uuid4().hex[:12]}"
    engine = connect(POSTGRES)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    joint = "&" if "?" in POSTGRES else "?"
    yield f"{POSTGRES}{joint}options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture(params=each())
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    yield from database(request.param, tmp_path)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine with the tables."""
    engine = opened(url)
    yield engine
    engine.dispose()
