"""Alembic's migrations: each brings a database one step on. Nothing is ever lost by one."""
