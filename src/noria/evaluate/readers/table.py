"""Tables with a header: columns between commas, tabs or semicolons, in UTF-8.

Columns are found by their names, whatever the case; ``docs/questions.md`` lists them. A column
that is not among them is a slice, if few values fill it.
"""

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from noria.errors import DataError
from noria.evaluate.questions import Questions
from noria.evaluate.readers.entries import Entry, Place, gathered, shown
from noria.evaluate.readers.files import lines, opened, parsed

DELIMITERS = (",", "\t", ";")
QUESTION = ("question", "text", "query")
ANSWER = ("answer", "answers")
LABEL = ("label", "category", "intent")
DOCUMENTS = ("document", "documents")
PLAIN = ("id", "context", "choices", "task", "unanswerable")
LISTS = frozenset({"answers", "choices", "documents"})
TRUTHS = {"true": True, "false": False}
VALUES = 50  # different ones of a column up to which it is a slice
LONGEST_CELL = 131_072  # characters, the csv module's own limit; others may have raised that


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, without space around them, and the line on which it starts."""

    line: int
    cells: list[str]


def delimiter(header: bytes) -> str:
    """What stands between the columns of a header; empty if it names no column of questions."""
    try:
        text = header.decode("utf-8")
        split = {d: next(csv.reader([text], delimiter=d, strict=True), []) for d in DELIMITERS}
    except (UnicodeDecodeError, csv.Error):
        return ""
    named = (d for d, names in split.items() if any(n.strip().lower() in QUESTION for n in names))
    return next(named, "")


def read(path: Path) -> Questions:
    """The questions of a table; rows that are none are listed."""
    start, header = next(lines(path), (1, b""))
    between = delimiter(header)
    if not between:
        got = shown(header.strip().decode("utf-8", "replace"))
        raise DataError(
            f"expected a header in UTF-8 with a column {' or '.join(QUESTION)}, got {got}",
            path, start,
        )  # fmt: skip
    below = rows(path, between)
    top = next(below)
    if isinstance(top, DataError):
        raise top
    names = top.cells
    keys = roles(names, Place(path, start))
    found = [of_width(row, len(names), path) for row in below]
    sliced = sliced_by(names, keys, [row for row in found if isinstance(row, Row)])
    entries = (
        row if isinstance(row, DataError) else entry(row, keys, sliced, Place(path, row.line))
        for row in found
    )
    return gathered(path, entries, "rows below the header")


def rows(path: Path, between: str) -> Iterator[Row | DataError]:
    """The rows that are not blank, the header first.

    An open quotation mark does not swallow what follows unseen: it is told, with its line.
    """
    reader = csv.reader(decoded(path), delimiter=between, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
            if any(len(cell) > LONGEST_CELL for cell in cells or ()):
                raise csv.Error(f"field larger than {LONGEST_CELL} characters")
        except csv.Error as error:
            yield Place(path, line).wrong(
                f"no row of a table, up to line {reader.line_num}: {error}"
            )
            continue
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield Row(line, [cell.strip() for cell in cells])


def decoded(path: Path) -> Iterator[str]:
    """All lines, also blank ones; raises DataError for the first that is not UTF-8."""
    with opened(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield line.removeprefix(codecs.BOM_UTF8).decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"not UTF-8: {error.reason}; save the table as UTF-8", path, number
                ) from None


def roles(names: Sequence[str], place: Place) -> dict[str, int]:
    """The columns by what they hold; raises DataError where two could hold the same.

    >>> roles(["Text", "Intent"], Place(Path("table.csv"), 1))
    {'question': 0, 'label': 1}
    """
    columns = {name.lower(): at for at, name in enumerate(names)}
    if len(columns) < len(names) - names.count("") + ("" in names):
        raise place.wrong(f"two columns of one name in the header: {shown(list(names))}")

    def one_of(candidates: Sequence[str]) -> str:
        there = [name for name in candidates if name in columns]
        if len(there) > 1:
            raise place.wrong(f"the columns {' and '.join(there)} could mean the same; expected "
                              "one of them: rename the other")  # fmt: skip
        return there[0] if there else ""

    found = {"question": columns[one_of(QUESTION)]}
    if answer := one_of(ANSWER):
        found[answer] = columns[answer]
    elif label := one_of(LABEL):  # beside answers, it is a slice like any other column
        found["label"] = columns[label]
    if document := one_of(DOCUMENTS):
        found[document] = columns[document]
    return found | {name: columns[name] for name in PLAIN if name in columns}


def of_width(row: Row | DataError, width: int, path: Path) -> Row | DataError:
    """``row``, if it has as many cells as the header."""
    if isinstance(row, Row) and len(row.cells) != width:
        return Place(path, row.line).wrong(
            f"{len(row.cells)} cells; expected {width} as in the header"
        )
    return row


def sliced_by(names: Sequence[str], keys: Mapping[str, int], rows: Sequence[Row]) -> dict[str, int]:
    """The other columns that part the questions: with some values, and not too many."""
    others = {name: at for at, name in enumerate(names) if name and at not in keys.values()}
    values = {name: {row.cells[at] for row in rows} - {""} for name, at in others.items()}
    return {name: at for name, at in others.items() if 2 <= len(values[name]) <= VALUES}


def entry(
    row: Row, keys: Mapping[str, int], sliced: Mapping[str, int], place: Place
) -> Entry | DataError:
    """A row as a line of JSON would hold it; an empty cell says nothing."""
    cells = {key: row.cells[at] for key, at in keys.items() if row.cells[at]}
    record: dict[str, object] = {**cells}
    if "id" not in keys:
        record["id"] = str(row.line)
    if "label" in keys:
        label = record.pop("label", None)
        record = {"task": "classification", **record, "answers": [label] if label else []}
    try:
        record |= {key: several(cells[key], key, place) for key in LISTS & cells.keys()}
    except DataError as error:
        return error
    if "unanswerable" in cells:  # what is neither stays, so that it is told
        said = cells["unanswerable"]
        record["unanswerable"] = TRUTHS.get(said.lower(), said)
    return place, record | {"slice": {name: row.cells[at] for name, at in sliced.items()}}


def several(cell: str, key: str, place: Place) -> object:
    """The texts of a cell: a list in JSON, or with ``|`` between.

    >>> several("red | blue", "choices", Place(Path("table.csv"), 2))
    ['red', 'blue']
    """
    if not cell.startswith("["):
        return [part.strip() for part in cell.split("|")]
    try:
        return parsed(cell.encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise place.wrong(f'"{key}" begins like a list of JSON, but: {error}') from None
