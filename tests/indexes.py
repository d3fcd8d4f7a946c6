"""A small index of items, made by hand. No conftest: several of these have that one name."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from noria.corpus.columns import Row
from noria.corpus.index import Recipe
from noria.corpus.live import LivePassages
from noria.models.fake import FakeEncoder
from noria.store.state import State
from noria.types import Item

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def rows_of(items: Sequence[Item], encoder: FakeEncoder) -> list[Row]:
    vectors = encoder.encode_passages([item.text for item in items])
    return [
        Row(item, item.document or item.id, "as it was", item.text, vector)
        for item, vector in zip(items, vectors, strict=True)
    ]


def build_index(
    folder: Path, items: Sequence[Item], encoder: FakeEncoder, state: State
) -> LivePassages:
    recipe = Recipe(encoder.fingerprint, "by hand")
    live = LivePassages(folder, state, encoder.fingerprint, encoder.dimension)
    table = live.table(recipe.table)
    table.create()
    rows = rows_of(items, encoder)
    half = len(rows) // 2  # two commits: a table has several files in life
    for part in (rows[:half], rows[half:]):
        if part:
            table.replace(sorted({row.source for row in part}), part)
    table.fold()
    live.switch(recipe, NOW)
    return live
