"""What one arm answered to one question: a line of ``answers.<arm>.jsonl``.

A line holds all that the metrics read, so that every number of a report can be computed again from
the files alone.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from noria.errors import DataError
from noria.evaluate.questions import Task


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation: ``quote`` is the passage ``id``'s text from ``start`` to ``end``."""

    id: str
    document: str | None
    start: int
    end: int
    quote: str
    supports: tuple[int, int]  # the span of the supported sentence in ``draft``


@dataclass(frozen=True, slots=True)
class Record:
    """One answer, beside what is known of the right one.

    ``answers``, ``documents``, ``choices``, ``unanswerable``, ``task`` and ``slice`` are the
    question's. ``answer`` is what the user reads; ``draft`` what the model wrote before it was
    decided to abstain (equal to ``answer`` where it was not). ``retrieved`` are ids of the passages
    that the prompt showed, best first, ``retrieved_documents`` their documents. ``found``: the
    passages shown hold the answer: one is of the question's documents and, where right answers are
    given, has one of them in its text; None where nothing is known of that, or nothing was shown by
    design. ``error``: why there is no answer; such a question counts as wrong. ``seconds``: wall
    time that the question took of the run, shared among those that ran beside it.
    ``prompt_tokens`` and ``completion_tokens``: as the model counts. ``cut``: the model ran out of
    tokens before it came to an end.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    answer: str
    citations: tuple[Cited, ...] = ()
    confidence: float | None = None
    grounded: float | None = None
    abstained: bool = False
    retrieved: tuple[str, ...] = ()
    slice: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    task: Task = "qa"
    draft: str = ""
    documents: tuple[str, ...] = ()
    retrieved_documents: tuple[str, ...] = ()
    found: bool | None = None
    choices: tuple[str, ...] = ()
    unanswerable: bool = False
    cut: bool = False

    def as_json(self) -> dict[str, Any]:
        """As the line has it."""
        return asdict(self)


def from_json(line: Any) -> Record:
    """The record of a line that ``as_json`` gave; raises ValueError for anything else."""
    record: Record = built(line, Record, "the line")
    return record


def built(value: Any, kind: Any, where: str) -> Any:
    """The dataclass ``kind`` with the fields that ``value`` has by name."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no object with named fields")
    hints = hints_of(kind)
    if unknown := value.keys() - hints:
        raise ValueError(f"{where} has an unknown field {min(unknown)!r}")
    for each in fields(kind):
        needed = each.default is MISSING and each.default_factory is MISSING
        if needed and each.name not in value:
            raise ValueError(f"{where} lacks {each.name!r}")
    return kind(**{name: converted(each, hints[name], name) for name, each in value.items()})


@cache
def hints_of(kind: Any) -> Mapping[str, Any]:
    """The types of a dataclass's fields."""
    return get_type_hints(kind)


def converted(value: Any, hint: Any, name: str) -> Any:
    """``value``, as JSON has it, as ``hint`` says; raises ValueError where it is of another type.

    >>> converted([1, 2], tuple[int, ...], "places"), converted(None, float | None, "confidence")
    ((1, 2), None)
    """
    origin, inner = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return built(value, hint, name)
    if origin is UnionType and NoneType in inner:
        return None if value is None else converted(value, inner[0], name)
    if origin is tuple and isinstance(value, list | tuple):
        hints = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(hints) == len(value):
            return tuple(converted(each, h, name) for each, h in zip(value, hints, strict=True))
    elif origin is Mapping and isinstance(value, dict):
        return {key: converted(each, inner[1], name) for key, each in value.items()}
    elif origin is Literal:
        if isinstance(value, str) and value in inner:
            return value
    elif type(value) is hint or (hint is float and type(value) is int):
        return value
    raise ValueError(f"{name!r} is of another type: {shown(value)}")


def shown(value: Any) -> str:
    """The beginning of a value, as JSON has it."""
    return json.dumps(value, ensure_ascii=False)[:60]


def written(records: Iterable[Record]) -> str:
    """JSON Lines."""
    return "".join(json.dumps(r.as_json(), ensure_ascii=False) + "\n" for r in records)


def read(path: Path) -> tuple[Record, ...]:
    """The records of an ``answers.<arm>.jsonl``.

    Raises DataError, with the line, for one that is no answer.
    """
    return tuple(record for _, record in numbered(path))


def numbered(path: Path) -> Iterator[tuple[int, Record]]:
    """The records of a file, each with the number of its line, which counts from 1."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                record = from_json(json.loads(line.decode("utf-8")))
            except (ValueError, RecursionError) as error:
                raise DataError(
                    f"not an answer as noria compare writes it: {error}; run noria compare again",
                    path,
                    number,
                ) from None
            yield number, record
