"""What comes in and goes out, as OpenAI has it; what is Noria's own stands in ``noria``."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from noria.corpus.ingest import storable as encodable
from noria.loop.feedback.kinds import lacking
from noria.types import Answer, Chat, Message, Slate

MESSAGES, LONGEST, NAME = 10_000, 1_000_000, 200
FIRST_YEAR, LAST_YEAR = 1971, 2200  # of an event


def storable(text: str) -> str:
    """A text that a database can keep: no half characters, and no NUL."""
    if "\0" in text or not encodable(text):
        raise ValueError("expected UTF-8 without NUL")
    return text


def recent(at: datetime | None) -> datetime | None:
    """A time that a clock may have shown; without a zone it is in UTC."""
    if at is None:
        return None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"expected a year from {FIRST_YEAR} to {LAST_YEAR}")
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Text = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(storable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME), AfterValidator(storable)]
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Value = Text | bool | Whole | Finite


class Part(BaseModel):
    """A part of a message; only text is read."""

    type: Literal["text"]
    text: Text


class Turn(BaseModel):
    """One message of a chat."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[Part], Field(max_length=1000)]

    @property
    def text(self) -> str:
        """Its text."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class Own(BaseModel):
    """What Noria alone understands. ``groups``: ask as fewer groups than the key has."""

    model_config = ConfigDict(extra="forbid")
    groups: Annotated[list[Name], Field(max_length=1000)] | None = None
    fields: Annotated[dict[Name, Value], Field(max_length=100)] = {}


class ChatBody(BaseModel):
    """``POST /v1/chat/completions``."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})
    model: Name = "noria"
    messages: Annotated[list[Turn], Field(min_length=1, max_length=MESSAGES)]
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    user: Name | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    stop: Text | Annotated[list[Text], Field(max_length=16)] | None = None
    seed: Whole | None = None
    n: Literal[1] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    logprobs: Literal[False] | None = None
    noria: Own = Own()

    def chat(self) -> Chat:
        """The messages; developers' instructions are the system's by another name."""
        return tuple(
            Message("system" if turn.role == "developer" else turn.role, turn.text)
            for turn in self.messages
        )

    @property
    def stops(self) -> tuple[str, ...]:
        """What ends an answer."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(mark for mark in given if mark)


class FeedbackBody(BaseModel):
    """``POST /v1/feedback``."""

    answer: Name
    kind: Literal["thumb", "correction", "ranking", "comment", "copied", "asked-again"]
    value: Literal[1, -1] | None = None
    text: Text | None = None
    ranking: Annotated[list[Name], Field(max_length=100)] = []
    user: Name | None = None

    def wrong(self) -> str | None:
        """What it lacks for its kind, if it lacks something."""
        return lacking(self.kind, self.value, self.text, self.ranking)


class EventBody(BaseModel):
    """``POST /v1/events``."""

    user: Name
    kind: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[\w.-]+$")]
    item: Name | None = None
    query: Text | None = None
    value: Finite | None = None
    at: Annotated[datetime | None, AfterValidator(recent)] = None


class SearchBody(BaseModel):
    """``POST /v1/search``."""

    query: Annotated[Text, StringConstraints(min_length=1)]
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    noria: Own = Own()


class EmbeddingsBody(BaseModel):
    """``POST /v1/embeddings``."""

    input: Text | Annotated[list[Text], Field(min_length=1, max_length=2048)]
    model: Name = "noria"
    encoding_format: Literal["float", "base64"] = "float"
    user: Name | None = None


def citations(answer: Answer) -> list[dict[str, Any]]:
    """What an answer rests on; ``supports`` is the span of the sentence that a quote supports."""
    return [
        {
            "id": c.item.id,
            "document": c.item.document,
            "page": c.item.page,
            "start": c.start,
            "end": c.end,
            "quote": c.quote,
            "supports": list(c.supports),
        }
        for c in answer.citations
    ]


def own(answer: Answer) -> dict[str, Any]:
    """What Noria alone tells of an answer."""
    return {
        "citations": citations(answer),
        "confidence": answer.confidence,
        "grounded": answer.grounded,
        "abstained": answer.abstained,
        "release": answer.release,
        "index_version": answer.index_version,
        "timings": dict(answer.timings),
    }


def usage(answer: Answer) -> dict[str, Any]:
    """Tokens, as OpenAI counts them: those that were cached are among the prompt's."""
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """A response to a chat: its answer's id, the model as it was asked for, and when."""

    id: str
    model: str
    created: int

    def whole(self, answer: Answer) -> dict[str, Any]:
        """All at once."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": answer.text, "refusal": None},
            "finish_reason": answer.finish,
            "logprobs": None,
        }
        told = {"choices": [choice], "usage": usage(answer), "noria": own(answer)}
        return self._as("chat.completion") | told

    def chunk(
        self, delta: dict[str, Any] | None, finish: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """A piece of it; without a ``delta`` it has no choice, as that of usage."""
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        return self._as("chat.completion.chunk") | {"choices": choices} | more

    def _as(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def slate(found: Slate) -> dict[str, Any]:
    """What a search found."""
    return {
        "candidates": [
            {
                "id": c.item.id,
                "document": c.item.document,
                "page": c.item.page,
                "start": c.item.start,
                "end": c.item.end,
                "score": c.score,
                "scores": dict(c.scores),
                "text": c.item.text,
            }
            for c in found.candidates
        ],
        "index_version": found.version,
        "timings": dict(found.timings),
    }
