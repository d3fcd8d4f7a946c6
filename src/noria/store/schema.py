"""The tables of Noria's SQL database. ``migrations`` bring a database to what stands here.

Times are kept in UTC. Knows nothing of what is written into the rows.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

ID, NAME = 64, 200  # characters of an id that Noria makes, and of a name that others choose
LONGEST_RELEASE = 20
metadata = MetaData()


class Moment(TypeDecorator[datetime]):
    """A time with its zone, which comes back in UTC: SQLite itself keeps no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time in UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value}: a time without its zone; expected one in UTC")
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The time in UTC, with its zone."""
        if value is None or value.tzinfo is not None:
            return value.astimezone(UTC) if value else None
        return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]


# name -> what is live under it: {"passages": {"table": …, "encoder": …}}, {"rollout": {…}}
live = Table(
    "live",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

# ``record`` holds all but what is looked for, as ``releases.as_json`` spells it.
releases = Table(
    "releases",
    metadata,
    Column("id", String(LONGEST_RELEASE), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("objective", String(100), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("record", Text, nullable=False),
)

# How each was trained: curves and environment, for people and for the mirror.
runs = Table(
    "runs",
    metadata,
    Column("release", String(LONGEST_RELEASE), primary_key=True),
    Column("record", Text, nullable=False),
)

# What happened: an answer that was given (its id is the event's), a click, anything users do.
# ``key``: the Idempotency-Key; a tenant's second event with one is the first. ``payload`` is JSON.
events = Table(
    "events",
    metadata,
    Column("id", String(ID), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("tenant", String(NAME), nullable=False),
    Column("user", String(NAME)),
    Column("kind", String(40), nullable=False),
    Column("release", String(LONGEST_RELEASE)),
    Column("query", Text),
    Column("item", String(NAME)),
    Column("position", Integer),
    Column("propensity", Float),
    Column("value", Float),
    Column("payload", Text, nullable=False),
    Column("key", String(NAME)),
    Column("digest", String(ID), nullable=False),
    UniqueConstraint("tenant", "key", name="events_key"),
    Index("events_user", "tenant", "user"),
    Index("events_kind", "kind", "at"),
)

# What people think of an answer.
feedback = Table(
    "feedback",
    metadata,
    Column("id", String(ID), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("tenant", String(NAME), nullable=False),
    Column("user", String(NAME)),
    Column("answer", String(ID), nullable=False),
    Column("release", String(LONGEST_RELEASE)),
    Column("kind", String(40), nullable=False),
    Column("value", Float),
    Column("text", Text),
    Column("ranking", Text),
    Column("key", String(NAME)),
    Column("digest", String(ID), nullable=False),
    UniqueConstraint("tenant", "key", name="feedback_key"),
    Index("feedback_answer", "answer"),
    Index("feedback_user", "tenant", "user"),
    Index("feedback_at", "at"),
)

# What reviewers found of an answer: one row for each of both. ``passages`` is JSON.
reviews = Table(
    "reviews",
    metadata,
    Column("answer", String(ID), primary_key=True),
    Column("reviewer", String(NAME), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("tenant", String(NAME), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("text", Text),
    Column("intent", Text),
    Column("passages", Text, nullable=False),
)

# Who was to be answered by what, written before the answer was: ``unit`` is a hash of tenant and
# user. ``outcome`` and ``seconds`` are added when it has ended; ``fallback``: another release
# answered than the one that was drawn.
exposures = Table(
    "exposures",
    metadata,
    Column("answer", String(ID), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("experiment", String(ID), nullable=False),
    Column("unit", String(ID), nullable=False),
    Column("release", String(LONGEST_RELEASE), nullable=False),
    Column("fallback", Boolean, nullable=False),
    Column("outcome", String(20)),
    Column("seconds", Float),
    Index("exposures_experiment", "experiment", "at"),
)

# Each change of what is live, and each decision about it with its numbers. The newest state is
# the row ``rollout`` of ``live``, written in the same transaction.
deployments = Table(
    "deployments",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("action", String(40), nullable=False),
    Column("release", String(LONGEST_RELEASE), nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

# Long work that goes on where it stopped: the last step that was done, and what it made.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(ID), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("at", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("state", String(20), nullable=False),
    Column("step", String(40), nullable=False),
    Column("record", Text, nullable=False),
)

# Keys of the HTTP service: ``digest`` is the SHA-256 of the secret, which is kept nowhere.
keys = Table(
    "keys",
    metadata,
    Column("id", String(ID), primary_key=True),
    Column("digest", String(ID), nullable=False, unique=True),
    Column("tenant", String(NAME), nullable=False),
    Column("groups", Text, nullable=False),
    Column("rate", Float, nullable=False),
    Column("at", Moment, nullable=False),
    Column("revoked", Moment),
)
