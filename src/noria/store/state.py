"""The SQL store. One row, written last, makes something live.

SQLite by default; any SQLAlchemy URL works. Knows nothing of what the rows point to.
"""

import json
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateTable

from noria.errors import ConfigError, NoriaError
from noria.store.sqlite import write_ahead

PATIENCE = 10.0  # seconds to wait for another process that writes
SQLITE_BESIDE = 100_000  # bytes of the file that SQLite keeps beside the database, and some

metadata = MetaData()

# name -> what is live under it: {"passages": {"table": …, "encoder": …}}
live = Table(
    "live",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)


class State:
    """The rows of one SQL database.

    >>> from datetime import UTC
    >>> state = State("sqlite://")
    >>> state.make_live("passages", {"table": "a"}, datetime(2026, 1, 1, tzinfo=UTC))
    >>> state.live("passages")
    {'table': 'a'}
    """

    def __init__(self, url: str) -> None:
        self._engine = opened(url, metadata)

    def live(self, name: str) -> dict[str, Any] | None:
        """What is live under ``name``; None where nothing is yet."""
        with self._engine.connect() as connection:
            value = connection.execute(select(live.c.value).where(live.c.name == name)).scalar()
        return None if value is None else dict(json.loads(value))

    def make_live(self, name: str, value: Mapping[str, Any], at: datetime) -> None:
        """Point ``name`` at ``value``, in one transaction."""
        row = {"value": json.dumps(value, sort_keys=True), "at": at}
        change = update(live).where(live.c.name == name).values(row)
        with self._engine.begin() as connection:
            if connection.execute(change).rowcount:
                return
            try:
                with connection.begin_nested():
                    connection.execute(insert(live).values(name=name, **row))
            except IntegrityError:  # another process was the first
                connection.execute(change)

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()


def url_in(home: Path, chosen: str = "") -> str:
    """The URL of the store: the one that was chosen, or SQLite in the home folder."""
    return chosen or f"sqlite:///{(home / 'state.db').resolve()}"


def opened(url: str, tables: MetaData) -> Engine:
    """An engine whose database has the tables; raises NoriaError if it cannot be opened."""
    engine = connect(url)
    try:
        with engine.begin() as connection:
            for table in tables.sorted_tables:
                connection.execute(CreateTable(table, if_not_exists=True))
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        shown = engine.url.render_as_string(hide_password=True)
        if no_room(engine):
            reason = "the disk is full; free some space and run again: nothing is lost"
        raise NoriaError(f"store.url: cannot open {shown}: {reason}") from None
    return engine


def connect(url: str) -> Engine:
    """An engine; SQLite is set up so that what is committed survives a power cut."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(
            "store.url: expected an SQLAlchemy URL such as sqlite:///noria.db "
            "or postgresql+psycopg://user@host/noria"
        ) from None
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", durable)
    return engine


def no_room(engine: Engine) -> bool:
    """Whether SQLite's file is on a full disk, where even reading needs a page beside it."""
    place = Path(engine.url.database or "").parent
    return (
        engine.url.get_backend_name() == "sqlite"
        and place.is_dir()
        and shutil.disk_usage(place).free < SQLITE_BESIDE
    )


def durable(connection: Any, _: Any) -> None:
    """SQLite: readers never block the writer, and each commit reaches the disk."""
    write_ahead(connection, PATIENCE)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={PATIENCE * 1000:.0f}")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
