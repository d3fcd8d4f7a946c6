"""Two rankings into one. Pure arithmetic: knows nothing of models or storage."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

RRF_CONSTANT = 60  # Cormack, Clarke and Büttcher 2009; ranks count from 1


def reciprocal_rank(ranks: Sequence[NDArray[np.int64]], weights: Sequence[float]) -> Scores:
    """RRF: the sum of weight / (60 + rank) over the rankings; rank 0 means absent and adds 0.

    >>> reciprocal_rank([np.array([1, 2]), np.array([2, 0])], [1.0, 1.0]).round(4).tolist()
    [0.0325, 0.0161]
    """
    total = np.zeros(len(ranks[0]))
    for rank, weight in zip(ranks, weights, strict=True):
        total += np.where(rank > 0, weight / (RRF_CONSTANT + rank), 0.0)
    return total


def convex(scores: Sequence[Scores], weights: Sequence[float]) -> Scores:
    """The weighted mean of standardised scores; weights need not sum to 1.

    Standardising over the pool (mean 0, deviation 1) makes BM25 and cosines comparable without a
    constant of either's. A leg whose scores are all alike says nothing and adds 0.

    >>> lexical, dense = np.array([9.0, 3.0, 0.0]), np.array([0.2, 0.8, 0.2])
    >>> convex([lexical, dense], [0.0, 1.0]).argmax()
    np.int64(1)
    """
    total = sum(weights)
    if total <= 0:
        return np.zeros(len(scores[0]))
    parts = [w / total * standard(s) for s, w in zip(scores, weights, strict=True)]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64)


def standard(scores: Scores) -> Scores:
    """``scores`` with mean 0 and deviation 1; zeros where they are all alike."""
    if len(scores) == 0 or np.ptp(scores) == 0:
        return np.zeros(len(scores))
    return np.asarray((scores - scores.mean()) / scores.std(), dtype=np.float64)
