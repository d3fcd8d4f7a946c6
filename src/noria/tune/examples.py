"""What a model learns from: examples, where each came from, and data sets of them."""

from dataclasses import dataclass
from typing import Literal

from noria.evaluate.questions import Question
from noria.types import Chat

Origin = Literal["annotated", "synthetic", "interaction"]


@dataclass(frozen=True, slots=True)
class Example:
    """A question, or a chat, with the response to learn.

    ``question``: what is asked, with its task, gold text and documents; of a chat, its last turn.
    ``response``: what to write; empty for an unanswerable question, whose answer is to abstain.
    ``turns``: what came before the response, where the data say so word for word; else the
    objective words the question. ``rejected``: responses that people liked less. ``weight``: how
    much it counts. ``line``: where it stands in its file.
    """

    question: Question
    response: str
    turns: Chat = ()
    rejected: tuple[str, ...] = ()
    intent: str | None = None
    origin: Origin = "annotated"
    weight: float = 1.0
    line: int | None = None

    @property
    def id(self) -> str:
        """The question's."""
        return self.question.id

    @property
    def says_what_is_right(self) -> bool:
        """Whether it says what to answer, or that nothing is to be; not only what is wrong."""
        return bool(self.response.strip()) or self.question.unanswerable


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples under the hash of their content."""

    id: str
    examples: tuple[Example, ...]
