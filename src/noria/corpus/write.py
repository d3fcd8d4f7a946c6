"""Documents -> rows of a passage table: split, embedded and written, all three at a time.

Each stage works ahead of the next in a thread of its own, by one batch: the encoder is slow, and
must not wait for a file or a disk. A batch is whole documents and one commit of the table, so that
a crash between two leaves whole documents.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from noria.corpus.columns import Row
from noria.corpus.index import PassageTable
from noria.corpus.split import embedding_text
from noria.errors import ExtractionError
from noria.jobs import Ahead, silent
from noria.protocols import Encoder, Progress, Splitter
from noria.types import Document, Item
from noria.words import detect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.protocols import Matrix

COMMIT = 256  # passages written together, or all of one longer document: seconds of encoding
SLICE = 128  # passages embedded together: the encoder sorts them by length
AT_A_TIME = 2  # slices
REMEMBERED = 4096  # texts whose vectors are kept until they can be found in the table


@dataclass(frozen=True, slots=True)
class Work:
    """A document to write; ``fingerprint`` tells later whether it has changed."""

    id: str
    source: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Written:
    """The documents that a table now holds, and those that failed, each with the reason."""

    done: tuple[Work, ...]
    failed: tuple[tuple[Work, str], ...]


@dataclass(frozen=True, slots=True)
class Split:
    """A document in passages, all in ``language``."""

    work: Work
    items: Sequence[Item]
    language: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A passage and where it stands in its document."""

    split: Split
    place: int
    item: Item


@dataclass(eq=False, slots=True)
class Batch:
    """Documents of one commit, and how many of all were looked at when it was full."""

    documents: list[Split] = field(default_factory=list)
    looked_at: int = 0

    def __len__(self) -> int:
        return sum(len(split.items) for split in self.documents)

    @property
    def sources(self) -> list[str]:
        """Where its documents are from."""
        return [split.work.source for split in self.documents]


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that were embedded together; ``last`` of their batch."""

    batch: Batch
    rows: Sequence[Row]
    last: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A slice whose vectors are being made."""

    batch: Batch
    passages: Sequence[Placed]
    texts: Sequence[str]
    vectors: "Sequence[Callable[[], NDArray[np.float32]]]"
    last: bool

    def finished(self) -> Slice:
        """The slice, when all its vectors are there."""
        rows = [
            Row(p.item, p.split.work.source, p.split.work.fingerprint, text, vector(),
                p.split.language, p.place)
            for p, text, vector in zip(self.passages, self.texts, self.vectors, strict=True)
        ]  # fmt: skip
        return Slice(self.batch, rows, self.last)


Parsed = Generator[tuple[Work, Document | ExtractionError], None, None]


def write(
    table: PassageTable,
    splitter: Splitter,
    encoder: Encoder,
    parsed: Parsed,
    held: Set[str] = frozenset(),
    languages: Sequence[str] = (),
    total: int = 0,
    progress: Progress = silent,
) -> Written:
    """Split, embed and commit documents; say which failed.

    ``held``: the sources, of those that come, that the table holds already. ``total``: how many
    will come, for ``progress``. Errors of encoder and store end it; what was committed before
    stays.
    """
    done: list[Work] = []
    failed: list[tuple[Work, str]] = []
    seen, stopped = set(held), Event()
    progress("embedding", 0, total)
    batches = batched(parsed, splitter, languages, failed, stopped)
    with closing(Ahead(embedded(Ahead(batches), table, encoder))) as slices, stopping(stopped):
        for first in slices:
            if first.rows and seen.isdisjoint(first.batch.sources):
                table.append(rest_of(first, slices))
            elif first.rows:
                table.replace(first.batch.sources, rest_of(first, slices))
            seen.update(first.batch.sources)
            done += [split.work for split in first.batch.documents]
            progress("embedding", first.batch.looked_at, total)
            table.fold(finished=False)
    return Written(tuple(done), tuple(failed))


@contextmanager
def stopping(stopped: Event) -> Iterator[None]:
    """Set ``stopped`` at the end, whatever ended it."""
    try:
        yield
    finally:
        stopped.set()


def batched(
    parsed: Parsed,
    splitter: Splitter,
    languages: Sequence[str],
    failed: list[tuple[Work, str]],
    stopped: Event,
) -> Iterator[Batch]:
    """Documents in passages, enough of them for a commit; those without any go to ``failed``."""
    batch = Batch()
    looked_at = 0
    with closing(parsed):
        for looked_at, (work, document) in enumerate(parsed, 1):
            try:
                batch.documents.append(split(work, document, splitter, languages))
            except ExtractionError as error:
                failed.append((work, str(error)))
            if stopped.is_set():
                return
            if len(batch) >= COMMIT:
                batch.looked_at = looked_at
                yield batch
                batch = Batch()
        batch.looked_at = looked_at
        yield batch


def split(
    work: Work,
    document: Document | ExtractionError,
    splitter: Splitter,
    languages: Sequence[str],
) -> Split:
    """A document in passages. Raises ExtractionError where there are none."""
    if isinstance(document, ExtractionError):
        raise document
    items = splitter.split(document)
    if not items:
        raise ExtractionError("no text in it")
    return Split(work, items, detect(document.text, languages))


def embedded(batches: Ahead[Batch], table: PassageTable, encoder: Encoder) -> Iterator[Slice]:
    """The rows of each batch, slice by slice; of one without documents, a slice without rows.

    Two slices are encoded at a time: while one is short of work for all cores, the other has some.
    """
    vectors = Vectors(table, encoder)
    begun: deque[Begun] = deque()
    with closing(batches), ThreadPoolExecutor(AT_A_TIME, "noria-embed") as pool:
        try:
            for batch, passages, last in slices_of(batches):
                texts = [
                    embedding_text(p.item, encoder.count, encoder.max_tokens) for p in passages
                ]
                begun.append(Begun(batch, passages, texts, vectors.begin(texts, pool), last))
                if len(begun) > AT_A_TIME:
                    yield begun.popleft().finished()
            while begun:
                yield begun.popleft().finished()
        finally:
            pool.shutdown(cancel_futures=True)


def slices_of(batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Placed], bool]]:
    """The passages of each batch, some at a time, and whether they are its last."""
    for batch in batches:
        passages = [
            Placed(split, place, item)
            for split in batch.documents
            for place, item in enumerate(split.items)
        ]
        for start in range(0, max(1, len(passages)), SLICE):
            yield batch, passages[start : start + SLICE], start + SLICE >= len(passages)


class Vectors:
    """The vectors of texts, each embedded once: the table's, or those of a moment ago, or new."""

    def __init__(self, table: PassageTable, encoder: Encoder) -> None:
        self._table, self._encoder = table, encoder
        self._recent: dict[str, Callable[[], NDArray[np.float32]]] = {}

    def begin(
        self, texts: Sequence[str], pool: ThreadPoolExecutor
    ) -> "list[Callable[[], NDArray[np.float32]]]":
        """What gives the vector of each text, when it is there."""
        if len(self._recent) > REMEMBERED:
            self._recent.clear()
        if missing := set(texts) - self._recent.keys():
            stored = self._table.vectors(missing)
            self._recent |= {text: partial(given, vector) for text, vector in stored.items()}
            if fresh := sorted(missing - stored.keys()):
                rows = pool.submit(self._encoder.encode_passages, fresh)
                self._recent |= {text: partial(nth, rows, i) for i, text in enumerate(fresh)}
        return [self._recent[text] for text in texts]


def given(vector: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """A vector that is known."""
    return vector


def nth(rows: "Future[Matrix]", number: int) -> "NDArray[np.float32]":
    """One of the vectors that are being made, when they are."""
    vector: NDArray[np.float32] = rows.result()[number]
    return vector


def rest_of(first: Slice, slices: Iterator[Slice]) -> Iterator[Row]:
    """The rows of ``first`` and of what follows in its batch, and no further."""
    yield from first.rows
    while not first.last:
        first = next(slices)
        yield from first.rows
