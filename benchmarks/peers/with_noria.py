"""Noria with its defaults: a house of its own, and its dense leg."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from timing import System, run

from noria.build import House
from noria.config import Settings
from noria.funnel.retrieve import Dense
from noria.types import Query


def load(encoder: Path, store: Path) -> System:
    """A house with the same weights, loaded."""
    given = Settings()
    house = House(
        replace(given, home=store, models=replace(given.models, encoder=f"file:{encoder}"))
    )
    house.encoder.encode_queries(["loads the weights"])
    dense = Dense(house.passages, house.encoder)

    def ingest(files: Path, store: Path) -> int:
        return house.ingestion.run([files], datetime.now(UTC)).passages

    def search(question: str, k: int) -> list[str]:
        found = dense.retrieve(Query("q", question), k).candidates
        return [Path(c.item.document).stem for c in found]

    return System(ingest, search)


if __name__ == "__main__":  # ingestion may start processes of its own
    run(load)
