"""Hands out the gold passage as if it had been retrieved: what a perfect retriever would do."""

from collections.abc import Mapping

from noria.evaluate.questions import Question
from noria.protocols import Encoder, Retriever
from noria.types import Candidate, Item, Query, Retrieval

DEEP = 1000  # candidates among which passages of the gold documents are looked for
VERSION = "gold"


class GoldRetriever:
    """The question's own context; without one, the best passages of its documents.

    Nothing for a question that has neither: there is no gold to read.
    """

    def __init__(
        self, questions: Mapping[str, Question], retriever: Retriever, encoder: Encoder
    ) -> None:
        self._questions, self._retriever, self._encoder = questions, retriever, encoder

    def retrieve(self, query: Query, k: int) -> Retrieval:
        """At most ``k`` gold passages for the question that has the query's id."""
        question = self._questions[query.id]
        if question.context is not None:
            return Retrieval((self._given(question, question.context),), VERSION)
        if not question.documents:
            return Retrieval((), VERSION)
        found = self._retriever.retrieve(query, DEEP)
        gold = [c for c in found.candidates if c.item.document in question.documents]
        return Retrieval(tuple(gold[:k]), found.version, found.timings)

    def _given(self, question: Question, context: str) -> Candidate:
        document = question.documents[0] if question.documents else question.id
        item = Item(f"{document}#gold", context, document, end=len(context))
        (asked,) = self._encoder.encode_queries([question.text])
        (there,) = self._encoder.encode_passages([context])
        cosine = float(asked @ there)
        return Candidate(item, cosine, {"dense": cosine})
