"""Keys say nothing of admins: no endpoint ever asked, and no key was ever one."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Drop the column."""
    op.drop_column("keys", "admin")
