"""Whether some are served worse than the rest: one metric, slice by slice.

Slices are the values of the fields that questions carry. Knows records and numbers, no arms' names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from noria.evaluate.records import Record
from noria.evaluate.results import Interval, Slice
from noria.evaluate.statistics import chance
from noria.evaluate.statistics.intervals import is_share

Values = NDArray[np.float64]

LEAST = 10  # questions in a slice, and in the rest, below which nothing is said
MOST = 30  # values of a field; a field with more names things, such as ids or titles


@dataclass(frozen=True, slots=True)
class Sliced:
    """The slices of each arm, and why others were left out."""

    arms: Mapping[str, tuple[Slice, ...]]
    problems: tuple[str, ...] = ()


def slices(
    records: Mapping[str, Sequence[Record]], values: Mapping[str, Values | None], metric: str
) -> Sliced:
    """Each slice of at least ten questions against all other questions, by ``metric``.

    ``values``: of each arm, one number for each of its records, more being better; None where the
    metric is no mean, which gives no slices; NaN where a question has none. The difference is that
    of two independent means (Welch), widened for skew as in ``chance``. ``worse`` is decided by
    Holm's procedure over all slices of all arms, so that of the runs without any slice worse than
    the rest at most one in twenty warns.
    """
    found: list[tuple[str, Slice, float]] = []
    problems: dict[str, None] = {}
    for arm, answered in records.items():
        scores = values.get(arm)
        if scores is None:
            continue
        for field in sorted({field for record in answered for field in record.slice}):
            own = np.array([record.slice.get(field, "") for record in answered])
            named = sorted({record.slice[field] for record in answered if field in record.slice})
            if len(named) > MOST:
                problems[
                    f"slices: {field!r} has {len(named)} values, more than {MOST}; left out"
                ] = None
                continue
            has = np.array([field in record.slice for record in answered])
            for value in named:
                here = has & (own == value)
                compared = against(field, value, metric, scores, here)
                if compared is not None:
                    found.append((arm, *compared))
    corrected = holm([p for _, _, p in found])
    arms: dict[str, list[Slice]] = {arm: [] for arm in records}
    for (arm, each, _), p in zip(found, corrected, strict=True):
        arms[arm].append(replace(each, worse=p < 1 - chance.LEVEL and each.high < 0))
    return Sliced({arm: tuple(own) for arm, own in arms.items()}, tuple(problems))


def against(
    field: str, value: str, metric: str, scores: Values, here: NDArray[np.bool_]
) -> tuple[Slice, float] | None:
    """One slice and its p-value; None where it, or the rest, has too few questions."""
    known = np.isfinite(scores)
    own, rest = scores[known & here], scores[known & ~here]
    if min(len(own), len(rest)) < LEAST:
        return None
    apart = chance.minus(chance.spread_of(own[:, None]), chance.spread_of(rest[:, None]))
    low, high = chance.bounds(apart)
    told = Slice(
        field, value, metric, mean_with(own), mean_with(rest), float(low[0]), float(high[0]), False
    )
    return told, float(chance.p_of(apart)[0])


def mean_with(values: Values) -> Interval:
    """The mean of some values with its interval, without resamples."""
    mean, n = float(values.mean()), len(values)
    if is_share(values):
        return Interval(mean, *chance.wilson(mean, n), n)
    low, high = chance.bounds(chance.spread_of(values[:, None]))
    return Interval(
        mean,
        min(mean, max(float(low[0]), float(values.min()))),
        max(mean, min(float(high[0]), float(values.max()))),
        n,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value corrected for having looked at all (Holm, 1979), in their order.

    Below 0.05 is then beyond chance: in all but one of twenty families none of the true nulls is.
    NaN stays NaN, and is not counted.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if not np.isnan(p))
    corrected = [float("nan")] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        corrected[place] = highest
    return corrected
