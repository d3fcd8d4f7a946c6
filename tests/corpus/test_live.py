"""Which table is read: one row, and never another encoder's vectors."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from noria.corpus.columns import Row
from noria.corpus.index import Recipe, table_names
from noria.corpus.live import LivePassages
from noria.errors import IndexStoreError
from noria.store.state import State
from noria.types import Item, Query

NOW = datetime(2026, 11, 21, tzinfo=UTC)
UP = np.array([1, 0], dtype=np.float32)


@pytest.fixture
def state(tmp_path) -> Iterator[State]:
    made = State(f"sqlite:///{tmp_path / 'state.db'}")
    yield made
    made.close()


@pytest.fixture
def live(tmp_path, state) -> LivePassages:
    return LivePassages(tmp_path / "index", state, "e1", 2)


def fill(live: LivePassages, recipe: Recipe, *texts: str) -> None:
    table = live.table(recipe.table)
    table.create()
    table.replace(["/a"], [Row(Item(t, t, "a"), "/a", "f", t, UP) for t in texts])


def texts(live: LivePassages) -> set[str]:
    snapshot = live.snapshot()
    hits = snapshot.dense(UP, Query("q"), 99)
    return {p.item.text for p in snapshot.passages(hits.rows)}


def test_before_the_first_ingestion(live) -> None:
    assert live.name() is None
    with pytest.raises(IndexStoreError, match="nothing was ingested yet; run: noria ingest PATH"):
        live.snapshot()


def test_a_switch_shows_at_once_to_every_reader(live, state, tmp_path) -> None:
    one, two = Recipe("e1", "s1"), Recipe("e1", "s2")
    reader = LivePassages(tmp_path / "index", state, "e1", 2)
    fill(live, one, "old")
    live.switch(one, NOW)
    assert texts(reader) == {"old"}
    fill(live, two, "new", "newer")
    assert texts(reader) == {"old"}  # built, not yet live
    live.switch(two, NOW)
    assert (texts(reader), reader.name()) == ({"new", "newer"}, two.table)


def test_another_encoders_vectors_are_refused(live, state, tmp_path) -> None:
    recipe = Recipe("e1", "s")
    fill(live, recipe, "text")
    live.switch(recipe, NOW)
    other = LivePassages(tmp_path / "index", state, "e2", 2)
    with pytest.raises(IndexStoreError, match=r"another encoder.*'noria ingest'.*models\.encoder"):
        other.snapshot()
    assert other.name() == recipe.table  # its name and its states may be read


def test_sweeping_keeps_what_it_is_told(live, tmp_path) -> None:
    recipes = [Recipe("e1", f"s{i}") for i in range(12)]  # more than a page of names
    for recipe in recipes:
        live.table(recipe.table).create()
    assert len(table_names(tmp_path / "index")) == 12
    live.switch(recipes[1], NOW)
    live.switch(recipes[2], NOW)
    live.sweep(NOW + timedelta(minutes=1), [recipes[3].table])
    # the one that is live, and the one that was until now: somebody may be reading it
    kept = {recipes[i].table for i in (1, 2, 3)}
    assert set(table_names(tmp_path / "index")) == kept
    live.sweep(NOW + timedelta(days=1), [recipes[3].table])
    assert set(table_names(tmp_path / "index")) == kept - {recipes[1].table}


def test_a_removal_that_was_killed_is_finished_later(live, tmp_path) -> None:
    recipes = [Recipe("e1", "s1"), Recipe("e1", "s2")]
    for recipe in recipes:
        live.table(recipe.table).create()
    place = tmp_path / "index" / f"{recipes[0].table}.lance"
    place.rename(tmp_path / "index" / "dropped-1")  # as far as it came
    live.table(recipes[0].table).create()  # can be made anew
    live.switch(recipes[0], NOW)
    live.sweep(NOW, [])
    assert sorted(p.name for p in (tmp_path / "index").iterdir()) == [f"{recipes[0].table}.lance"]


def test_the_snapshot_is_shared_until_somebody_writes(live) -> None:
    recipe = Recipe("e1", "s")
    fill(live, recipe, "one")
    live.switch(recipe, NOW)
    first = live.snapshot()
    assert live.snapshot() is first
    fill(live, recipe, "two")
    assert live.snapshot() is not first


def test_a_table_that_somebody_removed(live, tmp_path) -> None:
    recipe = Recipe("e1", "s")
    fill(live, recipe, "one")
    live.switch(recipe, NOW)
    live.table(recipe.table).drop()
    fresh = LivePassages(live.folder, live._state, "e1", 2)
    with pytest.raises(IndexStoreError, match="noria ingest"):
        fresh.snapshot()
