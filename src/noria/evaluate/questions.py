"""Reads questions with what is known of their answers: JSON Lines, an object a line.

``{"id", "question", "answers"?: [..], "documents"?: [..]}``; other keys are left alone.
``documents`` are ids as the index has them. Knows files only.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from noria.errors import DataError
from noria.types import Document

Task = Literal["qa", "classification", "summarization", "translation", "choice", "chat"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what is known of the right answer.

    ``answers`` are each right; for a classification the label. ``documents`` hold the answer, as
    ingestion or the collection names them. ``context``: the gold text. ``choices``: the labels or
    options to choose from. ``slice``: what to report apart. ``unanswerable``: to abstain is right.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    task: Task = "qa"
    context: str | None = None
    choices: tuple[str, ...] = ()
    slice: Mapping[str, str] = field(default_factory=dict)
    unanswerable: bool = False


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of a file, and what is wrong with the lines that hold none.

    ``passages``: the texts that come with the questions (the paragraphs of SQuAD, the abstracts of
    PubMedQA), as documents from which a corpus can be built; a question's ``documents`` name them.
    """

    asked: tuple[Question, ...]
    problems: tuple[str, ...] = ()
    passages: tuple[Document, ...] = ()


def read(path: Path) -> Questions:
    """The questions of ``path``; a bad line is listed, with file and line, and left out.

    Raises DataError for a file that cannot be read, or in which no line is a question.
    """
    found: dict[str, Question] = {}
    problems = []
    for number, line in lines(path):
        try:
            question = parse(line, path, number)
            if question.id in found:
                raise DataError(f'"id" {question.id!r} was there before', path, number)
        except DataError as error:
            problems.append(str(error))
        else:
            found[question.id] = question
    if not found:
        first = f"; the first: {problems[0]}" if problems else ""
        raise DataError(f'no questions in it; expected lines {{"id", "question"}}{first}', path)
    return Questions(tuple(found.values()), tuple(problems))


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not blank, numbered from 1."""
    if path.exists() and not path.is_file():  # a pipe would wait for ever
        raise DataError("not a regular file; expected questions in JSON Lines", path)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None


def parse(line: bytes, path: Path, number: int) -> Question:
    """One line; raises DataError for anything else than a question."""
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise DataError(f"not JSON: {error}", path, number) from None
    if not isinstance(record, dict) or not isinstance(record.get("id"), str | int):
        raise DataError('expected an object with an "id"', path, number)
    text = record.get("question")
    if not isinstance(text, str) or not text.strip():
        raise DataError(f'expected some words as "question", got {text!r:.60}', path, number)
    texts: dict[str, tuple[str, ...]] = {}
    for key in ("answers", "documents"):
        value = record.get(key) or []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise DataError(f'expected a list of strings as "{key}", got {value!r:.60}', path,
                            number)  # fmt: skip
        texts[key] = tuple(each for each in value if each.strip())
    return Question(str(record["id"]), text, texts["answers"], texts["documents"])
