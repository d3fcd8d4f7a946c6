"""Documents -> rows of a passage table: split, embedded and written, all three at a time.

Each stage works ahead of the next in a thread of its own, by one batch: the encoder is slow, and
must not wait for a file or a disk. A batch is whole documents and one commit of the table, so that
a crash between two leaves whole documents.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noria.corpus.columns import Row
from noria.corpus.index import PassageTable
from noria.corpus.split import embedding_text
from noria.errors import ExtractionError
from noria.jobs import ahead, silent
from noria.protocols import Encoder, Progress, Splitter
from noria.types import Document, Item
from noria.words import detect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COMMIT = 256  # passages written together, or all of one longer document: seconds of encoding
SLICE = 128  # passages embedded together: the encoder sorts them by length
REMEMBERED = 4096  # texts whose vectors are kept until they can be found in the table


@dataclass(frozen=True, slots=True)
class Work:
    """A document to write; ``fingerprint`` tells later whether it has changed."""

    id: str
    source: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that was not taken, and why."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class Written:
    """The documents that a table now holds, and those that failed."""

    done: tuple[Work, ...]
    failed: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """A document in passages, all in ``language``."""

    work: Work
    items: Sequence[Item]
    language: str


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


def write(
    table: PassageTable,
    splitter: Splitter,
    encoder: Encoder,
    parsed: Iterable[tuple[Work, Document | ExtractionError]],
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
    failed: list[Failure] = []
    seen = set(held)
    batches = ahead(batched(parsed, splitter, languages, failed))
    progress("embedding", 0, total)
    with closing(ahead(embedded(batches, table, encoder))) as slices:
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


def batched(
    parsed: Iterable[tuple[Work, Document | ExtractionError]],
    splitter: Splitter,
    languages: Sequence[str],
    failed: list[Failure],
) -> Iterator[Batch]:
    """Documents in passages, enough of them for a commit; those without any go to ``failed``."""
    batch = Batch()
    looked_at = 0
    for looked_at, (work, document) in enumerate(parsed, 1):
        try:
            batch.documents.append(split(work, document, splitter, languages))
        except ExtractionError as error:
            failed.append(Failure(work.id, str(error)))
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


def embedded(batches: Iterable[Batch], table: PassageTable, encoder: Encoder) -> Iterator[Slice]:
    """The rows of each batch, slice by slice; of one without documents, a slice without rows."""
    recent: dict[str, NDArray[np.float32]] = {}
    for batch in batches:
        passages = [
            (split, place, item)
            for split in batch.documents
            for place, item in enumerate(split.items)
        ]
        for start in range(0, max(1, len(passages)), SLICE):
            some = passages[start : start + SLICE]
            texts = [embedding_text(item, encoder.count, encoder.max_tokens) for _, _, item in some]
            if len(recent) > REMEMBERED:
                recent.clear()
            embed(set(texts) - recent.keys(), table, encoder, recent)
            rows = [
                Row(item, split.work.source, split.work.fingerprint, text, recent[text],
                    split.language, place)
                for (split, place, item), text in zip(some, texts, strict=True)
            ]  # fmt: skip
            yield Slice(batch, rows, start + SLICE >= len(passages))


def rest_of(first: Slice, slices: Iterator[Slice]) -> Iterator[Row]:
    """The rows of ``first`` and of what follows in its batch, and no further."""
    yield from first.rows
    while not first.last:
        first = next(slices)
        yield from first.rows


def embed(
    texts: set[str],
    table: PassageTable,
    encoder: Encoder,
    known: "dict[str, NDArray[np.float32]]",
) -> None:
    """Put the vectors of ``texts`` into ``known``: the table's, or else new ones."""
    if texts:
        known |= table.vectors(texts)
    if fresh := sorted(texts - known.keys()):
        known |= zip(fresh, encoder.encode_passages(fresh), strict=True)
