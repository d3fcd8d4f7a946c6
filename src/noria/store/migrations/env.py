"""What Alembic runs: ``store/database.py`` gives the connection, and holds the lock."""

from alembic import context

from noria.store.database import VERSIONS
from noria.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, version_table=VERSIONS.name)
with context.begin_transaction():
    context.run_migrations()
