"""From files to searchable passages: only what changed is read, and nothing half done shows.

Each batch of documents is one commit of the table, so that a crash between two leaves whole
documents. A new recipe is built in a table of its own and made live in one step at the end.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from time import perf_counter

from noria.corpus.discover import Found, discover
from noria.corpus.index import DocumentState, PassageTable, Recipe, Row
from noria.corpus.live import LivePassages
from noria.corpus.load import load
from noria.corpus.split import embedding_text
from noria.errors import ExtractionError, UsageError
from noria.jobs import locked, silent
from noria.protocols import Encoder, Progress, Splitter
from noria.types import PUBLIC, Document, Fields, Item

BATCH = 256  # passages embedded and committed together: seconds of work, a few MB
EXTRACTION = 1  # raise when the loaders read a file differently: it is then read again
WORKERS = max(2, min(8, os.cpu_count() or 2))


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was not taken, and why."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class Work:
    """A document to bring up to date: where it is from, what it is like now, how to read it."""

    id: str
    source: str
    fingerprint: str
    read: Callable[[], Document]
    groups: frozenset[str] = PUBLIC


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
    """What an ingestion needs, whatever the files."""

    live: LivePassages
    encoder: Encoder
    splitter: Splitter
    languages: tuple[str, ...]
    lock: Path
    max_file_mb: int = 100
    progress: Progress = silent

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
    ) -> Report:
        """Bring the index up to date with ``paths``; without any, with all it knows.

        ``groups`` and ``fields``: None keeps what a known document has, and a new one is public
        and without fields. A new recipe becomes live only when every known document is in its
        table: one that fails keeps the old index live, and with it its groups. ``prune`` removes
        documents whose files left ``paths``. Raises UsageError for a path that does not exist,
        BusyError while another process ingests.
        """
        started = perf_counter()
        files = list(discover(paths))
        with locked(self.lock, "ingesting"):
            table, known = self._tables(now)
            named = [f for f in files if not f.skipped]
            wanted = self._wanted(named, known, all_known=not paths)
            works, failed = self._examine(wanted, known, groups, fields)
            states = table.states()
            todo = [w for w in works if unlike(w, states.get(w.source))]
            failed += write(table, self.splitter, self.encoder, todo, self.progress)
            left = gone(known, wanted, paths) if prune else []
            failed = [
                f for f in failed if f.path not in {known[source].document for source in left}
            ]
            broken = {f.path for f in failed}
            left += [w.source for w in todo if w.id in broken and regrouped(w, known)]
            if left:
                table.replace(left, [])
            removed = len(left)
            if todo or removed:
                self.progress("indexing", 0, 1)
                table.optimize()
                self.progress("indexing", 1, 1)
            kept = set(known) - set(left)
            if self.live.name() != table.name and not broken & {known[s].document for s in kept}:
                self.live.switch(self.recipe, now)
            live = self.live.table(self.live.name() or table.name)
            after = live.states()
        done = [w for w in todo if w.id not in broken]
        return Report(
            documents=len(after),
            added=sum(w.source not in known for w in done),
            updated=sum(w.source in known for w in done),
            removed=removed,
            unchanged=len(works) - len(todo),
            failed=tuple(failed),
            skipped=tuple(Failure(f.id, f.skipped) for f in files if f.skipped),
            passages=sum(s.passages for s in after.values()),
            index_version=live.version(),
            seconds=perf_counter() - started,
        )

    def _tables(self, now: datetime) -> tuple[PassageTable, Mapping[str, DocumentState]]:
        """The table to fill, and what is known from the live one."""
        table = self.live.table(self.recipe.table)
        live = self.live.name()
        self.live.sweep([table.name, live or table.name])
        table.create(self.languages)
        if live is None:  # the first time: documents show as they come
            self.live.switch(self.recipe, now)
            live = table.name
        known = self.live.table(live).states()
        if live != table.name:
            forget(table, known)
        return table, known

    def _wanted(
        self, files: Sequence[Found], known: Mapping[str, DocumentState], all_known: bool
    ) -> list[Found]:
        """The files to look at: those named, and all known ones where a table is built anew."""
        sources = {str(f.path.resolve()) for f in files}
        if not all_known and self.live.name() == self.recipe.table:
            return list(files)
        others = [Found(s.document, Path(s.source)) for s in known.values()]
        return [*files, *(f for f in others if str(f.path) not in sources)]

    def _examine(
        self,
        files: Iterable[Found],
        known: Mapping[str, DocumentState],
        groups: frozenset[str] | None,
        fields: Fields | None,
    ) -> tuple[list[Work], list[Failure]]:
        """What each file is like now; only its bytes are read."""
        works, failed = [], []
        for file in files:
            source = str(file.path.resolve())
            state = known.get(source)
            kept_groups = state.groups if state else frozenset()
            kept_fields = state.fields if state else {}
            try:
                works.append(
                    self._work(
                        file,
                        source,
                        kept_groups if groups is None else groups,
                        kept_fields if fields is None else fields,
                    )
                )
            except OSError as error:
                gone = "its file is gone; 'noria ingest --prune' removes it from the index"
                reason = gone if isinstance(error, FileNotFoundError) else error.strerror
                failed.append(Failure(file.id, str(reason)))
        return works, failed

    def _work(self, file: Found, source: str, groups: frozenset[str], fields: Fields) -> Work:
        path, limit = file.path, self.max_file_mb

        def read() -> Document:
            return replace(load(path, file.id, limit), groups=groups, fields=fields)

        return Work(file.id, source, fingerprint(path, file.id, groups, fields), read, groups)


def gone(
    known: Mapping[str, DocumentState], wanted: Sequence[Found], roots: Sequence[str | Path]
) -> list[str]:
    """The known sources below ``roots`` (anywhere, without any) whose files are gone."""
    there = {str(f.path.resolve()) for f in wanted if f.path.exists()}
    folders = [Path(os.path.realpath(root)) for root in roots]
    return [
        source
        for source in known
        if source not in there and (not folders or within(Path(source), folders))
    ]


def regrouped(work: Work, known: Mapping[str, DocumentState]) -> bool:
    """Whether the index still shows the document to other readers than it is now meant for.

    Such a document must leave even if it cannot be read: permissions fail closed.
    """
    state = known.get(work.source)
    return state is not None and state.groups != work.groups


def fingerprint(path: Path, name: str, groups: frozenset[str], fields: Fields) -> str:
    """Digest of all that decides a document's passages, besides the recipe."""
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    parts = [EXTRACTION, version("kreuzberg"), content, name, sorted(groups), dict(fields)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def unlike(work: Work, state: DocumentState | None) -> bool:
    """Whether the index does not hold the document as it is now."""
    return state is None or state.fingerprint != work.fingerprint


def within(path: Path, folders: Sequence[Path]) -> bool:
    """Whether ``path`` is one of ``folders`` or below one."""
    return any(path == folder or folder in path.parents for folder in folders)


def forget(table: PassageTable, known: Mapping[str, DocumentState]) -> None:
    """Remove from an older table what is no longer known, so that it does not come back."""
    stale = [source for source in table.states() if source not in known]
    if stale:
        table.replace(stale, [])


def write(
    table: PassageTable,
    splitter: Splitter,
    encoder: Encoder,
    works: Sequence[Work],
    progress: Progress = silent,
) -> list[Failure]:
    """Read, split, embed and commit ``works``, batch by batch; return those that failed."""
    failed: list[Failure] = []
    batch: list[tuple[Work, list[Item]]] = []
    progress("reading", 0, len(works))
    for done, (work, parsed) in enumerate(side_by_side(works, splitter), 1):
        if isinstance(parsed, ExtractionError):
            failed.append(Failure(work.id, str(parsed)))
        else:
            batch.append((work, parsed))
        if sum(len(items) for _, items in batch) >= BATCH:
            commit(table, encoder, batch)
            batch = []
        progress("reading", done, len(works))
    if batch:
        commit(table, encoder, batch)
    return failed


def side_by_side(
    works: Iterable[Work], splitter: Splitter
) -> Iterator[tuple[Work, list[Item] | ExtractionError]]:
    """Each work with its passages, in order; several are read at a time, a few ahead."""

    def parse(work: Work) -> list[Item] | ExtractionError:
        try:
            return splitter.split(work.read())
        except ExtractionError as error:
            return error

    queue = iter(works)
    with ThreadPoolExecutor(WORKERS) as pool:
        ahead: list[tuple[Work, Future[list[Item] | ExtractionError]]] = [
            (work, pool.submit(parse, work)) for work in islice(queue, 2 * WORKERS)
        ]
        try:
            while ahead:
                work, future = ahead.pop(0)
                yield work, future.result()
                ahead += [(w, pool.submit(parse, w)) for w in islice(queue, 1)]
        finally:
            pool.shutdown(cancel_futures=True)


def commit(
    table: PassageTable, encoder: Encoder, batch: Sequence[tuple[Work, Sequence[Item]]]
) -> None:
    """Embed what has no vector yet, and replace the documents of ``batch`` in one commit."""
    sources = [work.source for work, _ in batch]
    texts = {
        item.id: embedding_text(item, encoder.count, encoder.max_tokens)
        for _, items in batch
        for item in items
    }
    vectors = table.vectors(sources)
    fresh = sorted(set(texts.values()) - vectors.keys())
    vectors |= dict(zip(fresh, encoder.encode_passages(fresh), strict=True))
    rows = [
        Row(item, work.source, work.fingerprint, texts[item.id], vectors[texts[item.id]])
        for work, items in batch
        for item in items
    ]
    table.replace(sources, rows)


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
