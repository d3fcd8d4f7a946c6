"""Places figures on charts: where each dot, bar and label goes. The template draws them.

Along a row places are shares of its width, in percent, so that a row may be as wide as the screen;
the other charts have a size of their own. Knows nothing of HTML.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from noria.evaluate.report.figures import MINUS

WIDTH, HEIGHT = 340, 230  # of a chart, as wide as a telephone: it needs no shrinking there
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 14, 40
CURVES_RIGHT = 92  # room for the names at the ends of the lines
LETTER, LINE = 6.4, 13  # the size of a letter of a label
INSET = 3.0  # percent left free at both ends of a row, for the dots there
WIDE = 8  # from this ratio on costs stand on a logarithmic axis
POINTS = 150  # of a curve


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the values from ``low`` to ``high`` go: from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where ``value`` is; outside the axis it is at its end.

        >>> Axis(0, 10, 0, 100).place(2.5), Axis(1, 100, 0, 100, log=True).place(10)
        (25.0, 50.0)
        """
        inside = min(max(value, self.low), self.high)
        low, high = self.low, self.high
        if self.log:
            low, high, inside = math.log(low), math.log(high), math.log(inside)
        return round(self.start + (inside - low) / (high - low) * (self.end - self.start), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """Marks at round values."""
        values = decades(self.low, self.high) if self.log else rounds(self.low, self.high)
        return tuple(Tick(self.place(value), label(value)) for value in values)


def label(value: float) -> str:
    """A round value as an axis has it.

    >>> label(0.30000000000000004), label(-0.5), label(20000.0)
    ('0.3', '\u22120.5', '20k')
    """
    short = f"{value / 1000:g}k" if abs(value) >= 1000 else f"{round(value, 6):g}"
    return short.replace("-", MINUS)


@dataclass(frozen=True, slots=True)
class Row:
    """A dot with its interval. ``tone``: better, worse, unclear or plain."""

    label: str
    text: str
    at: float
    low: float
    high: float
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Dots:
    """Rows of dots over one axis; ``zero`` is where there is no difference."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    zero: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """What a row of dots shows: a value and its interval, in words too."""

    label: str
    text: str
    mean: float
    low: float
    high: float
    tone: str = "plain"


def dots(figures: Sequence[Figure], around_zero: bool = False) -> Dots:
    """Figures one below the other; the axis always has zero on it."""
    low = min([0.0, *(figure.low for figure in figures)])
    high = max([0.0, *(figure.high for figure in figures)])
    if around_zero:
        low, high = min(low, -high / 4), max(high, -low / 4)  # both sides are seen
    axis = Axis(low, high if high > low else low + 1, INSET, 100 - INSET)
    rows = tuple(
        Row(f.label, f.text, axis.place(f.mean), axis.place(f.low), axis.place(f.high), f.tone)
        for f in figures
    )
    return Dots(rows, axis.ticks(), axis.place(0) if around_zero else None)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: ``count`` of ``label``, from ``start``, in percent of the bar."""

    label: str
    count: int
    start: float
    width: float
    tone: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of parts."""

    label: str
    segments: tuple[Segment, ...]


def stacked(label: str, counts: Mapping[str, int], order: Sequence[str]) -> Bar:
    """A bar of all ``counts``; the tone of a part is its place in ``order``.

    >>> [(s.label, s.start, s.width) for s in stacked("rag", {"a": 1, "b": 3}, "ab").segments]
    [('a', 0.0, 25.0), ('b', 25.0, 75.0)]
    """
    total = sum(counts.values())
    segments, start = [], 0.0
    for tone, name in enumerate(order):
        if number := counts.get(name, 0):
            width = 100 * number / total
            segments.append(Segment(name, number, round(start, 3), round(width, 3), tone))
            start += width
    return Bar(label, tuple(segments))


@dataclass(frozen=True, slots=True)
class Point:
    """A dot with its interval up and down, and where its name stands."""

    label: str
    x: float
    y: float
    low: float
    high: float
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """Quality against one cost."""

    title: str
    points: tuple[Point, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def scatter(
    title: str,
    costs: Mapping[str, float],
    quality: Mapping[str, tuple[float, float, float]],
) -> Scatter:
    """Dots of arms; ``quality`` is mean, low and high."""
    least, most = min(costs.values()), max(costs.values())
    log = least > 0 and most / least > WIDE
    low, high = (least / 1.6, most * 1.6) if log else (0.0, most * 1.1 or 1.0)
    x = Axis(low, high, LEFT, WIDTH - RIGHT, log)
    y = upwards([end for each in quality.values() for end in each])
    names = sorted(costs, key=lambda name: -quality[name][0])
    places = {name: (x.place(costs[name]), y.place(quality[name][0])) for name in names}
    labels = beside(places)
    points = []
    for name in names:
        at, (_, low, high) = places[name], quality[name]
        label_x, label_y, anchor = labels[name]
        points.append(Point(name, *at, y.place(low), y.place(high), label_x, label_y, anchor))
    return Scatter(title, tuple(points), x.ticks(), y.ticks())


def upwards(values: Iterable[float]) -> Axis:
    """An upright axis from zero to the highest of ``values``."""
    return Axis(0.0, max([*values, 0.0]) * 1.05 or 1.0, HEIGHT - BOTTOM, TOP)


Box = tuple[float, float, float, float]  # left, top, right, bottom


def beside(places: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float, str]]:
    """Where the names of dots stand so that they cover no dot, and each other as little as may be.

    The baseline of the name, and its anchor: start, end or middle of the text.
    """
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y in places.values()]
    labels = {}
    for name, (x, y) in places.items():
        wide = len(name) * LETTER
        spots: list[tuple[float, float, str, Box]] = []
        for down in (0, -10, 10, -20, 20, 30):
            middle = y + down
            top, bottom = middle - LINE / 2, middle + LINE / 2
            baseline = round(middle + 4, 2)
            spots.append((x + 9, baseline, "start", (x + 9, top, x + 9 + wide, bottom)))
            spots.append((x - 9, baseline, "end", (x - 9 - wide, top, x - 9, bottom)))
        best = min(spots, key=lambda spot: covered(spot[3], taken))  # the first of equals
        taken.append(best[3])
        labels[name] = (round(best[0], 2), best[1], best[2])
    return labels


def covered(box: Box, taken: Iterable[Box]) -> float:
    """How much of ``box`` is taken, or outside the chart."""
    left, top, right, bottom = box
    outside = max(0.0, LEFT - left) + max(0.0, right - WIDTH) + max(0.0, -top)
    outside += max(0.0, bottom - (HEIGHT - BOTTOM))
    return 100 * outside + sum(
        max(0.0, min(right, r) - max(left, a)) * max(0.0, min(bottom, b) - max(top, t))
        for a, t, r, b in taken
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A line, as points of SVG; its name stands at its end, at the height ``label_y``."""

    label: str
    points: str
    end_y: float
    label_y: float
    tone: int


@dataclass(frozen=True, slots=True)
class Curves:
    """The metric on the questions answered, by how many are."""

    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    right: float


def curves(by_arm: Mapping[str, Sequence[tuple[float, float]]], tones: Sequence[str]) -> Curves:
    """Lines over the share of questions answered; the tone of an arm is its place in ``tones``."""
    right = WIDTH + 120 - CURVES_RIGHT
    x = Axis(0.0, 1.0, LEFT, right)
    y = upwards(value for curve in by_arm.values() for _, value in curve)
    ends = {name: y.place(max(curve)[1]) for name, curve in by_arm.items()}
    labels = apart(ends)
    lines = tuple(
        Line(
            name,
            " ".join(f"{x.place(share)},{y.place(value)}" for share, value in thinned(curve)),
            ends[name],
            labels[name],
            tones.index(name),
        )
        for name, curve in by_arm.items()
    )
    shares = tuple(Tick(x.place(each / 4), f"{25 * each} %") for each in range(5))
    return Curves(lines, shares, y.ticks(), right)


def thinned(curve: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most ``POINTS`` of a curve, in order, with its last."""
    ordered = sorted(curve)
    step = max(1, math.ceil(len(ordered) / POINTS))
    some = ordered[::step]
    return some if some[-1] == ordered[-1] else [*some, ordered[-1]]


def apart(heights: Mapping[str, float], least: float = LINE) -> dict[str, float]:
    """Heights moved down as little as lets each label have a line of its own.

    >>> apart({"a": 10.0, "b": 12.0})
    {'a': 10.0, 'b': 23.0}
    """
    moved: dict[str, float] = {}
    last = -math.inf
    for name in sorted(heights, key=lambda each: heights[each]):
        last = max(heights[name], last + least)
        moved[name] = last
    return moved


def rounds(low: float, high: float, about: int = 5) -> list[float]:
    """Round values between ``low`` and ``high``, zero among them where it is between.

    >>> rounds(0, 0.87), rounds(-0.1, 0.3)
    ([0.0, 0.2, 0.4, 0.6, 0.8], [-0.1, 0.0, 0.1, 0.2, 0.3])
    """
    rough = (high - low) / about
    power = 10 ** math.floor(math.log10(rough))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda each: abs(each - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def decades(low: float, high: float) -> list[float]:
    """Round values of a logarithmic axis: at most about five.

    >>> decades(60, 2300), decades(0.1, 2000)
    ([100.0, 200.0, 500.0, 1000.0, 2000.0], [0.1, 1.0, 10.0, 100.0, 1000.0])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        values = [round(step * 10.0**power, 10) for power, step in product(powers, steps)]
        values = [value for value in values if low <= value * (1 + 1e-9) and value <= high]
        if len(values) <= 5:
            break
    return values
