"""One version of a passage table, to search in; it stays what it is while writers go on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from noria.corpus.columns import (
    ITEM_COLUMNS,
    PASSAGE_COLUMNS,
    one_of,
    to_item,
    vector_matrix,
    visible,
)
from noria.types import Item, Query
from noria.words import query_terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.protocols import Encoder, Matrix

# Up to here the product with all vectors, held in memory (77 MB at 384 numbers each), is quicker
# than the store's index, and exact.
RESIDENT = 50_000
PROBES = 64  # parts of the vector index that a search looks into: docs/benchmarks.md
REFINE = 2  # times k passages that are compared as they are, after a search by their codes
READERS = 256  # distinct groups and fields whose visible passages are remembered
KEPT = 20_000  # passages of a version kept in memory: some 80 MB
NAMED = 1000  # ids that a condition names


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
    language: str
    vector: "NDArray[np.float32]"


@dataclass(frozen=True, slots=True)
class Named:
    """Passages that were asked for by their ids; those in neither are gone.

    ``seen``: what the reader may see. ``hidden``: ids of those that are there for others.
    """

    seen: Mapping[str, Item] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


class Snapshot:
    """One version of the passages; safe to share between threads."""

    def __init__(self, table: Any, version: str) -> None:
        self._table = table
        self.version = version
        self.encoder: Encoder | None = None  # asks it, where another than this is configured
        self._size = int(table.count_rows())
        self._resident: tuple[NDArray[np.int64], Matrix] | None = None
        self._seen: dict[str, NDArray[np.bool_]] = {}  # by the store's condition
        self._kept: dict[int, Passage] = {}  # what was read lately; a version never changes

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages that the documents are in, the most frequent one first."""
        first = self._table.search().where("place = 0").select(["language"]).to_arrow()
        counts = [(-c["counts"], c["values"]) for c in first["language"].value_counts().to_pylist()]
        return tuple(language for _, language in sorted(counts))

    def dense(self, vector: "NDArray[np.float32]", query: Query, k: int) -> Hits:
        """The ``k`` passages nearest by cosine that the query may see; scores are cosines.

        Exact up to ``RESIDENT`` passages; above, among those that the store's index looks at.
        """
        if self._size <= RESIDENT:
            return self._nearest(vector, query, k)
        hits = self._among(vector, query, k, PROBES)
        # A reader who may see little finds it wherever it lies: 0 is all parts.
        return hits if len(hits.rows) == k else self._among(vector, query, k, 0)

    def _among(self, vector: "NDArray[np.float32]", query: Query, k: int, probes: int) -> Hits:
        """``dense`` among the passages in so many parts of the store's index."""
        search = self._table.search(vector, vector_column_name="vector").distance_type("cosine")
        search = search.minimum_nprobes(probes or 1).maximum_nprobes(probes).refine_factor(REFINE)
        rows, distances = self._run(search, "_distance", query, k)
        return Hits(rows, 1.0 - distances)

    def lexical(self, text: str, query: Query, k: int) -> Hits:
        """The ``k`` passages best by BM25 that the query may see; scores are BM25's."""
        import numpy as np
        from lancedb.query import MatchQuery

        wanted = query_terms(text, self.languages)
        if not wanted:
            return Hits(np.zeros(0, np.int64), np.zeros(0))
        search = self._table.search(MatchQuery(" ".join(wanted), "terms"), query_type="fts")
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

    def named(self, ids: Collection[str], groups: frozenset[str]) -> Named:
        """The passages with these ids, as a reader in ``groups`` sees them."""
        wanted = sorted(set(ids))
        may_see = visible(Query("", groups=groups))
        seen: dict[str, Item] = {}
        there: set[str] = set()
        for start in range(0, len(wanted), NAMED):
            where = one_of("id", wanted[start : start + NAMED])
            found = self._table.search().where(where).select(["id"]).to_arrow()
            there.update(found["id"].to_pylist())
            # the store decides, as it does for a search
            shown = self._table.search().where(f"{where} AND {may_see}").select(ITEM_COLUMNS)
            seen.update((row["id"], to_item(row)) for row in shown.to_arrow().to_pylist())
        return Named(seen, frozenset(there - seen.keys()))

    def _nearest(self, vector: "NDArray[np.float32]", query: Query, k: int) -> Hits:
        """``dense`` in memory: a product of a few MB is quicker than a call to the store."""
        import numpy as np

        held = self._resident
        if held is None:
            found = self._table.search().with_row_id(True).select(["vector"]).to_arrow()
            matrix = vector_matrix(found["vector"])
            held = self._resident = found["_rowid"].to_numpy().astype(np.int64), matrix
        rows, matrix = held
        may_see = self._visible(rows, query)
        # not matrix @ vector: BLAS shares that among threads, and waits for cores that are busy
        rows, cosines = rows[may_see], np.vecdot(matrix, vector)[may_see].astype(np.float64)
        if k < len(rows):  # sorting all of them would take longer than the product
            near = np.argpartition(-cosines, k)[:k]
            rows, cosines = rows[near], cosines[near]
        best = np.lexsort((rows, -cosines))
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
        found = self._table.take_row_ids(list(rows)).with_row_id().select(PASSAGE_COLUMNS)
        read = found.to_arrow()
        vectors = vector_matrix(read["vector"])
        items = map(to_item, read.select(ITEM_COLUMNS).to_pylist())
        texts, languages = read["searched"].to_pylist(), read["language"].to_pylist()
        passages = map(Passage, items, texts, languages, vectors)
        # LanceDB answers in an order of its own, whatever order was asked for
        by_row = dict(zip(read["_rowid"].to_pylist(), passages, strict=True))
        return [by_row[row] for row in rows]

    def _run(
        self, search: Any, score: str, query: Query, k: int
    ) -> "tuple[NDArray[np.int64], NDArray[np.float64]]":
        import numpy as np

        search = search.where(visible(query), prefilter=True).with_row_id(True)
        found = search.select([score]).limit(k).to_arrow()
        rows = found["_rowid"].to_numpy().astype(np.int64)
        return rows, found[score].to_numpy().astype(np.float64)
