"""Formats in which binary structures hold the text: DOC, PPT, XLS and Outlook's MSG.

kreuzberg reads them. They tell of no headings; of positions, only sheets.
"""

import re
from collections.abc import Iterator
from typing import Any

from noria.corpus.formats import mail, table
from noria.corpus.formats.extract import Block, Extract, assembled, kreuzberg
from noria.corpus.formats.plain import normalised

DOC = "application/msword"
PPT = "application/vnd.ms-powerpoint"
XLS = "application/vnd.ms-excel"
MSG = "application/vnd.ms-outlook"

# Of a link in DOC: the instruction, which no reader sees.
FIELD = re.compile(
    r"[\x13\x14\x15]|\b(?:HYPERLINK|PAGEREF)\s+\"[^\"\n]*\"(?:\s+\\\w(?:\s+\"[^\"\n]*\")?)*"
)
ROW_END = re.compile(r"[ \t]*\t\t\s*")  # a cell's end, then the row's
HEADER = re.compile(r"(?:Subject|From|To|CC|BCC|Date|Attachments): .*(?:\n|\Z)", re.I)


def extract_doc(data: bytes) -> Extract:
    """A Word document; its tables come as rows with tabs between the cells."""
    text = normalised(FIELD.sub("", kreuzberg(data, DOC).content))
    return Extract(ROW_END.sub("\n", text).strip() + "\n")


def extract_ppt(data: bytes) -> Extract:
    """A presentation; where its slides begin is not told."""
    return Extract(normalised(kreuzberg(data, PPT).content).strip() + "\n")


def extract_xls(data: bytes) -> Extract:
    """A workbook, sheet by sheet."""
    result = kreuzberg(data, XLS)
    names = result.metadata.get("sheet_names") or []
    return assembled(sheets(names, result.tables))


def sheets(names: list[str], found: list[Any]) -> Iterator[Block]:
    """The sheets, each a page under its name."""
    for name, sheet in zip(names, found, strict=False):
        yield Block(name, 1, page=True)
        yield from table.blocks([[normalised(cell) for cell in row] for row in sheet.cells])


def extract_msg(data: bytes) -> Extract:
    """A message that Outlook has saved; of its attachments, the names."""
    result = kreuzberg(data, MSG)
    told = result.metadata
    text = normalised(result.content)
    while match := HEADER.match(text):
        text = text[match.end() :]
    fields = [
        ("From", told.get("from_email") or ""),
        ("To", ", ".join(told.get("to_emails") or [])),
        ("Cc", ", ".join(told.get("cc_emails") or [])),
        ("Date", told.get("created_at") or ""),
        ("Attachments", ", ".join(told.get("attachments") or [])),
    ]
    said = Extract(text.strip() + "\n")
    return mail.letter(normalised(told.get("subject") or ""), fields, said, ())
