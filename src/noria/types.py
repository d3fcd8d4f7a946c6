"""The nouns: frozen values that the rooms hand to each other. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

FieldValue = str | int | float | bool
Fields = Mapping[str, FieldValue]

PUBLIC: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a document: where it starts in the text, its level (1 is the title)."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Document:
    """The text extracted from one source, with what is known of its structure.

    ``source`` is where it came from (an absolute path); ``id`` is the path as the user gave it.
    ``groups``: a reader in any of them may read it; empty means public.
    ``pages``: character offset in ``text`` at which each page starts; empty without pages.
    """

    id: str
    source: str
    text: str
    media_type: str
    fields: Fields = field(default_factory=dict)
    groups: frozenset[str] = PUBLIC
    headings: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A passage to cite, or a product to show.

    ``start`` and ``end`` are character offsets into the document's extracted text, so that
    ``document.text[start:end] == text``. ``headings`` is the path from the title down.
    ``page`` counts from 1.
    """

    id: str
    text: str
    document: str | None = None
    start: int = 0
    end: int = 0
    headings: tuple[str, ...] = ()
    page: int | None = None
    fields: Fields = field(default_factory=dict)
    groups: frozenset[str] = PUBLIC


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody looks for, and what they may see.

    ``groups``: the groups of the reader; without any, only public items are seen.
    ``fields``: equalities that every hit must satisfy.
    """

    id: str
    text: str = ""
    user: str | None = None
    groups: frozenset[str] = PUBLIC
    history: tuple[str, ...] = ()
    seen: frozenset[str] = frozenset()
    fields: Fields = field(default_factory=dict)
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item on its way through the funnel; ``scores`` remembers each stage and source."""

    item: Item
    score: float
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a retriever found: best first, from one version of the index.

    ``timings`` in seconds; ``encode`` is the encoder's own share.
    """

    candidates: tuple[Candidate, ...]
    version: str
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slate:
    """What leaves the funnel, with how many candidates each stage kept and how long it took."""

    query: Query
    candidates: tuple[Candidate, ...]
    version: str
    counts: Mapping[str, int] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote that supports one sentence of an answer.

    ``item.text[start:end] == quote``, and ``supports`` is the span of the supported sentence in
    the answer's text.
    """

    item: Item
    start: int
    end: int
    quote: str
    supports: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, what it rests on, and what made it.

    ``grounded``: how far the answer rests on the retrieved passages, 0 to 1.
    ``confidence``: 0 to 1, how probably the documents answer the question (docs/answers.md).
    ``release``: id of what answered; ``index_version``: which state of the documents it read.
    ``passages``: what stood in the prompt. ``nearest``: the cosine of the question with the nearest
    passage that was found; None where none was compared. ``prompt_tokens``,
    ``completion_tokens`` and ``cached_tokens`` are sums of all prompts that it took.
    """

    id: str
    text: str
    citations: tuple[Citation, ...]
    confidence: float
    grounded: float
    abstained: bool
    release: str
    index_version: str
    timings: Mapping[str, float] = field(default_factory=dict)
    passages: tuple[Item, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish: Literal["stop", "length"] = "stop"
    cached_tokens: int = 0
    nearest: float | None = None


Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Role
    content: str


Chat = tuple[Message, ...]
Prompt = str | Chat  # a string is continued as it is; a chat goes through the model's template


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to write: temperature 0 is greedy and repeatable."""

    max_tokens: int = 256
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote. ``finish``: it stopped by itself, or ran out of tokens.

    ``cached_tokens``: those of the prompt that were not read again, since an earlier one
    began alike; no part of what was written.
    """

    text: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Log-probability (natural log) of a continuation, summed over its ``tokens`` tokens."""

    logprob: float
    tokens: int

    @property
    def per_token(self) -> float:
        """Mean log-probability of a token.

        >>> Likelihood(-6.0, 3).per_token
        -2.0
        """
        return self.logprob / self.tokens


Kind = Literal["base", "adapter", "encoder", "dataset", "release"]
Manner = Literal["together", "in turn"]  # of reading passages


@dataclass(frozen=True, slots=True)
class Release:
    """A version of something that was made, and how: a data set, an adapter, all that answers.

    ``id``: digest of kind, parts, lineage and recipe (``store/releases.py`` makes it).
    ``parts``: name -> digest of what decides what it does. ``stored``: names of the parts that lie
    in the artifacts; the others are pinned by their digest alone, as a base that a source gives.
    ``made_from``: ids of earlier ones. ``recipe``: objective and settings, as JSON has them.
    ``metrics``: what was measured of it, once.
    """

    id: str
    kind: Kind
    parts: Mapping[str, str]
    at: datetime
    stored: frozenset[str] = frozenset()
    made_from: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def objective(self) -> str:
        """What it was tuned for; empty where it was not."""
        return str(self.recipe.get("objective", ""))


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: an answer that was given, a click, a view, a purchase.

    An answer's event has the answer's id, kind ``answer``, its question as ``query`` and what it
    read as ``payload``. One of kind ``shadow`` was shown to nobody: its payload says which answer
    it ``shadows``, and its ``outcome``. ``propensity``: how probably ``item`` was shown at
    ``position``.
    """

    id: str
    at: datetime
    tenant: str
    user: str | None
    kind: str
    release: str | None = None
    query: str | None = None
    item: str | None = None
    position: int | None = None
    propensity: float | None = None
    value: float | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thinks of an answer.

    ``kind``: thumb (``value`` 1 or -1), correction (``text``: what it should have said), ranking
    (``ranking``: ids of answers, best first), comment (``text``), copied or asked-again.
    """

    id: str
    at: datetime
    tenant: str
    user: str | None
    answer: str
    kind: str
    value: float | None = None
    text: str | None = None
    ranking: tuple[str, ...] = ()
    release: str | None = None


Verdict = Literal["right", "wrong", "unanswerable"]  # of an answer, by a reviewer


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer found of an answer, once for each of both; the last one counts.

    ``verdict``: ``unanswerable`` where the documents do not answer the question, so that to
    abstain is right. ``text``: what it should have said. ``passages``: ids of those that support
    that.
    """

    answer: str
    at: datetime
    tenant: str
    reviewer: str
    verdict: Verdict
    text: str | None = None
    intent: str | None = None
    passages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exposure:
    """Who was to be answered by what; written before the answer was.

    ``unit``: whom the experiment keeps to one release. ``fallback``: another release answered than
    the one that was drawn. ``outcome`` and ``seconds`` are known when the answer has ended.
    """

    answer: str
    at: datetime
    experiment: str
    unit: str
    release: str
    fallback: bool = False
    outcome: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Releases that are tried beside the live one; a shadow answers as well, and unseen.

    ``steps``: who gets which, as a ``Split`` has it; ``salt`` draws the users. ``stage`` counts
    from 0; at each one statistics begin anew. ``plan``: what was settled for its decisions, as
    JSON has it; empty where people decide.
    """

    experiment: str
    kind: Literal["canary", "ab", "shadow"]
    steps: tuple[tuple[str, float], ...]
    salt: str
    since: datetime
    stage: int = 0
    plan: Mapping[str, Any] = field(default_factory=dict)

    @property
    def releases(self) -> tuple[str, ...]:
        """Those that are tried, each once."""
        return tuple(dict.fromkeys(release for release, _ in self.steps if release != "live"))


@dataclass(frozen=True, slots=True)
class Rollout:
    """Which releases answer: all users by ``live``, but for those of a trial.

    ``previous``: what was live before, and is gone back to.
    """

    live: str
    previous: str | None = None
    trial: Trial | None = None

    @property
    def releases(self) -> tuple[str, ...]:
        """All that may answer, or be gone back to, each once."""
        tried = self.trial.releases if self.trial else ()
        return tuple(dict.fromkeys([self.live, *tried, *filter(None, [self.previous])]))
