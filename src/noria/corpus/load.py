"""Files -> documents. A table says which extractor reads which suffix.

Knows files, limits and errors; what a format looks like inside is the extractors' business.
"""

import gzip
import stat
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from noria.corpus.formats import (
    archive,
    book,
    delimited,
    html,
    legacy,
    mail,
    markdown,
    opendocument,
    org,
    pdf,
    plain,
    rst,
    rtf,
    sheet,
    slides,
    structured,
    word,
    xml,
)
from noria.corpus.formats.content import UNREAD, suffix_of_content
from noria.corpus.formats.extract import Attached, Block, Extract, assembled, joined, lowered
from noria.errors import ExtractionError
from noria.types import Document

MAX_FILE_MB = 100
ATTACHED = 100  # files inside a file that are read
NESTED = 3  # files inside files inside a file


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: its media type, and what reads its bytes."""

    media_type: str
    extract: Callable[[bytes], Extract]


OFFICE = "application/vnd.openxmlformats-officedocument"
ODF = "application/vnd.oasis.opendocument"
MARKDOWN = Format("text/markdown", markdown.extract)
HTML = Format("text/html", html.extract)
PLAIN = Format("text/plain", plain.extract)
PDF = Format("application/pdf", pdf.extract)
RST = Format("text/x-rst", rst.extract)
CSV = Format("text/csv", delimited.extract)
TSV = Format("text/tab-separated-values", delimited.tabbed)
LINES = Format("application/x-ndjson", structured.extract_lines)
WORD = Format(f"{OFFICE}.wordprocessingml.document", word.extract)
SLIDES = Format(f"{OFFICE}.presentationml.presentation", slides.extract)
SHEET = Format(f"{OFFICE}.spreadsheetml.sheet", sheet.extract)
SIGNED = Format("multipart/signed", mail.extract_signed)

# A new format is one line here. Each may also be gzipped: '.txt.gz' is '.txt'.
FORMATS: Mapping[str, Format] = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".txt": PLAIN,
    ".text": PLAIN,
    "": Format("text/plain", plain.extract_certain),  # README, copyright
    ".rst": RST,
    ".org": Format("text/org", org.extract),
    ".pdf": PDF,
    ".rtf": Format("application/rtf", rtf.extract),
    ".epub": Format("application/epub+zip", book.extract),
    ".docx": WORD,
    ".docm": WORD,
    ".dotx": WORD,
    ".pptx": SLIDES,
    ".pptm": SLIDES,
    ".ppsx": SLIDES,
    ".xlsx": SHEET,
    ".xlsm": SHEET,
    ".odt": Format(f"{ODF}.text", opendocument.extract),
    ".ods": Format(f"{ODF}.spreadsheet", opendocument.extract),
    ".odp": Format(f"{ODF}.presentation", opendocument.extract),
    ".doc": Format(legacy.DOC, legacy.extract_doc),
    ".ppt": Format(legacy.PPT, legacy.extract_ppt),
    ".xls": Format(legacy.XLS, legacy.extract_xls),
    ".csv": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".json": Format("application/json", structured.extract),
    ".jsonl": LINES,
    ".ndjson": LINES,
    ".xml": Format("application/xml", xml.extract),
    ".eml": Format("message/rfc822", mail.extract),
    ".msg": Format(legacy.MSG, legacy.extract_msg),
    ".p7s": SIGNED,
    ".p7m": SIGNED,
}

ALIASES = {".rst.txt": ".rst"}  # Sphinx publishes its sources so
GZIP_MAGIC = b"\x1f\x8b"


def load(path: Path, id: str | None = None, max_file_mb: int = MAX_FILE_MB) -> Document:
    """The document in the file at ``path``; ``id`` is the path as the user wrote it.

    Raises ExtractionError with the true reason: unknown type, too large, damaged, no text.
    """
    declared = format_of(path)
    limit = max_file_mb * 1_000_000
    data = read(path, limit)
    if not data.strip():
        raise ExtractionError("the file is empty")
    actual = sniff(data, declared)
    extract = extracted(data, actual, limit)
    if not extract.text.strip():
        raise ExtractionError("no text in it")
    return Document(
        id=id or path.as_posix(),
        source=str(path.resolve()),
        text=extract.text,
        media_type=actual.media_type,
        headings=extract.headings,
        pages=extract.pages,
    )


def suffix_of(path: Path) -> str:
    """The suffix that tells the type, lower case, ``.gz`` looked through.

    >>> [suffix_of(Path(name)) for name in ("policy.TXT.gz", "index.rst.txt", "README")]
    ['.txt', '.rst', '']
    """
    name = path.name.lower().removesuffix(".gz")
    for ending, suffix in ALIASES.items():
        if name.endswith(ending):
            return suffix
    return Path(name).suffix


def refusal(path: Path) -> str:
    """Why a file of that name is not read; empty if it is."""
    suffix = suffix_of(path)
    if suffix in FORMATS:
        return ""
    return UNREAD.get(suffix, f"unknown type '{suffix}'")


def format_of(path: Path) -> Format:
    """The format that the suffix declares."""
    suffix = suffix_of(path)
    if suffix in FORMATS:
        return FORMATS[suffix]
    if suffix in UNREAD:
        raise ExtractionError(UNREAD[suffix])
    known = ", ".join(sorted(filter(None, FORMATS)))
    raise ExtractionError(f"unknown file type '{suffix}'; known: {known}")


def sniff(data: bytes, declared: Format) -> Format:
    """``declared``, unless the content says plainly that it is something else."""
    suffix = suffix_of_content(data)
    if suffix == ".html" and declared is PDF:  # what a server says instead of a missing file
        return declared
    return FORMATS[suffix] if suffix else declared


def extracted(data: bytes, format: Format, limit: int, depth: int = 0) -> Extract:
    """What ``format`` reads in ``data``, with what is read of the files in it."""
    if data.startswith(archive.MAGIC):
        archive.opened(data, limit)
    extract = format.extract(data)
    if not extract.attached or depth == NESTED:
        return extract
    inner = (attachment(part, limit, depth + 1) for part in extract.attached[:ATTACHED])
    return joined([replace(extract, attached=()), *inner])


def attachment(part: Attached, limit: int, depth: int) -> Extract:
    """A file inside a file, under its name; nothing if it is of a kind that is not read."""
    declared = FORMATS.get(suffix_of(Path(part.name)))
    if declared is None or not part.data.strip():
        return Extract("")
    head = assembled([Block(f"Attachment: {part.name}", 2)])
    try:
        data = unpacked(part.data, limit)
        inner = extracted(data, sniff(data, declared), limit, depth)
    except ExtractionError as error:  # the message itself is read all the same
        return joined([head, Extract(f"[not read: {error}]")])
    return joined([head, replace(lowered(inner, 2), pages=())]) if inner.text.strip() else head


def read(path: Path, limit: int) -> bytes:
    """The file's bytes, unpacked if gzipped; neither may exceed ``limit``."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe would wait for ever
            raise ExtractionError("not a regular file")
        with path.open("rb") as file:
            data = file.read(min(limit, state.st_size) + 1)
    except OSError as error:
        raise ExtractionError(f"cannot be read: {error.strerror or error}") from None
    return unpacked(within(data, limit, "the file"), limit)


def unpacked(data: bytes, limit: int) -> bytes:
    """``data``, unpacked if it is gzipped, to no more than ``limit`` bytes."""
    if not data.startswith(GZIP_MAGIC):
        return data
    try:
        with gzip.open(BytesIO(data)) as file:  # reads no further than asked: a bomb stays small
            return within(file.read(limit + 1), limit, "unpacked, it")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ExtractionError(f"damaged gzip file: {error}") from None


def within(data: bytes, limit: int, what: str) -> bytes:
    """``data``, if it is not longer than ``limit`` bytes."""
    if len(data) > limit:
        raise ExtractionError(
            f"{what} is larger than {limit // 1_000_000} MB; raise corpus.max_file_mb or split it"
        )
    return data
