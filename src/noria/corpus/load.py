"""Files -> documents. A table says which extractor reads which suffix.

Knows files, limits and errors; what a format looks like inside is the extractors' business.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from noria.corpus import html, markdown, pdf, plain
from noria.corpus.extract import Extract
from noria.errors import ExtractionError
from noria.types import Document

MAX_FILE_MB = 100


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: its media type, and what reads its bytes."""

    media_type: str
    extract: Callable[[bytes], Extract]


MARKDOWN = Format("text/markdown", markdown.extract)
HTML = Format("text/html", html.extract)
PLAIN = Format("text/plain", plain.extract)
PDF = Format("application/pdf", pdf.extract)

# A new format is one line here. Each may also be gzipped: '.txt.gz' is '.txt'.
FORMATS: Mapping[str, Format] = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".txt": PLAIN,
    ".text": PLAIN,
    ".pdf": PDF,
}

PDF_MAGIC = re.compile(rb"%PDF-\d")
HTML_MAGIC = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!doctype html|<html)", re.I)
GZIP_MAGIC = b"\x1f\x8b"


def load(path: Path, id: str | None = None, max_file_mb: int = MAX_FILE_MB) -> Document:
    """The document in the file at ``path``; ``id`` is the path as the user wrote it.

    Raises ExtractionError with the true reason: unknown type, too large, damaged, no text.
    """
    declared = format_of(path)
    data = read(path, max_file_mb * 1_000_000)
    if not data.strip():
        raise ExtractionError("the file is empty")
    actual = sniff(data, declared)
    extract = actual.extract(data)
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

    >>> suffix_of(Path("policy.TXT.gz"))
    '.txt'
    """
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def format_of(path: Path) -> Format:
    """The format that the suffix declares."""
    try:
        return FORMATS[suffix_of(path)]
    except KeyError:
        raise ExtractionError(
            f"unknown file type '{suffix_of(path)}'; known: {', '.join(sorted(FORMATS))}"
        ) from None


def sniff(data: bytes, declared: Format) -> Format:
    """``declared``, unless the content says plainly that it is something else."""
    if PDF_MAGIC.match(data):
        return PDF
    if declared is not PDF and HTML_MAGIC.match(data[:1024]):
        return HTML
    return declared


def read(path: Path, limit: int) -> bytes:
    """The file's bytes, unpacked if gzipped; neither may exceed ``limit``."""
    if not path.is_file():  # a pipe would wait for ever
        raise ExtractionError("not a regular file")
    try:
        with path.open("rb") as file:
            data = within(file.read(limit + 1), limit, "the file")
        if not data.startswith(GZIP_MAGIC):
            return data
        with gzip.open(path) as file:  # reads no further than asked: a bomb stays small
            return within(file.read(limit + 1), limit, "unpacked, it")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ExtractionError(f"damaged gzip file: {error}") from None
    except OSError as error:
        raise ExtractionError(f"cannot be read: {error.strerror or error}") from None


def within(data: bytes, limit: int, what: str) -> bytes:
    """``data``, if it is not longer than ``limit`` bytes."""
    if len(data) > limit:
        raise ExtractionError(
            f"{what} is larger than {limit // 1_000_000} MB; raise corpus.max_file_mb or split it"
        )
    return data
