"""Which passage table is read: one row of the SQL store, written last."""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from noria.corpus.index import KEEP, DocumentState, PassageTable, Recipe, table_names
from noria.corpus.snapshot import Named, Snapshot
from noria.errors import IndexStoreError
from noria.protocols import Encoder
from noria.store.state import State

ROW = "passages"
LEFT = "left"
REMEMBERED = 1000  # documents that left


class LivePassages:
    """The passages that answers are made from, whichever table holds them now.

    ``encoder``: fingerprint of the encoder that will ask. Vectors of another one are never
    compared with its own: where the live ones are another's, ``encoder_of`` gives that one from
    its source, and the snapshot is to be asked with it. Without, it is an error that says what to
    do.
    """

    def __init__(
        self,
        folder: Path,
        state: State,
        encoder: str,
        dimension: int,
        encoder_of: Callable[[str], Encoder] | None = None,
    ) -> None:
        self.folder, self.dimension = folder, dimension
        self._state, self._encoder = state, encoder
        self._encoder_of = encoder_of
        self._other: Encoder | None = None
        self._table: tuple[PassageTable, tuple[str, str | None]] | None = None

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
        other = None if row["encoder"] == self._encoder else self._its_own(row)
        # a table that was removed and made again counts its versions anew: the row tells them apart
        table, since = self._table or (None, None)
        if table is None or since != (row["table"], row.get("at")):
            table = self.table(row["table"])
            self._table = table, (row["table"], row.get("at"))
        snapshot = table.snapshot()
        snapshot.encoder = other  # always the same one: a table has one encoder
        return snapshot

    def _its_own(self, row: Mapping[str, Any]) -> Encoder:
        """The encoder that made the live passages, which is not the one configured."""
        if self._other is not None and self._other.fingerprint == row["encoder"]:
            return self._other
        if self._encoder_of is not None and row.get("source"):
            found = self._encoder_of(row["source"])
            if found.fingerprint == row["encoder"]:
                self._other = found
                return found
        raise IndexStoreError(
            "the passages were embedded by another encoder than the one configured; "
            "run 'noria ingest' to embed them again, or put models.encoder back"
        )

    def table(self, name: str) -> PassageTable:
        """A table of this folder."""
        return PassageTable(self.folder, name, self.dimension)

    def switch(self, recipe: Recipe, now: datetime, source: str = "") -> None:
        """Make ``recipe``'s table the one that is read; ``source``: where its encoder is from."""
        row = {
            "table": recipe.table,
            **asdict(recipe),
            "source": source,
            "previous": self.name(),
            "at": now.isoformat(),
        }
        self._state.make_live(ROW, row, now)

    def remembered(self) -> list[DocumentState]:
        """Documents that were not for everybody, and left; the last to leave comes first.

        One that comes back, or is found under another name, gets its groups again.
        """
        row = self._state.live(LEFT) or {}
        return [
            DocumentState(**{**d, "groups": frozenset(d["groups"])})
            for d in row.get("documents", [])
        ]

    def remember(self, left: Sequence[DocumentState], now: datetime) -> None:
        """Note documents that leave, before they do."""
        if left:
            sources = {state.source for state in left}
            others = [state for state in self.remembered() if state.source not in sources]
            self._note([*left, *others][:REMEMBERED], now)

    def forget(self, sources: Set[str], now: datetime) -> None:
        """Note no longer what is in the index again."""
        before = self.remembered()
        after = [state for state in before if state.source not in sources]
        if len(after) < len(before):
            self._note(after, now)

    def _note(self, left: Sequence[DocumentState], now: datetime) -> None:
        found = [{**asdict(state), "groups": sorted(state.groups)} for state in left]
        self._state.make_live(LEFT, {"documents": found}, now)

    def sweep(self, now: datetime, keep: Sequence[str]) -> None:
        """Remove the tables that nothing points to.

        The one that was replaced last stays for a while: somebody may still be reading it.
        """
        row = self._state.live(ROW) or {}
        kept = {*keep, row.get("table")}
        if row.get("at") and now - datetime.fromisoformat(row["at"]) < KEEP:
            kept.add(row["previous"])
        for name in table_names(self.folder):
            if name not in kept:
                self.table(name).drop()


def named(folder: Path, state: State, ids: Collection[str], groups: frozenset[str]) -> Named:
    """Live passages by their ids, as a reader in ``groups`` sees them; needs no encoder.

    Before the first ingestion all of them are gone.
    """
    row = state.live(ROW)
    if row is None or not ids:
        return Named()
    return PassageTable(folder, str(row["table"]), 0).snapshot().named(ids, groups)
