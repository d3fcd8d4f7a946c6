"""Asks an index recorded questions, and scores what it finds by what should be found.

Knows one index at a time, and nothing of what is concluded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.corpus.index import PassageTable
from noria.evaluate.metrics.ranking import scores as ranked
from noria.evaluate.questions import Question
from noria.evaluate.retrieval import Asked, documents
from noria.funnel.retrieve import DEPTH, Dense, Hybrid
from noria.protocols import Encoder, Progress, Retriever
from noria.types import Candidate, Query

if TYPE_CHECKING:
    from noria.evaluate.statistics.intervals import Values

METRICS = ("ndcg@10", "recall@10", "mrr@10")
TOP = 10  # documents or passages that are looked at
ANSWER = "the answer"

Found = Mapping[str, Sequence[Candidate]]  # by the question's id


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two indexes, with the encoder that made it."""

    table: PassageTable
    encoder: Encoder


def asked(
    side: Side, questions: Sequence[Question], groups: frozenset[str], progress: Progress
) -> dict[str, Found]:
    """What each retriever finds for each question, best first."""
    encoder = Asked(side.encoder, progress)
    encoder.encode_queries([question.text for question in questions])
    retrievers: dict[str, Retriever] = {
        "dense": Dense(side.table, encoder),
        "hybrid": Hybrid(side.table, encoder),
    }
    return {
        name: {
            question.id: retriever.retrieve(
                Query(question.id, question.text, groups=groups), DEPTH
            ).candidates
            for question in questions
        }
        for name, retriever in retrievers.items()
    }


def judged(question: Question, names: set[str]) -> dict[str, int]:
    """What should be found: documents of the index, or else the answer itself.

    >>> judged(Question("q", "How long?", ("21 metres",), ()), set())
    {'the answer': 1}
    """
    if question.documents:
        return {name: 1 for name in question.documents if name in names}
    return {ANSWER: 1} if question.answers else {}


def scores(
    questions: Sequence[Question], judgements: Mapping[str, Mapping[str, int]], found: Found
) -> "dict[str, Values]":
    """Each metric of each judged question, in the order of ``judgements``."""
    rankings = {q.id: ranking(q, found[q.id]) for q in questions if q.id in judgements}
    return ranked(judgements, rankings, METRICS)


def ranking(question: Question, found: Sequence[Candidate]) -> list[str]:
    """The names that are judged, best first: documents, or passages, the first with an answer."""
    if question.documents:
        return tops(found)
    ranked = [str(place) for place in range(len(found[:TOP]))]
    for place, candidate in enumerate(found[:TOP]):
        if says(candidate.item.text, question.answers):
            ranked[place] = ANSWER
            break
    return ranked


def says(text: str, answers: Iterable[str]) -> bool:
    """Whether one of ``answers`` stands in ``text``, as whole words, whatever the case.

    >>> says("It measures 21  Metres.", ["21 metres"]), says("In 1921 metres", ["21 metres"])
    (True, False)
    """
    flat = " ".join(text.casefold().split())
    words = (" ".join(answer.casefold().split()) for answer in answers)
    # not \b: a script without spaces has no such bounds
    return any(re.search(rf"(?<![a-z0-9]){re.escape(each)}(?![a-z0-9])", flat) for each in words)


def tops(found: Sequence[Candidate]) -> list[str]:
    """The ten best documents, each at its best passage."""
    return list(dict.fromkeys(documents(found)))[:TOP]


def shared(one: Sequence[str], other: Sequence[str]) -> float:
    """The share of the longer list that is in both.

    >>> shared(["a", "b"], ["b", "c"]), shared([], [])
    (0.5, 1.0)
    """
    longer = max(len(one), len(other))
    return len({*one} & {*other}) / longer if longer else 1.0
