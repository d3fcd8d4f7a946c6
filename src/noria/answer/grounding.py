"""Whether an answer rests on the retrieved text, sentence by sentence. Needs no second model.

A sentence is supported by a quote when every number in it occurs there, every name in the quoted
passage or its headings, and most of the content words that it adds to the question in the quote.
The embedding's similarity stands beside: it lets a paraphrase through that shares fewer words,
never a number or a name that the text does not have.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.answer.sentences import sentences
from noria.protocols import Encoder
from noria.types import Candidate, Citation, Item
from noria.words import UNKNOWN, coverage, stems, terms, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NAME = re.compile(r"[A-Z][\w'-]*[A-Za-z0-9]|[A-Z]{2,}")
LONGEST = 60  # words of a quote; a longer sentence is cut to the part that supports best
SUPPORTED = 0.7  # share of a sentence's content words that its quote must contain
PARAPHRASED = 0.45  # the share that is enough when the embeddings agree
SIMILAR = 0.7  # cosine at which two sentences say much the same
SHORTLIST = 4  # quotes by words whose embeddings are compared
QUESTION_WEIGHT = 0.5  # words of the question that a quote has, against words of the answer
RANK_WEIGHT = 0.05  # a passage that retrieval put one place lower, all else equal


@dataclass(frozen=True, slots=True)
class Quote:
    """A span of a passage: where it is, its stems, and those of the whole passage and its headings.

    ``rank``: the passage's place in the slate, from 0.
    """

    item: Item
    rank: int
    start: int
    end: int
    words: frozenset[str]
    context: frozenset[str]

    @property
    def text(self) -> str:
        """The quoted words, exactly."""
        return self.item.text[self.start : self.end]

    def has_facts(self, sentence: str, language: str) -> bool:
        """Whether the quote has the sentence's numbers, and the passage its names."""
        passage = " ".join([*self.item.headings, self.item.text])
        return has_numbers(sentence, self.text) and has_names(
            sentence, passage, self.context, language
        )

    def covers(self, said: set[str], asked: set[str]) -> float:
        """Share of what is ``said`` that the quote has.

        Words of the question that the passage has are not asked of the quote as well: "It was
        built in 1361" supports "The wheel was built in 1361" where the passage is on the wheel.
        """
        return coverage((said - (asked & self.context)) or said, set(self.words))


@dataclass(frozen=True, slots=True)
class Support:
    """What was found for one sentence of the answer.

    ``words``: share of its content words in the quote; ``facts``: all its numbers and names are
    there; ``similarity``: cosine between sentence and quote.
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
    """Support for every sentence of an answer that says something."""

    supports: tuple[Support, ...]

    @property
    def share(self) -> float:
        """Share of the sentences that are supported; 0 for an empty answer."""
        held = [s.holds for s in self.supports]
        return sum(held) / len(held) if held else 0.0

    @property
    def citations(self) -> tuple[Citation, ...]:
        """A citation for each supported sentence, and none for the others."""
        return tuple(
            Citation(s.quote.item, s.quote.start, s.quote.end, s.quote.text, s.span)
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
    """Find, for each sentence of ``answer``, the quote that supports it best."""
    asked = set(terms(question, language))
    quotes = [
        quote
        for rank, candidate in enumerate(candidates)
        for quote in quotable(candidate.item, rank, language)
    ]
    spans = [(s, e) for s, e in sentences(answer) if terms(answer[s:e], language)]
    shortlists = [shortlist(answer[s:e], asked, quotes, language) for s, e in spans]
    vectors = encoded(encoder, [answer[s:e] for s, e in spans], shortlists)
    return Grounding(
        tuple(
            best(span, answer[span[0] : span[1]], found, asked, vectors, language)
            for span, found in zip(spans, shortlists, strict=True)
        )
    )


def quotable(item: Item, rank: int, language: str) -> list[Quote]:
    """The sentences of a passage, long ones in parts, each a possible quote."""
    context = frozenset(terms(" ".join([*item.headings, item.text]), language))
    quotes = []
    for start, end in sentences(item.text):
        for a, b in parts(item.text, start, end):
            words = frozenset(terms(item.text[a:b], language))
            if words:
                quotes.append(Quote(item, rank, a, b, words, context))
    return quotes


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


def shortlist(
    sentence: str, asked: set[str], quotes: Sequence[Quote], language: str
) -> list[Quote]:
    """The quotes that fit best by words, those first that have the sentence's facts."""
    said = set(terms(sentence, language))

    def fit(quote: Quote) -> tuple[bool, float]:
        return quote.has_facts(sentence, language), by_words(said, asked, quote)

    return sorted(quotes, key=fit, reverse=True)[:SHORTLIST]


def by_words(said: set[str], asked: set[str], quote: Quote) -> float:
    """How well a quote fits an answer's words, and the question's that it answers."""
    of_question = coverage(asked, set(quote.words))
    return quote.covers(said, asked) + QUESTION_WEIGHT * of_question - RANK_WEIGHT * quote.rank


def best(
    span: tuple[int, int],
    sentence: str,
    found: Sequence[Quote],
    asked: set[str],
    vectors: "dict[str, NDArray[np.float32]]",
    language: str,
) -> Support:
    """The support of the sentence by the quote that fits it best."""
    said = set(terms(sentence, language))
    supports = [
        (
            Support(
                span,
                quote,
                quote.covers(said, asked),
                quote.has_facts(sentence, language),
                float(vectors[sentence] @ vectors[quote.text]),
            ),
            by_words(said, asked, quote),
        )
        for quote in found
    ]
    if not supports:
        return Support(span, None)
    return max(supports, key=lambda s: (s[0].holds, s[1] + s[0].similarity))[0]


def encoded(
    encoder: Encoder, said: Sequence[str], shortlists: Sequence[Sequence[Quote]]
) -> "dict[str, NDArray[np.float32]]":
    """The vectors of the sentences and of the quotes they are compared with, all at once."""
    texts = sorted({*said, *(quote.text for found in shortlists for quote in found)})
    return dict(zip(texts, encoder.encode_passages(texts), strict=True)) if texts else {}


def has_numbers(sentence: str, text: str) -> bool:
    """Whether every number of ``sentence`` is in ``text``.

    >>> has_numbers("It cost 25 francs.", "It was 20 francs.")
    False
    """
    return numbers(sentence) <= numbers(text)


def has_names(
    sentence: str, text: str, context: Collection[str] = (), language: str = UNKNOWN
) -> bool:
    """Whether every name of ``sentence`` is in ``text``, or its stem among ``context``.

    ``context``: the terms of ``text``. In German every noun looks like a name, and is inflected.

    >>> has_names("It stands in Paris.", "Paris has it.")
    True
    """
    there = text.lower()
    return all(
        name.lower() in there or set(stems(words(name), language)) <= set(context)
        for name in names(sentence)
    )


def numbers(text: str) -> set[str]:
    """The numbers of a text, written alike.

    >>> sorted(numbers("1,000 of 3.50"))
    ['1000', '3.50']
    """
    return {n.replace(",", "") for n in NUMBER.findall(text)}


def names(sentence: str) -> list[str]:
    """Capitalised words, the first of the sentence excepted: any word begins with a capital.

    >>> names("The Seine runs through Paris")
    ['Seine', 'Paris']
    """
    return [m.group() for m in NAME.finditer(sentence) if m.start() > 0]
