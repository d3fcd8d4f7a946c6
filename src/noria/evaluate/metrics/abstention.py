"""Whether an arm knows when it does not know: its confidence against its being right.

``right``: how right each answer is, 0 to 1, had it been given. Pure arithmetic on arrays, of which
each has one number a question.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noria.evaluate.statistics.folds import folds
from noria.evaluate.statistics.intervals import Measure, Values

BINS = 10  # of equal width, as Guo et al. (2017) have them


def auroc(confidence: Values, answerable: NDArray[np.bool_]) -> Measure:
    """Probability that an answerable question gets more confidence than an unanswerable one.

    Equal confidence counts half. NaN for a draw without both kinds.

    >>> measure = auroc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    >>> float(measure.figure(np.ones((1, 4)))[0])
    0.875
    """
    order, starts = grouped(confidence)
    yes = answerable.astype(np.float64)

    def figure(counts: Values) -> Values:
        # falling confidence: a group beats all groups after it
        positive = np.add.reduceat((counts * yes)[:, order], starts, axis=1)
        negative = np.add.reduceat((counts * (1 - yes))[:, order], starts, axis=1)
        below = negative.sum(axis=1, keepdims=True) - negative.cumsum(axis=1)
        won = (positive * (below + negative / 2)).sum(axis=1)
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        share: Values = np.divide(won, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)
        return share

    return Measure(figure)


def aurc(confidence: Values, right: Values) -> Measure:
    """Area under the risk-coverage curve (Geifman & El-Yaniv 2017); lower is better.

    The mean, over the questions, of the risk if all that are at least as sure are answered.

    >>> measure = aurc(np.array([0.9, 0.5, 0.1]), np.array([1.0, 0.0, 1.0]))
    >>> round(float(measure.figure(np.ones((1, 3)))[0]), 4)  # risks: 0, 1/2, 1/3
    0.2778
    """
    order, starts = grouped(confidence)

    def figure(counts: Values) -> Values:
        weight = np.add.reduceat(counts[:, order], starts, axis=1)
        lost = np.add.reduceat((counts * (1 - right))[:, order], starts, axis=1)
        answered = weight.cumsum(axis=1)
        # before the first question that a draw has, none is answered
        risk = np.divide(
            lost.cumsum(axis=1), answered, out=np.zeros_like(answered), where=answered > 0
        )
        area: Values = (weight * risk).sum(axis=1) / answered[:, -1]
        return area

    return Measure(figure)


def ece(confidence: Values, right: Values) -> Measure:
    """Expected calibration error (Guo et al. 2017) over ten bins; lower is better.

    >>> measure = ece(np.array([0.9, 0.8]), np.array([1.0, 0.0]))
    >>> round(float(measure.figure(np.ones((1, 2)))[0]), 4)  # two bins: 0.1 and 0.8 off
    0.45
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    off = (confidence - right)[:, None] * (bins[:, None] == np.arange(BINS))

    def figure(counts: Values) -> Values:
        error: Values = np.abs(counts @ off).sum(axis=1) / counts.sum(axis=1)
        return error

    return Measure(figure)


def grouped(confidence: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The order of falling confidence, and where in it each group of equal ones starts."""
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    return order, np.flatnonzero(np.append(True, falling[1:] != falling[:-1]))


def points(confidence: Values, right: Values) -> tuple[tuple[float, float], ...]:
    """Share of questions answered, and how right those are, for each confidence as the threshold.

    >>> points(np.array([0.9, 0.5, 0.5, 0.1]), np.array([1.0, 1.0, 0.0, 0.0]))
    ((0.25, 1.0), (0.75, 0.6666666666666666), (1.0, 0.5))
    """
    if not len(confidence):
        return ()
    order, starts = grouped(confidence)
    ends = np.append(starts[1:], len(order))
    total = right[order].cumsum()
    return tuple((float(end / len(order)), float(total[end - 1] / end)) for end in ends)


@dataclass(frozen=True, slots=True)
class Threshold:
    """The confidence below which to abstain, so that the risk stays at ``stated``.

    Fitted on ``fitted`` questions; ``risk`` and ``coverage`` are what it gives on ``held_out``
    others. ``risk`` is None where none of those is answered.
    """

    confidence: float
    stated: float
    risk: float | None
    coverage: float
    fitted: int
    held_out: int


def lowest(confidence: Values, right: Values, risk: float) -> float:
    """The lowest confidence at which answering all that are as sure keeps the mean risk.

    Infinity where no threshold does: then nothing is to be answered.

    >>> lowest(np.array([0.9, 0.5, 0.1]), np.array([1.0, 0.5, 0.0]), risk=0.25)
    0.5
    """
    kept = [
        value
        for (_, mean), value in zip(
            points(confidence, right), np.unique(confidence)[::-1], strict=True
        )
        if 1 - mean <= risk + 1e-12  # 1 - 0.75 must be within 0.25, however it is rounded
    ]
    return float(kept[-1]) if kept else float("inf")


def fitted(
    confidence: Values,
    right: Values,
    documents: Sequence[Sequence[str]],
    risk: float,
    seed: int,
) -> Threshold:
    """Fit the threshold on about half of the questions, and measure it on the others.

    Questions on the same document are on the same side, so that nothing leaks. Raises UsageError
    where all share documents.
    """
    fit = np.array(folds(documents, 2, seed)) == 0
    threshold = lowest(confidence[fit], right[fit], risk)
    answered = right[~fit][confidence[~fit] >= threshold]
    held_out = int((~fit).sum())
    return Threshold(
        threshold,
        risk,
        float(1 - answered.mean()) if len(answered) else None,
        len(answered) / held_out,
        int(fit.sum()),
        held_out,
    )
