"""A table of a million passages: what a passage costs as it grows, and how the dense leg searches.

Real passages (SciFact's) are written again and again, each time with noise on the vector until its
cosine with the real one is 0.9, in commits of 256 as ingestion makes them. Measured are the
seconds that the store takes for a passage while the table grows; then, for questions with the same
noise and for SciFact's own, the median seconds of the dense leg alone (the filter for the reader's
groups included) and its recall@10 against the exact neighbours; and the lexical leg's.

    python benchmarks/scale.py --data DIR
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _common
from noria.corpus.columns import Row
from noria.corpus.index import PassageTable
from noria.corpus.snapshot import Hits, Snapshot
from noria.corpus.write import COMMIT
from noria.evaluate import beir
from noria.evaluate.retrieval import indexed
from noria.types import Item, Query

COSINE = 0.9
QUESTIONS, WARM = 200, 20
K = 10
MARKS = (10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
ANYBODY = Query("benchmark")

Vectors = NDArray[np.float32]


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__, options)
    models = _common.models()
    collection = beir.read(given.data / "scifact", "test")
    table = indexed(collection, models.encoder, models.splitter, models.languages, given.home,
                    _common.Told())  # fmt: skip
    real = everything(table.snapshot())
    rng = np.random.default_rng(_common.SEED)
    asked = list(collection.questions.values())[:QUESTIONS]
    questions = {
        "noisy": noisy(real_vectors(real, rng, QUESTIONS), rng),
        "scifact": models.encoder.encode_queries(asked),
    }
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        large = PassageTable(Path(folder), "passages_scale", table.dimension)
        growth = grown(large, real, given.passages, rng)
        snapshot = large.snapshot()
        exact = {name: neighbours(snapshot, vectors) for name, vectors in questions.items()}
        dense = {
            name: searched(snapshot, vectors, exact[name]) for name, vectors in questions.items()
        }
        lexical = timed_lexical(snapshot, asked)
    _common.show({"passages": given.passages, "real": len(real), "growth": growth,
                  "dense": dense, "lexical_p50_ms": lexical})  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """What this benchmark may be told."""
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the table lies meanwhile (5 GB)")


def everything(snapshot: Snapshot) -> list[Row]:
    """The real passages as rows."""
    some = np.zeros(384, np.float32)
    hits = snapshot.dense(some, ANYBODY, 1_000_000)
    return [
        Row(p.item, p.item.document or "", "", p.searched, p.vector, p.language)
        for p in snapshot.passages(hits.rows)
    ]


def real_vectors(rows: list[Row], rng: np.random.Generator, count: int) -> Vectors:
    """Vectors of rows at random."""
    return np.array([rows[i].vector for i in rng.integers(0, len(rows), count)])


def noisy(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    """Unit vectors whose cosine with ``vectors`` is ``COSINE``."""
    noise = rng.standard_normal(vectors.shape, dtype=np.float32)
    noise -= np.vecdot(noise, vectors)[:, None] * vectors
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(COSINE * vectors + np.sqrt(1 - COSINE**2) * noise, dtype=np.float32)


def grown(
    table: PassageTable, real: list[Row], passages: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Fill the table; milliseconds a passage between the marks, and of what they consist."""
    table.create()
    spent: dict[str, Any] = {}
    rows = written = 0
    commits = folds = 0.0
    for batch in batches(real, passages, rng):
        started = perf_counter()
        table.append(batch)
        commits += perf_counter() - started
        started = perf_counter()
        table.fold(finished=rows + len(batch) >= passages)
        folds += perf_counter() - started
        rows, written = rows + len(batch), written + len(batch)
        if any(rows >= mark > rows - len(batch) for mark in MARKS) or rows >= passages:
            spent[f"to_{rows}"] = {
                "commit_ms_a_passage": 1000 * commits / written,
                "fold_ms_a_passage": 1000 * folds / written,
            }
            _common.tell(f"{rows} passages: {spent[f'to_{rows}']}")
            written, commits, folds = 0, 0.0, 0.0
    return spent


def batches(real: list[Row], passages: int, rng: np.random.Generator) -> Iterator[list[Row]]:
    """Copies of the real rows, each a document of its own, ``COMMIT`` at a time."""
    for start in range(0, passages, COMMIT):
        chosen = [real[i] for i in rng.integers(0, len(real), min(COMMIT, passages - start))]
        vectors = noisy(np.array([row.vector for row in chosen]), rng)
        yield [
            replace(
                row,
                item=Item(f"p{start + i}", row.item.text, f"d{start + i}"),
                source=f"/documents/{start + i}",
                vector=vectors[i],
            )
            for i, row in enumerate(chosen)
        ]


def neighbours(snapshot: Snapshot, vectors: Vectors) -> NDArray[np.int64]:
    """The rows of the ``K`` nearest passages, by reading all."""
    scores, rows = [], []
    found = snapshot._table.search().with_row_id(True).select(["vector"])
    for batch in found.to_batches(20_000):
        matrix = batch.column("vector").flatten().to_numpy().reshape(-1, vectors.shape[1])
        cosines = vectors @ matrix.T
        best = np.argpartition(-cosines, min(K, len(matrix) - 1), axis=1)[:, :K]
        scores.append(np.take_along_axis(cosines, best, 1))
        rows.append(batch.column("_rowid").to_numpy().astype(np.int64)[best])
    order = np.argsort(-np.concatenate(scores, 1), axis=1)[:, :K]
    return np.take_along_axis(np.concatenate(rows, 1), order, 1)


def searched(snapshot: Snapshot, vectors: Vectors, exact: NDArray[np.int64]) -> dict[str, float]:
    """Recall of the dense leg and the time it takes."""
    for vector in vectors[:WARM]:
        snapshot.dense(vector, ANYBODY, K)
    seconds, right = [], 0
    for vector, wanted in zip(vectors, exact, strict=True):
        started = perf_counter()
        hits: Hits = snapshot.dense(vector, ANYBODY, K)
        seconds.append(perf_counter() - started)
        right += len(set(hits.rows.tolist()) & set(wanted.tolist()))
    return {
        "p50_ms": 1000 * _common.percentile(seconds, 0.5),
        "p95_ms": 1000 * _common.percentile(seconds, 0.95),
        "recall@10": right / exact.size,
    }


def timed_lexical(snapshot: Snapshot, questions: list[str]) -> float:
    """Median milliseconds of the lexical leg."""
    seconds = []
    for text in questions:
        started = perf_counter()
        snapshot.lexical(text, ANYBODY, 100)
        seconds.append(perf_counter() - started)
    return 1000 * _common.percentile(seconds[WARM:], 0.5)


if __name__ == "__main__":
    main()
