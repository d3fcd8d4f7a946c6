"""The verbs: small seams between rooms. An implementation needs no base class, only the methods.

The laws that each implementation must pass live in ``noria.testing``.
"""

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Protocol

from noria.types import (
    Candidate,
    Completion,
    Document,
    Item,
    Likelihood,
    Prompt,
    Query,
    Retrieval,
    Sampling,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]


class LLM(Protocol):
    """Writes text. ``fingerprint`` names the exact weights; ``context`` is its window in tokens."""

    @property
    def fingerprint(self) -> str:
        """Digest of what writes."""
        ...

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""
        ...

    def count(self, text: str) -> int:
        """Number of tokens in ``text``, or a safe over-estimate where the tokenizer is remote."""
        ...

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """Yield pieces of text as they are written; return the whole completion."""
        ...

    def batch(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        done: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Complete many prompts, in order; an implementation may run them side by side.

        ``done`` is told each completion with its prompt's place as soon as it is written, in the
        caller's thread: what it was told stays known when a later one fails.
        """
        ...


class Scorer(Protocol):
    """Says how likely a given continuation is."""

    def score(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        done: Callable[[int, Likelihood], None] | None = None,
    ) -> list[Likelihood]:
        """Log-probability of each continuation after the prompt at the same place.

        Pairs may be read in any order, and those with equal prompts together. ``done`` is told each
        likelihood with its place as soon as it is known, in the caller's thread.
        """
        ...


class Encoder(Protocol):
    """Turns text into unit vectors of float32.

    ``fingerprint`` changes whenever the vectors would; it is known without loading the weights.
    ``max_tokens`` is what the encoder reads of a passage, special tokens not counted.
    """

    @property
    def fingerprint(self) -> str:
        """Digest of what makes the vectors."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a passage that are read."""
        ...

    def count(self, text: str) -> int:
        """Number of tokens in ``text``, special tokens not counted."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> "Matrix":
        """One row a question, shape (len(texts), dimension)."""
        ...

    def encode_passages(self, texts: Sequence[str]) -> "Matrix":
        """One row a passage, shape (len(texts), dimension)."""
        ...


class Splitter(Protocol):
    """Cuts a document into passages. ``fingerprint`` changes whenever the cuts would."""

    @property
    def fingerprint(self) -> str:
        """Digest of what decides the cuts."""
        ...

    def split(self, document: Document) -> list[Item]:
        """Passages in reading order, each with its exact span, headings and page."""
        ...


class Retriever(Protocol):
    """Finds candidates. Never returns an item that the query's groups and fields exclude."""

    def retrieve(self, query: Query, k: int) -> Retrieval:
        """At most ``k`` distinct candidates, best first."""
        ...


class Filter(Protocol):
    """Drops candidates."""

    def filter(self, query: Query, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those of ``candidates`` that may stay, in their order."""
        ...


class Ranker(Protocol):
    """Scores candidates again."""

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The same candidates, best first by a new score."""
        ...


class Orderer(Protocol):
    """Arranges the slate."""

    def order(self, query: Query, candidates: Sequence[Candidate], k: int) -> list[Candidate]:
        """At most ``k`` of ``candidates``."""
        ...


class Progress(Protocol):
    """Told how far a long job is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of ``stage`` are behind us."""
        ...


Clock = Callable[[], float]
