"""txtai as documented: Faiss beside SQLite with the content, its own default batches."""

from pathlib import Path

from timing import System, run
from txtai import Embeddings


def load(encoder: Path, store: Path) -> System:
    """Embeddings with content, the weights loaded."""
    embeddings = Embeddings(path=str(encoder), content=True, gpu=False)
    embeddings.batchtransform(["loads the weights"])

    def ingest(files: Path, store: Path) -> int:
        embeddings.index((p.stem, p.read_text(encoding="utf-8"), None) for p in files.iterdir())
        embeddings.save(str(store))
        return int(embeddings.count())

    def search(question: str, k: int) -> list[str]:
        return [hit["id"] for hit in embeddings.search(question, k)]

    return System(ingest, search)


run(load)
