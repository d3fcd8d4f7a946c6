"""SQuAD 1.1 and 2.0: articles with paragraphs, each with questions that it answers, or does not.

Each paragraph becomes a passage: ``Title/3`` is ``paragraphs[3]`` of the article.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeGuard

from noria.errors import DataError
from noria.evaluate import beir
from noria.evaluate.questions import Questions
from noria.evaluate.readers.entries import NAME, Entry, Place, gathered, shown, text_of, written

EXPECTED = 'data[..].paragraphs[..].qas[..] with "id", "question" and "answers"'


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph with questions; ``article`` is its title as the file has it."""

    place: Place
    id: str
    article: str
    context: str
    questions: list[object]


def fits(document: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a JSON document has the form of SQuAD."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("data"), list)
        and "question" not in document
    )


def read(document: Mapping[str, object], path: Path) -> Questions:
    """The questions of a SQuAD document, and its paragraphs."""
    found = list(paragraphs(document, path))
    passages = [
        # underscores: the file's titles are the ends of addresses
        beir.document(p.id, p.article.replace("_", " "), p.context)
        for p in found
        if isinstance(p, Paragraph)
    ]
    asked = (
        entry for p in found for entry in ([p] if isinstance(p, DataError) else entries(p))
    )  # fmt: skip
    return gathered(path, asked, EXPECTED, passages)


def paragraphs(document: Mapping[str, object], path: Path) -> Iterator[Paragraph | DataError]:
    """The paragraphs of all articles, and what is wrong with those that are none."""
    names: set[str] = set()
    articles = document["data"]
    assert isinstance(articles, list)
    for at, article in enumerate(articles):
        place = Place(path, f"data[{at}]")
        try:
            title, within = opened(article, place)
        except DataError as error:
            yield error
            continue
        name = unused(title or f"article {at}", names)
        names.add(name)
        for number, paragraph in enumerate(within):
            inside = Place(path, f"data[{at}].paragraphs[{number}]")
            try:
                yield paragraph_of(paragraph, inside, f"{name}/{number}", title)
            except DataError as error:
                yield error


def opened(article: object, place: Place) -> tuple[str, list[object]]:
    """The title, which may be missing, and the paragraphs of an article."""
    if not isinstance(article, dict) or not isinstance(article.get("paragraphs"), list):
        raise place.wrong(f'expected an object with a list "paragraphs", got {shown(article)}')
    title = article.get("title")
    title = "" if title is None else title
    if not isinstance(title, str):
        raise place.wrong(f'expected a string as "title", got {shown(title)}')
    # the id of a passage is longer, and has to be a name still
    return " ".join(written(title, "title", place, NAME - 50).split()), article["paragraphs"]


def unused(name: str, names: set[str]) -> str:
    """``name``, with a number if another article has it.

    >>> unused("Oil", {"Oil", "Oil (2)"})
    'Oil (3)'
    """
    candidates = (name if n == 1 else f"{name} ({n})" for n in count(1))
    return next(candidate for candidate in candidates if candidate not in names)


def paragraph_of(paragraph: object, place: Place, id: str, article: str) -> Paragraph:
    """One paragraph; without its text, its questions are left out."""
    if not isinstance(paragraph, dict) or not isinstance(paragraph.get("qas"), list):
        raise place.wrong(f'expected an object with a list "qas", got {shown(paragraph)}')
    context = text_of(paragraph, "context", place)
    return Paragraph(place, id, article, context, paragraph["qas"])


def entries(paragraph: Paragraph) -> Iterator[Entry | DataError]:
    """The questions of a paragraph, as lines of JSON would hold them."""
    for number, qa in enumerate(paragraph.questions):
        place = Place(paragraph.place.path, f"{paragraph.place.at}.qas[{number}]")
        if not isinstance(qa, dict):
            yield place.wrong(f"expected an object, got {shown(qa)}")
            continue
        answers = qa.get("answers")
        yield (
            place,
            {
                "id": qa.get("id"),
                "question": qa.get("question"),
                "answers": bare(answers) if isinstance(answers, list) else answers,
                "documents": [paragraph.id],
                "context": paragraph.context,
                "slice": {"article": paragraph.article},
                "unanswerable": qa.get("is_impossible"),
            },
        )


def bare(answers: list[object]) -> list[object]:
    """The texts of answers; what is none stays, so that it is told."""
    return [a["text"] if isinstance(a, dict) and "text" in a else a for a in answers]
