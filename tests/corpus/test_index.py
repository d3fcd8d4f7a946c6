"""The passage table: what is written is read back, in the order asked for, by who may see it."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.corpus.columns import Row, quoted
from noria.corpus.index import PassageTable, Recipe
from noria.errors import IndexStoreError
from noria.types import Item, Query

DIMENSION = 4
UP = np.array([1, 0, 0, 0], dtype=np.float32)
numbers = count()


def row(name: str, source: str = "/s", text: str = "water wheel", vector=UP, **item) -> Row:
    return Row(Item(name, text, source, 0, len(text), **item), source, "f1", text, vector, "en")


@pytest.fixture
def table(tmp_path) -> PassageTable:
    made = PassageTable(tmp_path, "passages_test", DIMENSION)
    made.create()
    return made


def seen(table: PassageTable, **query) -> list[str]:
    snapshot = table.snapshot()
    hits = snapshot.dense(UP, Query("q", **query), 1000)
    return sorted(p.item.id for p in snapshot.passages(hits.rows))


def test_passages_are_found_by_their_ids_as_far_as_a_reader_may_see(table) -> None:
    table.append([row("a"), row("b", "/hr", groups=frozenset({"hr"})), row("c", "/nobody")])
    table._table.update(where="id = 'c'", values_sql={"groups": "array_remove(groups, '')"})
    ids = ["a", "b", "c", "gone"]
    outside = table.snapshot().named(ids, frozenset())
    assert (list(outside.seen), outside.hidden) == (["a"], {"b", "c"})
    inside = table.snapshot().named(ids, frozenset({"hr"}))
    assert (sorted(inside.seen), inside.hidden) == (["a", "b"], {"c"})
    assert inside.seen["b"].text == "water wheel"


def test_what_was_written_is_read_back(table) -> None:
    item = Item("p1", "the wheel", "docs/a.pdf", 3, 12, ("Guide", "Wheels"), 7,
                {"lang": "en", "year": 2026, "draft": False, "share": 0.5},
                frozenset({"hr", "legal"}))  # fmt: skip
    vector = np.array([0.6, 0.8, 0, 0], dtype=np.float32)
    table.replace(["/a.pdf"], [Row(item, "/a.pdf", "f", "Guide\nthe wheel", vector)])
    snapshot = table.snapshot()
    hits = snapshot.dense(UP, Query("q", groups=frozenset({"hr"})), 1)
    (passage,) = snapshot.passages(hits.rows)
    assert passage.item == item
    assert passage.searched == "Guide\nthe wheel"
    assert passage.vector.tolist() == vector.tolist()
    assert hits.scores.tolist() == pytest.approx([0.6])


def test_passages_come_in_the_order_asked_for(table, tmp_path) -> None:
    # LanceDB's take_row_ids answers in an order of its own
    for part in range(3):
        table.replace([f"/{part}"], [row(f"p{part}-{i}", f"/{part}") for i in range(40)])
    table.replace(["/1"], [row(f"q{i}", "/1") for i in range(10)])
    snapshot = table.snapshot()
    rows = snapshot.dense(UP, Query("q"), 1000).rows
    known = {n: p.item.id for n, p in zip(rows.tolist(), snapshot.passages(rows), strict=True)}
    assert len(known) == 90
    rng = np.random.default_rng(7)
    for asked in (rng.permutation(rows)[:30] for _ in range(10)):
        fresh = PassageTable(tmp_path, table.name, DIMENSION).snapshot()
        names = [p.item.id for p in fresh.passages(asked)]
        again = [p.item.id for p in fresh.passages(asked[::-1])]  # now from memory
        alone = [fresh.passages(asked[i : i + 1])[0].item.id for i in range(len(asked))]
        assert names == again[::-1] == alone == [known[n] for n in asked.tolist()]


def test_scores_belong_to_their_passages(table) -> None:
    """A law of its own: had the order of the rows been lost, scores would be another passage's."""
    angles = np.linspace(0, 1.5, 30)
    order = np.random.default_rng(3).permutation(30)
    rows = [
        row(f"p{i}", f"/{i % 3}", vector=np.array([np.cos(a), np.sin(a), 0, 0], np.float32))
        for i, a in enumerate(angles)
    ]
    for part in range(3):
        table.replace([f"/{part}"], [rows[i] for i in order if i % 3 == part])
    snapshot = table.snapshot()
    hits = snapshot.dense(UP, Query("q"), 30)
    assert [p.item.id for p in snapshot.passages(hits.rows)] == [f"p{i}" for i in range(30)]
    assert hits.scores == pytest.approx(np.cos(angles), abs=1e-5)


def test_replace_makes_the_rows_all_that_a_source_has(table) -> None:
    table.replace(["/a", "/b"], [row("a1", "/a"), row("a2", "/a"), row("b1", "/b")])
    table.replace(["/a"], [row("a2", "/a"), row("a3", "/a")])
    assert seen(table) == ["a2", "a3", "b1"]
    table.replace(["/b"], [])
    assert seen(table) == ["a2", "a3"]
    table.replace(["/a"], [row("a4", "/a"), row("c1", "/c")])  # one that is held, and a new one
    assert seen(table) == ["a4", "c1"]
    table.remove(["/c"])
    assert seen(table) == ["a4"]
    assert set(table.states()) == {"/a"}


def test_all_rows_are_counted_and_all_vectors_found(table) -> None:
    """A store may give ten rows where none are asked for."""
    rows = [row(f"p{i}", f"/{i % 7}", f"text {i}") for i in range(300)]
    table.replace([f"/{i}" for i in range(7)], rows)
    states = table.states()
    assert len(states) == 7
    assert table.sizes()[1] == 300
    assert len(table.vectors([f"text {i}" for i in range(300)])) == 300
    assert set(table.vectors(["text 7", "text 7", "another"])) == {"text 7"}


def test_new_rows_are_found_before_and_after_optimizing(table) -> None:
    table.replace(["/a"], [row("a", "/a", "the buckets rise")])
    for _ in range(2):
        hits = table.snapshot().lexical("bucket rising", Query("q"), 5)
        assert [p.item.id for p in table.snapshot().passages(hits.rows)] == ["a"]
        table.fold()


def test_a_snapshot_stays_what_it_is_while_others_write(table) -> None:
    table.replace(["/a"], [row("a1", "/a", "old wheel"), row("a2", "/a", "old bucket")])
    before = table.snapshot()
    table.replace(["/a"], [row("a3", "/a", "new wheel")])
    table.fold()
    assert before.version != table.snapshot().version
    found = before.passages(before.dense(UP, Query("q"), 9).rows)
    assert sorted(p.item.id for p in found) == ["a1", "a2"]
    words = before.passages(before.lexical("wheel", Query("q"), 9).rows)
    assert [p.item.text for p in words] == ["old wheel"]
    assert seen(table) == ["a3"]


def test_another_reader_sees_what_was_written_at_once(table, tmp_path) -> None:
    reader = PassageTable(tmp_path, table.name, DIMENSION)
    table.replace(["/a"], [row("a1", "/a")])
    assert seen(reader) == ["a1"]
    table.replace(["/a"], [row("a2", "/a")])
    assert seen(reader) == ["a2"]


def test_a_version_names_the_table_and_grows(table) -> None:
    numbers = []
    for i in range(3):
        table.replace(["/a"], [row(f"a{i}", "/a")])
        name, _, number = table.snapshot().version.partition("@")
        assert name == table.name
        numbers.append(int(number))
    assert numbers == sorted(set(numbers))


def test_a_table_that_is_not_there(tmp_path) -> None:
    table = PassageTable(tmp_path, "passages_none", DIMENSION)
    assert not table.exists()
    with pytest.raises(IndexStoreError, match="noria ingest"):
        table.snapshot()
    table.drop()  # nothing to do
    table.create()
    table.create()
    table.drop()
    assert not table.exists()


@pytest.mark.parametrize(
    ("language", "text", "question"),
    [
        ("de", "H\u00e4user am Flu\u00df", "ein Haus"),
        ("ko", "\ubb3c\ub808\ubc29\uc544\uac00 \ub3c8\ub2e4", "\ubb3c\ub808\ubc29\uc544"),
        ("", "naqrochoH wam", "wam"),
    ],
)
def test_each_language_is_found_by_its_own_words(table, language, text, question) -> None:
    table.replace(["/a"], [replace(row("a", "/a", text), language=language)])
    table.replace(["/b"], [row("b", "/b", "a wheel in the river")])
    snapshot = table.snapshot()
    assert set(snapshot.languages) == {language, "en"}
    hits = snapshot.lexical(question, Query("q"), 3)
    assert [p.item.id for p in snapshot.passages(hits.rows)] == ["a"]


def test_recipes_that_differ_have_tables_that_differ() -> None:
    recipes = [Recipe("e", "s"), Recipe("e2", "s"), Recipe("e", "s2"), Recipe("e", "s", ("de",)),
               Recipe("es", ""), Recipe("e", "s", ("en",))]  # fmt: skip
    assert len({r.table for r in recipes}) == len(recipes)


names = st.one_of(
    st.sampled_from(
        ["it's", "''", "'", "a\nb", "\\'", "\\", "%", "--", "a=b", "a','b", "\u00fc", "\U0001f40d"]
    ),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> PassageTable:
    made = PassageTable(tmp_path_factory.mktemp("shared"), "passages_test", DIMENSION)
    made.create()
    return made


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(group=names, other=names, key=names, value=names, source=names, text=names)
def test_any_name_is_safe(shared, group, other, key, value, source, text) -> None:
    """Quotes, line ends and whatever else: found by its own name, by no other, and removed."""
    number = next(numbers)
    source = f"{number}{source}"
    mark = {"number": number}
    item = {"groups": frozenset({group}), "fields": {key: value, **mark}}
    shared.replace([source, "/other"], [row(f"p{number}", source, text, **item)])
    shared.replace(["/other"], [row("o", "/other", groups=frozenset({"\x01"}))])
    mine = f"p{number}"
    assert seen(shared, groups=frozenset({group}), fields={key: value, **mark}) == [mine]
    assert mine not in seen(shared, fields=mark)
    if other != group:
        assert mine not in seen(shared, groups=frozenset({other}))
    if other != value and key != "number":
        fields = {key: other, **mark}
        assert seen(shared, groups=frozenset({group}), fields=fields) == []
    state = shared.states()[source]
    assert (state.groups, dict(state.fields)) == ({group}, item["fields"])
    assert list(shared.vectors([text])) == [text]
    shared.replace([source], [])
    assert source not in shared.states()


def test_quoting() -> None:
    assert quoted("a'b''c") == "'a''b''''c'"
