"""Answers without reading anything: what the model alone knows, or believes that it knows."""

from collections.abc import Generator
from dataclasses import dataclass

from noria.answer.answerer import REFUSAL, tidy
from noria.evaluate.arms import prompts
from noria.evaluate.questions import Question
from noria.protocols import LLM
from noria.types import Answer, Query, Sampling


@dataclass(frozen=True, slots=True)
class ClosedBook:
    """The model alone, as the arm ``base`` asks it. Nothing supports its answers, or cites any."""

    llm: LLM
    release: str
    sampling: Sampling

    def answer(self, query: Query) -> Answer:
        """The answer to ``query``."""
        writing = self.stream(query)
        while True:
            try:
                next(writing)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    def stream(self, query: Query) -> Generator[str, None, Answer]:
        """Yield the answer as it is written; return it whole."""
        chat = prompts.chat(Question(query.id, query.text))
        written = yield from self.llm.stream(chat, self.sampling)
        text = tidy(written.text)
        abstained = not text or bool(REFUSAL.match(text))
        return Answer(f"a-{query.id}", text, (), 0.0, 0.0, abstained, self.release, "")
