"""What every extractor hands back, and the one door to kreuzberg."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from noria.errors import ExtractionError
from noria.types import Heading

TIMEOUT_SECONDS = 300  # of parsing one file; a 114-page PDF takes half a second


@dataclass(frozen=True, slots=True)
class Attached:
    """A file inside a file."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of a file, with the structure found in it; offsets are into ``text``.

    ``attached``: files inside the file, to be read by whoever knows how.
    """

    text: str
    headings: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()
    attached: tuple[Attached, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading (``level`` 1 is the title), or an item of a list.

    ``page``: a page, slide or sheet starts with it; its text may be empty.
    """

    text: str
    level: int = 0
    item: bool = False
    page: bool = False


def assembled(blocks: Iterable[Block]) -> Extract:
    r"""One text of ``blocks``, headings written as in Markdown, with all positions.

    >>> found = assembled([Block("Pump", 1, page=True), Block("It lifts.")])
    >>> found.text, found.headings, found.pages
    ('# Pump\n\nIt lifts.\n', (Heading(start=0, level=1, title='Pump'),), (0,))
    """
    parts: list[str] = []
    headings: list[Heading] = []
    pages: list[int] = []
    at, items = 0, False
    for block in blocks:
        text = block.text.strip("\n")
        if block.page:
            pages.append(at + (2 if at else 0))
            items = False
        gap = "" if not at or not text.strip() else "\n" if items and block.item else "\n\n"
        if not text.strip():
            continue
        if block.level:
            title = " ".join(text.split())
            headings.append(Heading(at + len(gap), block.level, title))
            text = f"{'#' * min(block.level, 6)} {title}"
        parts += [gap, text]
        at += len(gap) + len(text)
        items = block.item
    end = "\n" if parts else ""
    # an empty page at the end starts where the text ends, and no further
    return Extract("".join(parts) + end, tuple(headings), tuple(min(page, at) for page in pages))


def joined(parts: Iterable[Extract]) -> Extract:
    """``parts`` one below the other, as one; pages go on counting."""
    texts: list[str] = []
    headings: list[Heading] = []
    pages: list[int] = []
    attached: list[Attached] = []
    at = 0
    for part in parts:
        if not part.text.strip():
            continue
        text = part.text.rstrip("\n") + "\n\n"
        headings += [replace(h, start=h.start + at) for h in part.headings]
        pages += [page + at for page in part.pages]
        attached += part.attached
        texts.append(text)
        at += len(text)
    whole = "".join(texts)
    return Extract(
        whole[:-1],  # one line end at the end of a text
        tuple(headings),
        tuple(min(page, max(len(whole) - 1, 0)) for page in pages),
        tuple(attached),
    )


def lowered(part: Extract, levels: int) -> Extract:
    """``part`` with its headings that much deeper: it stands below others."""
    headings = tuple(replace(h, level=h.level + levels) for h in part.headings)
    return replace(part, headings=headings)


def kreuzberg(data: bytes, media_type: str, **options: Any) -> Any:
    """What kreuzberg makes of ``data``; its errors become ExtractionError, in one line."""
    import kreuzberg as library

    config = library.ExtractionConfig(
        use_cache=False,  # its cache is a folder in the user's working directory
        disable_ocr=True,  # needs tesseract; minutes a page
        extraction_timeout_secs=TIMEOUT_SECONDS,
        **options,
    )
    try:
        return library.extract_bytes_sync(data, media_type, config=config)
    except library.KreuzbergError as error:
        raise ExtractionError(one_line(str(error))) from error


def one_line(message: str) -> str:
    """The gist of a message that kreuzberg nests: its parts without the repeats.

    >>> one_line("ParsingError: Invalid PDF: FormatError: Invalid PDF: FormatError")
    'Invalid PDF: FormatError'
    """
    parts = re.split(r":\s+", " ".join(message.split()))
    distinct = [part for part in dict.fromkeys(parts) if part != "ParsingError"]
    return ": ".join(distinct)
