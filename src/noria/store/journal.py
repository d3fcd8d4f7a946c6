"""What happened and what people think of it: events, feedback, exposures.

What was acknowledged is on the disk. A key makes a retry the same event: the first one counts.
Knows nothing of what is decided from it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    Select,
    Table,
    bindparam,
    insert,
    select,
    update,
)

from noria.errors import UsageError
from noria.store.erase import erased
from noria.store.schema import events, exposures, feedback
from noria.store.writer import Writer
from noria.types import Event, Exposure, Feedback

ANSWER = "answer"  # the kind of event that an answer is
SHADOW = "shadow"  # and of one that nobody was shown
# Made once: to build a statement and find its text costs several times what the database needs.
INSERT = {table.name: insert(table) for table in (events, feedback, exposures)}
FIRST = {
    table.name: select(table.c.id, table.c.digest).where(
        table.c.tenant == bindparam("of"), table.c.key == bindparam("under")
    )
    for table in (events, feedback)
}
GIVEN = select(events.c.id, events.c.release).where(
    events.c.id == bindparam("this"),
    events.c.tenant == bindparam("to"),
    events.c.kind == ANSWER,
)
END = (
    update(exposures)
    .where(exposures.c.answer == bindparam("of"))
    .values(outcome=bindparam("how"), seconds=bindparam("after"))
)


class UnknownAnswerError(UsageError):
    """Feedback on an answer that was not given, or to somebody else."""


class UsedKeyError(UsageError):
    """A key that came with something else before."""


class Journal:
    """The events, judgements and exposures of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = Writer(engine)

    def record(self, event: Event, key: str | None = None) -> "Future[str]":
        """Keep an event. The future has its id once it is durable.

        With a ``key`` that this tenant sent before, it is the first event's id, or UsedKeyError
        where that one was another.
        """
        row = row_of(event)
        return self._writer.submit(lambda at: once(at, events, row, key))

    def judge(self, feedback_: Feedback, key: str | None = None) -> "Future[str]":
        """Keep a judgement. The future has its id, as ``record`` has, or UnknownAnswerError."""

        def work(at: Connection) -> str:
            given = answer_of(at, feedback_.tenant, feedback_.answer)
            for other in feedback_.ranking:
                answer_of(at, feedback_.tenant, other)
            row = asdict(feedback_) | {
                "ranking": spelled(list(feedback_.ranking)) if feedback_.ranking else None,
                "release": given.release,
            }
            return once(at, feedback, row, key)

        return self._writer.submit(work)

    def expose(self, exposure: Exposure) -> "Future[None]":
        """Keep who will be answered by what."""

        def work(at: Connection) -> None:
            at.execute(INSERT["exposures"], asdict(exposure))

        return self._writer.submit(work)

    def answered(self, event: Event, outcome: str, seconds: float) -> "Future[None]":
        """Keep an answer, and how its exposure ended, in one transaction."""
        row = row_of(event)

        def work(at: Connection) -> None:
            once(at, events, row, None)
            at.execute(END, {"of": event.id, "how": outcome, "after": seconds})

        return self._writer.submit(work)

    def shadowed(self, event: Event, answer: str) -> "Future[str]":
        """Keep what a shadow said beside ``answer``.

        The future has its id, or UnknownAnswerError where that answer was erased meanwhile: nothing
        comes back of somebody who was forgotten.
        """
        row = {**asdict(event), "payload": spelled(event.payload)}

        def work(at: Connection) -> str:
            answer_of(at, event.tenant, answer)
            return once(at, events, row, None)

        return self._writer.submit(work)

    def ended(self, answer: str, outcome: str, seconds: float) -> "Future[None]":
        """Keep how an exposure ended that no answer came of."""

        def work(at: Connection) -> None:
            at.execute(END, {"of": answer, "how": outcome, "after": seconds})

        return self._writer.submit(work)

    def forget(self, tenant: str, user: str, unit: str | None = None) -> dict[str, int]:
        """Erase a person's events and judgements, and what others thought of answers to them.

        ``unit``: what experiments keep them under, also where no answer came of an exposure.
        """
        return self._writer.write(lambda at: erased(at, tenant, user, unit))

    def event(self, id: str) -> Event | None:
        """The event with this id."""
        return next(self._events(select(events).where(events.c.id == id)), None)

    def events(
        self,
        kind: str | None = None,
        tenant: str | None = None,
        user: str | None = None,
        since: datetime | None = None,
    ) -> "Iterator[Event]":
        """Events in the order of their time."""
        query = select(events).order_by(events.c.at, events.c.id)
        if kind is not None:
            query = query.where(events.c.kind == kind)
        if tenant is not None:
            query = query.where(events.c.tenant == tenant)
        if user is not None:
            query = query.where(events.c.user == user)
        if since is not None:
            query = query.where(events.c.at >= since)
        return self._events(query)

    def answers(self, release: str, limit: int) -> "list[Event]":
        """The last answers of a release, the newest first."""
        query = select(events).where(events.c.kind == ANSWER, events.c.release == release)
        return list(self._events(query.order_by(events.c.at.desc(), events.c.id).limit(limit)))

    def earliest(self, release: str, since: datetime, limit: int) -> "list[Event]":
        """The first answers of a release from ``since`` on, the oldest first."""
        query = select(events).where(
            events.c.kind == ANSWER, events.c.release == release, events.c.at >= since
        )
        return list(self._events(query.order_by(events.c.at, events.c.id).limit(limit)))

    def release_of(self, answer: str) -> str:
        """The release that gave an answer; empty where none did."""
        query = select(events.c.release).where(events.c.id == answer)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar() or ""

    def feedback(
        self, answers: Sequence[str] | None = None, since: datetime | None = None
    ) -> "Iterator[Feedback]":
        """Judgements in the order of their time; of some answers, or of all."""
        query = select(feedback).order_by(feedback.c.at, feedback.c.id)
        if answers is not None:
            query = query.where(feedback.c.answer.in_(list(answers)))
        if since is not None:
            query = query.where(feedback.c.at >= since)
        return self._judgements(query)

    def exposed(
        self, experiment: str, since: datetime | None = None
    ) -> tuple[tuple[Exposure, ...], tuple[Feedback, ...]]:
        """An experiment's exposures, and what was thought of those answers; oldest first.

        ``since``: only those from then on.
        """
        wanted = [exposures.c.experiment == experiment]
        if since is not None:
            wanted.append(exposures.c.at >= since)
        shown = select(exposures).where(*wanted)
        judged = select(feedback).where(
            feedback.c.answer.in_(select(exposures.c.answer).where(*wanted))
        )
        with self._engine.connect() as connection:
            rows = connection.execute(shown.order_by(exposures.c.at, exposures.c.answer))
            found = tuple(Exposure(**row._mapping) for row in rows)
        ordered = judged.order_by(feedback.c.at, feedback.c.id)
        return found, tuple(self._judgements(ordered))

    def close(self) -> None:
        """Write what waits; the engine is its owner's to close."""
        self._writer.close()

    def _events(self, query: Select[Any]) -> "Iterator[Event]":
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                kept = fields_of(row)
                yield Event(**{**kept, "payload": json.loads(kept["payload"])})

    def _judgements(self, query: Select[Any]) -> "Iterator[Feedback]":
        with self._engine.connect() as connection:
            for row in connection.execute(query):
                kept = fields_of(row)
                ranking = tuple(json.loads(kept["ranking"])) if kept["ranking"] else ()
                yield Feedback(**{**kept, "ranking": ranking})


def once(connection: Connection, table: Table, row: Mapping[str, Any], key: str | None) -> str:
    """Insert ``row`` under its tenant's ``key``; the id of what is there under it.

    Raises IntegrityError where another process inserts under the key meanwhile; done again, it
    finds that row.
    """
    digest = content_of(row)
    if key is not None:
        same = {"of": row["tenant"], "under": key}
        first = connection.execute(FIRST[table.name], same).first()
        if first is not None and first.digest != digest:
            raise UsedKeyError(
                f"the key {key!r} came with another content before; send a new one with new content"
            )
        if first is not None:
            return str(first.id)
    connection.execute(INSERT[table.name], {**row, "key": key, "digest": digest})
    return str(row["id"])


def row_of(event: Event) -> dict[str, Any]:
    """An event as its table has it; ``asdict`` would copy all that the payload holds."""
    row = {field.name: getattr(event, field.name) for field in fields(event)}
    return {**row, "payload": spelled(event.payload)}


def answer_of(connection: Connection, tenant: str, answer: str) -> Any:
    """The event of an answer that this tenant was given."""
    found = connection.execute(GIVEN, {"this": answer, "to": tenant}).first()
    if found is None:
        raise UnknownAnswerError(
            f"no answer {answer[:80]!r} was given here; expected the id of a chat's response"
        )
    return found


def content_of(row: Mapping[str, Any]) -> str:
    """Digest of what somebody said, whenever and under whatever id it is kept."""
    said = {name: value for name, value in row.items() if name not in ("id", "at", "release")}
    return hashlib.sha256(spelled(said).encode()).hexdigest()


def fields_of(row: Row[Any]) -> dict[str, Any]:
    """A row without what only the table needs."""
    return {name: value for name, value in row._mapping.items() if name not in ("key", "digest")}


def spelled(value: object) -> str:
    """The JSON text of a payload."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
