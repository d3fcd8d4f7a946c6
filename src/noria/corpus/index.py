"""The passage index: vectors, BM25 and filters in one LanceDB table.

A table belongs to one *recipe* (encoder, splitter, languages) and is named by it, so two recipes
can never mix. Which table is read is one row of the SQL store.
"""

import ctypes
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from noria.corpus.columns import (
    SCHEMA,
    Row,
    digest_of,
    one_of,
    readers,
    schema,
    to_arrow,
    vector_matrix,
)
from noria.corpus.snapshot import RESIDENT, Snapshot
from noria.errors import IndexStoreError
from noria.types import Fields
from noria.words import fingerprint as analysis

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PART = 1000  # passages in a part of the vector index; a search looks into some of them
GROWTH = 4  # the vectors are parted anew when a part has become so many times larger
# New rows are searched one by one until they are folded in. Folding costs what the table holds, so
# it waits for a share of that: each passage is then folded a few times, however many there are.
FOLD_ROWS, FOLD_SHARE = 10_000, 0.25
FEW, FEW_SHARE = 100, 0.01
NAMED = 1000  # sources that a condition names
AT_ONCE = 1024  # rows handed to the store together
INDEX_CACHE, METADATA_CACHE = 256_000_000, 64_000_000  # bytes, of all tables of this process
TRAINING = 64  # vectors a part that the parts are found by
DROPPED = "dropped-"  # folders of tables that are being removed
M_ARENA_MAX = -8  # of <malloc.h>
KEEP = timedelta(hours=1)  # older versions and tables: a reader moves on with its next question


@dataclass(frozen=True, slots=True)
class Recipe:
    """What determines the rows of a table, besides the documents.

    ``languages``: those that a document may be in; without any, all that there are words for.
    """

    encoder: str
    splitter: str
    languages: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """The name of this recipe's table.

        >>> Recipe("e", "s").table == Recipe("e", "s").table != Recipe("e2", "s").table
        True
        """
        parts = [SCHEMA, analysis(), self.encoder, self.splitter, *self.languages]
        return "passages_" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What the index knows of a document it holds; ``fingerprint`` tells whether it changed."""

    document: str
    source: str
    fingerprint: str
    groups: frozenset[str]
    fields: Fields


class PassageTable:
    """One table, for writing and for taking snapshots.

    Raises IndexStoreError when it is to be read and does not exist.
    """

    def __init__(self, folder: Path, name: str, dimension: int) -> None:
        self._db = open_folder(folder)
        self._folder = folder
        self.name = name
        self.dimension = dimension
        self._table: Any = None
        self._newest: Snapshot | None = None

    def exists(self) -> bool:
        """Whether the table is there."""
        return self._table is not None or self.name in self._db.list_tables().tables

    def create(self) -> None:
        """Make the table with its indexes, unless it is there."""
        import pyarrow as pa
        from lancedb.index import FTS, BTree, LabelList

        # A process that died may have left the table without some of them.
        table = self._db.create_table(self.name, schema=schema(pa, self.dimension), exist_ok=True)
        there = {index.columns[0] for index in table.list_indices()}
        # The terms are analysed already: the store only matches them.
        words = FTS(
            base_tokenizer="whitespace", stem=False, remove_stop_words=False, lower_case=False,
            ascii_folding=False, max_token_length=None,
        )  # fmt: skip
        kinds = {"terms": words, "groups": LabelList(), "source": BTree(), "digest": BTree()}
        for column, config in kinds.items():
            if column not in there:
                table.create_index(column, config=config)

    def drop(self) -> None:
        """Remove the table and everything in it; a crash meanwhile leaves it, or no table."""
        self._table = self._newest = None
        place = self._folder / f"{self.name}.lance"
        if place.is_dir():
            place.rename(self._folder / f"{DROPPED}{uuid4().hex}")
        for left in self._folder.glob(f"{DROPPED}*"):
            shutil.rmtree(left, ignore_errors=True)  # another process may be at it, too

    def states(self, sources: Collection[str] | None = None) -> dict[str, DocumentState]:
        """What the table holds, by source; of ``sources`` only, where they are given."""
        columns = ["document", "source", "fingerprint", "groups", "fields"]
        where = "place = 0"
        if sources is not None and len(sources) <= NAMED:  # else reading all is quicker
            where += f" AND {one_of('source', sources)}" if sources else " AND FALSE"
        first = self._open().search().where(where).select(columns)
        same: dict[str, tuple[frozenset[str], Fields]] = {}  # most documents share what they have
        found = {}
        for batch in first.to_batches():
            for row in batch.to_pylist():
                key = json.dumps([sorted(row["groups"]), row["fields"]])
                if key not in same:
                    same[key] = readers(row["groups"]), json.loads(row["fields"])
                found[row["source"]] = DocumentState(
                    row["document"], row["source"], row["fingerprint"], *same[key]
                )
        return found

    def sizes(self) -> tuple[int, int]:
        """How many documents and passages the table holds."""
        table = self._open()
        return int(table.count_rows("place = 0")), int(table.count_rows())

    def vectors(self, texts: Iterable[str]) -> dict[str, "NDArray[np.float32]"]:
        """The stored vectors of these texts, whichever passages they belong to."""
        where = one_of("digest", {digest_of(text) for text in texts})
        rows = self._open().search().where(where).select(["searched", "vector"]).to_arrow()
        matrix = vector_matrix(rows["vector"])
        return dict(zip(rows["searched"].to_pylist(), matrix, strict=True))

    def append(self, rows: Iterable[Row]) -> None:
        """Add ``rows`` of sources that the table holds nothing of, in one commit.

        They are taken as they come: a long document is never in memory as a whole. The cost does
        not depend on what the table holds, as that of ``replace`` does.
        """
        import pyarrow as pa

        stopped = Event()
        failures: list[BaseException] = []

        def batches() -> Iterator[Any]:
            try:
                for batch in self._batches(rows):
                    if stopped.is_set():
                        raise InterruptedError
                    yield batch
            except BaseException as error:
                failures.append(error)
                raise

        reader = pa.RecordBatchReader.from_batches(schema(pa, self.dimension), batches())
        with ThreadPoolExecutor(1, "noria-append") as beside:
            adding = beside.submit(self._open().add, reader)
            try:
                adding.result()
            except Exception as error:
                # The store tells an error of ours as one of its own, in words only.
                raise (failures[0] if failures else error) from None
            except BaseException:  # Ctrl-C: the store must not commit behind our back
                stopped.set()
                wait([adding])
                raise

    def replace(self, sources: Sequence[str], rows: Iterable[Row]) -> None:
        """Make ``rows`` all that the table holds of ``sources``, in one commit."""
        import pyarrow as pa

        # A change is merged: that joins all ids of the table, and the store wants all rows at once.
        batches = list(self._batches(rows))
        if not batches:
            self.remove(sources)
            return
        (
            self._open()
            .merge_insert("id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(one_of("source", sources))
            .execute(pa.Table.from_batches(batches))
        )

    def remove(self, sources: Sequence[str]) -> None:
        """Let the table hold nothing of ``sources``."""
        for start in range(0, len(sources), NAMED):
            self._open().delete(one_of("source", sources[start : start + NAMED]))

    def restrict(self, sources: Sequence[str], groups: Iterable[str]) -> None:
        """Let only readers in ``groups`` see what the table holds of ``sources``."""
        for start in range(0, len(sources), NAMED):
            where = one_of("source", sources[start : start + NAMED])
            self._open().update(where=where, values={"groups": sorted(groups)})

    def _batches(self, rows: Iterable[Row]) -> Iterator[Any]:
        import pyarrow as pa

        rest = iter(rows)
        while some := list(islice(rest, AT_ONCE)):
            yield to_arrow(pa, some, self.dimension)

    def fold(self, finished: bool = True) -> None:
        """Fold new rows into the indexes, and small files into large ones.

        While more rows are to come (not ``finished``) only when many have gathered, and at the end
        unless there are so few that searching them one by one costs nothing.
        """
        table = self._open()
        new, rows = self._unfolded(), table.count_rows()
        few = max(1, min(FEW, FEW_SHARE * rows))
        if new < (few if finished else max(FOLD_ROWS, FOLD_SHARE * rows)):
            return
        table.optimize(cleanup_older_than=KEEP)
        if rows > RESIDENT:
            self._part(rows)

    def _unfolded(self) -> int:
        """Rows that the word index does not know yet."""
        stats = self._open().index_stats("terms_idx")
        return stats.num_unindexed_rows if stats else 0

    def _part(self, rows: int) -> None:
        """Part the vectors so that near ones lie together, unless they are parted well enough."""
        from lancedb.index import IvfSq

        table = self._open()
        names = {i.name for i in table.list_indices() if i.columns == ["vector"]}
        parts = max((int(name.rpartition("_")[2]) for name in names), default=0)
        if rows >= parts * PART * GROWTH:
            parts = rows // PART
            # Codes of 8 bits: a quarter of the vectors, so that most of a million fit into the
            # cache. The search compares the best ones again as they are. The size of a part is
            # said, not their number: by it the store keeps the parts when it folds in new rows.
            config = IvfSq(distance_type="cosine", target_partition_size=PART, sample_rate=TRAINING)
            table.create_index("vector", config=config, name=f"vectors_{parts}")
        for name in names - {f"vectors_{parts}"}:
            table.drop_index(name)

    def snapshot(self) -> Snapshot:
        """The newest version, held still. Raises IndexStoreError when nothing was ingested."""
        name = self.version()
        kept = self._newest
        if kept is None or kept.version != name:
            held = self._db.open_table(self.name)
            held.checkout(int(name.rpartition("@")[2]))
            kept = self._newest = Snapshot(held, name)
        return kept

    def version(self) -> str:
        """Name of the newest version: the table and a number that only grows."""
        return f"{self.name}@{self._open().version}"

    def _open(self) -> Any:
        if self._table is None:
            if not self.exists():
                raise IndexStoreError("nothing was ingested yet; run: noria ingest PATH")
            self._table = self._db.open_table(self.name)
        return self._table


def open_folder(folder: Path) -> Any:
    """The LanceDB in ``folder``; every read looks for newer versions first."""
    # Lance writes warnings of its own to stderr, which is ours to keep readable.
    os.environ.setdefault("LANCE_LOG", "error")
    os.environ.setdefault("RUST_LOG", "error")
    import lancedb

    folder.mkdir(parents=True, exist_ok=True)
    return lancedb.connect(folder, read_consistency_interval=timedelta(0), session=caches())


@cache
def caches() -> Any:
    """What this process keeps of all tables in memory; LanceDB's own default is 7 GB."""
    import lancedb

    share_memory()
    return lancedb.Session(
        index_cache_size_bytes=INDEX_CACHE, metadata_cache_size_bytes=METADATA_CACHE
    )


def share_memory() -> None:
    """Let the store's threads take what others have freed, where the system is glibc's.

    It gives each thread memory of its own, and keeps what is freed there: 40 % of all that an
    ingestion took.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def table_names(folder: Path) -> list[str]:
    """The passage tables of a folder."""
    return [n for n in open_folder(folder).list_tables().tables if n.startswith("passages_")]
