"""What models forgot, in words: a table for the page, a cell for the terminal, a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from noria.evaluate.report.figures import figure, signed, span
from noria.evaluate.results import Change, Comparison, Forgetting, Forgotten, Interval

TEXT = "general text, nats a token"
VERDICTS = {True: "passes", False: "fails", None: "not known"}
LITTLE = 3  # digits of nats after the point: the bar is 0.05


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, its interval, and whether it is worse beyond chance."""

    text: str
    small: str = ""
    worse: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The models behind arms, and a row for the text and each set: the base's, then changes.

    ``verdicts``: for each model whether it passes, its arms, and why.
    """

    models: tuple[str, ...]
    rows: tuple[tuple[str, Cell, tuple[Cell, ...]], ...]
    verdicts: tuple[tuple[bool | None, str, str], ...]
    dropped: tuple[str, ...]
    asked: int


def table(found: Forgetting) -> Table:
    """What the page shows."""
    rows = []
    if found.text is not None:
        rows.append((TEXT, of_base(found.text, LITTLE), cells(found.models, None)))
    for name, own in found.sets.items():
        rows.append((name, of_base(own, 2), cells(found.models, name)))
    return Table(
        tuple(", ".join(model.arms) for model in found.models),
        tuple(rows),
        tuple((each.passes, ", ".join(each.arms), each.why) for each in found.models),
        found.dropped,
        found.asked,
    )


def of_base(known: Interval, places: int) -> Cell:
    """The base's own figure."""
    return Cell(figure(known.mean, places), span(known.low, known.high))


def cells(models: Sequence[Forgotten], name: str | None) -> tuple[Cell, ...]:
    """The change of each model on one set, or on the text."""
    return tuple(cell(m.text, LITTLE) if name is None else cell(m.sets.get(name)) for m in models)


def cell(change: Change | None, places: int = 3) -> Cell:
    """A change with its interval."""
    if change is None:
        return Cell("")
    ends = f"[{signed(change.low, places)}, {signed(change.high, places)}]"
    known = change.low == change.low  # of a single question there is no interval
    return Cell(signed(change.difference, places), ends if known else "no interval", change.worse)


def behind(found: Forgetting, arm: str) -> Forgotten | None:
    """The model that writes for ``arm``; None for the base."""
    return next((model for model in found.models if arm in model.arms), None)


def short(found: Forgetting, arm: str) -> str:
    """What the model of an arm forgot, in a cell of the terminal's table."""
    model = behind(found, arm)
    if model is None:
        return "-"
    nats = f"{signed(model.text.difference, LITTLE)} nat, " if model.text else ""
    return nats + VERDICTS[model.passes]


def told(found: Forgetting) -> list[str]:
    """What each model forgot, a line each."""
    lines = []
    for model in found.models:
        sets = ", ".join(f"{n} {signed(100 * c.difference, 1)}" for n, c in model.sets.items())
        points = f" (points: {sets})" if sets else ""
        verdict = VERDICTS[model.passes]
        lines.append(f"forgetting of {', '.join(model.arms)}: {verdict}: {model.why}{points}")
    return lines


def sentences(comparison: Comparison) -> list[str]:
    """What is advised where a model forgot too much."""
    models = comparison.forgetting.models if comparison.forgetting else ()
    return [
        f"The model of {' and '.join(model.arms)} forgot too much ({model.why}): tune it again "
        "with --replay 0.1, a lower learning rate or a smaller rank."
        for model in models
        if model.passes is False
    ]
