"""Reads a collection of questions with judged documents, in the layout of BEIR.

``corpus.jsonl`` holds the documents, ``queries.jsonl`` the questions, and ``qrels/<split>.tsv``
says which documents answer which question. Knows files only, neither index nor models.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from noria.errors import DataError
from noria.types import Document, Heading

Judgements = Mapping[str, Mapping[str, int]]  # question -> document -> grade; 0: irrelevant
HEADER = re.compile(r"que?ry|qid", re.I)  # how the first column of a header begins
WHOLE = re.compile(r"-?\d+")


@dataclass(frozen=True)
class Collection:
    """Documents, the questions to ask of them, and what should be found for each."""

    documents: tuple[Document, ...]
    questions: Mapping[str, str]
    judgements: Judgements

    @cached_property
    def digest(self) -> str:
        """Digest of the documents alone: splits of one corpus share an index.

        Who may read them is part of it: an index that was made for others must not be found.
        """
        digest = hashlib.sha256()
        for document in self.documents:
            titles = [heading.title for heading in document.headings]
            readers = [sorted(document.groups)] if document.groups else []
            parts = [document.id, document.media_type, document.text, titles, *readers]
            digest.update(json.dumps(parts).encode())
        return digest.hexdigest()


def read(folder: Path, split: str = "test") -> Collection:
    """The collection in ``folder``, with those of its questions that ``split`` judges.

    Raises DataError, which names file and line, for anything missing or malformed.
    """
    if not folder.is_dir():
        raise DataError(
            "no such folder; expected one with corpus.jsonl, queries.jsonl and qrels/", folder
        )
    documents = read_documents(folder / "corpus.jsonl")
    questions = read_questions(folder / "queries.jsonl")
    judgements = read_judgements(judged(folder, split), {d.id for d in documents}, set(questions))
    return Collection(documents, {id: questions[id] for id in judgements}, judgements)


def read_documents(path: Path) -> tuple[Document, ...]:
    """The documents of ``corpus.jsonl``, each title as a heading above its text."""
    found = {}
    for line, id, record in records(path):
        title = " ".join(text_of(record, "title", path, line, default="").split())
        found[id] = document(id, title, text_of(record, "text", path, line))
    if not found:
        raise DataError('no documents in it; expected lines {"_id", "title", "text"}', path)
    return tuple(found.values())


def document(id: str, title: str, text: str) -> Document:
    r"""A document as ingestion would have made it.

    >>> document("d1", "Wheels", "They turn.").text
    'Wheels\n\nThey turn.'
    """
    if not title:
        return Document(id, id, text, "text/plain")
    return Document(id, id, f"{title}\n\n{text}", "text/plain", headings=(Heading(0, 1, title),))


def read_questions(path: Path) -> dict[str, str]:
    """The questions of ``queries.jsonl`` by id."""
    return {id: text_of(record, "text", path, line) for line, id, record in records(path)}


def judged(folder: Path, split: str) -> Path:
    """The file of a split's judgements; raises DataError that names the splits there are."""
    path = folder / "qrels" / f"{split}.tsv"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in path.parent.glob("*.tsv"))) or "none"
        raise DataError(f"no such file; splits that are here: {there}", path)
    return path


def read_judgements(path: Path, documents: set[str], questions: set[str]) -> Judgements:
    """Grades by question and document. Every id must be known: a typo would look like a miss."""
    found: dict[str, dict[str, int]] = {}
    for line, text in lines(path):
        columns = text.split("\t")
        if line == 1 and HEADER.match(columns[0]) and not WHOLE.fullmatch(columns[-1].strip()):
            continue
        if len(columns) != 3 or not WHOLE.fullmatch(columns[2].strip()):
            raise DataError(
                f"expected question id, document id and a whole number with tabs between, "
                f"got {text!r}", path, line,
            )  # fmt: skip
        question, document, grade = columns[0].strip(), columns[1].strip(), int(columns[2])
        if question not in questions:
            raise DataError(f"question {question!r} is not in queries.jsonl", path, line)
        if document not in documents:
            raise DataError(f"document {document!r} is not in corpus.jsonl", path, line)
        if found.setdefault(question, {}).setdefault(document, grade) != grade:
            raise DataError(f"{question!r} and {document!r} were graded otherwise before", path,
                            line)  # fmt: skip
    if not found:
        raise DataError("no judgements in it", path)
    return found


def records(path: Path) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Line number, id and content of each JSON line; raises DataError for an id seen before."""
    seen: dict[str, int] = {}
    for line, text in lines(path):
        try:
            record = json.loads(text)
        except ValueError as error:
            raise DataError(f"not JSON: {error}", path, line) from None
        if not isinstance(record, dict) or not isinstance(record.get("_id"), str | int):
            raise DataError('expected an object with an "_id"', path, line)
        id = str(record["_id"])
        if id in seen:
            raise DataError(f'"_id" {id!r} is already that of line {seen[id]}', path, line)
        seen[id] = line
        yield line, id, record


def text_of(
    record: Mapping[str, Any], key: str, path: Path, line: int, default: str | None = None
) -> str:
    """A string of ``record``; where it is absent or null, the default, if there is one."""
    value = record.get(key)
    value = default if value is None else value
    if not isinstance(value, str):
        raise DataError(f'expected a string as "{key}", got {value!r:.60}', path, line)
    return value


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, numbered from 1."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = decoded(line, path, number).strip("\r\n")
                if text.strip():
                    yield number, text
    except FileNotFoundError:
        raise DataError("no such file; a BEIR folder has one", path) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None


def decoded(line: bytes, path: Path, number: int) -> str:
    """One line of UTF-8, without a byte order mark."""
    try:
        return line.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason}", path, number) from None
