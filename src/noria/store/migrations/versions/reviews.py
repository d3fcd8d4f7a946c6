"""What reviewers found of answers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reviews",
        sa.Column("answer", sa.String(64), primary_key=True),
        sa.Column("reviewer", sa.String(200), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(200), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("intent", sa.Text),
        sa.Column("passages", sa.Text, nullable=False),
    )
