"""Tables as text that can be cut anywhere between two rows and is still understood.

Knows cells, not files. A row is written with its headers, so that no passage depends on another.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, zip_longest

from noria.corpus.formats.extract import Block

SMALL = 500  # characters: such a table is rarely cut, so it may stay a grid
LINE = 400  # characters, some 100 tokens: a longer row gets several lines
KEY = 60  # characters: a shorter first cell is said again in each of these lines
LONGEST_HEADER = 80  # characters: what is longer is content
# also a date, a price, a share
NUMBER = re.compile(r"\W*\d[\d\s.,:/%+-]*(?:[Ee][+-]?\d+)?\W*")

Row = Sequence[str]


def blocks(rows: Iterable[Row]) -> Iterator[Block]:
    """A sheet of cells, each row a line ``- header: value; header: value``.

    A row of one cell above a table is its title. A new table, with headers of its own, may begin
    after a blank row.

    >>> sheet = [["Prices"], ["Part", "Litres"], ["Bucket", "12"], ["Tub", ""]]
    >>> [block.text for block in blocks(sheet)]
    ['Prices', '- Part: Bucket; Litres: 12', '- Part: Tub']
    """
    header: Row = ()
    opening = True  # nothing, or a blank row, stands above
    for cells, following in pairwise(chain((trimmed(row) for row in rows), [[]])):
        if not any(cells):
            opening = True
        elif opening and sum(map(bool, cells)) == 1:
            yield Block(next(filter(None, cells)))
        elif opening and is_header(cells) and any(following) and (not header or tells(following)):
            header, opening = cells, False
        else:
            yield from row(zip_longest(header[: len(cells)], cells, fillvalue=""))
            opening = False


def trimmed(cells: Row) -> list[str]:
    """``cells`` without white space around them and empty ones at their end."""
    found = [cell.strip() for cell in cells]
    while found and not found[-1]:
        found.pop()
    return found


def is_header(cells: Row) -> bool:
    """Whether a row names columns: mostly words, short, hardly any twice.

    >>> is_header(["0", "Name", "Age"]), is_header(["7", "Ada", "36"])
    (True, False)
    """
    filled = [cell for cell in cells if cell]
    words = [cell for cell in filled if not NUMBER.fullmatch(cell)]
    short = all(len(cell) <= LONGEST_HEADER for cell in filled)
    return short and len(filled) >= 2 and len(set(words)) * 2 > len(filled)


def tells(cells: Row) -> bool:
    """Whether a row holds a number: it is content, and what stands above may be its header."""
    return any(NUMBER.fullmatch(cell) for cell in cells)


def row(pairs: Iterable[tuple[str, str]], label: str = "") -> Iterator[Block]:
    """One record, ``label`` before it; a long one in several lines that all begin alike.

    >>> [block.text for block in row([("Part", "Bucket"), ("Litres", "12"), ("Note", "")])]
    ['- Part: Bucket; Litres: 12']
    """
    said = [f"{name}: {value}" if name else value for name, value in pairs if value.strip()]
    if not said:
        return
    label = f"{label}: " if label else ""
    line = label + "; ".join(" ".join(part.split()) for part in said)
    if len(line) <= LINE:
        yield Block(f"- {line}", item=True)
        return
    key = label + (f"{said.pop(0)}; " if len(said) > 1 and len(said[0]) <= KEY else "")
    for parts in fitted(said, LINE - len(key)):
        yield Block(f"- {key}{parts}", item=True)


def fitted(parts: Iterable[str], room: int) -> Iterator[str]:
    """``parts`` in lines of ``room`` characters; one that is longer keeps its own paragraphs."""
    line = ""
    for part in parts:
        flat = " ".join(part.split())
        if line and len(line) + len(flat) + 2 > room:
            yield line
            line = ""
        if len(flat) > room:
            yield part.strip()
        else:
            line = f"{line}; {flat}" if line else flat
    if line:
        yield line


def grid(rows: Iterable[Row]) -> Iterator[Block]:
    r"""A table in a document: in Markdown while it is small, else row by row with its headers.

    >>> [block.text for block in grid([["Part", "Litres"], ["Bucket", "12"]])]
    ['| Part | Litres |\n| --- | --- |\n| Bucket | 12 |']
    """
    table = [cells for cells in map(trimmed, rows) if cells]
    width = max(map(len, table), default=0)
    if width <= 1:  # it only lays out the page
        yield from (Block(cells[0]) for cells in table)
        return
    if sum(len(cell) + 3 for cells in table for cell in cells) > SMALL:
        yield from blocks(table)
        return
    lines = [bars([*cells, *[""] * (width - len(cells))]) for cells in table]
    lines.insert(1, bars(["---"] * width))
    yield Block("\n".join(lines))


def bars(cells: Row) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def cells_of(line: str) -> list[str]:
    r"""The cells of a row of a Markdown table.

    >>> cells_of(r"| a \| b | 12 |")
    ['a | b', '12']
    """
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", inner)]
