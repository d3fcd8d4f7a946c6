"""Question in, answer out: find, read, write, check."""

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from noria.answer.condense import condensed
from noria.answer.confidence import signals
from noria.answer.grounding import Grounding, ground
from noria.answer.prompt import SHOWN_TASK, TASK, build, harmless
from noria.funnel.funnel import Funnel
from noria.protocols import LLM, Encoder
from noria.types import Answer, Candidate, Chat, Completion, Manner, Query, Sampling, Slate
from noria.words import FALLBACK, spoken

TURN_MARKS = 16  # tokens that a template puts around a turn of the chat
UNKNOWN = "I don't know: the passages that were found do not answer this."
REFUSAL = re.compile(
    r"^\W*(?:sorry,?\s*)?(?:i (?:do not|don['\u2019]t) know|(?:the|these) passages? (?:do|does) "
    r"not|i (?:cannot|can't|could not) (?:answer|find))",
    re.IGNORECASE,
)
# How refusals begin, and after how many characters they have shown themselves.
OPENINGS, UNDECIDED = ("sorry", "i ", "the passage", "these passage"), 40


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what was found for it, and the prompt that was made of that.

    ``chat`` is None where nothing was found; ``shown``: the candidates that had room in it.
    ``turn``: how many candidates were read alone before.
    """

    query: Query
    slate: Slate
    chat: Chat | None = None
    shown: tuple[Candidate, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    turn: int = 0

    @property
    def nearest(self) -> float | None:
        """The best cosine among what was found."""
        told = [c.scores["dense"] for c in self.slate.candidates if "dense" in c.scores]
        return max(told, default=None)

    def after(self, **seconds: float) -> "Asked":
        """The same, some steps later."""
        return replace(self, timings={**self.timings, **seconds})


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answers from the documents, with citations, or abstains.

    ``abstain_below``: the confidence under which it says that it does not know. ``languages``:
    those that passages may be in; without any, all that there are stop words for. ``examples``:
    turns of worked examples that stand before every question. ``manner``: whether passages are read
    together, or one after another until one of them answers; a model must have learnt the latter.
    """

    funnel: Funnel
    llm: LLM
    encoder: Encoder
    release: str
    sampling: Sampling
    prompt_tokens: int = 1200
    abstain_below: float = 0.15
    languages: Sequence[str] = ()
    examples: Chat = ()
    manner: Manner = "together"

    def answer(self, query: Query) -> Answer:
        """The answer to ``query``."""
        writing = self.stream(query)
        while True:
            try:
                next(writing)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    def stream(self, query: Query) -> Generator[str, None, Answer]:
        """Yield the answer as it is written; return it checked.

        What was yielded is a draft: the answer that is returned may abstain instead. Where the
        model says that it does not know, nothing is yielded.
        """
        asked = self.prepare(query)
        if asked.chat is None:
            return self.finish(asked, None)
        started = perf_counter()
        written = yield from held(self.llm.stream(asked.chat, self.sampling))
        spent = [written]
        while (following := self.following(asked, written)) and following.chat:
            asked = following
            written = yield from held(self.llm.stream(following.chat, self.sampling))
            spent.append(written)
        answer = self.finish(asked.after(generate=perf_counter() - started), written)
        return replace(
            answer,
            prompt_tokens=sum(each.prompt_tokens for each in spent),
            completion_tokens=sum(each.completion_tokens for each in spent),
            cached_tokens=sum(each.cached_tokens for each in spent),
            finish="stop" if answer.abstained else written.finish,
        )

    def prepare(self, query: Query) -> Asked:
        """Find passages for ``query`` and put the prompt together; the model is not asked yet."""
        searched = condensed(query.text, query.history)
        slate = self.funnel.search(replace(query, text=searched))
        asked = Asked(query, slate, timings={f"search.{k}": v for k, v in slate.timings.items()})
        return self._shown(asked) if slate.candidates else asked

    def following(self, asked: Asked, written: Completion) -> Asked | None:
        """The same question with the next passage, where this one did not answer it, else None.

        None also where passages are read together, or there is no other.
        """
        last = asked.turn + 1 == len(asked.slate.candidates)
        if self.manner == "together" or last or not refused(tidy(written.text)):
            return None
        return self._shown(replace(asked, turn=asked.turn + 1))

    def _shown(self, asked: Asked) -> Asked:
        """The prompt with the passages whose turn it is."""
        started = perf_counter()
        candidates = asked.slate.candidates
        if self.manner == "in turn":
            candidates = candidates[asked.turn : asked.turn + 1]
        chat, shown = self.put(asked.query.text, candidates)
        return replace(asked, chat=chat, shown=shown).after(prompt=perf_counter() - started)

    def put(
        self, question: str, candidates: Sequence[Candidate]
    ) -> tuple[Chat, tuple[Candidate, ...]]:
        """The prompt that asks ``question`` of passages, and those of them that it has room for."""
        task = SHOWN_TASK if self.examples else TASK
        chat, shown = build(question, candidates, self.llm.count, self.room(), task)
        return (*chat[:1], *self.examples, *chat[1:]), shown

    def finish(self, asked: Asked, written: Completion | None) -> Answer:
        """Check what the model wrote to the prompt of ``asked``; None where it was not asked."""
        if written is None:
            return self._abstain(asked, 0.0, 0.0)
        started = perf_counter()
        text = tidy(written.text)
        language = self._language(asked.shown)
        grounding = ground(asked.query.text, text, asked.shown, self.encoder, language)
        # a follow-up's own words say little of what is asked
        confidence = self._confidence(asked.slate.query, asked.slate, grounding, language)
        asked = asked.after(ground=perf_counter() - started)
        if refused(text) or confidence < self.abstain_below:
            return self._abstain(asked, confidence, grounding.share)
        return Answer(
            id=f"a-{asked.query.id}",
            text=text,
            citations=grounding.citations,
            confidence=confidence,
            grounded=grounding.share,
            abstained=False,
            release=self.release,
            index_version=asked.slate.version,
            timings=asked.timings,
            passages=tuple(c.item for c in asked.shown),
            nearest=asked.nearest,
        )

    def room(self) -> int:
        """Tokens for the prompt: what was asked for, if the window has them."""
        turns = 2 + len(self.examples)
        told = sum(self.llm.count(turn.content) for turn in self.examples)
        window = self.llm.context - self.sampling.max_tokens - told - turns * TURN_MARKS
        return min(self.prompt_tokens, window)

    def _language(self, shown: Sequence[Candidate]) -> str:
        """The language of the passages, by their stop words: no model has to be read for that."""
        if len(self.languages) == 1:
            return self.languages[0]
        text = " ".join(c.item.text for c in shown)
        return spoken(text, self.languages) or next(iter(self.languages), FALLBACK)

    def _confidence(self, query: Query, slate: Slate, grounding: Grounding, language: str) -> float:
        """The probability that the documents answer the question; 0 where they say nothing."""
        told = signals(query.text, slate.candidates, self.encoder, language, grounding.share)
        return told.probability() if told else 0.0

    def _abstain(self, asked: Asked, confidence: float, grounded: float) -> Answer:
        return Answer(
            id=f"a-{asked.query.id}",
            text=UNKNOWN,
            citations=(),
            confidence=confidence,
            grounded=grounded,
            abstained=True,
            release=self.release,
            index_version=asked.slate.version,
            timings=asked.timings,
            passages=tuple(c.item for c in asked.shown),
            nearest=asked.nearest,
        )


def held(writing: Generator[str, None, Completion]) -> Generator[str, None, Completion]:
    """What is written, but nothing of what may still be, or is, a refusal.

    Another passage may answer the question yet, and nobody can take back what was told.
    """
    waiting, told = "", False
    try:
        while True:
            try:
                waiting += next(writing)
            except StopIteration as end:
                written: Completion = end.value
                break
            if told or not may_refuse(waiting):
                yield waiting
                waiting, told = "", True
    finally:
        writing.close()
    if waiting and not refused(tidy(written.text)):
        yield waiting
    return written


def may_refuse(beginning: str) -> bool:
    """Whether a text that begins so may turn out to be a refusal.

    >>> may_refuse("I do"), may_refuse("The pass"), may_refuse("The wheel")
    (True, True, False)
    """
    said = re.sub(r"^\W+", "", beginning).lower()
    return len(said) < UNDECIDED and any(
        said.startswith(opening) or opening.startswith(said) for opening in OPENINGS
    )


def refused(text: str) -> bool:
    """Whether a text says nothing, or that the passages do not answer.

    >>> refused("I don't know."), refused("Ada dug it.")
    (True, False)
    """
    return not text or bool(REFUSAL.match(text))


def tidy(written: str) -> str:
    r"""What the model wrote, without marks of the fence or of headings that it copied.

    >>> tidy('<passage number="1">\n## A noria lifts water.')
    'A noria lifts water.'
    """
    lines = [line.strip().lstrip("#").strip() for line in harmless(written).splitlines()]
    return "\n".join(line for line in lines if line)
