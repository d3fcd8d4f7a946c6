"""Opens Noria's SQL database, and brings it to the schema of this version.

SQLite by default; any SQLAlchemy URL works. Knows nothing of what the rows mean.
"""

import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from noria.errors import ConfigError, NoriaError
from noria.store.schema import metadata
from noria.store.sqlite import write_ahead

PATIENCE = 10.0  # seconds to wait for another process that writes
SQLITE_BESIDE = 100_000  # bytes of the file that SQLite keeps beside the database, and some
HEAD = "0004"  # the newest migration
MIGRATING = 6_667_428  # PostgreSQL's lock of that number lets one process migrate
# as Alembic makes it
VERSIONS = Table("noria_version", MetaData(), Column("version_num", String(32), primary_key=True))


def url_in(home: Path, chosen: str = "") -> str:
    """The URL of the store: the one that was chosen, or SQLite in the home folder."""
    return chosen or f"sqlite:///{(home / 'state.db').resolve()}"


def opened(url: str) -> Engine:
    """An engine whose database has the tables of ``schema``.

    Raises NoriaError if it cannot be opened, or if a newer Noria made it.
    """
    engine = connect(url)
    try:
        with engine.connect() as connection:
            found = version_of(connection)
        if found != HEAD:
            migrate(engine)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        if no_room(engine):
            reason = "the disk is full; free some space and run again: nothing is lost"
        engine.dispose()
        raise NoriaError(f"store.url: cannot open {shown(engine)}: {reason}") from None
    except BaseException:
        engine.dispose()
        raise
    return engine


def version_of(connection: Connection) -> str | None:
    """The migration that the database is at; None for one that has seen none."""
    if not inspect(connection).has_table(VERSIONS.name):
        return None
    return connection.execute(select(VERSIONS.c.version_num)).scalar()


def migrate(engine: Engine) -> None:
    """Bring the database to the newest schema in one transaction, one process at a time."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":  # its driver begins none before it makes tables
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATING)))
        found = version_of(connection)  # another process may have been the first
        if found is not None and found > HEAD:
            raise NoriaError(
                f"store.url: {shown(engine)} was made by a newer Noria (its schema is {found}, "
                f"this one knows {HEAD}); install that version"
            )
        if found is None and not inspect(connection).has_table("live"):
            create(connection)
        elif found != HEAD:
            upgrade(connection)
        connection.commit()


def create(connection: Connection) -> None:
    """All tables at once, in an empty database: what the migrations come to."""
    metadata.create_all(connection)
    VERSIONS.create(connection)
    connection.execute(insert(VERSIONS).values(version_num=HEAD))


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


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
    # what is written was said by people, and errors are logged
    engine = create_engine(parsed, hide_parameters=True)
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", durable)
    return engine


def shown(engine: Engine) -> str:
    """The database's URL without its password."""
    return engine.url.render_as_string(hide_password=True)


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
