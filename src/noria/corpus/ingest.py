"""From files to searchable passages: only what changed is read, and nothing half done shows.

A new recipe is built in a table of its own and made live in one step at the end.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter

from noria.corpus.discover import Found, discover
from noria.corpus.disk import told_when_full
from noria.corpus.index import DocumentState, PassageTable, Recipe
from noria.corpus.known import (
    File,
    below,
    digest_of,
    inherited,
    missing,
    narrowed,
    source_of,
    unlike,
)
from noria.corpus.live import LivePassages
from noria.corpus.reading import Limits, read_all
from noria.corpus.write import Parsed, Work, Written, write
from noria.errors import ExtractionError, UsageError
from noria.jobs import locked, silent
from noria.protocols import Encoder, Progress, Splitter
from noria.types import PUBLIC, Fields


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was not taken, and why."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class Report:
    """What an ingestion did. ``documents`` and ``passages`` count what the index holds now."""

    documents: int
    added: int
    updated: int
    removed: int
    unchanged: int
    failed: tuple[Failure, ...]
    skipped: tuple[Failure, ...]
    passages: int
    index_version: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What an ingestion needs, whatever the files.

    ``source``: where the encoder is from, noted beside the index that it makes. ``accept`` is
    asked whether a new table may take the old one's place; without it, it may.
    """

    live: LivePassages
    encoder: Encoder
    splitter: Splitter
    languages: tuple[str, ...]
    lock: Path
    limits: Limits = field(default_factory=Limits)
    source: str = ""
    progress: Progress = silent
    accept: Callable[[PassageTable, PassageTable], bool] | None = None

    @property
    def recipe(self) -> Recipe:
        """What the rows will be made by."""
        return Recipe(self.encoder.fingerprint, self.splitter.fingerprint, self.languages)

    def run(
        self,
        paths: Sequence[str | Path],
        now: datetime,
        groups: frozenset[str] | None = None,
        fields: Fields | None = None,
        prune: bool = False,
        gone: Sequence[str | Path] = (),
    ) -> Report:
        """Bring the index up to date with ``paths``; without any, with all it knows.

        ``groups`` and ``fields``: None keeps what a known document has, and a new one is public
        and without fields. A new recipe becomes live only when every known document is in its
        table: one that fails keeps the old index live, and with it its groups. ``prune`` removes
        documents whose files left ``paths``; ``gone`` are sources that leave without being looked
        for. Raises UsageError for a path that does not exist, BusyError while
        another process ingests.
        """
        started = perf_counter()
        with locked(self.lock, "ingesting"), told_when_full(self.lock.parent):
            found = list(discover(paths))
            named = {source_of(f.path): f for f in found if not f.skipped}
            table, known = self._tables(now, self._of_interest(paths, named, groups, prune, gone))
            left = {source_of(path) for path in gone} & known.keys()
            left |= missing(known, paths) if prune else set()
            wanted = self._wanted(named, known, refresh=not paths and not gone)
            files, unreadable = self._examine(wanted, known, named if paths else wanted, left,
                                              groups, fields)  # fmt: skip
            held = known if self.live.name() == table.name else table.states()
            todo = [f for f, fingerprint in files if unlike(fingerprint, held.get(f.source))]
            closed = self._closed(known, paths, groups) - left
            self._withdraw(table, known, left, closed, groups or PUBLIC, now)
            todo.sort(key=lambda file: file.source not in closed)  # these first
            written = self._write(table, todo, held.keys() - left)
            unread = [(file, error) for file, error in unreadable if file.source not in left]
            failed: list[tuple[File | Work, str]] = [*unread, *written.failed]
            broken = {file.source for file, _ in failed}
            self.live.forget({work.source for work in written.done}, now)
            exposed = closed - {work.source for work in written.done}
            table.remove(sorted(exposed))
            self.progress("indexing", 0, 1)
            table.fold()
            self.progress("indexing", 1, 1)
            live = self._switched(table, not broken & (known.keys() - left - exposed), now)
            documents, passages = live.sizes()
        return Report(
            documents=documents,
            added=sum(work.source not in known for work in written.done),
            updated=sum(work.source in known for work in written.done),
            removed=len(left | exposed),
            unchanged=len(files) - len(todo),
            failed=tuple(Failure(file.id, error) for file, error in failed),
            skipped=tuple(Failure(f.id, f.skipped) for f in found if f.skipped),
            passages=passages,
            index_version=live.version(),
            seconds=perf_counter() - started,
        )

    def _tables(
        self, now: datetime, sources: Collection[str] | None
    ) -> tuple[PassageTable, Mapping[str, DocumentState]]:
        """The table to fill, and what the live one knows: of ``sources``, if that will do."""
        table = self.live.table(self.recipe.table)
        self.live.sweep(now, [table.name])
        table.create()
        live = self.live.name()
        if live is None:  # the first time: documents show as they come
            self.live.switch(self.recipe, now, self.source)
            live = table.name
        if live == table.name:
            return table, table.states(sources)
        known = self.live.table(live).states()
        forget(table, known)
        return table, known

    def _of_interest(
        self,
        paths: Sequence[str | Path],
        named: Collection[str],
        groups: frozenset[str] | None,
        prune: bool,
        gone: Sequence[str | Path],
    ) -> set[str] | None:
        """The sources that the run is about, if single files are named; None: all."""
        folders = any(os.path.isdir(path) for path in paths)
        if prune or folders or groups is not None or not (paths or gone):
            return None
        return {*named, *map(source_of, gone)}

    def _wanted(
        self, named: Mapping[str, Found], known: Mapping[str, DocumentState], refresh: bool
    ) -> dict[str, Found]:
        """The files to look at: those named, and all known ones where a table is built anew."""
        if not refresh and self.live.name() == self.recipe.table:
            return dict(named)
        return {s: Found(state.document, Path(s)) for s, state in known.items()} | dict(named)

    def _examine(
        self,
        wanted: Mapping[str, Found],
        known: Mapping[str, DocumentState],
        named: Collection[str],
        left: Collection[str],
        groups: frozenset[str] | None,
        fields: Fields | None,
    ) -> tuple[list[tuple[File, str]], list[tuple[File, str]]]:
        """The files with the fingerprints that they have now, and those that cannot be looked at.

        The fingerprint of one that is not known is empty. ``groups`` and ``fields`` are meant for
        the files in ``named``. One that is not known, and is told no groups, gets those of a
        document that left if it has its place or its content: it came back, or was renamed, and
        must not become public by that.
        """
        files, failed = [], []
        told = set() if groups is None else set(named)
        orphans = [*self.live.remembered(), *(known[s] for s in left)]
        for done, (source, found) in enumerate(wanted.items(), 1):
            state = known.get(source)
            had = (state.groups, state.fields) if state else (PUBLIC, {})
            file = File(
                found.id,
                found.path,
                source,
                had[0] if groups is None or source not in named else groups,
                had[1] if fields is None or source not in named else fields,
            )
            try:
                if state is None and orphans and source not in told:
                    file = inherited(file, digest_of(found.path), orphans)
                fingerprint = file.fingerprint(digest_of(found.path)) if state else ""
                files.append((file, fingerprint))
            except OSError as error:
                gone = "its file is gone; 'noria ingest --prune' removes it from the index"
                reason = gone if isinstance(error, FileNotFoundError) else str(error.strerror)
                failed.append((file, reason))
            self.progress("looking", done, len(wanted))
        return files, failed

    def _closed(
        self,
        known: Mapping[str, DocumentState],
        paths: Sequence[str | Path],
        groups: frozenset[str] | None,
    ) -> set[str]:
        """Known documents below ``paths`` that more people see than ``groups`` now say.

        Those that cannot be read, or not even be found, leave: permissions fail closed.
        """
        if groups is None:
            return set()
        folders = {source_of(path) for path in paths}
        return {
            source
            for source, state in known.items()
            if narrowed(state, groups) and (not folders or below(source, folders))
        }

    def _withdraw(
        self,
        table: PassageTable,
        known: Mapping[str, DocumentState],
        left: Set[str],
        closed: Set[str],
        groups: frozenset[str],
        now: datetime,
    ) -> None:
        """Take out what left, at once; where another table is live, from there too.

        There also what somebody may no longer see gets its new ``groups``: the new table goes live
        later, or never. What was not for everybody is remembered.
        """
        restricted = [known[source] for source in left if known[source].groups]
        restricted += [replace(known[source], groups=groups) for source in closed]
        self.live.remember(restricted, now)
        table.remove(sorted(left))
        live = self.live.name()
        if live is not None and live != table.name:
            self.live.table(live).remove(sorted(left))
            self.live.table(live).restrict(sorted(closed), groups)

    def _write(self, table: PassageTable, files: Sequence[File], held: Set[str]) -> Written:
        """Read the files and write what is in them."""
        return write(
            table,
            self.splitter,
            self.encoder,
            parsed(files, self.limits),
            held,
            self.languages,
            len(files),
            self.progress,
        )

    def _switched(self, table: PassageTable, complete: bool, now: datetime) -> PassageTable:
        """The table that is live from now on: ``table``, if it is complete and accepted."""
        name = self.live.name()
        if name in (None, table.name):
            return table
        old = self.live.table(str(name))
        if not complete or (self.accept and not self.accept(old, table)):
            return old
        self.live.switch(self.recipe, now, self.source)
        return table


def parsed(files: Sequence[File], limits: Limits) -> Parsed:
    """Each file with its document, or the reason why there is none.

    The fingerprint is made of the bytes that were read: a file that has changed since it was
    looked at is seen to differ the next time.
    """
    with closing(read_all(files, limits)) as answers:
        for file, answer in answers:
            if isinstance(answer, ExtractionError):
                yield Work(file.id, file.source, ""), answer
            elif answer.document.source != file.source:  # a link that leads elsewhere now
                yield (
                    Work(file.id, file.source, ""),
                    ExtractionError(
                        "changed while it was read; run again when nobody writes to it"
                    ),
                )
            else:
                document = replace(answer.document, groups=file.groups, fields=file.fields)
                yield Work(file.id, file.source, file.fingerprint(answer.digest)), document


def forget(table: PassageTable, known: Mapping[str, DocumentState]) -> None:
    """Remove from an older table what is no longer known, so that it does not come back."""
    if stale := [source for source in table.states() if source not in known]:
        table.remove(stale)


def storable(text: str) -> bool:
    """Whether ``text`` can be stored; not if it came from bytes that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_groups(text: str | None) -> frozenset[str] | None:
    """Groups from ``a,b``; None stays None, and an empty text means public.

    >>> sorted(parse_groups("hr, legal"))
    ['hr', 'legal']
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if (text.strip() and not all(names)) or not storable(text):
        raise UsageError(f"groups: expected names with commas between them, got {text!r}")
    return frozenset(name for name in names if name)
