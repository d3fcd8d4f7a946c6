"""Reads a folder of general questions and texts, with which forgetting is measured.

A file holds questions with choices, or texts; what its first line is decides. Knows files only,
neither models nor what is concluded. ``docs/forgetting.md`` describes the formats.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from noria.errors import DataError
from noria.types import Chat

PIECE = 1000  # characters of a text that are read together: some 220 tokens of English
LEAST = 200  # characters of a piece: of a shorter one, too much is its beginning

LETTERED = re.compile(r"\s*\n+Choices:\s*\n")
OPTION = re.compile(r"^([A-Z])\. ?(.*)$", re.M)
NUMBERED = re.compile(r"(?:^|\s)([a-e]) \) (?:\1 \) )?")  # some lines say each letter twice
GAP = re.compile(r"(?<=\w) (?=\w)")  # no tokenizer joins the words around it

WANTED = (
    'expected {"question", "choices", "answer"}, {"text"}, or a question with lettered choices in '
    'its "context" and a letter as "answer"'
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with choices, of which the one at place ``right`` is right."""

    id: str
    question: str
    choices: tuple[str, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a running text: ``text`` goes on where ``before``, its first word, ends.

    ``document``: what it is a part of; pieces of one document are no independent evidence.
    """

    id: str
    document: str
    before: str
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What answers a chat; each chat is a document of its own."""

    id: str
    document: str
    before: Chat
    text: str


Text = Piece | Reply


@dataclass(frozen=True, slots=True)
class Suite:
    """Sets of questions and texts by the names of their files, and what was left out, and why."""

    sets: Mapping[str, tuple[Choice, ...]]
    texts: Mapping[str, tuple[Text, ...]]
    problems: tuple[str, ...] = ()


def read(folder: Path) -> Suite:
    """What the ``.jsonl`` and ``.txt`` files of ``folder`` hold; a bad line is listed.

    Raises DataError where there is no such folder, or nothing in it can be read.
    """
    if not folder.is_dir():
        raise DataError("no such folder; expected one with .jsonl or .txt files", folder)
    sets: dict[str, tuple[Choice, ...]] = {}
    texts: dict[str, tuple[Text, ...]] = {}
    problems: list[str] = []
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".jsonl", ".txt")):
        if path.stem in sets or path.stem in texts:
            problems.append(f"{path}: another file has the name {path.stem!r} already; rename one")
            continue
        try:
            found = read_file(path, problems)
        except DataError as error:
            problems.append(str(error))
            continue
        if found and isinstance(found[0], Choice):
            sets[path.stem] = tuple(each for each in found if isinstance(each, Choice))
        else:
            texts[path.stem] = tuple(each for each in found if isinstance(each, Piece))
    if not sets and not texts:
        first = f"; the first: {problems[0]}" if problems else ""
        raise DataError(f"no questions or texts in it; {WANTED}{first}", folder)
    return Suite(sets, texts, tuple(problems))


def read_file(path: Path, problems: list[str]) -> Sequence[Choice | Piece]:
    """The questions or the pieces of text in one file; what is wrong is added to ``problems``.

    Raises DataError for a file of which nothing can be used.
    """
    if path.suffix == ".txt":
        return in_turn([pieces(text) for _, text in lines(path)], path)
    parse: Callable[[Mapping[str, Any]], Choice | str] | None = None
    found: dict[str, Choice] = {}
    texts: list[list[Piece]] = []
    for number, line in lines(path):
        try:
            record = object_of(line)
            parse = parse or shape(record, path)
            made = parse(record)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
            continue
        if isinstance(made, str):
            texts.append(pieces(made))
        elif made.id in found:
            problems.append(f"{path}:{number}: this question was there before")
        else:
            found[made.id] = made
    return tuple(found.values()) or in_turn(texts, path)


def shape(record: Mapping[str, Any], path: Path) -> Callable[[Mapping[str, Any]], Choice | str]:
    """How the lines of a file are read whose first one is ``record``; raises DataError."""
    if isinstance(record.get("question"), str) and "choices" in record:
        return plain
    if isinstance(record.get("context"), str) and LETTERED.search(record["context"]):
        return lettered
    if isinstance(record.get("query"), str) and "gold" in record:
        return numbered
    if isinstance(record.get("text"), str):
        return running
    keys = ", ".join(map(repr, record)) or "nothing"
    raise DataError(f"left out: its lines have {keys}; {WANTED}", path)


def plain(record: Mapping[str, Any]) -> Choice:
    """A question with its choices; ``answer`` is the right one's place, from 0, or its text.

    >>> plain({"question": "Which is wet?", "choices": ["fire", "rain"], "answer": "rain"}).right
    1
    """
    choices, answer = record.get("choices"), record.get("answer")
    if not isinstance(choices, list) or not all(isinstance(each, str) for each in choices):
        raise ValueError(f'expected a list of strings as "choices", got {choices!r:.60}')
    if isinstance(answer, str):
        if answer not in choices:
            raise ValueError(f'"answer" {answer!r:.60} is none of the choices')
        answer = choices.index(answer)
    return choice(record.get("question"), choices, answer)


def lettered(record: Mapping[str, Any]) -> Choice:
    r"""A question whose text ends with its choices, and whose answer is a letter.

    What follows the choices is left out: a cue, or the letters once more.

    >>> context = "Question: Is rain wet?\nChoices:\nA. no\nB. yes\nAnswer:\nChoices:\nA. A\nB. B"
    >>> lettered({"context": context, "answer": "B"}).choices
    ('no', 'yes')
    """
    question, _, rest = LETTERED.sub("\0", str(record.get("context")), count=1).partition("\0")
    options = OPTION.findall(rest.partition("\nAnswer:")[0])
    letters = [letter for letter, _ in options]
    if record.get("answer") not in letters:
        raise ValueError(f'"answer" {record.get("answer")!r:.60} is none of {letters}')
    right = letters.index(str(record["answer"]))
    return choice(question, [text for _, text in options], right)


def numbered(record: Mapping[str, Any]) -> Choice:
    r"""A question whose choices stand in one line as ``a ) … b ) …``; ``gold`` is the right one.

    >>> query = "Question: 2 + 3 ?\nChoices: a ) 4 \n b ) 5 \n c ) 6\nAnswer:"
    >>> numbered({"query": query, "gold": 1}).choices
    ('4', '5', '6')
    """
    question, _, rest = str(record.get("query")).partition("\nChoices:")
    parts = NUMBERED.split(rest.rpartition("\nAnswer:")[0] or rest)
    if not parts[1::2] or parts[1::2] != list("abcde")[: len(parts) // 2]:
        raise ValueError(f"expected choices a ) to e ), got {rest!r:.60}")
    return choice(question, parts[2::2], record.get("gold"))


def running(record: Mapping[str, Any]) -> str:
    """The text of a line."""
    text = record.get("text")
    if not isinstance(text, str):
        raise ValueError(f'expected a string as "text", got {text!r:.60}')
    return text


def choice(question: Any, choices: Sequence[str], right: Any) -> Choice:
    """A question that was checked. Its id is a digest of it: the order of lines does not matter."""
    if not isinstance(question, str) or not question.strip():
        raise ValueError(f"expected some words as the question, got {question!r:.60}")
    texts = tuple(each.strip() for each in choices)
    if len(texts) < 2 or not all(texts) or len(set(texts)) < len(texts):
        raise ValueError(f"expected two or more different choices, none empty, got {texts!r:.80}")
    if type(right) is not int or not 0 <= right < len(texts):
        raise ValueError(f"the right choice is {right!r:.20}, expected 0 to {len(texts) - 1}")
    text = question.strip().removeprefix("Question:").strip()
    return Choice(digest(text, *texts), text, texts, right)


def pieces(text: str) -> list[Piece]:
    """The parts of a text, cut between words once ``PIECE`` characters are reached.

    A text in which no two words stand with a space between them has none.
    """
    text = text.strip()
    document = digest(text)
    starts = [0]
    for gap in GAP.finditer(text):
        if gap.start() - starts[-1] >= PIECE:
            starts.append(gap.end())
    found = []
    for start, end in zip(starts, [*starts[1:], len(text) + 1], strict=True):
        part = text[start : end - 1]
        first = GAP.search(part)
        if first and len(part) >= LEAST:
            words = part[: first.start()], part[first.start() :]
            found.append(Piece(digest(document, part), document, *words))
    return found


def in_turn(texts: Sequence[Sequence[Piece]], path: Path) -> tuple[Piece, ...]:
    """The first piece of each text, then the second of each: the first ones tell most."""
    found = {each.id: each for each in chain(*zip_longest(*texts)) if each is not None}
    if not found:
        raise DataError(
            f"nothing that can be used; {WANTED}; texts need {LEAST} characters, and spaces "
            "between words",
            path,
        )
    return tuple(found.values())


def digest(*texts: str) -> str:
    """A short name for some texts."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:12]


def object_of(line: str) -> Mapping[str, Any]:
    """The JSON object of a line; raises ValueError."""
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError("not JSON: nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected an object, got {line!r:.60}")
    return record


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, numbered from 1; raises DataError."""
    if not path.is_file():  # a pipe would wait for ever
        raise DataError("not a regular file", path)
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason}", path) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
