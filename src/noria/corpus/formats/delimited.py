"""CSV and TSV: rows with their headers."""

import csv
from collections.abc import Iterator
from functools import partial

from noria.corpus.formats import table
from noria.corpus.formats.extract import Extract, assembled
from noria.corpus.formats.plain import decode
from noria.errors import ExtractionError

COMMAS = (",", ";", "\t", "|")  # spreadsheets write the second where the first is a decimal point
LOOKED_AT = 20  # lines, to see what parts the cells
LINE = 100_000  # characters of each of them
LONGEST_CELL = 10_000_000  # characters
LONGEST_ROW = 200  # lines; a quote that is open for longer was never closed


def extract(data: bytes, commas: tuple[str, ...] = COMMAS) -> Extract:
    """The table, a line for each row; what parts the cells is seen from the first lines."""
    text = decode(data)
    csv.field_size_limit(LONGEST_CELL)
    return assembled(table.blocks(rows(text, comma_of(text, commas))))


tabbed = partial(extract, commas=("\t", *COMMAS))


class Lines:
    """The lines of a row and on; ``cut`` when more were wanted than a row may have."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.start(0)

    def start(self, at: int) -> None:
        """A row begins at line ``at``."""
        self.at, self.end, self.cut = at, min(at + LONGEST_ROW, len(self.lines)), False

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        if self.at == self.end:
            self.cut = True
            raise StopIteration
        self.at += 1
        return f"{self.lines[self.at - 1]}\n"


def rows(text: str, comma: str) -> Iterator[list[str]]:
    r"""The rows; a quote that is never closed is read as a letter.

    >>> list(rows('"a\nb",1\n"27 inches,2\nx,3', ","))
    [['a\nb', '1'], ['"27 inches', '2'], ['x', '3']]
    """
    lines = Lines(text.split("\n"))
    reader = csv.reader(lines, delimiter=comma)
    while (start := lines.at) < len(lines.lines):
        lines.start(start)
        try:
            cells = next(reader)
        except csv.Error as error:
            raise ExtractionError(f"damaged: not a table ({error}); open it to check") from error
        if lines.cut:
            cells = lines.lines[start].split(comma)
            lines.start(start + 1)
        yield cells


def comma_of(text: str, commas: tuple[str, ...]) -> str:
    r"""What parts the cells: it stands in the first lines, in each as often; else the first.

    >>> comma_of("name;size\nAda, Lovelace;36\n", COMMAS)
    ';'
    """
    head = [line for line in text.split("\n", LOOKED_AT + 1)[:LOOKED_AT] if line.strip()]

    def steady(comma: str) -> tuple[int, int]:
        widths = [len(next(csv.reader([line[:LINE]], delimiter=comma), [])) for line in head]
        common = max(set(widths), key=widths.count, default=1)
        return (widths.count(common) if common > 1 else 0, -commas.index(comma))

    return max(commas, key=steady)
