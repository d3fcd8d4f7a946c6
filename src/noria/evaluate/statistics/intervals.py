"""What chance allows us to say of a figure, and of the difference of two.

Intervals are of 95 %. Each is the widest of three: the percentile bootstrap, widened for few
questions; Student's; and Hall's, which allows for skew (see ``chance``). The percentile bootstrap
alone says "beyond chance" of up to one in ten pairs that do not differ; ``docs/statistics.md`` has
the figures, of ``benchmarks/type_one.py``. Pure arithmetic.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noria.evaluate.results import Interval
from noria.evaluate.statistics import chance

RESAMPLES = 2000  # an interval is then stable to about two digits
DRAWN = 2_000_000  # counts that are held at a time: 16 MB

Values = NDArray[np.float64]
Bounds = tuple[float, float, float]  # the figure, and where its interval begins and ends


@dataclass(frozen=True)
class Measure:
    """A figure of a set of questions, such as a mean, macro-F1, or BLEU.

    ``figure`` takes how often each question counts, shape (draws, questions), and gives the figure
    of each draw, shape (draws,); NaN where a draw has none. ``values``: one number a question,
    where the figure is their mean, NaN for a question that it does not apply to; else None.
    ``size``: how many questions it applies to, where there are no values to tell; None: to all.
    """

    figure: Callable[[Values], Values]
    values: Values | None = None
    size: int | None = None

    def questions(self, n: int) -> int:
        """How many of ``n`` questions the figure is of."""
        if self.values is not None:
            return int(np.isfinite(self.values).sum())
        return n if self.size is None else self.size


def mean_of(values: Values) -> Measure:
    """The mean of one number a question.

    >>> float(mean_of(np.array([0.0, 1.0])).figure(np.array([[1.0, 3.0]]))[0])
    0.75
    """
    return Measure(lambda counts: counts @ values / counts.sum(axis=1), values)


def interval(measure: Measure, n: int, rng: np.random.Generator) -> Interval:
    """The figure over ``n`` questions with its interval; see ``intervals``."""
    return intervals({"it": measure}, n, rng)["it"]


def intervals(
    measures: Mapping[str, Measure], n: int, rng: np.random.Generator
) -> dict[str, Interval]:
    """Each figure with its interval, all from the same resamples.

    A share of questions (all values 0 or 1) gets Wilson's interval. Others do not leave the range
    of what was seen. Without a figure, or with one question, the bounds are NaN: nobody knows.
    Each is of the questions that its measure applies to, and says how many they are.
    """
    columns = list(measures.values())
    found = _Sample.of(columns, n, rng)
    lows, highs = found.bounds()
    result = {}
    for place, (name, measure) in enumerate(measures.items()):
        value = float(found.spread.estimate[place])
        size = measure.questions(n)
        if size and is_share(measure.values):
            low, high = chance.wilson(value, size)
        else:
            least, most = found.range(place, measure)
            low = float(np.minimum(value, np.maximum(lows[place], least)))  # NaN stays NaN
            high = float(np.maximum(value, np.minimum(highs[place], most)))
        result[name] = Interval(value, low, high, size)
    return result


def gap(a: Measure, b: Measure, n: int, rng: np.random.Generator) -> Bounds:
    """The figure of ``b`` minus that of ``a`` on the same ``n`` questions; see ``gaps``.

    >>> right, wrong = mean_of(np.ones(20)), mean_of(np.zeros(20))
    >>> gap(wrong, right, 20, np.random.default_rng(0))
    (1.0, 1.0, 1.0)
    """
    return gaps({"it": a}, {"it": b}, n, rng)["it"]


def gaps(
    a: Mapping[str, Measure], b: Mapping[str, Measure], n: int, rng: np.random.Generator
) -> dict[str, Bounds]:
    """Each figure that both have: ``b`` minus ``a``, and the interval of that, paired.

    Both sides count the same questions in each resample. With fewer than two questions, or where a
    side has no figure, the bounds are NaN, which leave nothing out.
    """
    names = [name for name in a if name in b]
    found = _Sample.of([minus(b[name], a[name], n) for name in names], n, rng)
    lows, highs = found.bounds()
    return {
        name: (float(found.spread.estimate[i]), float(lows[i]), float(highs[i]))
        for i, name in enumerate(names)
    }


def p_values(
    a: Mapping[str, Measure], b: Mapping[str, Measure], n: int, rng: np.random.Generator
) -> dict[str, float]:
    """How likely chance alone would set the arms as far apart, for each figure that both have.

    The least level at which ``gaps``, from the same ``rng``, would not leave zero out: so it is
    below 0.05 exactly where they do. NaN where nothing is known.
    """
    names = [name for name in a if name in b]
    found = _Sample.of([minus(b[name], a[name], n) for name in names], n, rng)
    return {name: float(p) for name, p in zip(names, found.p(), strict=True)}


def minus(b: Measure, a: Measure, n: int) -> Measure:
    """The figure of ``b`` minus that of ``a``, question by question where both are means.

    Where only one side has a value of a question, each is the figure of the questions that it has,
    and the difference is of as many of ``n`` as the side has that has fewer.
    """

    def figure(counts: Values) -> Values:
        return b.figure(counts) - a.figure(counts)

    if b.values is None or a.values is None:
        return Measure(figure, size=fewer(a, b, n))
    if (np.isfinite(b.values) != np.isfinite(a.values)).any():
        return Measure(figure, size=fewer(a, b, n))
    return Measure(figure, b.values - a.values)


def fewer(a: Measure, b: Measure, n: int) -> int:
    """How many of ``n`` questions a difference is of: as many as the side with fewer."""
    return min(a.questions(n), b.questions(n))


def is_share(values: Values | None) -> bool:
    """Whether all values that there are, are 0 or 1."""
    return values is not None and bool(np.isin(values[np.isfinite(values)], (0.0, 1.0)).all())


@dataclass(frozen=True)
class _Sample:
    """Figures, a column each: how they spread, and ``drawn``, the resamples' minus the figure.

    ``sizes``: how many questions each is of.
    """

    sizes: NDArray[np.intp]
    spread: chance.Spread
    drawn: Values

    @classmethod
    def of(cls, measures: Sequence[Measure], n: int, rng: np.random.Generator) -> "_Sample":
        """Draw ``n`` questions again and again, the same for all ``measures``."""
        sizes = np.array([measure.questions(n) for measure in measures], dtype=np.intp)
        if n < 2:
            return cls._unknown(measures, sizes, n)
        means = [i for i, each in enumerate(measures) if each.values is not None and sizes[i] > 1]
        others = [place for place in range(len(measures)) if place not in set(means)]
        matrix = np.array([measures[i].values for i in means], dtype=np.float64).T.reshape(n, -1)
        exact = chance.spread_of(matrix)
        known = np.isfinite(matrix)
        centred = np.where(known, matrix - exact.estimate, 0.0)
        weights = None if known.all() else known.astype(np.float64)
        once = np.ones((1, n))
        whole = np.array([float(measures[i].figure(once)[0]) for i in others])
        drawn = np.empty((RESAMPLES, len(measures)))
        start = 0
        for counts in resamples(n, rng):
            rows = slice(start, start := start + len(counts))
            drawn[rows, means] = _shares(
                counts @ centred, n if weights is None else counts @ weights
            )
            for place, figure in zip(others, whole, strict=True):
                drawn[rows, place] = measures[place].figure(counts) - figure
        told = _told_by(drawn[:, others], whole, sizes[others])
        parts = [np.empty(len(measures)) for _ in range(4)]
        for part, one, other in zip(parts, _parts(exact), _parts(told), strict=True):
            part[means], part[others] = one, other
        return cls(sizes, chance.Spread(*parts), drawn)

    @classmethod
    def _unknown(cls, measures: Sequence[Measure], sizes: NDArray[np.intp], n: int) -> "_Sample":
        nothing = np.full(len(measures), np.nan)
        once = np.ones((1, 1))
        one = np.array([float(m.figure(once)[0]) for m in measures]) if n else nothing
        return cls(
            sizes, chance.Spread(one, nothing, nothing, nothing), np.empty((0, len(measures)))
        )

    def bounds(self) -> tuple[Values, Values]:
        """The widest of the three intervals; NaN where nothing is known."""
        low, high = chance.bounds(self.spread)
        if not len(self.drawn):
            return low, high
        at = self.spread.estimate
        for size in np.unique(self.sizes[self.sizes > 1]):  # the fewer, the wider
            alike = self.sizes == size
            share = chance.widened(int(size))
            ends = percentiles(self.drawn[:, alike], [share, 1 - share])
            low[alike] = np.minimum(low[alike], at[alike] + ends[0])
            high[alike] = np.maximum(high[alike], at[alike] + ends[1])
        return low, high

    def p(self) -> Values:
        """The p-value that agrees with ``bounds``."""
        if not len(self.drawn):
            return self.spread.error
        above, below = chance.agreeing(self.spread)
        beside = self.drawn + self.spread.estimate
        known = np.maximum(np.isfinite(beside).sum(axis=0), 1)
        for side, sign in ((above, 1), (below, -1)):
            beyond = (sign * beside <= 0).sum(axis=0)
            np.minimum(side, chance.narrowed(beyond / known, np.maximum(self.sizes, 2)), out=side)
        return chance.two_sided(np.maximum(above, below), self.spread.freedom)

    def range(self, place: int, measure: Measure) -> tuple[float, float]:
        """The least and the most that was seen: of the values, or of the resamples."""
        seen = measure.values
        if seen is None:
            seen = self.drawn[:, place] + self.spread.estimate[place]
        seen = seen[np.isfinite(seen)]
        return (float(seen.min()), float(seen.max())) if seen.size else (np.nan, np.nan)


def _shares(above: Values, below: Values | int) -> Values:
    shares: Values = np.divide(
        above, below, out=np.full_like(above, np.nan), where=np.asarray(below) > 0
    )
    return shares


def _parts(spread: chance.Spread) -> tuple[Values, ...]:
    return spread.estimate, spread.error, spread.skew, spread.freedom


def _told_by(drawn: Values, whole: Values, sizes: NDArray[np.intp]) -> chance.Spread:
    """The spread of figures that are no mean, as their resamples tell it.

    Of a figure that most resamples lack, or of one question, nothing is known.
    """
    known = np.isfinite(drawn)
    enough = np.isfinite(whole) & (2 * known.sum(axis=0) > len(drawn)) & (sizes > 1)
    number = np.where(enough, known.sum(axis=0), 1)
    filled = np.where(known & enough, drawn, 0.0)
    mean = filled.sum(axis=0) / number
    centred = np.where(known, filled - mean, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / number)
    scale = np.abs(np.where(enough, whole, 0.0)) + np.abs(filled).max(axis=0, initial=0.0)
    deviation = np.where(deviation > chance.TINY * scale, deviation, 0.0)
    skew = chance.ratio((centred**3).sum(axis=0) / number, deviation**3)
    freedom = np.maximum(sizes - 1, 1).astype(np.float64)
    error = np.where(enough, deviation * np.sqrt((freedom + 1) / freedom), np.nan)
    return chance.Spread(whole, error, skew, freedom)


def resamples(n: int, rng: np.random.Generator) -> Iterator[Values]:
    """How often each of ``n`` questions counts in each of the draws, some draws at a time."""
    most = max(1, DRAWN // n)
    for start in range(0, RESAMPLES, most):
        draws = min(most, RESAMPLES - start)
        counts = np.empty((draws, n))
        for draw in counts:
            draw[:] = np.bincount(rng.integers(0, n, n, dtype=np.int32), minlength=n)
        yield counts


def percentiles(drawn: Values, shares: Sequence[float]) -> Values:
    """Those of each column, what is not finite left out; NaN for a column without any."""
    if np.isfinite(drawn).all():
        return np.quantile(drawn, shares, axis=0)
    ends = np.full((len(shares), drawn.shape[1]), np.nan)
    for place, column in enumerate(drawn.T):
        known = column[np.isfinite(column)]
        if known.size:
            ends[:, place] = np.quantile(known, shares)
    return ends


@dataclass(frozen=True, slots=True)
class Difference:
    """Two means over the same questions, and new minus old with its 95 % interval."""

    old: float
    new: float
    difference: float
    low: float
    high: float


def difference(old: Values, new: Values, rng: np.random.Generator) -> Difference:
    """Compare a metric between 0 and 1 question by question; ``old[i]`` and ``new[i]`` belong.

    >>> difference(np.array([0.0, 0.5]), np.array([0.5, 1.0]), np.random.default_rng(0))
    Difference(old=0.25, new=0.75, difference=0.5, low=0.5, high=0.5)
    """
    return differences({"it": old}, {"it": new}, rng)["it"]


def differences(
    old: Mapping[str, Values], new: Mapping[str, Values], rng: np.random.Generator
) -> dict[str, Difference]:
    """``difference`` of each metric."""
    n = len(next(iter(old.values()), ()))
    before, after = (
        {name: mean_of(values) for name, values in side.items()} for side in (old, new)
    )
    found = gaps(before, after, n, rng)
    return {
        name: Difference(
            float(old[name].mean()),
            float(new[name].mean()),
            mean,
            *((low, high) if n > 1 else (-1.0, 1.0)),  # one question tells nothing
        )
        for name, (mean, low, high) in found.items()
    }
