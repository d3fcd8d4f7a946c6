"""Measures of a part of the questions, which still take counts over all of them.

Two arms are compared question by question, so each of their measures counts the same questions in
the same order; those that a metric does not apply to have no weight in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noria.evaluate.records import Record
from noria.evaluate.statistics.intervals import Measure, Values, mean_of


@dataclass(frozen=True)
class Part:
    """The ``records`` that a metric applies to, and their ``places`` among all ``size``."""

    records: tuple[Record, ...]
    places: NDArray[np.intp]
    size: int

    def mean(self, value: Callable[[Record], float]) -> Measure:
        """The mean of one number a record of this part."""
        return self.lifted(mean_of(np.array([value(r) for r in self.records], dtype=np.float64)))

    def lifted(self, measure: Measure) -> Measure:
        """``measure``, which counts the records of this part, as one that counts them all.

        Its ``values`` are NaN for the others, and NaN is its figure for a draw that has none of the
        part. Its ``size`` is that of the part.
        """
        whole = len(self.places) == self.size

        def figure(counts: Values) -> Values:
            part = counts if whole else counts[:, self.places]
            drawn = part.sum(axis=1) > 0
            found = np.full(len(part), np.nan)
            if drawn.any():
                found[drawn] = measure.figure(part[drawn])
            return found

        values = measure.values
        if values is not None and not whole:
            values = np.full(self.size, np.nan)
            values[self.places] = measure.values
        return Measure(figure, values, len(self.places))


def part(records: Sequence[Record], applies: Callable[[Record], bool]) -> Part:
    """The records for which ``applies`` holds."""
    return placed(records, np.flatnonzero([applies(record) for record in records]))


def placed(records: Sequence[Record], places: NDArray[np.intp]) -> Part:
    """The records at ``places``."""
    return Part(tuple(records[place] for place in places), places, len(records))


def ratio(above: Values, below: Values) -> Measure:
    """The sum of ``above`` over the sum of ``below``; NaN where that is 0.

    >>> float(ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0])).figure(np.array([[1.0, 1.0]]))[0])
    1.0
    """

    def figure(counts: Values) -> Values:
        total = counts @ below
        shares: Values = np.divide(
            counts @ above, total, out=np.full(len(counts), np.nan), where=total > 0
        )
        return shares

    return Measure(figure)
