"""XLSX -> sheets, each a page: rows with their headers, values as people see them.

Hidden sheets, charts and comments are not read. A formula shows its last result.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from xml.etree.ElementTree import Element

from noria.corpus.formats import archive as zipped
from noria.corpus.formats import table
from noria.corpus.formats.archive import Archive
from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.ooxml import child, main_part, related, relations, whole
from noria.corpus.formats.plain import normalised
from noria.corpus.formats.xml import parse, visit

EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}
LAST_DAY = 2_950_000  # in the year 9976, also counted from 1904
WIDEST = 16_384  # columns, as in Excel
# Formats with a number but no code in the file; the others are General or local dates.
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 37: "#,##0",
    38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 14: "d/m/y", 15: "d/m/y", 16: "d/m", 17: "m/y",
    18: "h:m", 19: "h:m:s", 20: "h:m", 21: "h:m:s", 22: "d/m/y h:m", 45: "m:s", 46: "[h]:m:s",
    47: "m:s",
} | dict.fromkeys((*range(27, 32), 36, *range(50, 59)), "d/m/y")  # fmt: skip
QUOTED = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|\[(?!h+\]|m+\]|s+\])[^\]]*\]|[_*].')
DURATION = re.compile(r"\[[hms]+\]")
DAY = re.compile(r"[dy]")
CLOCK = re.compile(r"[hs]")
TIMES = {"date", "month", "time", "duration"}
DIGITS = re.compile(r"[#0?][#0?,]*(?:\.([0#?]*))?")
REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a format shows a number: its kind, and what stands around the digits."""

    kind: str
    before: str = ""
    after: str = ""
    places: int = 0
    thousands: str = ""


def extract(data: bytes) -> Extract:
    """The sheets that can be seen, in their order, each under its name."""
    archive = zipped.opened(data)
    part = main_part(archive)
    workbook = parse(archive.read(part))
    rels = relations(archive, part)
    strings = shared_strings(archive, part)
    codes = formats(related(archive, part, "styles"))
    properties = child(workbook, "workbookPr")
    since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    blocks: list[Block] = []
    sheets = child(workbook, "sheets")
    for sheet in sheets if sheets is not None else ():
        relation = rels.get(sheet.get("r:id", ""))
        shown = sheet.get("state", "visible") == "visible" and relation is not None
        if not shown or relation is None or relation.kind != "worksheet":
            blocks.append(Block("", page=True))  # so that the others keep their numbers
            continue
        blocks.append(Block(sheet.get("name", ""), 1, page=True))
        reading = Cells(strings, codes, since_1904)
        visit(archive.read(relation.target), "row", reading.see)
        blocks += table.blocks(reading.rows)
    return assembled(blocks)


class Cells:
    """The rows of one sheet, as they come."""

    def __init__(self, strings: Sequence[str], codes: Sequence[str], since_1904: bool) -> None:
        self.strings, self.codes, self.since_1904 = strings, codes, since_1904
        self.rows: list[list[str]] = []
        self.last = 0

    def see(self, row: Element) -> None:
        """Take in the next row; rows that are left out are blank."""
        number = whole(row.get("r", ""), self.last + 1)
        if number > self.last + 1:
            self.rows.append([])
        self.last = number
        if row.get("hidden") in ("1", "true"):
            return
        cells: list[str] = []
        for cell in row:
            column = column_of(cell.get("r", ""), len(cells))
            if len(cells) < column < WIDEST:
                cells += [""] * (column - len(cells))
            cells.append(self.value(cell))
        self.rows.append(cells)

    def value(self, cell: Element) -> str:
        """What ``cell`` shows."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return text_of(cell)
        stored = cell.findtext("v") or ""
        if kind == "s":
            at = whole(stored, -1)
            return self.strings[at] if 0 <= at < len(self.strings) else ""
        if kind == "b":
            return "TRUE" if stored == "1" else "FALSE"
        if kind in ("str", "e", "d") or not stored:
            return normalised(stored)
        style = whole(cell.get("s", ""))
        code = self.codes[style] if style < len(self.codes) else ""
        return shown(stored, code, self.since_1904)


def column_of(reference: str, following: int) -> int:
    """The column that ``B7`` names, from 0; the next one if it names none.

    >>> column_of("A1", 5), column_of("AB7", 0), column_of("", 5)
    (0, 27, 5)
    """
    match = REFERENCE.fullmatch(reference)
    if not match:
        return following
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def shared_strings(archive: Archive, part: str) -> list[str]:
    """The texts that cells refer to by number."""
    found: list[str] = []
    for relation in relations(archive, part).values():
        if relation.kind == "sharedStrings" and relation.target in archive:
            visit(archive.read(relation.target), "si", lambda item: found.append(text_of(item)))
            break
    return found


def text_of(item: Element) -> str:
    """The text of a string, without how it is pronounced."""
    if len(item) == 1 and item[0].tag == "t":
        return normalised(item[0].text or "")
    runs = (e.text or "" for part in item if part.tag != "rPh" for e in part.iter("t"))
    return normalised("".join(runs))


def formats(styles: Element | None) -> list[str]:
    """The number format of each cell style; empty: General."""
    if styles is None:
        return []
    named: Mapping[int, str] = BUILT_IN | {
        whole(f.get("numFmtId", "")): f.get("formatCode", "") for f in styles.iter("numFmt")
    }
    cells = child(styles, "cellXfs")
    ids = [whole(xf.get("numFmtId", "")) for xf in cells] if cells is not None else []
    return [named.get(id, "") for id in ids]


def shown(stored: str, code: str, since_1904: bool = False) -> str:
    """A number as its format shows it; dates in ISO order, which is read alike everywhere.

    >>> shown("45000", "d/m/yyyy"), shown("0.152", "0.0%"), shown("1250000", '"€" #,##0')
    ('2023-03-15', '15.2%', '€ 1,250,000')
    >>> shown("0.30000000000000004", ""), shown("36", "General")
    ('0.3', '36')
    """
    try:
        number = float(stored)
    except ValueError:
        return normalised(stored)
    asked = pattern(code)
    if asked.kind in TIMES and 0 <= number <= LAST_DAY:
        return moment(number, asked.kind, since_1904)
    if asked.kind not in ("percent", "number") or abs(number) >= 1e15:
        return f"{number:.15g}"
    number *= 100 if asked.kind == "percent" else 1
    return f"{asked.before}{number:{asked.thousands}.{asked.places}f}{asked.after}".strip()


@cache
def pattern(code: str) -> Pattern:
    """What a format code asks for; only its first part counts, which is for positive numbers."""
    first = code.split(";")[0][:200]
    bare = QUOTED.sub("", first).lower()
    if DURATION.search(bare):
        return Pattern("duration")
    if bare != "general" and (DAY.search(bare) or CLOCK.search(bare)):
        return Pattern("date" if DAY.search(bare) else "time")
    plain = QUOTED.sub(lambda found: found[1] or found[2] or found[3] or "", first)
    digits = DIGITS.search(plain)
    if not digits or "e+" in bare or "/" in bare or (not DIGITS.search(bare)):
        return Pattern("month" if "m" in bare else "plain")
    return Pattern(
        "percent" if "%" in bare else "number",
        plain[: digits.start()],
        plain[digits.end() :],
        min(len(digits[1] or ""), 15),
        "," if "," in digits[0] else "",
    )


def moment(number: float, kind: str, since_1904: bool) -> str:
    """A day, a time of day, both, or how long something takes."""
    seconds = round(number * 86_400)
    if kind == "duration":
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}".removesuffix(":00")
    at = EPOCHS[since_1904] + timedelta(seconds=seconds)
    clock = f"{at:%H:%M:%S}".removesuffix(":00")
    if kind == "time" and number < 1:
        return clock
    return f"{at:%Y-%m-%d}" if clock == "00:00" else f"{at:%Y-%m-%d} {clock}"
