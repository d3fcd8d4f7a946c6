"""JSON and JSON lines: every value with the path that leads to it, record by record."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from noria.corpus.formats import table
from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.plain import decode, normalised
from noria.errors import ExtractionError

DEEPEST = 100  # values within each other
LONGEST_PATH = 200  # characters: it is said with each value below it
WORDS = {True: "true", False: "false", None: ""}  # what is null is not said

Value: TypeAlias = "str | bool | Sequence[Value] | Mapping[str, Value] | None"


def extract(data: bytes) -> Extract:
    """The values of one JSON document; a file of several is read as JSON lines."""
    text = decode(data)
    try:
        return assembled(blocks(parsed(text)))
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
            return from_lines(text)
        raise ExtractionError(f"damaged: not JSON ({error}); open it to check") from error


def extract_lines(data: bytes) -> Extract:
    """One record after the other; a line that is not JSON is left out."""
    return from_lines(decode(data))


def from_lines(text: str) -> Extract:
    """JSON lines. Raises ExtractionError if none can be read."""
    records: list[Value] = []
    wrong = ""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                records.append(parsed(line))
            except ValueError as error:
                wrong = wrong or f"line {number}: {error}"
    if not records:
        raise ExtractionError(f"damaged: no line is JSON ({wrong}); open it to check")
    return assembled(blocks(records))


def parsed(text: str) -> Value:
    """The value that ``text`` says, numbers as they are written. Raises ValueError."""
    try:
        found: Value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        raise too_deep() from None
    return found


def too_deep() -> ExtractionError:
    """What to say of a document that nobody wrote by hand."""
    return ExtractionError(f"values are nested more than {DEEPEST} deep")


def blocks(value: Value, path: str = "", depth: int = 0) -> Iterator[Block]:
    """``value`` in lines; records, which are the objects in a list, take a line each.

    >>> found = blocks({"sales": {"currency": "EUR", "months": [{"m": "May", "total": "7"}]}})
    >>> [block.text for block in found]
    ['- sales: currency: EUR', '- sales.months: m: May; total: 7']
    """
    if depth > DEEPEST:
        raise too_deep()
    if isinstance(value, Mapping):
        own = [(below("", key), said(item)) for key, item in value.items() if is_plain(item)]
        yield from table.row(own, path)
        for key, item in value.items():
            if not is_plain(item):
                yield from blocks(item, below(path, key), depth + 1)
    elif isinstance(value, str | bool | None):
        yield from table.row([("", said(value))], path)
    else:
        for item in value:
            yield from table.row(flat(item), path)


def is_plain(value: Value) -> bool:
    """Whether ``value`` fits on a line: a scalar, or a list of scalars."""
    return not isinstance(value, Mapping) and (
        isinstance(value, str | bool | None) or all(map(is_scalar, value))
    )


def is_scalar(value: Value) -> bool:
    """Whether ``value`` has no parts."""
    return isinstance(value, str | bool | None)


def said(value: Value) -> str:
    """A plain value as text."""
    if isinstance(value, str):
        return normalised(value)
    if isinstance(value, bool | None):
        return WORDS[value]
    return ", ".join(filter(None, map(said, value)))


def flat(value: Value, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """All that is in a record: paths and what they lead to.

    >>> list(flat({"name": "Ada", "tags": ["a", "b"], "at": [{"city": "Paris"}]}))
    [('name', 'Ada'), ('tags', 'a, b'), ('at.city', 'Paris')]
    """
    if depth > DEEPEST:
        raise too_deep()
    if is_plain(value):
        yield path, said(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, below(path, key), depth + 1)
    elif not isinstance(value, str | bool | None):
        for item in value:
            yield from flat(item, path, depth + 1)


def below(path: str, key: str) -> str:
    """The path of a member; one without a name is the value itself."""
    key = " ".join(normalised(key).split())
    return f"{path}.{key}"[-LONGEST_PATH:] if path and key else path or key[:LONGEST_PATH]
