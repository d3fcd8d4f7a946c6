"""Makes questions of entries, whatever file they are from, and lists what is wrong with the others.

An entry is an object as a line of JSON Lines holds it; every reader makes such ones.
"""

import math
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from noria.errors import DataError
from noria.evaluate.questions import Question, Questions, Task
from noria.types import Document

TEXT = 1_000_000  # characters of a question, a context, an answer: more than any context window
NAME = 500  # characters of an id, or of a slice's name or value
DOCUMENT = 5_000  # characters of a document's id: paths are up to 4,096 long
LISTED = 10_000  # answers, choices or documents of one question
SLICES = 50  # of one question
LABELS = 1_000  # of one file; each answer that is written down repeats them
PROBLEMS = 1_000  # that are listed; the rest is counted
LABELLED = frozenset({"classification", "choice"})
REFERRED = frozenset({"summarization", "translation"})
SINGULAR = {"answers": "answer", "documents": "document"}
# U+0000 ends a text for a library in C; half a surrogate pair cannot be written in UTF-8
UNWRITABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands: on a line, or inside of a JSON document, as ``data[3].qas[0]``."""

    path: Path
    at: int | str

    def wrong(self, reason: str) -> DataError:
        """What is wrong there."""
        if isinstance(self.at, int):
            return DataError(reason, self.path, self.at)
        return DataError(f"{self.at}: {reason}", self.path)


Entry = tuple[Place, object]


def gathered(
    path: Path,
    entries: Iterable[Entry | DataError],
    expected: str,
    passages: Sequence[Document] = (),
) -> Questions:
    """The questions among ``entries``, in their order; what is none is listed.

    Raises DataError, which says what was ``expected``, if none is left.
    """
    found: dict[str, Question] = {}
    problems: list[str] = []
    wrong = 0
    for entry in entries:
        try:
            if isinstance(entry, DataError):
                raise entry
            place, record = entry
            question = question_of(record, place)
            if question.id in found:
                raise place.wrong(f'"id" {question.id!r} was there before')
        except DataError as error:
            wrong += 1
            if wrong <= PROBLEMS:
                problems.append(str(error))
        else:
            found[question.id] = question
    if not found:
        first = f"; the first: {problems[0]}" if problems else ""
        raise DataError(f"no questions in it; expected {expected}{first}", path)
    if wrong > PROBLEMS:
        problems.append(f"{path}: {wrong - PROBLEMS:,} more problems are not listed")
    return Questions(labelled(found.values(), path), tuple(problems), tuple(passages))


def labelled(questions: Iterable[Question], path: Path) -> tuple[Question, ...]:
    """Classifications that do not say what to choose from may choose from the labels of all."""
    asked = tuple(questions)
    bare = [q for q in asked if q.task == "classification" and not q.choices]
    labels = tuple(sorted({label for question in bare for label in question.answers}))
    if len(labels) > LABELS:
        raise DataError(
            f"{len(labels):,} different labels; expected at most {LABELS:,}. If they are answers "
            'in words of their own, the task is "qa", and the column of a table "answer"', path,
        )  # fmt: skip
    return tuple(
        replace(q, choices=labels) if q.task == "classification" and not q.choices else q
        for q in asked
    )


def question_of(record: object, place: Place) -> Question:
    """The question of an entry; raises DataError for anything that is none."""
    if not isinstance(record, dict):
        raise place.wrong(f'expected an object with an "id", got {shown(record)}')
    choices = texts(record, "choices", place)
    question = Question(
        id=id_of(record, place),
        text=text_of(record, "question", place),
        answers=tuple(dict.fromkeys(texts(record, "answers", place))),
        documents=tuple(dict.fromkeys(texts(record, "documents", place, DOCUMENT))),
        task=task_of(record, place, "choice" if choices else "qa"),
        context=None if record.get("context") is None else text_of(record, "context", place),
        choices=choices,
        slice=slices(record, place),
        unanswerable=truth(record, "unanswerable", place),
    )
    if reason := senseless(question):
        raise place.wrong(reason)
    return question


def senseless(question: Question) -> str:
    """Why a question cannot be meant so; empty if it can.

    >>> senseless(Question("q", "Who?", ("Ada",), unanswerable=True))
    'unanswerable, yet it has answers'
    """
    answers, choices = question.answers, question.choices
    if question.unanswerable and answers:
        return "unanswerable, yet it has answers"
    if question.unanswerable and question.task in REFERRED:
        return f"a {question.task} cannot be unanswerable"
    if question.task in LABELLED | REFERRED and not (answers or question.unanswerable):
        return f'a {question.task} without a right answer in "answers"'
    if question.task == "choice" and not choices:
        return 'a choice without "choices"'
    if len(choices) == 1 or len({*choices}) < len(choices):
        return f'expected two or more different "choices", got {shown(list(choices))}'
    if choices and question.task in LABELLED and not {*answers} <= {*choices}:
        strange = next(answer for answer in answers if answer not in choices)
        return f"the answer {shown(strange)} is not among the choices"
    return ""


def id_of(record: Mapping[str, object], place: Place) -> str:
    """The id: a string, or a whole number."""
    id = record.get("id")
    if isinstance(id, int) and not isinstance(id, bool):
        id = str(id)
    if not isinstance(id, str) or not id.strip():
        keys = ", ".join(f"{key!r:.40}" for key in list(record)[:10])
        got = f"{shown(id)}" if "id" in record else f"the keys {keys}" if keys else "nothing"
        raise place.wrong(f'expected an object with an "id", got {got}')
    return written(id, "id", place, NAME)


def text_of(record: Mapping[str, object], key: str, place: Place) -> str:
    """Some words."""
    text = record.get(key)
    if not isinstance(text, str) or not text.strip():
        raise place.wrong(f'expected some words as "{key}", got {shown(text)}')
    return written(text, key, place)


def texts(
    record: Mapping[str, object], key: str, place: Place, longest: int = TEXT
) -> tuple[str, ...]:
    """A list of strings without the blank ones; one may also stand alone below the singular."""
    value, single = record.get(key), SINGULAR.get(key)
    if single and isinstance(one := record.get(single), str):
        if value is not None:
            raise place.wrong(f'expected either "{key}" or "{single}", got both')
        value = [one]
    value = [] if value is None else value
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise place.wrong(f'expected a list of strings as "{key}", got {shown(value)}')
    if len(value) > LISTED:
        raise place.wrong(f'{len(value):,} "{key}"; expected at most {LISTED:,}')
    return tuple(written(each, key, place, longest) for each in value if each.strip())


def task_of(record: Mapping[str, object], place: Place, usual: Task) -> Task:
    """The task, which is ``usual`` where none is named."""
    task = record.get("task")
    if task is None:
        return usual
    if task not in get_args(Task):
        tasks = ", ".join(get_args(Task))
        raise place.wrong(f'unknown "task" {shown(task)}; expected one of {tasks}')
    return cast(Task, task)


def slices(record: Mapping[str, object], place: Place) -> dict[str, str]:
    """What to report apart: values by name, as text; an absent one is in no slice."""
    value = record.get("slice")
    value = {} if value is None else value
    if not isinstance(value, dict) or len(value) > SLICES:
        raise place.wrong(
            f'expected an object of up to {SLICES} names and values as "slice", got {shown(value)}'
        )
    found = {}
    for name, each in value.items():
        if each is None or each == "":
            continue
        if not isinstance(each, str | int | float) or each in (math.inf, -math.inf):
            raise place.wrong(f'"slice" {shown(name)}: expected a text or a number, '
                              f"got {shown(each)}")  # fmt: skip
        text = str(each).lower() if isinstance(each, bool) else str(each)
        found[written(name, "slice", place, NAME)] = written(text, "slice", place, NAME)
    return found


def truth(record: Mapping[str, object], key: str, place: Place) -> bool:
    """Yes or no; no, where nothing is said."""
    value = record.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise place.wrong(f'expected true or false as "{key}", got {shown(value)}')
    return value


def written(text: str, key: str, place: Place, longest: int = TEXT) -> str:
    """``text``, if it is short enough and can be written into a file later."""
    if len(text) > longest:
        raise place.wrong(f'{len(text):,} characters of "{key}"; expected at most {longest:,}')
    if bad := UNWRITABLE.search(text):
        raise place.wrong(f'"{key}" holds U+{ord(bad[0]):04X}, which is no character of a text')
    return text


def shown(value: object) -> str:
    """The beginning of a value, however large or deep it is."""
    return SHORT.repr(value)


SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 60
