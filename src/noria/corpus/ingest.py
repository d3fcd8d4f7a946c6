"""From files to searchable passages: only what changed is read, and nothing half done shows.

A new recipe is built in a table of its own and made live in one step at the end.
"""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from noria.corpus.discover import Found, discover
from noria.corpus.disk import told_when_full
from noria.corpus.index import DocumentState, PassageTable, Recipe
from noria.corpus.live import LivePassages
from noria.corpus.reading import Limits, read_all
from noria.corpus.write import Failure, Work, Written, write
from noria.errors import ExtractionError, UsageError
from noria.jobs import locked, silent
from noria.protocols import Encoder, Progress, Splitter
from noria.types import PUBLIC, Document, Fields

EXTRACTION = 2  # raise when the loaders read a file differently: it is then read again


@dataclass(frozen=True, slots=True)
class File:
    """A file to bring up to date: where it is, and who may read what is in it."""

    id: str
    path: Path
    source: str
    groups: frozenset[str]
    fields: Fields

    def fingerprint(self, digest: str) -> str:
        """Digest of all that decides the document's passages, besides the recipe."""
        parts = [*extraction(), digest, self.id, sorted(self.groups)]
        decided = json.dumps([*parts, dict(self.fields)], sort_keys=True)
        return hashlib.sha256(decided.encode()).hexdigest()[:32]


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
        found = list(discover(paths))
        with locked(self.lock, "ingesting"), told_when_full(self.lock.parent):
            refresh = not paths and not gone
            leaving = {source_of(path) for path in gone}
            named = None if refresh or prune else leaving | {source_of(f.path) for f in found}
            table, known = self._tables(now, named)
            wanted = self._wanted(found, known, refresh)
            files, failed = self._examine(wanted, known, groups, fields)
            held = known if self.live.name() == table.name else table.states()
            todo = [f for f, fingerprint in files if unlike(fingerprint, held.get(f.source))]
            left = known.keys() & leaving
            left |= missing(known, paths) if prune else set()
            written = self._write(table, todo, set(held))
            failed = [f for f in failed if f.path not in {known[s].document for s in left}]
            failed += written.failed
            broken = {f.path for f in failed}
            left |= {f.source for f in todo if f.id in broken and regrouped(f, known)}
            if left:
                table.remove(sorted(left))
            self.progress("indexing", 0, 1)
            table.fold()
            self.progress("indexing", 1, 1)
            complete = not broken & {known[source].document for source in set(known) - left}
            live = self._switched(table, complete, now)
            documents, passages = live.sizes()
        return Report(
            documents=documents,
            added=sum(work.source not in known for work in written.done),
            updated=sum(work.source in known for work in written.done),
            removed=len(left),
            unchanged=len(files) - len(todo),
            failed=tuple(failed),
            skipped=tuple(Failure(f.id, f.skipped) for f in found if f.skipped),
            passages=passages,
            index_version=live.version(),
            seconds=perf_counter() - started,
        )

    def _tables(
        self, now: datetime, named: Collection[str] | None
    ) -> tuple[PassageTable, Mapping[str, DocumentState]]:
        """The table to fill, and what is known from the live one: of ``named``, if that will do."""
        table = self.live.table(self.recipe.table)
        live = self.live.name()
        self.live.sweep([table.name, live or table.name])
        table.create()
        if live is None:  # the first time: documents show as they come
            self.live.switch(self.recipe, now, self.source)
            live = table.name
        if live == table.name:
            return table, table.states(named)
        known = self.live.table(live).states()
        forget(table, known)
        return table, known

    def _wanted(
        self, found: Sequence[Found], known: Mapping[str, DocumentState], refresh: bool
    ) -> list[Found]:
        """The files to look at: those named, and all known ones where a table is built anew."""
        named = [f for f in found if not f.skipped]
        if not refresh and self.live.name() == self.recipe.table:
            return named
        sources = {source_of(f.path) for f in named}
        others = [Found(s.document, Path(s.source)) for s in known.values()]
        return [*named, *(f for f in others if str(f.path) not in sources)]

    def _examine(
        self,
        wanted: Sequence[Found],
        known: Mapping[str, DocumentState],
        groups: frozenset[str] | None,
        fields: Fields | None,
    ) -> tuple[list[tuple[File, str]], list[Failure]]:
        """Each file with the fingerprint that it has now, empty for one that is not known."""
        files, failed = [], []
        for done, one in enumerate(wanted, 1):
            source = source_of(one.path)
            state = known.get(source)
            had = (state.groups, state.fields) if state else (PUBLIC, {})
            file = File(
                one.id,
                one.path,
                source,
                had[0] if groups is None else groups,
                had[1] if fields is None else fields,
            )
            try:
                files.append((file, file.fingerprint(digest_of(one.path)) if state else ""))
            except OSError as error:
                gone = "its file is gone; 'noria ingest --prune' removes it from the index"
                reason = gone if isinstance(error, FileNotFoundError) else error.strerror
                failed.append(Failure(one.id, str(reason)))
            self.progress("looking", done, len(wanted))
        return files, failed

    def _write(self, table: PassageTable, files: Sequence[File], held: set[str]) -> Written:
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


def parsed(
    files: Sequence[File], limits: Limits
) -> Iterator[tuple[Work, Document | ExtractionError]]:
    """Each file with its document, or the reason why there is none.

    The fingerprint is made of the bytes that were read: a file that has changed since it was
    looked at is seen to differ the next time.
    """
    with closing(read_all(files, limits)) as answers:
        for file, answer in answers:
            if isinstance(answer, ExtractionError):
                yield Work(file.id, file.source, ""), answer
                continue
            work = Work(file.id, file.source, file.fingerprint(answer.digest))
            yield (
                work,
                replace(
                    answer.document, source=file.source, groups=file.groups, fields=file.fields
                ),
            )


@cache  # asked for every file, and slow to find
def extraction() -> tuple[int, str]:
    """What reads a file: Noria's loaders, and the library below them."""
    return EXTRACTION, version("kreuzberg")


def missing(known: Collection[str], roots: Sequence[str | Path]) -> set[str]:
    """The known sources below ``roots`` (anywhere, without any) whose files are gone."""
    folders = {source_of(root) for root in roots}
    return {s for s in known if (not folders or below(s, folders)) and is_gone(s)}


def is_gone(source: str) -> bool:
    """Whether there is no such file; one that may not be looked at is not gone."""
    try:
        os.stat(source)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def below(source: str, folders: Set[str]) -> bool:
    """Whether ``source`` is one of ``folders`` or lies in one."""
    return source in folders or not folders.isdisjoint(map(str, Path(source).parents))


def regrouped(file: File, known: Mapping[str, DocumentState]) -> bool:
    """Whether the index still shows the document to other readers than it is now meant for.

    Such a document must leave even if it cannot be read: permissions fail closed.
    """
    state = known.get(file.source)
    return state is not None and state.groups != file.groups


def source_of(path: str | Path) -> str:
    """What makes a document the same document: its absolute path, links resolved."""
    return os.path.realpath(path)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe, in place of a known file, never ends
        raise OSError(errno.EINVAL, "not a regular file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unlike(fingerprint: str, state: DocumentState | None) -> bool:
    """Whether the index does not hold the document as it is now."""
    return state is None or state.fingerprint != fingerprint


def forget(table: PassageTable, known: Mapping[str, DocumentState]) -> None:
    """Remove from an older table what is no longer known, so that it does not come back."""
    if stale := [source for source in table.states() if source not in known]:
        table.remove(stale)


def parse_groups(text: str | None) -> frozenset[str] | None:
    """Groups from ``a,b``; None stays None, and an empty text means public.

    >>> sorted(parse_groups("hr, legal"))
    ['hr', 'legal']
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if text.strip() and not all(names):
        raise UsageError(f"groups: expected names with commas between them, got {text!r}")
    return frozenset(name for name in names if name)
