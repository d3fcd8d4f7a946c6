"""Long work that goes on where it stopped: which steps are done, and what each made.

Knows nothing of what the steps are.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, func, insert, select, update

from noria.errors import BusyError
from noria.jobs import locked
from noria.store.schema import jobs

RUNNING = "running"  # the state of a job that is not at its end
ALONE = 7_205_759  # the lock of PostgreSQL that one job of a database holds


@dataclass(frozen=True, slots=True)
class Job:
    """One job. ``state``: running, or how it ended; ``record``: what each step made, as JSON."""

    id: str
    kind: str
    at: datetime
    updated: datetime
    state: str
    step: str
    record: Mapping[str, Any]


class Jobs:
    """The jobs of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def last(self, kind: str, state: str | None = None) -> Job | None:
        """The newest job of a kind, in ``state`` or in any."""
        query = select(jobs).where(jobs.c.kind == kind)
        if state is not None:
            query = query.where(jobs.c.state == state)
        with self._engine.connect() as connection:
            row = connection.execute(query.order_by(jobs.c.at.desc(), jobs.c.id.desc())).first()
        return None if row is None else job_of(row)

    def list(self, kind: str) -> tuple[Job, ...]:
        """All jobs of a kind, the newest first."""
        query = select(jobs).where(jobs.c.kind == kind).order_by(jobs.c.at.desc(), jobs.c.id.desc())
        with self._engine.connect() as connection:
            return tuple(job_of(row) for row in connection.execute(query))

    def begin(self, id: str, kind: str, at: datetime) -> Job:
        """Note that a job began."""
        job = Job(id, kind, at, at, RUNNING, "", {})
        with self._engine.begin() as connection:
            connection.execute(insert(jobs).values(**row_of(job)))
        return job

    def keep(self, job: Job, now: datetime) -> Job:
        """Keep a job as it is now."""
        kept = replace(job, updated=now)
        with self._engine.begin() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(**row_of(kept)))
        return kept

    @contextmanager
    def alone(self, path: Path, what: str) -> Iterator[None]:
        """Be the only one who does ``what``, for as long as the block runs.

        A process that dies lets go: the lock is a file's, at ``path``, and with PostgreSQL also
        the session's, for processes on other machines. Raises BusyError while another holds it.
        """
        with locked(path, what):
            if self._engine.dialect.name != "postgresql":
                yield
                return
            with self._engine.connect() as connection:
                if not connection.execute(select(func.pg_try_advisory_lock(ALONE))).scalar():
                    raise BusyError(f"another machine is {what}; wait for it to end, or stop it")
                connection.commit()  # the session holds it: no transaction stays open for hours
                try:
                    yield
                finally:
                    connection.execute(select(func.pg_advisory_unlock(ALONE)))


def row_of(job: Job) -> dict[str, Any]:
    """A job as its row has it."""
    return {
        "id": job.id,
        "kind": job.kind,
        "at": job.at,
        "updated": job.updated,
        "state": job.state,
        "step": job.step,
        "record": json.dumps(dict(job.record), sort_keys=True, allow_nan=False),
    }


def job_of(row: Row[Any]) -> Job:
    """A job from its row."""
    return Job(**{**row._mapping, "record": json.loads(row.record)})
