"""Whether an answer rests on the retrieved text. Needs no second model.

Two questions are answered. Which quote supports a sentence, yes or no: every number in it must
occur there, every name in the quoted passage or its headings, and most of the content words that
it adds to the question in the quote; the embedding's similarity lets a paraphrase through that
shares fewer words, never a number or a name that the text does not have. And how far the answer
as a whole is grounded, as a number: `answer/doubt.py` has the signs that lower it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.answer.doubt import doubt
from noria.answer.facts import has_names as has_names
from noria.answer.facts import has_numbers as has_numbers
from noria.answer.facts import names as names
from noria.answer.facts import numbers as numbers
from noria.answer.sentences import sentences
from noria.protocols import Encoder
from noria.types import Candidate, Citation, Item
from noria.words import coverage, terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 60  # words of a quote; a longer sentence is cut to the part that supports best
SUPPORTED = 0.7  # share of a sentence's content words that its quote must contain
PARAPHRASED = 0.45  # the share that is enough when the embeddings agree
SIMILAR = 0.7  # cosine at which two sentences say much the same
SHORTLIST = 4  # quotes by words whose embeddings are compared
QUESTION_WEIGHT = 0.5  # words of the question that a quote has, against words of the answer
RANK_WEIGHT = 0.05  # a passage that retrieval put one place lower, all else equal
MOST = 100  # sentences of an answer that are looked for; later ones have no citation


@dataclass(frozen=True, slots=True)
class Passage:
    """A candidate as it is searched for quotes.

    ``rank``: its place in the slate, from 0. ``text``: its headings and itself; ``terms``: their
    terms.
    """

    item: Item
    rank: int
    text: str
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Quote:
    """A span of a passage: where it is, its terms and its numbers."""

    passage: Passage
    start: int
    end: int
    words: frozenset[str]
    numbers: frozenset[str]

    @property
    def text(self) -> str:
        """The quoted words, exactly."""
        return self.passage.item.text[self.start : self.end]

    def covers(self, said: frozenset[str], asked: set[str]) -> float:
        """Share of what is ``said`` that the quote has.

        Words of the question that the passage has are not asked of the quote as well: "It was
        built in 1361" supports "The wheel was built in 1361" where the passage is on the wheel.
        """
        return coverage((said - (asked & self.passage.terms)) or said, self.words)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of the answer: where it is, its terms and its numbers.

    ``homes``: ranks of the passages that have all its names.
    """

    span: tuple[int, int]
    text: str
    words: frozenset[str]
    numbers: frozenset[str]
    homes: frozenset[int]

    def agrees(self, quote: Quote) -> bool:
        """Whether the quote has the numbers of the sentence, and its passage the names."""
        return quote.passage.rank in self.homes and self.numbers <= quote.numbers


@dataclass(frozen=True, slots=True)
class Support:
    """What was found for one sentence of the answer.

    ``words``: share of its content words in the quote; ``facts``: all its numbers and names are
    there; ``similarity``: cosine between sentence and quote, 0 where the words were enough.
    """

    span: tuple[int, int]
    quote: Quote | None
    words: float = 0.0
    facts: bool = False
    similarity: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the quote supports the sentence."""
        if self.quote is None or not self.facts:
            return False
        paraphrase = self.words >= PARAPHRASED and self.similarity >= SIMILAR
        return self.words >= SUPPORTED or paraphrase


@dataclass(frozen=True, slots=True)
class Grounding:
    """Support for every sentence of an answer that says something.

    ``share``: how far the whole answer rests on the passages: 1 if it copies them, halved by each
    point of ``doubt``; 0 without an answer or without passages.
    """

    supports: tuple[Support, ...]
    share: float

    @property
    def citations(self) -> tuple[Citation, ...]:
        """A citation for each supported sentence, and none for the others."""
        return tuple(
            Citation(s.quote.passage.item, s.quote.start, s.quote.end, s.quote.text, s.span)
            for s in self.supports
            if s.holds and s.quote is not None
        )


def ground(
    question: str,
    answer: str,
    candidates: Sequence[Candidate],
    encoder: Encoder,
    language: str = "en",
) -> Grounding:
    """Find the quote that supports each sentence of ``answer`` best, and weigh the whole."""
    asked = set(terms(question, language))
    passages = [searched(c.item, rank, language) for rank, c in enumerate(candidates)]
    quotes = [quote for passage in passages for quote in quotable(passage, language)]
    claims = claimed(answer, passages, language)
    plain = [by_words_alone(claim, asked, quotes) for claim in claims]
    open = [claim for claim, found in zip(claims, plain, strict=True) if found is None]
    shortlists = {claim.span: shortlist(claim, asked, quotes) for claim in open}
    vectors = encoded(encoder, open, [*shortlists.values()])
    supports = [
        found or best(claim, shortlists[claim.span], asked, vectors)
        for claim, found in zip(claims, plain, strict=True)
    ]
    says_something = bool(claims and quotes)
    share = 0.5 ** doubt(question, answer, candidates, language) if says_something else 0.0
    return Grounding(tuple(supports), share)


def searched(item: Item, rank: int, language: str) -> Passage:
    """A passage with its headings, ready to be searched."""
    text = " ".join([*item.headings, item.text])
    return Passage(item, rank, text, frozenset(terms(text, language)))


def quotable(passage: Passage, language: str) -> list[Quote]:
    """The sentences of a passage, long ones in parts, each a possible quote."""
    text = passage.item.text
    quotes = []
    for start, end in sentences(text):
        for a, b in parts(text, start, end):
            words = frozenset(terms(text[a:b], language))
            if words:
                quotes.append(Quote(passage, a, b, words, frozenset(numbers(text[a:b]))))
    return quotes


def claimed(answer: str, passages: Sequence[Passage], language: str) -> list[Claim]:
    """The sentences of the answer that say something."""
    claims = []
    for start, end in sentences(answer)[:MOST]:
        text = answer[start:end]
        if said := frozenset(terms(text, language)):
            homes = (p.rank for p in passages if has_names(text, p.text, p.terms, language))
            found = frozenset(numbers(text))
            claims.append(Claim((start, end), text, said, found, frozenset(homes)))
    return claims


def parts(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The span itself, or overlapping parts of it that are short enough to quote."""
    words = [(m.start(), m.end()) for m in re.finditer(r"\S+", text[start:end])]
    if len(words) <= LONGEST:
        return [(start, end)]
    step = LONGEST // 2
    firsts = range(0, len(words) - step, step)
    return [
        (start + words[i][0], start + words[min(i + LONGEST, len(words)) - 1][1]) for i in firsts
    ]


def by_words_alone(claim: Claim, asked: set[str], quotes: Sequence[Quote]) -> Support | None:
    """The support by the best of the quotes whose words are enough; None where none has them.

    For sentences that are copied, wholly or nearly, no embedding is computed.
    """
    enough = [
        quote
        for quote in quotes
        if claim.agrees(quote) and quote.covers(claim.words, asked) >= SUPPORTED
    ]
    if not enough:
        return None
    quote = max(enough, key=lambda each: by_words(claim, asked, each))
    return Support(claim.span, quote, quote.covers(claim.words, asked), facts=True)


def shortlist(claim: Claim, asked: set[str], quotes: Sequence[Quote]) -> list[Quote]:
    """The quotes that fit best by words, those first that have the sentence's facts."""

    def fit(quote: Quote) -> tuple[bool, float]:
        return claim.agrees(quote), by_words(claim, asked, quote)

    return sorted(quotes, key=fit, reverse=True)[:SHORTLIST]


def by_words(claim: Claim, asked: set[str], quote: Quote) -> float:
    """How well a quote fits an answer's words, and the question's that it answers."""
    of_question = QUESTION_WEIGHT * coverage(asked, quote.words)
    return quote.covers(claim.words, asked) + of_question - RANK_WEIGHT * quote.passage.rank


def best(
    claim: Claim,
    found: Sequence[Quote],
    asked: set[str],
    vectors: "dict[str, NDArray[np.float32]]",
) -> Support:
    """The support of the sentence by the quote that fits it best."""
    supports = [
        (
            Support(
                claim.span,
                quote,
                quote.covers(claim.words, asked),
                claim.agrees(quote),
                float(vectors[claim.text] @ vectors[quote.text]),
            ),
            by_words(claim, asked, quote),
        )
        for quote in found
    ]
    if not supports:
        return Support(claim.span, None)
    return max(supports, key=lambda s: (s[0].holds, s[1] + s[0].similarity))[0]


def encoded(
    encoder: Encoder, claims: Sequence[Claim], shortlists: Sequence[Sequence[Quote]]
) -> "dict[str, NDArray[np.float32]]":
    """The vectors of the sentences and of the quotes they are compared with, all at once."""
    quoted = {quote.text for found in shortlists for quote in found}
    texts = sorted({claim.text for claim in claims} | quoted)
    return dict(zip(texts, encoder.encode_passages(texts), strict=True)) if texts else {}
