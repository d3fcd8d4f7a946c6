"""Plain text: bytes of an unknown encoding -> clean text and its underlined headings."""

import codecs
import re
from collections.abc import Iterator
from itertools import pairwise

from noria.corpus.formats.extract import Extract
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
# Python's own notations, some of them quadratic in the length of a line.
NO_CHARSETS = {"punycode", "idna", "unicode-escape", "raw-unicode-escape", "utf-7", "undefined"}
GUESSED = 20_000  # bytes from which an old encoding is guessed
NOT_LATIN = re.compile(r"[\u0400-\u052f\u1100-\u11ff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
BINARY_SHARE = 0.01  # control characters: prose has none, compressed data a tenth
# At least three: '--' begins a signature.
UNDERLINE = re.compile(r"([=\-*~^\"#+`'.:_])\1{2,}")
SLACK = 3  # characters by which a rule may be too long: else it parts what is above and below
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")  # and halves of letters
LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def extract(data: bytes) -> Extract:
    """The text as it stands, with its underlined headings."""
    text = decode(data)
    return Extract(text, tuple(headings(text)))


def extract_certain(data: bytes) -> Extract:
    """As ``extract``, where no suffix says that it is text: only what is plainly so."""
    marked = any(data.startswith(mark) for mark, _ in BYTE_ORDER_MARKS)
    try:
        text = decode(data) if marked else data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if CONTROL.search(text):
        raise ExtractionError("no suffix tells its type, and it is not plainly text; rename it")
    return extract(data)


def headings(text: str, slack: int = SLACK) -> Iterator[Heading]:
    r"""Lines that are underlined from end to end, in the manner of reStructuredText.

    The level is the order in which the kinds of lines first appear. ``slack``: characters by
    which a line may be too long.

    >>> list(headings("Guide\n=====\n\nPump\n----\nTurn it on."))
    [Heading(start=0, level=1, title='Guide'), Heading(start=13, level=2, title='Pump')]
    """
    kinds: list[tuple[str, bool]] = []
    above, at = "", 0
    for (start, line), (_, below) in pairwise(lines(text)):
        overlined = above == below
        if underlines(below, line, slack) and (overlined or not above):
            kind = (below[0], overlined)
            kinds += [] if kind in kinds else [kind]
            yield Heading(at if overlined else start, kinds.index(kind) + 1, line.strip())
        above, at = line, start


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its offset, without blanks at its end; one at a time, for long texts."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield start, text[start:end].rstrip()
        start = end + 1
    yield start, text[start:].rstrip()


def underlines(rule: str, title: str, slack: int = SLACK) -> bool:
    """Whether ``rule`` is drawn under ``title``, about as long as it is."""
    drawn = UNDERLINE.fullmatch(rule) and any(map(str.isalnum, title))
    return bool(drawn) and len(title) <= len(rule) <= len(title) + slack


def charset(name: str) -> str:
    """Python's name of a declared encoding. Raises LookupError for what no text is written in.

    >>> charset("Latin1")
    'iso8859-1'
    """
    known = codecs.lookup(name).name
    if known in NO_CHARSETS:
        raise LookupError(f"{name}: not an encoding of texts")
    return known


def decode(data: bytes) -> str:
    r"""Text by its byte order mark, else UTF-8, else an older encoding; normalised.

    Which one is guessed only where the letters are plainly not Latin; else it is Windows' Western.

    >>> decode("naïve\r\n".encode("cp1252"))
    'naïve\n'
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return normalised(attempt(data, (encoding,)).removeprefix("\ufeff"))
    try:
        return normalised(attempt(data, ("utf-8",)))
    except ExtractionError:
        return normalised(attempt(data, (*older(data), "cp1252")))


def older(data: bytes) -> list[str]:
    """The encoding that bytes of another script are in, if there is little doubt.

    Cyrillic and East Asian bytes are also Western letters, though nobody writes such words: taken
    for those, they would be nonsense in the index that nobody is told of.
    """
    from charset_normalizer import from_bytes

    lines = data[:GUESSED].rpartition(b"\n") if len(data) > GUESSED else (data, b"", b"")
    best = from_bytes(lines[0] or lines[2]).best()
    if best is None:
        return []
    letters = [letter for letter in str(best) if letter > "\x7f" and letter.isalpha()]
    foreign = sum(bool(NOT_LATIN.match(letter)) for letter in letters)
    return [best.encoding] if foreign >= max(5, 0.9 * len(letters)) else []


def attempt(data: bytes, encodings: tuple[str, ...]) -> str:
    """``data`` in the first encoding that fits; raise ExtractionError if it is not text."""
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(CONTROL.findall(text)) <= BINARY_SHARE * len(text):
            return text
    raise ExtractionError("not text: binary data, or an encoding that is not known")


def normalised(text: str) -> str:
    r"""``text`` with ``\n`` ending its lines, and a space for each other control character.

    >>> normalised("a\r\nb\fc\x00")
    'a\nb\nc '
    """
    return CONTROL.sub(" ", LINE_END.sub("\n", text))
