"""Finds passages: by meaning, by words, or by both. Knows the index, not how it was filled."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from noria.corpus.snapshot import Hits, Passage, Snapshot
from noria.errors import ConfigError
from noria.funnel import fuse
from noria.protocols import Encoder
from noria.types import Candidate, Query, Retrieval
from noria.words import asked, coverage, stems, terms

DEPTH = 100  # hits that each leg brings before the two are fused
TRUSTED = 3  # best lexical hits that tell how well the question's words are covered


class Corpus(Protocol):
    """Where snapshots come from."""

    def snapshot(self) -> Snapshot:
        """The newest state of the passages."""
        ...


class Dense:
    """By cosine between the question's vector and the passages'."""

    def __init__(self, passages: Corpus, encoder: Encoder, k: int = DEPTH) -> None:
        self._passages, self._encoder, self.k = passages, encoder, k

    def retrieve(self, query: Query, k: int) -> Retrieval:
        """At most ``k`` passages, nearest first; the score is the cosine."""
        clock = Clock()
        snapshot = self._passages.snapshot()
        clock.lap("snapshot")
        vector = (snapshot.encoder or self._encoder).encode_queries([query.text])[0]
        clock.lap("encode")
        hits = snapshot.dense(vector, query, k)
        found = snapshot.passages(hits.rows)
        clock.lap("dense")
        return Retrieval(scored(found, hits.scores, {"dense": hits.scores}), snapshot.version,
                         clock.laps)  # fmt: skip


class Lexical:
    """By BM25 over stemmed words."""

    def __init__(self, passages: Corpus, encoder: Encoder | None = None, k: int = DEPTH) -> None:
        self._passages, self.k = passages, k

    def retrieve(self, query: Query, k: int) -> Retrieval:
        """At most ``k`` passages that share a word with the question; the score is BM25's."""
        clock = Clock()
        snapshot = self._passages.snapshot()
        hits = snapshot.lexical(query.text, query, k)
        found = snapshot.passages(hits.rows)
        clock.lap("lexical")
        return Retrieval(scored(found, hits.scores, {"lexical": hits.scores}), snapshot.version,
                         clock.laps)  # fmt: skip


class Hybrid:
    """Both legs, fused.

    ``fusion``: ``convex`` adds standardised scores; ``rrf`` adds reciprocal ranks. ``alpha`` is
    the dense leg's share, 0 to 1. Without it each leg is weighted by the square of its own
    confidence in this question, so that a leg that found nothing of worth cannot spoil the other:
    the lexical leg's is the share of the question's words that its best hits contain, the dense
    leg's is its best cosine. No weight was fitted; docs/log.md says what was compared.
    """

    def __init__(
        self,
        passages: Corpus,
        encoder: Encoder,
        k: int = DEPTH,
        fusion: str = "convex",
        alpha: float | None = None,
    ) -> None:
        if fusion not in ("convex", "rrf"):
            raise ConfigError(f"fusion: expected 'convex' or 'rrf', got {fusion!r}")
        if alpha is not None and not 0 <= alpha <= 1:
            raise ConfigError(f"alpha: expected 0 to 1, got {alpha}")
        self._passages, self._encoder, self.k = passages, encoder, k
        self._fusion, self._alpha = fusion, alpha

    def retrieve(self, query: Query, k: int) -> Retrieval:
        """At most ``k`` passages, best first by the fused score."""
        clock = Clock()
        depth = max(DEPTH, k)
        snapshot = self._passages.snapshot()
        with ThreadPoolExecutor(max_workers=1) as beside:  # the store's threads, not Python's, work
            words = beside.submit(snapshot.lexical, query.text, query, depth)
            clock.lap("snapshot")
            vector = (snapshot.encoder or self._encoder).encode_queries([query.text])[0]
            clock.lap("encode")
            near = snapshot.dense(vector, query, depth)
            lexical = words.result()
        clock.lap("legs")
        pool = Pool.of(snapshot, vector, near, lexical)
        clock.lap("fetch")
        fused = self._fuse(asked(query.text, snapshot.languages), pool)
        best = np.lexsort((pool.names, -fused))[:k]  # ties by id, so that runs repeat
        slate = tuple(
            Candidate(
                pool.found[i].item,
                float(fused[i]),
                {"dense": float(pool.cosines[i]), "lexical": float(pool.bm25[i])},
            )
            for i in best
        )
        clock.lap("fuse")
        return Retrieval(slate, snapshot.version, clock.laps)

    def _fuse(self, meant: Sequence[str], pool: "Pool") -> fuse.Scores:
        if not pool.found:
            return np.zeros(0)
        weights = self._weights(meant, pool)
        if self._fusion == "rrf":
            return fuse.reciprocal_rank([pool.lexical_ranks, pool.dense_ranks], weights)
        return fuse.convex([pool.bm25, pool.cosines], weights)

    def _weights(self, meant: Sequence[str], pool: "Pool") -> tuple[float, float]:
        """How much the lexical and the dense leg count, for the question's words ``meant``."""
        if self._alpha is not None:
            return 1 - self._alpha, self._alpha
        if self._fusion == "rrf":
            return 1.0, 1.0
        best = np.argsort(-pool.bm25, kind="stable")[:TRUSTED]
        hits = [pool.found[i] for i in best if pool.bm25[i] > 0]
        shares = [
            coverage(stems(meant, hit.language), terms(hit.searched, hit.language)) for hit in hits
        ]
        lexical = float(np.mean(shares)) if shares else 0.0
        return lexical**2, max(0.0, float(pool.cosines.max())) ** 2


@dataclass(frozen=True, slots=True)
class Pool:
    """The union of both legs, each passage with both scores and both ranks (0: not found)."""

    found: tuple[Passage, ...]
    names: NDArray[np.str_]
    cosines: fuse.Scores
    bm25: fuse.Scores
    dense_ranks: NDArray[np.int64]
    lexical_ranks: NDArray[np.int64]

    @classmethod
    def of(cls, snapshot: Snapshot, vector: NDArray[np.float32], near: Hits, words: Hits) -> "Pool":
        """Fetch the passages that either leg found.

        Cosines are computed for all of them. A passage that only the dense leg found counts 0 for
        its words: BM25 put it below its cut-off.
        """
        rows = np.union1d(near.rows, words.rows)
        found = snapshot.passages(rows)
        vectors = np.array([p.vector for p in found], dtype=np.float32).reshape(
            len(found), len(vector)
        )
        cosines = np.vecdot(vectors, vector).astype(np.float64) if found else np.zeros(0)
        bm25 = np.zeros(len(rows))
        bm25[np.searchsorted(rows, words.rows)] = words.scores
        return cls(found, np.array([p.item.id for p in found], dtype=np.str_), cosines, bm25,
                   ranks(rows, near), ranks(rows, words))  # fmt: skip


def ranks(rows: NDArray[np.int64], hits: Hits) -> NDArray[np.int64]:
    """The rank of each of ``rows`` among ``hits``, from 1; 0 where it is not."""
    found = np.zeros(len(rows), dtype=np.int64)
    found[np.searchsorted(rows, hits.rows)] = np.arange(1, len(hits.rows) + 1)
    return found


def scored(
    found: Sequence[Passage], scores: fuse.Scores, by_leg: dict[str, fuse.Scores]
) -> tuple[Candidate, ...]:
    """Candidates, best first; ties by id."""
    candidates = [
        Candidate(p.item, float(scores[i]), {leg: float(s[i]) for leg, s in by_leg.items()})
        for i, p in enumerate(found)
    ]
    return tuple(sorted(candidates, key=lambda c: (-c.score, c.item.id)))


class Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        """Name the time since the last lap."""
        now = perf_counter()
        self.laps[name] = now - self._last
        self._last = now
