"""Questions, with what is known of their answers. ``docs/questions.md`` has the formats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from noria.types import Document

Task = Literal["qa", "classification", "summarization", "translation", "choice", "chat"]
READING: tuple[Task, ...] = ("qa", "choice", "chat")  # passages help; others are shown examples


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what is known of the right answer.

    ``answers`` are each right; for a classification the label. ``documents`` hold the answer, as
    ingestion or the collection names them; of an unanswerable question, they are what it was
    written for. ``context``: the gold text. ``choices``: the labels or options to choose from.
    ``slice``: what to report apart. ``unanswerable``: to abstain is right.
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


def read(path: Path, split: str = "test") -> Questions:
    """The questions of a file, or of a BEIR folder, whose ``split`` says what should be found.

    The content tells the format: JSON Lines, SQuAD, PubMedQA, or a table with a header. What is
    wrong is listed, with file and line, and left out. Raises DataError for a file that cannot be
    read, or in which no question is left.
    """
    from noria.evaluate import readers  # late: they make the values of this module

    return readers.read(path, split)


def scorable(question: Question) -> bool:
    """Whether a right answer can be told from a wrong one; else only what was found can be judged.

    >>> scorable(Question("1", "Who?", ("Ada",))), scorable(Question("2", "Who?"))
    (True, False)
    """
    return question.unanswerable or bool(question.answers)
