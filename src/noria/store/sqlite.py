"""What every SQLite file of Noria is told when it is opened."""

import sqlite3
from time import monotonic, sleep

PAUSE = 0.02  # seconds between two tries


def write_ahead(connection: sqlite3.Connection, patience: float) -> None:
    """Keep a write-ahead log, so that readers never block the writer.

    The change needs the file for itself. SQLite does not wait where two ask for that at once, for
    each would wait for the other; so this tries again for ``patience`` seconds, then raises
    ``sqlite3.OperationalError``.
    """
    ends = monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > ends:
                raise
            sleep(PAUSE)
