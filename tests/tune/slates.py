"""A small town's documents, whoever asks about them, and what finds them."""

from collections.abc import Sequence
from dataclasses import dataclass

from noria.evaluate.questions import Question
from noria.tune.examples import Example
from noria.types import Candidate, Item, Query, Retrieval

WELLS = "Ada dug the well in 1842. It is nine metres deep."
MILLS = "Ben built the mill in 1850. It grinds barley."
ROADS = "Cleo paved the road in 1861. It leads north."
TEXTS = {"wells": WELLS, "mills": MILLS, "roads": ROADS}


def asked(id: str, text: str, answer: str, document: str, **more: object) -> Example:
    """An example about one of the documents."""
    answers = (answer,) if answer else ()
    question = Question(
        id, text, answers, (document,), context=TEXTS[document], unanswerable=not answer
    )
    return Example(question, answer, **more)  # type: ignore[arg-type]


EXAMPLES = (
    asked("1", "Who dug the well?", "Ada", "wells"),
    asked("2", "How deep is the well?", "nine metres", "wells"),
    asked("3", "Who built the mill?", "Ben", "mills"),
    asked("4", "Who painted the mill?", "", "mills"),
)


@dataclass(frozen=True)
class Finds:
    """A retriever that finds every document, those with most of the question's words first."""

    texts: dict[str, str]

    def retrieve(self, query: Query, k: int) -> Retrieval:
        """The ``k`` best."""
        words = set(query.text.lower().strip("?").split())

        def hits(name: str) -> int:
            return len(words & set(self.texts[name].lower().split()))

        ranked = sorted(self.texts, key=lambda name: (-hits(name), name))
        found = [Candidate(Item(name, self.texts[name], name), hits(name)) for name in ranked]
        return Retrieval(tuple(found[:k]), 1)


def contents(prompt: str, texts: Sequence[str] = tuple(TEXTS.values())) -> list[str]:
    """Which of the texts a prompt shows, in their order there."""
    return sorted((text for text in texts if text in prompt), key=prompt.index)
