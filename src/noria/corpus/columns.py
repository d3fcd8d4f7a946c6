"""How a passage is stored: the columns of a table, and the conditions that the store filters by."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.types import PUBLIC, Fields, Item, Query
from noria.words import terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.protocols import Matrix

SCHEMA = 2  # raise when the columns change: older tables are then rebuilt, never misread
EVERYBODY = ""  # the group of public passages; rows without any group are seen by nobody
ITEM_COLUMNS = ["id", "document", "text", "headings", "start", "end", "page", "fields", "groups"]
PASSAGE_COLUMNS = [*ITEM_COLUMNS, "searched", "language", "vector"]


@dataclass(frozen=True, slots=True)
class Row:
    """One passage as it is stored.

    ``searched`` is the text that both legs see, in ``language``; ``place`` counts the passages of
    a document from 0.
    """

    item: Item
    source: str
    fingerprint: str
    searched: str
    vector: "NDArray[np.float32]"
    language: str = ""
    place: int = 0


def schema(pa: Any, dimension: int) -> Any:
    """The columns of a passage table."""
    text, texts, number = pa.string(), pa.list_(pa.string()), pa.int64()
    kinds = {
        "id": text, "document": text, "source": text, "fingerprint": text, "place": number,
        "text": text, "searched": text, "digest": number, "language": text, "terms": text,
        "headings": texts, "start": number, "end": number, "page": number,
        "fields": text, "tags": texts, "groups": texts,
        "vector": pa.list_(pa.float32(), dimension),
    }  # fmt: skip
    return pa.schema([pa.field(name, kind) for name, kind in kinds.items()])


def to_arrow(pa: Any, rows: Sequence[Row], dimension: int) -> Any:
    """Rows as one Arrow batch."""
    import numpy as np

    flat = np.concatenate([row.vector for row in rows]).astype(np.float32)
    items = [row.item for row in rows]
    columns = {
        "id": [i.id for i in items],
        "document": [i.document for i in items],
        "source": [r.source for r in rows],
        "fingerprint": [r.fingerprint for r in rows],
        "place": [r.place for r in rows],
        "text": [i.text for i in items],
        "searched": [r.searched for r in rows],
        "digest": [digest_of(r.searched) for r in rows],
        "language": [r.language for r in rows],
        "terms": [" ".join(terms(r.searched, r.language)) for r in rows],
        "headings": [list(i.headings) for i in items],
        "start": [i.start for i in items],
        "end": [i.end for i in items],
        "page": [i.page for i in items],
        "fields": [json.dumps(dict(i.fields), sort_keys=True) for i in items],
        "tags": [tags(i.fields) for i in items],
        "groups": [sorted(i.groups - {EVERYBODY}) or [EVERYBODY] for i in items],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(flat), dimension),
    }
    return pa.RecordBatch.from_pydict(columns, schema=schema(pa, dimension))


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


def vector_matrix(column: Any) -> "Matrix":
    """A vector column as rows of float32."""
    import numpy as np

    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype=np.float32).reshape(-1, column.type.list_size)


def digest_of(text: str) -> int:
    """A number by which the same text is found again; 64 bits with their sign.

    >>> digest_of("wheel") == digest_of("wheel") != digest_of("wheels")
    True
    """
    start = hashlib.sha256(text.encode()).digest()[:8]
    return int.from_bytes(start, "big", signed=True)


def visible(query: Query) -> str:
    """The store's condition for what ``query`` may see: its groups, and its fields.

    >>> visible(Query("q", groups=frozenset({"hr"}), fields={"year": 2026}))
    "array_has_any(groups, ['', 'hr']) AND array_has(tags, 'year=2026')"
    """
    groups = ", ".join(quoted(g) for g in sorted({EVERYBODY, *query.groups}))
    conditions = [f"array_has_any(groups, [{groups}])"]
    conditions += [f"array_has(tags, {quoted(t)})" for t in tags(query.fields)]
    return " AND ".join(conditions)


def one_of(column: str, values: Iterable[str | int]) -> str:
    """A condition that holds where ``column`` is one of ``values``.

    >>> one_of("source", ["a", "it's"])
    "source IN ('a', 'it''s')"
    """
    shown = (quoted(v) if isinstance(v, str) else str(v) for v in values)
    return f"{column} IN ({', '.join(shown)})"


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
