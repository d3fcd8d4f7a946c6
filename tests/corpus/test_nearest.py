"""The dense leg in memory and in the store say the same."""

from pathlib import Path

import numpy as np
import pytest

from noria.corpus import index as index_module
from noria.corpus import snapshot as snapshot_module
from noria.corpus.columns import Row
from noria.corpus.index import PassageTable
from noria.types import Item, Query

SIZE, DIMENSION = 40, 8
READERS = [
    Query("public"),
    Query("hr", groups=frozenset({"hr"})),
    Query("both", groups=frozenset({"hr", "it's"})),
    Query("year", groups=frozenset({"hr"}), fields={"year": 2026}),
    Query("nobody", fields={"year": 1900}),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> PassageTable:
    """Passages of three kinds of readers and two years, with vectors all around."""
    vectors = np.random.default_rng(7).standard_normal((SIZE, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = [frozenset(), frozenset({"hr"}), frozenset({"it's"})]
    table = PassageTable(tmp_path_factory.mktemp("nearest"), "passages_test", DIMENSION)
    table.create()
    items = [
        Item(f"p{i}", "text", document="d", groups=groups[i % 3], fields={"year": 2025 + i % 2})
        for i in range(SIZE)
    ]
    table.replace(["d"], [Row(i, "d", "f", "text", v) for i, v in zip(items, vectors, strict=True)])
    return table


def found(table: PassageTable, query: Query, k: int) -> tuple[list[str], list[float]]:
    """Ids and cosines by a snapshot that remembers nothing."""
    fresh = PassageTable(table_folder(table), table.name, DIMENSION).snapshot()
    hits = fresh.dense(np.eye(DIMENSION, dtype=np.float32)[0], query, k)
    return [p.item.id for p in fresh.passages(hits.rows)], hits.scores.tolist()


def table_folder(table: PassageTable) -> Path:
    return Path(table._db.uri)


@pytest.mark.parametrize("k", [1, 7, 100])
@pytest.mark.parametrize("query", READERS, ids=lambda query: query.id)
def test_memory_and_store_agree(table, query, k, monkeypatch):
    in_memory = found(table, query, k)
    monkeypatch.setattr(snapshot_module, "RESIDENT", 0)
    in_store = found(table, query, k)
    assert in_memory[0] == in_store[0]
    assert in_memory[1] == pytest.approx(in_store[1], abs=1e-6)


def test_what_one_reader_saw_is_not_shown_to_another(table):
    snapshot = table.snapshot()
    vector = np.eye(DIMENSION, dtype=np.float32)[0]
    for query in [*READERS, *READERS[::-1]]:
        hits = snapshot.dense(vector, query, SIZE)
        for passage in snapshot.passages(hits.rows):
            groups = passage.item.groups
            assert not groups or groups & query.groups
            assert query.fields.items() <= passage.item.fields.items()


def test_the_readers_remembered_are_bounded(table, monkeypatch):
    monkeypatch.setattr(snapshot_module, "READERS", 2)
    snapshot = PassageTable(table_folder(table), table.name, DIMENSION).snapshot()
    for query in READERS * 2:
        snapshot.dense(np.eye(DIMENSION, dtype=np.float32)[0], query, 3)
    assert len(snapshot._seen) <= 2


def test_an_empty_table_has_nothing_near(tmp_path):
    table = PassageTable(tmp_path, "passages_empty", DIMENSION)
    table.create()
    assert len(table.snapshot().dense(np.ones(DIMENSION, np.float32), Query("q"), 5).rows) == 0


@pytest.fixture(scope="module")
def parted(tmp_path_factory) -> PassageTable:
    """2,000 passages, of which 20 may be read by hr alone, found through parts of 100."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "RESIDENT", 1000)
        patch.setattr(index_module, "PART", 100)
        table = PassageTable(tmp_path_factory.mktemp("parted"), "passages_test", DIMENSION)
        table.create()
        vectors = np.random.default_rng(3).standard_normal((2000, DIMENSION)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = [
            Row(
                Item(f"p{i}", "text", "d", groups=frozenset({"hr"} if i % 100 == 0 else ())),
                "d",
                "f",
                "text",
                vector,
            )
            for i, vector in enumerate(vectors)
        ]
        table.append(rows[:1500])
        table.fold()
        table.append(rows[1500:])  # not folded in: they are found all the same
        return table


def test_a_large_table_is_parted_and_parted_anew_when_it_has_outgrown_its_parts(
    parted, monkeypatch, tmp_path
):
    def parts(table):
        return [i.name for i in table._open().list_indices() if i.columns == ["vector"]]

    assert parts(parted) == ["vectors_15"]
    monkeypatch.setattr(index_module, "RESIDENT", 10)
    monkeypatch.setattr(index_module, "PART", 20)
    table = PassageTable(tmp_path, "passages_test", DIMENSION)
    table.create()
    rng = np.random.default_rng(1)

    def add(first: int, count: int) -> None:
        vectors = rng.standard_normal((count, DIMENSION)).astype(np.float32)
        items = [Item(f"p{first + i}", "text", "d") for i in range(count)]
        table.append([Row(i, "d", "f", "text", v) for i, v in zip(items, vectors, strict=True)])
        table.fold()

    add(0, 100)
    assert parts(table) == ["vectors_5"]
    add(100, 200)
    assert parts(table) == ["vectors_5"]
    add(300, 200)
    assert parts(table) == ["vectors_25"]


@pytest.mark.parametrize("reader", [Query("public"), Query("hr", groups=frozenset({"hr"}))])
def test_parts_find_what_memory_finds(parted, reader, monkeypatch):
    vector = np.eye(DIMENSION, dtype=np.float32)[0]
    exact = parted.snapshot().dense(vector, reader, 20)
    monkeypatch.setattr(snapshot_module, "RESIDENT", 1000)
    through_parts = parted.snapshot().dense(vector, reader, 20)
    assert through_parts.rows.tolist() == exact.rows.tolist()
    assert through_parts.scores == pytest.approx(exact.scores, abs=1e-6)


def test_a_reader_of_little_finds_it_in_whichever_part_it_lies(parted, monkeypatch):
    monkeypatch.setattr(snapshot_module, "RESIDENT", 1000)
    monkeypatch.setattr(snapshot_module, "PROBES", 1)
    snapshot = parted.snapshot()
    hits = snapshot.dense(np.eye(DIMENSION, dtype=np.float32)[0], Query("x"), 2000)
    assert len(hits.rows) == 1980  # all public ones, though one part was asked for at first
