"""What one arm answered to one question: a line of ``answers.<arm>.jsonl``.

A line holds all that the metrics read, so that every number of a report can be computed again from
the files alone.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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


def from_json(line: Mapping[str, Any]) -> Record:
    """The record of a line that ``as_json`` gave."""
    lists = ("answers", "retrieved", "documents", "retrieved_documents", "choices")
    cited = tuple(
        Cited(**{**c, "supports": tuple(c["supports"])}) for c in line.get("citations", ())
    )
    return Record(**{**line, **{k: tuple(line.get(k, ())) for k in lists}, "citations": cited})


def written(records: Iterable[Record]) -> str:
    """JSON Lines."""
    return "".join(json.dumps(r.as_json(), ensure_ascii=False) + "\n" for r in records)


def read(path: Path) -> tuple[Record, ...]:
    """The records of an ``answers.<arm>.jsonl``."""
    with path.open(encoding="utf-8") as file:
        return tuple(from_json(json.loads(line)) for line in file if line.strip())
