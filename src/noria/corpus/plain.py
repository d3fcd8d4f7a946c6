"""Plain text: bytes of an unknown encoding -> clean text and its underlined headings."""

import codecs
import re
from collections.abc import Iterator
from itertools import accumulate, pairwise

from noria.corpus.extract import Extract
from noria.errors import ExtractionError
from noria.types import Heading

# Longest first: the UTF-32 mark begins with the UTF-16 one.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
BINARY_SHARE = 0.01  # control characters: prose has none, compressed data a tenth
# At least three: '--' begins a signature.
UNDERLINE = re.compile(r"([=\-*~^\"#+`'.:_])\1{2,}")
SLACK = 3  # characters by which a rule may be too long
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def extract(data: bytes) -> Extract:
    """The text as it stands, with its underlined headings."""
    text = decode(data)
    return Extract(text, tuple(headings(text)))


def headings(text: str) -> Iterator[Heading]:
    r"""Lines that are underlined from end to end, in the manner of reStructuredText.

    The level is the order in which the kinds of lines first appear.

    >>> list(headings("Guide\n=====\n\nPump\n----\nTurn it on."))
    [Heading(start=0, level=1, title='Guide'), Heading(start=13, level=2, title='Pump')]
    """
    kinds: list[tuple[str, bool]] = []
    lines = [line.rstrip() for line in text.split("\n")]
    starts = list(accumulate((len(line) + 1 for line in text.split("\n")), initial=0))
    for i, (line, below) in enumerate(pairwise(lines)):
        above = lines[i - 1] if i else ""
        overlined = above == below
        if underlines(below, line) and (overlined or not above):
            kind = (below[0], overlined)
            kinds += [] if kind in kinds else [kind]
            yield Heading(starts[i - overlined], kinds.index(kind) + 1, line.strip())


def underlines(rule: str, title: str) -> bool:
    """Whether ``rule`` is drawn under ``title``, about as long as it is."""
    drawn = UNDERLINE.fullmatch(rule) and any(map(str.isalnum, title))
    return bool(drawn) and len(title) <= len(rule) <= len(title) + SLACK


def decode(data: bytes) -> str:
    r"""Text by its byte order mark, else UTF-8, else Windows' Western encoding; normalised.

    >>> decode("naïve\r\n".encode("cp1252"))
    'naïve\n'
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return normalised(attempt(data, (encoding,)).removeprefix("\ufeff"))
    return normalised(attempt(data, ("utf-8", "cp1252")))


def attempt(data: bytes, encodings: tuple[str, ...]) -> str:
    """``data`` in the first encoding that fits; raise ExtractionError if it is not text."""
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(CONTROL.findall(text)) <= BINARY_SHARE * len(text):
            return text
    raise ExtractionError("not text: binary data, or an encoding other than UTF-8, UTF-16, cp1252")


def normalised(text: str) -> str:
    r"""``text`` with ``\n`` ending its lines, and a space for each other control character.

    >>> normalised("a\r\nb\fc\x00")
    'a\nb\nc '
    """
    return CONTROL.sub(" ", LINE_END.sub("\n", text))
