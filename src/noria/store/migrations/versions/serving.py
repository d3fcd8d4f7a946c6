"""What users do and think, who was answered by what, what was decided, long work, keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    events()
    feedback()
    exposures()
    deployments()
    jobs()
    keys()


def events() -> None:
    """What happened."""
    op.create_table(
        "events",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("user", sa.String(200)),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("release", sa.String(20)),
        sa.Column("query", sa.Text),
        sa.Column("item", sa.String(200)),
        sa.Column("position", sa.Integer),
        sa.Column("propensity", sa.Float),
        sa.Column("value", sa.Float),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("key", sa.String(200)),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.UniqueConstraint("tenant", "key", name="events_key"),
    )
    op.create_index("events_user", "events", ["tenant", "user"])
    op.create_index("events_kind", "events", ["kind", "at"])


def feedback() -> None:
    """What people think of answers."""
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("user", sa.String(200)),
        sa.Column("answer", sa.String(64), nullable=False),
        sa.Column("release", sa.String(20)),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("text", sa.Text),
        sa.Column("ranking", sa.Text),
        sa.Column("key", sa.String(200)),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.UniqueConstraint("tenant", "key", name="feedback_key"),
    )
    op.create_index("feedback_answer", "feedback", ["answer"])
    op.create_index("feedback_user", "feedback", ["tenant", "user"])
    op.create_index("feedback_at", "feedback", ["at"])


def exposures() -> None:
    """Who was to be answered by what."""
    op.create_table(
        "exposures",
        sa.Column("answer", sa.String(64), primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("experiment", sa.String(64), nullable=False),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("release", sa.String(20), nullable=False),
        sa.Column("fallback", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.String(20)),
        sa.Column("seconds", sa.Float),
    )
    op.create_index("exposures_experiment", "exposures", ["experiment", "at"])


def deployments() -> None:
    """Changes and decisions."""
    op.create_table(
        "deployments",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("release", sa.String(20), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def jobs() -> None:
    """Long work."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("updated", MOMENT, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("step", sa.String(40), nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )


def keys() -> None:
    """Keys of the HTTP service."""
    op.create_table(
        "keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("rate", sa.Float, nullable=False),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("revoked", MOMENT),
    )
