"""One chat, from its messages to an answer that is kept. Synchronous, and knows nothing of HTTP."""

import logging
from asyncio import CancelledError
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Any

from noria.answer.answerer import TURN_MARKS
from noria.errors import UsageError
from noria.protocols import LLM
from noria.serve.auth import Caller
from noria.serve.fleet import Fleet
from noria.serve.route import BASE, Drawn
from noria.store.journal import ANSWER, SHADOW, Journal
from noria.types import Answer, Chat, Event, Exposure, Query, Sampling

HISTORY = 20  # earlier turns that are looked at
LONGEST_TOKEN = 64  # characters
log = logging.getLogger("noria.serve")
WITHDRAWN = "\n\nThis was a draft, and is withdrawn. "


class LeftError(Exception):
    """Whoever asked has gone."""


# the first that fits; who is not let in is no answer that failed
ENDS: Mapping[type[BaseException], str] = {
    UsageError: "refused",
    TimeoutError: "timeout",
    LeftError: "left",
    GeneratorExit: "left",
    CancelledError: "left",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """Where an answer is kept, whose it is, and when."""

    journal: Journal
    caller: Caller
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants. ``groups``: those of the caller's that it asks as, or all of them."""

    messages: Chat
    user: str | None = None
    groups: frozenset[str] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None

    @property
    def question(self) -> str:
        """What is asked now."""
        return self.messages[-1].content

    @property
    def opening(self) -> str:
        """What its user said first."""
        return next(m.content for m in self.messages if m.role == "user")

    @property
    def history(self) -> tuple[str, ...]:
        """What was asked and answered before, oldest first."""
        said = [m.content for m in self.messages[:-1] if m.role != "system"]
        return tuple(said[-HISTORY:])


def checked(messages: Chat) -> Chat:
    """The messages, if they end with a question of the user's."""
    if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
        raise UsageError("messages: expected the last one to be the user's, with some text")
    return messages


def query_of(wanted: Wanted, caller: Caller, id: str) -> Query:
    """The question, as the funnel takes it: seen are the groups that both have."""
    groups = caller.groups if wanted.groups is None else caller.groups & wanted.groups
    return Query(
        id=id,
        text=wanted.question,
        user=wanted.user,
        groups=groups,
        history=wanted.history,
        fields=wanted.fields,
    )


def sampled(usual: Sampling, wanted: Wanted) -> Sampling:
    """How to write: as usual, but for what was asked for. More tokens than usual are not given."""
    return Sampling(
        max_tokens=min(wanted.max_tokens or usual.max_tokens, usual.max_tokens),
        temperature=usual.temperature if wanted.temperature is None else wanted.temperature,
        stop=(*usual.stop, *wanted.stop),
        seed=usual.seed if wanted.seed is None else wanted.seed,
    )


def held(
    fleet: Fleet, drawn: Drawn, wanted: Wanted, query: Query, kept: Kept
) -> Generator[str, None, Answer]:
    """Yield the answer as it is written; return it checked, and kept.

    The exposure is on the disk before a word is written, the answer before it is returned. Whatever
    ends it early is kept as its outcome: an error, or what was thrown in.
    """
    id = query.id
    if drawn.experiment:
        shown = Exposure(id, kept.now(), drawn.experiment, drawn.unit, drawn.meant, drawn.fallback)
        kept.journal.expose(shown).result()
    began = perf_counter()
    try:
        answer = yield from written(fleet, drawn, wanted, query)
    except BaseException as error:
        if drawn.experiment:  # one without an end counts as a release that killed its server
            kept.journal.ended(id, ended_by(error), perf_counter() - began).result()
        raise
    answer = replace(answer, id=id, release=drawn.release)
    seconds = perf_counter() - began
    event = event_of(answer, query, kept.caller, kept.now(), seconds)
    if drawn.experiment:
        kept.journal.answered(event, outcome_of(answer), seconds).result()
    else:
        kept.journal.record(event).result()
    return answer


def shadowed(
    fleet: Fleet, release: str, wanted: Wanted, query: Query, kept: Kept, of: str
) -> Generator[str, None, Answer]:
    """Let ``release`` answer what ``of`` has answered, and keep it apart, for nobody to read.

    Its failures are kept as well; who makes it leave has it leave nothing.
    """
    began = perf_counter()
    try:
        answer = yield from written(fleet, Drawn(release, release), wanted, query)
        outcome = outcome_of(answer)
    except (LeftError, GeneratorExit):
        raise
    except BaseException as error:
        log.warning("the shadow %s did not answer: %s", release, type(error).__name__)
        answer = Answer(query.id, "", (), 0.0, 0.0, False, release, "")
        outcome = "timeout" if isinstance(error, TimeoutError) else "error"
    answer = replace(answer, id=query.id, release=release)
    seconds = perf_counter() - began
    event = event_of(answer, query, kept.caller, kept.now(), seconds)
    more = {"shadows": of, "outcome": outcome}
    event = replace(event, kind=SHADOW, payload={**event.payload, **more})
    kept.journal.shadowed(event, of).result()
    return answer


def written(
    fleet: Fleet, drawn: Drawn, wanted: Wanted, query: Query
) -> Generator[str, None, Answer]:
    """Yield the answer as it is written; return it checked.

    What was told and does not stand is taken back in words, for a stream cannot be unsaid.
    """
    if drawn.release == BASE:
        return (yield from alone(fleet.base, wanted, query))
    answerer = fleet.answerers[drawn.release]
    answerer = replace(answerer, sampling=sampled(answerer.sampling, wanted))
    fitting(answerer.llm, query.text, answerer.room())
    told = ""
    writing = answerer.stream(query)
    try:
        while True:
            try:
                piece = next(writing)
            except StopIteration as end:
                answer: Answer = end.value
                break
            told += piece
            yield piece
    finally:
        writing.close()
    if answer.abstained:
        yield (WITHDRAWN if told else "") + answer.text
    return answer


def alone(llm: LLM, wanted: Wanted, query: Query) -> Generator[str, None, Answer]:
    """The base model's own answer to the chat, or to as much of its end as it can read."""
    if (wanted.max_tokens or 0) >= llm.context:
        raise UsageError(
            f"max_tokens: expected less than the window's {llm.context} tokens, which the prompt "
            f"needs a part of; got {wanted.max_tokens}"
        )
    usual = Sampling(max_tokens=wanted.max_tokens or Sampling().max_tokens)
    sampling = sampled(usual, wanted)
    room = llm.context - sampling.max_tokens
    chat = latest(llm, wanted.messages, room)
    completion = yield from llm.stream(chat, sampling)
    return Answer(
        query.id, completion.text, (), 0.0, 0.0, False, BASE, "",
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        finish=completion.finish,
        cached_tokens=completion.cached_tokens,
    )  # fmt: skip


def latest(llm: LLM, messages: Chat, room: int) -> Chat:
    """The system's first message and the last turns, as many as ``room`` tokens take."""
    if sum(at_most(m.content) + TURN_MARKS for m in messages) <= room:
        return messages
    first = messages[:1] if messages[0].role == "system" else ()
    fitting(llm, messages[-1].content, room - TURN_MARKS)
    left = room - sum(llm.count(m.content) + TURN_MARKS for m in (*first, messages[-1]))
    turns = [messages[-1]]
    for message in reversed(messages[len(first) : -1]):
        left -= llm.count(message.content) + TURN_MARKS
        if left < 0:
            break
        turns.insert(0, message)
    return (*first, *turns)


def fitting(llm: LLM, text: str, room: int) -> None:
    """Raise UsageError for a text that has no room in the model's window."""
    if at_most(text) <= room:
        return
    # no token has more characters than this, so what is far too long need not be counted
    tokens = llm.count(text) if len(text) < room * LONGEST_TOKEN else len(text) // LONGEST_TOKEN
    if tokens > room:
        raise UsageError(
            f"messages: the last one has {tokens} tokens or more, and there is room for {room}; "
            "shorten it"
        )


def at_most(text: str) -> int:
    """A number of tokens that a text cannot have more of: no token is shorter than a byte.

    Counting them exactly takes the model's tokenizer some milliseconds.
    """
    # and some tokenizers put a space before the text
    return 1 + len(text.encode("utf-8", "surrogatepass"))


def ended_by(error: BaseException) -> str:
    """What ended an answer that did not come.

    >>> ended_by(UsageError()), ended_by(TimeoutError()), ended_by(LeftError()), ended_by(OSError())
    ('refused', 'timeout', 'left', 'error')
    """
    return next((name for kind, name in ENDS.items() if isinstance(error, kind)), "error")


def outcome_of(answer: Answer) -> str:
    """How an answer ended, for guardrails.

    >>> nothing = Answer("a", "", (), 0.0, 0.0, False, "r", "")
    >>> outcome_of(nothing), outcome_of(replace(nothing, text="x", release=BASE))
    ('empty', 'ok')
    """
    if answer.abstained:
        return "abstained"
    if not answer.text.strip():
        return "empty"
    return "ok" if answer.citations or answer.release == BASE else "ungrounded"


def event_of(answer: Answer, query: Query, caller: Caller, at: datetime, seconds: float) -> Event:
    """An answer as it is kept: of what it read the places alone, for its text may be removed."""
    places = [
        {"id": item.id, "document": item.document, "start": item.start, "end": item.end}
        for item in answer.passages
    ]
    return Event(
        id=answer.id,
        at=at,
        tenant=caller.tenant,
        user=query.user,
        kind=ANSWER,
        release=answer.release,
        query=query.text,
        payload={
            "history": list(query.history),
            "answer": answer.text,
            "passages": places,
            "cited": [c.item.id for c in answer.citations],
            "confidence": answer.confidence,
            "nearest": answer.nearest,
            "grounded": answer.grounded,
            "abstained": answer.abstained,
            "index_version": answer.index_version,
            "groups": sorted(query.groups),
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "cached_tokens": answer.cached_tokens,
            "seconds": round(seconds, 6),
            "timings": {name: round(value, 6) for name, value in answer.timings.items()},
        },
    )
