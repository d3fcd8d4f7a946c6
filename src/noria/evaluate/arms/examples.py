"""Worked examples for a question: never of its own fold, so that nothing leaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noria.evaluate.questions import Question
from noria.protocols import Encoder

if TYPE_CHECKING:
    from noria.protocols import Matrix

LABELLED = ("classification", "summarization", "translation")  # tasks whose examples retrieve
NEAREST = 8  # labelled examples that stand for what is retrieved
LONGEST = 600  # characters of a context that is shown in an example


@dataclass
class Examples:
    """Questions with answers, each in a fold; a question is shown those of other folds.

    ``folds`` gives the fold by question id. One that is in no fold (a question asked of a separate
    set of examples) is shown any.
    """

    questions: Sequence[Question]
    folds: Mapping[str, int]
    encoder: Encoder
    _pools: dict[tuple[str, int | None], list[Question]] = field(default_factory=dict)
    _vectors: "dict[tuple[str, int | None], Matrix]" = field(default_factory=dict)

    def embed(self, questions: Sequence[Question]) -> None:
        """Embed the questions, and the labelled ones among which their nearest are looked for."""
        self._encoded([question.text for question in questions])
        for question in questions:
            if question.task in LABELLED:
                self._vectors_of(question)

    def fixed(self, question: Question, count: int) -> tuple[Question, ...]:
        """The first ``count`` that fit, the same for all questions of a fold.

        Those with a short context come first: a long one would leave no room for passages. Their
        answers differ where there is a choice.
        """
        if count == 0:
            return ()
        pool = sorted(self._others(question), key=lambda each: len(each.context or "") > LONGEST)
        chosen: dict[str, Question] = {}
        for each in pool:
            chosen.setdefault(each.answers[0].casefold(), each)
            if len(chosen) == count:
                return tuple(chosen.values())
        ids = {each.id for each in chosen.values()}
        rest = [each for each in pool if each.id not in ids]
        return (*chosen.values(), *rest[: count - len(chosen)])

    def nearest(self, question: Question, count: int = NEAREST) -> tuple[Question, ...]:
        """The ``count`` nearest by meaning, the nearest last: a model follows what it read last."""
        import numpy as np

        pool = self._others(question)
        if not pool:
            return ()
        (vector,) = self._encoded([question.text])
        order = np.argsort(-(self._vectors_of(question) @ vector), kind="stable")[:count]
        return tuple(pool[place] for place in reversed(order))

    def _vectors_of(self, question: Question) -> "Matrix":
        """A row for each that may be shown to the question."""
        key = (question.task, self.folds.get(question.id))
        if key not in self._vectors:
            self._vectors[key] = self._encoded([each.text for each in self._others(question)])
        return self._vectors[key]

    def _others(self, question: Question) -> list[Question]:
        """Those with an answer, of the same task and of other folds."""
        task, fold = key = (question.task, self.folds.get(question.id))
        if key not in self._pools:
            self._pools[key] = [
                each
                for each in self.questions
                if each.answers
                and each.task == task
                and not each.unanswerable
                and (fold is None or self.folds.get(each.id) != fold)
            ]
        return self._pools[key]

    def _encoded(self, texts: Sequence[str]) -> "Matrix":
        return self.encoder.encode_queries(texts)
