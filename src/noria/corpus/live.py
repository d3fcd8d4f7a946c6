"""Which passage table is read: one row of the SQL store, written last."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from noria.corpus.index import PassageTable, Recipe, Snapshot, table_names
from noria.errors import IndexStoreError
from noria.store.state import State

ROW = "passages"


class LivePassages:
    """The passages that answers are made from, whichever table holds them now.

    ``encoder``: fingerprint of the encoder that will ask. Vectors of another one are never
    compared with its own: reading them is an error that says what to do.
    """

    def __init__(self, folder: Path, state: State, encoder: str, dimension: int) -> None:
        self.folder, self.dimension = folder, dimension
        self._state, self._encoder = state, encoder
        self._table: PassageTable | None = None

    def name(self) -> str | None:
        """The live table's name; None before the first ingestion."""
        row = self._state.live(ROW)
        return None if row is None else str(row["table"])

    def snapshot(self) -> Snapshot:
        """The newest state of the live passages.

        Raises IndexStoreError when nothing was ingested, or by another encoder.
        """
        row = self._state.live(ROW)
        if row is None:
            raise IndexStoreError("nothing was ingested yet; run: noria ingest PATH")
        if row["encoder"] != self._encoder:
            raise IndexStoreError(
                "the passages were embedded by another encoder than the one configured; "
                "run 'noria ingest' to embed them again, or put models.encoder back"
            )
        table = self._table
        if table is None or table.name != row["table"]:
            table = self._table = self.table(row["table"])
        return table.snapshot()

    def table(self, name: str) -> PassageTable:
        """A table of this folder."""
        return PassageTable(self.folder, name, self.dimension)

    def switch(self, recipe: Recipe, now: datetime) -> None:
        """Make ``recipe``'s table the one that is read."""
        self._state.make_live(ROW, {"table": recipe.table, **asdict(recipe)}, now)

    def sweep(self, keep: Sequence[str]) -> None:
        """Remove the tables that nothing points to."""
        for name in table_names(self.folder):
            if name not in keep:
                self.table(name).drop()
