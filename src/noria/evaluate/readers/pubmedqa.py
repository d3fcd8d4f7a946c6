"""PubMedQA: questions that are titles of abstracts, to be answered with yes, no or maybe.

The abstract without its conclusion becomes a passage, named by its PubMed id. Left out are the
question, with which it would be found at once, and the conclusion, which is the answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

from noria.errors import DataError
from noria.evaluate import beir
from noria.evaluate.questions import Questions
from noria.evaluate.readers.entries import Entry, Place, gathered, shown, texts

DECISIONS = ["yes", "no", "maybe"]
EXPECTED = '{"<id>": {"QUESTION", "CONTEXTS", "final_decision"}}'


def fits(document: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a JSON document has the form of PubMedQA."""
    return isinstance(document, dict) and any(
        isinstance(record, dict) and "QUESTION" in record for record in document.values()
    )


def read(document: Mapping[str, object], path: Path) -> Questions:
    """The questions of a PubMedQA document, and their abstracts."""
    found = gathered(path, entries(document, path), EXPECTED)
    abstracts = (beir.document(q.id, "", q.context or "") for q in found.asked)
    return replace(found, passages=tuple(abstracts))


def entries(document: Mapping[str, object], path: Path) -> Iterator[Entry | DataError]:
    """The questions, as lines of JSON would hold them."""
    for id, record in document.items():
        place = Place(path, f"{id!r:.60}")
        try:
            yield place, entry(id, record, place)
        except DataError as error:
            yield error


def entry(id: str, record: object, place: Place) -> dict[str, object]:
    """One question; raises DataError where there is no abstract."""
    if not isinstance(record, dict):
        raise place.wrong(f"expected an object, got {shown(record)}")
    abstract = "\n\n".join(texts(record, "CONTEXTS", place))
    if not abstract:
        raise place.wrong('expected a list of texts as "CONTEXTS", got none')
    decision = record.get("final_decision")
    if decision not in DECISIONS:
        raise place.wrong(f'expected yes, no or maybe as "final_decision", got {shown(decision)}')
    return {
        "id": id,
        "question": record.get("QUESTION"),
        "task": "choice",
        "choices": DECISIONS,
        "answers": [decision],
        "documents": [id],
        "context": abstract,
        "slice": {"answer": decision, "year": record.get("YEAR")},
    }
