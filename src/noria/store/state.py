"""The SQL store. One row, written last, makes something live.

Knows nothing of what the rows point to.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from noria.store.database import opened
from noria.store.schema import live


class State:
    """The rows of one SQL database.

    >>> from datetime import UTC
    >>> state = State("sqlite://")
    >>> state.make_live("passages", {"table": "a"}, datetime(2026, 1, 1, tzinfo=UTC))
    >>> state.live("passages")
    {'table': 'a'}
    """

    def __init__(self, url: str) -> None:
        self._engine = opened(url)

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
