"""Which releases there are: rows in SQL, written last, of what lies in the artifacts.

A row is never changed and never removed. Knows nothing of what the parts of a release do.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from noria.errors import NoriaError, UsageError
from noria.store.artifacts import Artifacts
from noria.store.database import opened
from noria.store.releases import Run, as_json, from_json, run_as_json, run_from_json
from noria.store.schema import releases, runs
from noria.types import Kind, Release

NAMED = 5  # releases that an error names
PREFIX = re.compile(r"[abder][0-9a-f]{0,16}")


class Registry:
    """The releases of one SQL database, whose stored parts lie in ``artifacts``."""

    def __init__(self, url: str, artifacts: Artifacts) -> None:
        self.artifacts = artifacts
        self._engine = opened(url)

    def add(self, release: Release, run: Run | None = None) -> Release:
        """Register a release whose stored parts are artifacts; what is registered is returned.

        The same again changes nothing: its first time and figures stay. Raises UsageError for one
        made from what is unknown, or whose content is not that of its id; NoriaError if a stored
        part is missing.
        """
        self.add_all([release], {release.id: run} if run else {})
        return self.get(release.id)

    def add_all(self, found: Sequence[Release], trained: Mapping[str, Run] | None = None) -> None:
        """Register several in one transaction: all of them, or none. Ancestors come first."""
        trained = trained or {}
        self._check(found)
        for _ in range(2 + len(found)):  # each failure means that another process wrote one of them
            known = {release.id for release in self._known(r.id for r in found)}
            with self._engine.connect() as connection:
                told = set(connection.execute(select(runs.c.release)).scalars())
            fresh = {r.id: r for r in found if r.id not in known}
            notes = {i: run for i, run in trained.items() if i not in told}
            try:
                with self._engine.begin() as connection:
                    write(connection, fresh.values(), notes)
                return
            except IntegrityError:
                continue
        raise NoriaError("the releases cannot be registered: others write the same; try again")

    def get(self, release: str) -> Release:
        """The release with this id, or the only one whose id begins so.

        Raises UsageError, naming some that there are, if there is none or several.
        """
        matching = (
            self._read(select(releases).where(releases.c.id.startswith(release, autoescape=True)))
            if PREFIX.fullmatch(release)
            else []
        )
        if len(matching) == 1:
            return matching[0]
        ids = ", ".join(r.id for r in (matching or self.list())[:NAMED])
        if matching:
            raise UsageError(f"{release!r} begins several ids; write more of one of: {ids}")
        there = (
            f"the newest are: {ids}" if ids else "none is registered yet; 'noria tune' makes one"
        )
        raise UsageError(f"no release {release[:80]!r}; {there} (noria releases list)")

    def run(self, release: str) -> Run | None:
        """How a release was trained; None where nobody told."""
        query = select(runs.c.record).where(runs.c.release == release)
        with self._engine.connect() as connection:
            record = connection.execute(query).scalar()
        return None if record is None else run_from_json(json.loads(record))

    def list(
        self, kind: Kind | None = None, objective: str | None = None, dataset: str | None = None
    ) -> tuple[Release, ...]:
        """Those of a kind, an objective, made from a data set; the newest first.

        ``dataset``: the id of the data set's release, or the digest that is a part.
        """
        query = select(releases).order_by(releases.c.at.desc(), releases.c.id)
        if kind is not None:
            query = query.where(releases.c.kind == kind)
        if objective is not None:
            query = query.where(releases.c.objective == objective)
        return tuple(
            release
            for release in self._read(query)
            if dataset in (None, release.parts.get("dataset"), *release.made_from)
        )

    def latest(
        self, kind: Kind, objective: str | None = None, dataset: str | None = None
    ) -> Release | None:
        """The newest of them; None where there is none."""
        return next(iter(self.list(kind, objective, dataset)), None)

    def lineage(self, release: Release) -> tuple[Release, ...]:
        """All it was made from, ancestors first, and itself last."""
        found: dict[str, Release] = {}
        waiting = [release]
        while waiting:
            ahead = [parent for parent in waiting[-1].made_from if parent not in found]
            waiting += [self.get(parent) for parent in reversed(ahead)]
            if not ahead:
                done = waiting.pop()
                found[done.id] = done
        return tuple(found.values())

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def _check(self, found: Sequence[Release]) -> None:
        """Raise for a forged id, an unknown ancestor, a missing artifact."""
        earlier: set[str] = set()
        for release in found:
            from_json(as_json(release))
            parents = set(release.made_from) - earlier
            if unknown := sorted(parents - {known.id for known in self._known(parents)}):
                raise UsageError(
                    f"release {release.id} was made from {unknown[0]}, which is not registered; "
                    "register that first"
                )
            for name in sorted(release.stored):
                if not self.artifacts.has(release.parts[name]):
                    raise NoriaError(
                        f"release {release.id}: its part {name!r} is not among the artifacts of "
                        f"{self.artifacts.root}; store it first"
                    )
            earlier.add(release.id)

    def _known(self, ids: Iterable[str]) -> "Sequence[Release]":
        return self._read(select(releases).where(releases.c.id.in_(list(ids))))

    def _read(self, query: Any) -> "Sequence[Release]":
        with self._engine.connect() as connection:
            return [read(row.record) for row in connection.execute(query)]


def write(connection: Connection, fresh: Iterable[Release], notes: Mapping[str, Run]) -> None:
    """Insert rows; the runs first, so that a release that is seen has its own."""
    for name, run in notes.items():
        connection.execute(insert(runs).values(release=name, record=spelled(run_as_json(run))))
    for release in fresh:
        row = {
            "id": release.id,
            "kind": release.kind,
            "objective": release.objective[:100],
            "at": release.at.astimezone(UTC),
            "record": spelled(as_json(release)),
        }
        connection.execute(insert(releases).values(row))


def spelled(value: object) -> str:
    """A record's text."""
    return json.dumps(value, sort_keys=True, allow_nan=False)


def read(record: str) -> Release:
    """The release of a row; raises NoriaError if the row was changed by hand."""
    try:
        return from_json(json.loads(record))
    except (ValueError, UsageError) as error:
        raise NoriaError(
            f"a row of the table 'releases' was changed: {error}; restore the database"
        ) from None
