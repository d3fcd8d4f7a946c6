"""Files as lines or as one JSON document, within a bound of size. Knows no questions."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path

from noria.errors import DataError

LARGEST = 1_000_000_000  # bytes; a document of JSON takes some times as much memory


def opened(path: Path) -> Path:
    """``path``, if it is a file that may be read whole; raises DataError if not."""
    if path.exists() and not path.is_file():  # a pipe would wait for ever
        raise DataError("not a regular file; expected questions", path)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    if size > LARGEST:
        raise DataError(
            f"{size:,} bytes; expected at most {LARGEST:,}: take a part of the questions", path
        )
    return path


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not blank, numbered from 1, without a byte order mark."""
    try:
        with opened(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                clean = line.removeprefix(codecs.BOM_UTF8)
                if clean.strip():
                    yield number, clean
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None


def first_line(path: Path) -> bytes:
    """The first line that is not blank, without space around it; empty if there is none."""
    return next((line.strip() for _, line in lines(path)), b"")


def whole(path: Path) -> object:
    """The one JSON document of a file; raises DataError, with the line, if it is none."""
    try:
        data = opened(path).read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    try:
        return parsed(data)
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", path, error.lineno) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"not UTF-8: {error.reason}", path, line) from None
    except ValueError as error:
        raise DataError(f"not JSON: {error}", path) from None


def parsed(data: bytes) -> object:
    """The value of some JSON in UTF-8; raises ValueError for anything else.

    NaN and infinities are no JSON. A key that stands twice would hide what it stood for first.
    """
    try:
        return json.loads(
            data.decode("utf-8"), parse_constant=no_number, object_pairs_hook=each_once
        )
    except RecursionError:
        raise ValueError("too deeply nested") from None


def no_number(name: str) -> object:
    """Refuses what Python would take for a number."""
    raise ValueError(f"{name} is no number of JSON")


def each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object, none of whose keys stands twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r:.60} stands twice in one object")
    return found
