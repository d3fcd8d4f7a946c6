"""The passage index: vectors, BM25 and filters in one LanceDB table.

A table belongs to one *recipe* (encoder, splitter, languages) and is named by it, so two recipes
can never mix. Which table is read is one row of the SQL store. A ``Snapshot`` is one version of
the table, and stays what it is while writers go on.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.errors import IndexStoreError
from noria.types import PUBLIC, Fields, Item, Query
from noria.words import SNOWBALL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.protocols import Matrix

SCHEMA = 1  # raise when the columns change: older tables are then rebuilt, never misread
RESIDENT = 50_000  # passages up to which all vectors are in memory: 77 MB at 384 numbers each
READERS = 256  # distinct groups and fields whose visible passages are remembered
KEPT = 20_000  # passages of a version kept in memory: some 80 MB
EVERYBODY = ""  # the group of public passages; rows without any group are seen by nobody
ITEM_COLUMNS = ["id", "document", "text", "headings", "start", "end", "page", "fields", "groups"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What determines the rows of a table, besides the documents."""

    encoder: str
    splitter: str
    languages: tuple[str, ...] = ("en",)

    @property
    def table(self) -> str:
        """The name of this recipe's table.

        >>> Recipe("e", "s").table == Recipe("e", "s").table != Recipe("e2", "s").table
        True
        """
        parts = [SCHEMA, self.encoder, self.splitter, *self.languages]
        return "passages_" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What the index knows of a document it holds; ``fingerprint`` tells whether it changed."""

    document: str
    source: str
    fingerprint: str
    groups: frozenset[str]
    fields: Fields
    passages: int


@dataclass(frozen=True, slots=True)
class Row:
    """One passage as it is stored. ``searched`` is the text that both legs see."""

    item: Item
    source: str
    fingerprint: str
    searched: str
    vector: "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Hits:
    """What one leg found, best first: row numbers of the snapshot and the leg's own scores."""

    rows: "NDArray[np.int64]"
    scores: "NDArray[np.float64]"


@dataclass(frozen=True, slots=True)
class Passage:
    """One passage as it is read back."""

    item: Item
    searched: str
    vector: "NDArray[np.float32]"


class PassageTable:
    """One table, for writing and for taking snapshots.

    Raises IndexStoreError when it is to be read and does not exist.
    """

    def __init__(self, folder: Path, recipe_table: str, dimension: int) -> None:
        self._db = open_folder(folder)
        self.name = recipe_table
        self.dimension = dimension
        self._table: Any = None
        self._newest: Snapshot | None = None

    def exists(self) -> bool:
        """Whether the table is there."""
        return self._table is not None or self.name in self._db.list_tables().tables

    def create(self, languages: Sequence[str]) -> None:
        """Make the table with its indexes, unless it is there."""
        if self.exists():
            return
        import pyarrow as pa
        from lancedb.index import BTree, LabelList

        table = self._db.create_table(self.name, schema=schema(pa, self.dimension), exist_ok=True)
        table.create_index("searched", config=analyzer(languages))
        table.create_index("groups", config=LabelList())
        table.create_index("source", config=BTree())

    def drop(self) -> None:
        """Remove the table and everything in it."""
        if self.exists():
            self._db.drop_table(self.name)
            self._table = None

    def states(self) -> dict[str, DocumentState]:
        """What the table holds, by source."""
        columns = ["document", "source", "fingerprint", "groups", "fields"]
        found: dict[str, DocumentState] = {}
        counts: dict[str, int] = {}
        for row in self._open().search().select(columns).to_list():
            source = row["source"]
            counts[source] = counts.get(source, 0) + 1
            if source not in found:
                found[source] = DocumentState(
                    row["document"],
                    source,
                    row["fingerprint"],
                    readers(row["groups"]),
                    json.loads(row["fields"]),
                    0,
                )
        return {
            s: DocumentState(d.document, s, d.fingerprint, d.groups, d.fields, counts[s])
            for s, d in found.items()
        }

    def vectors(self, sources: Iterable[str]) -> dict[str, "NDArray[np.float32]"]:
        """The stored vectors of these sources, by the text they were made from."""
        where = one_of("source", sources)
        rows = self._open().search().where(where).select(["searched", "vector"]).to_arrow()
        matrix = vector_matrix(rows["vector"], self.dimension)
        return dict(zip(rows["searched"].to_pylist(), matrix, strict=True))

    def replace(self, sources: Sequence[str], rows: Sequence[Row]) -> None:
        """Make ``rows`` all that the table holds of ``sources``, in one commit."""
        import pyarrow as pa

        if not rows:
            self._open().delete(one_of("source", sources))
            return
        (
            self._open()
            .merge_insert("id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(one_of("source", sources))
            .execute(to_arrow(pa, rows, self.dimension))
        )

    def optimize(self) -> None:
        """Fold new rows into the indexes and small files into large ones."""
        self._open().optimize()

    def snapshot(self) -> "Snapshot":
        """The newest version, held still. Raises IndexStoreError when nothing was ingested."""
        name = self.version()
        kept = self._newest
        if kept is None or kept.version != name:
            held = self._db.open_table(self.name)
            held.checkout(int(name.rpartition("@")[2]))
            kept = self._newest = Snapshot(held, name, self.dimension)
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


class Snapshot:
    """One version of the passages; safe to share between threads."""

    def __init__(self, table: Any, version: str, dimension: int) -> None:
        self._table = table
        self.version = version
        self._dimension = dimension
        self._size = int(table.count_rows())
        self._resident: tuple[NDArray[np.int64], Matrix] | None = None
        self._seen: dict[str, NDArray[np.bool_]] = {}  # by the store's condition
        self._kept: dict[int, Passage] = {}  # what was read lately; a version never changes

    def dense(self, vector: "NDArray[np.float32]", query: Query, k: int) -> Hits:
        """The ``k`` passages nearest by cosine that the query may see; scores are cosines."""
        if self._size <= RESIDENT:
            return self._nearest(vector, query, k)
        search = self._table.search(vector, vector_column_name="vector").distance_type("cosine")
        found = self._run(search, "_distance", query, k)
        return Hits(found[0], 1.0 - found[1])

    def lexical(self, text: str, query: Query, k: int) -> Hits:
        """The ``k`` passages best by BM25 that the query may see; scores are BM25's."""
        from lancedb.query import MatchQuery

        search = self._table.search(MatchQuery(text, "searched"), query_type="fts")
        return Hits(*self._run(search, "_score", query, k))

    def passages(self, rows: "NDArray[np.int64]") -> tuple[Passage, ...]:
        """The passages at ``rows``, in that order."""
        kept = self._kept  # another thread may put a new one in its place
        missing = [row for row in rows.tolist() if row not in kept]
        fetched = dict(zip(missing, self._fetch(missing), strict=True)) if missing else {}
        if len(kept) + len(fetched) > KEPT:
            self._kept = dict(fetched)
        else:
            kept.update(fetched)
        return tuple(fetched[row] if row in fetched else kept[row] for row in rows.tolist())

    def _nearest(self, vector: "NDArray[np.float32]", query: Query, k: int) -> Hits:
        """``dense`` in memory: a product of a few MB is quicker than a call to the store."""
        import numpy as np

        held = self._resident
        if held is None:
            found = self._table.search().with_row_id(True).select(["vector"]).to_arrow()
            matrix = vector_matrix(found["vector"], self._dimension)
            held = self._resident = found["_rowid"].to_numpy().astype(np.int64), matrix
        rows, matrix = held
        may_see = self._visible(rows, query)
        # not matrix @ vector: BLAS shares that among threads, and waits for cores that are busy
        rows, cosines = rows[may_see], np.vecdot(matrix, vector)[may_see].astype(np.float64)
        best = np.argsort(-cosines, kind="stable")[:k]
        return Hits(rows[best], cosines[best])

    def _visible(self, rows: "NDArray[np.int64]", query: Query) -> "NDArray[np.bool_]":
        """Which of ``rows`` the query may see. The store decides, once for each condition."""
        import numpy as np

        condition = visible(query)
        known = self._seen
        if condition not in known:
            found = self._table.search().where(condition).with_row_id(True).select(["id"])
            may_see = np.isin(rows, found.to_arrow()["_rowid"].to_numpy().astype(np.int64))
            if len(known) >= READERS:
                known = self._seen = {}
            known[condition] = may_see
            return may_see
        return known[condition]

    def _fetch(self, rows: Sequence[int]) -> list[Passage]:
        columns = [*ITEM_COLUMNS, "searched", "vector"]
        found = self._table.take_row_ids(list(rows)).with_row_id().select(columns).to_arrow()
        vectors = vector_matrix(found["vector"], self._dimension)
        texts = found["searched"].to_pylist()
        items = map(to_item, found.select(ITEM_COLUMNS).to_pylist())
        read = map(Passage, items, texts, vectors)
        # LanceDB answers in an order of its own, whatever order was asked for
        by_row = dict(zip(found["_rowid"].to_pylist(), read, strict=True))
        return [by_row[row] for row in rows]

    def _run(
        self, search: Any, score: str, query: Query, k: int
    ) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
        import numpy as np

        search = search.where(visible(query), prefilter=True).with_row_id(True)
        found = search.select([score]).limit(k).to_arrow()
        rows = found["_rowid"].to_numpy().astype(np.int64)
        return rows, found[score].to_numpy().astype(np.float64)


def open_folder(folder: Path) -> Any:
    """The LanceDB in ``folder``; every read looks for newer versions first."""
    # Lance writes warnings of its own to stderr, which is ours to keep readable.
    os.environ.setdefault("LANCE_LOG", "error")
    os.environ.setdefault("RUST_LOG", "error")
    import lancedb

    folder.mkdir(parents=True, exist_ok=True)
    return lancedb.connect(folder, read_consistency_interval=timedelta(0))


def table_names(folder: Path) -> list[str]:
    """The passage tables of a folder."""
    return [n for n in open_folder(folder).list_tables().tables if n.startswith("passages_")]


def analyzer(languages: Sequence[str]) -> Any:
    """How words are cut and stemmed for BM25: by the first language named."""
    from lancedb.index import FTS

    language = SNOWBALL.get(languages[0]) if languages else None
    if language is None:
        return FTS(stem=False, remove_stop_words=False, ascii_folding=True)
    return FTS(
        language=language.capitalize(), stem=True, remove_stop_words=True, ascii_folding=True
    )


def visible(query: Query) -> str:
    """The store's condition for what ``query`` may see: its groups, and its fields.

    >>> visible(Query("q", groups=frozenset({"hr"}), fields={"year": 2026}))
    "array_has_any(groups, ['', 'hr']) AND array_has(tags, 'year=2026')"
    """
    groups = ", ".join(quoted(g) for g in sorted({EVERYBODY, *query.groups}))
    conditions = [f"array_has_any(groups, [{groups}])"]
    conditions += [f"array_has(tags, {quoted(t)})" for t in tags(query.fields)]
    return " AND ".join(conditions)


def one_of(column: str, values: Iterable[str]) -> str:
    """A condition that holds where ``column`` is one of ``values``."""
    return f"{column} IN ({', '.join(quoted(v) for v in values)})"


def quoted(value: str) -> str:
    """A SQL string.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def tags(fields: Fields) -> list[str]:
    """Fields as the store filters them.

    >>> tags({"lang": "en", "draft": False})
    ['draft=false', 'lang=en']
    """
    text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
    return sorted(f"{k}={v}" for k, v in text.items())


def readers(groups: Iterable[str]) -> frozenset[str]:
    """Groups as the types have them: public is the empty set."""
    return PUBLIC if EVERYBODY in groups else frozenset(groups)


def to_item(row: Mapping[str, Any]) -> Item:
    """A passage from its row."""
    return Item(
        id=row["id"],
        text=row["text"],
        document=row["document"],
        start=row["start"],
        end=row["end"],
        headings=tuple(row["headings"]),
        page=row["page"],
        fields=json.loads(row["fields"]),
        groups=readers(row["groups"]),
    )


def to_arrow(pa: Any, rows: Sequence[Row], dimension: int) -> Any:
    """Rows as an Arrow table."""
    import numpy as np

    flat = np.concatenate([row.vector for row in rows]).astype(np.float32)
    items = [row.item for row in rows]
    columns = {
        "id": [i.id for i in items],
        "document": [i.document for i in items],
        "source": [r.source for r in rows],
        "fingerprint": [r.fingerprint for r in rows],
        "text": [i.text for i in items],
        "searched": [r.searched for r in rows],
        "headings": [list(i.headings) for i in items],
        "start": [i.start for i in items],
        "end": [i.end for i in items],
        "page": [i.page for i in items],
        "fields": [json.dumps(dict(i.fields), sort_keys=True) for i in items],
        "tags": [tags(i.fields) for i in items],
        "groups": [sorted(i.groups - {EVERYBODY}) or [EVERYBODY] for i in items],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(flat), dimension),
    }
    return pa.table(columns, schema=schema(pa, dimension))


def schema(pa: Any, dimension: int) -> Any:
    """The columns of a passage table."""
    text, texts, number = pa.string(), pa.list_(pa.string()), pa.int64()
    kinds = {
        "id": text, "document": text, "source": text, "fingerprint": text, "text": text,
        "searched": text, "headings": texts, "start": number, "end": number, "page": number,
        "fields": text, "tags": texts, "groups": texts,
        "vector": pa.list_(pa.float32(), dimension),
    }  # fmt: skip
    return pa.schema([pa.field(name, kind) for name, kind in kinds.items()])


def vector_matrix(column: Any, dimension: int) -> "Matrix":
    """A vector column as rows of float32."""
    import numpy as np

    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(-1, dimension)
