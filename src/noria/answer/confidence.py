"""How sure an answer may be: the probability that the documents answer the question.

It rests on what the passages have of the question's words, and on the sentence that is nearest to
it. Knows neither how the passages were found nor what wrote the answer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from noria.answer.facts import names, numbers
from noria.answer.sentences import sentences
from noria.protocols import Encoder
from noria.types import Candidate
from noria.words import coverage, terms, words

SHORTLIST = 2  # sentences by words whose embeddings are compared: four gave the same AUROC
LENGTH = 0.87  # a passage's cosine, of its nearest sentence's: what counts where none is told
MOST_STRANGERS = 3  # more say nothing new
OPENINGS = " ¿¡\"'([\u00ab\u201e\u201c\u2018"  # before the first word of a question
NOUNS_LIKE_NAMES = {"de"}  # every noun has a capital: only numbers tell
NEGATIONS = {
    "de": "nicht nie niemals kein keine keinen keinem keiner keines ohne",
    "en": "not never no none neither nor cannot without",
    "es": "no nunca ningún ninguno ninguna sin",
    "fr": "pas jamais aucun aucune sans",
    "it": "non mai nessun nessuno nessuna senza",
    "nl": "niet nooit geen zonder",
    "pt": "não nunca nenhum nenhuma sem",
}


@dataclass(frozen=True, slots=True)
class Weights:
    """What each signal adds to the log-odds; ``base`` is there without any."""

    base: float
    similarity: float
    words: float
    strangers: float
    denies: float
    unsupported: float


# Fitted by `benchmarks/confidence.py --fit --questions 1000 --no-generation` on half the articles.
# Only `unsupported` was set by hand: an answer that nothing supports keeps a seventh of its odds.
WEIGHTS = Weights(
    base=-5.76, similarity=8.41, words=2.17, strangers=-0.6, denies=-2.82, unsupported=-2.0
)
ENOUGH = 0.1  # grounded share from which more tells nothing: loose answers often have little more


@dataclass(frozen=True, slots=True)
class Signals:
    """What tells whether the passages answer a question.

    ``similarity``: mean of the cosines of the question with the nearest sentence and with the
    nearest passage; ``words``: the largest share of the question's content words in one sentence;
    ``strangers``: numbers of the question that the nearest sentence does not have, and names that
    its passage does not have; ``denies``: the question says "not", and that sentence does not;
    ``grounded``: how far the answer rests on the passages; 1 while there is none.
    """

    similarity: float
    words: float
    strangers: int
    denies: bool
    grounded: float = 1.0

    @property
    def unsupported(self) -> float:
        """How much of what an answer needs of its passages is missing: 1 where nothing is there."""
        return max(0.0, 1 - self.grounded / ENOUGH)

    def probability(self, weights: Weights = WEIGHTS) -> float:
        """The probability that the documents answer the question.

        >>> near = Signals(similarity=0.8, words=1.0, strangers=0, denies=False, grounded=1.0)
        >>> far = Signals(similarity=0.2, words=0.2, strangers=1, denies=False, grounded=0.0)
        >>> near.probability() > 0.8, far.probability() < 0.1
        (True, True)
        """
        odds = (
            weights.base
            + weights.similarity * self.similarity
            + weights.words * self.words
            + weights.strangers * min(self.strangers, MOST_STRANGERS)
            + weights.denies * self.denies
            + weights.unsupported * self.unsupported
        )
        return 1 / (1 + math.exp(-odds))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage, its terms, and those of the passage with its headings."""

    text: str
    terms: frozenset[str]
    context: frozenset[str]


def signals(
    question: str,
    candidates: Sequence[Candidate],
    encoder: Encoder,
    language: str,
    grounded: float = 1.0,
) -> Signals | None:
    """Compare the question with the passages, best first; None where they say nothing."""
    asked = set(terms(question, language))
    told = [sentence for c in candidates for sentence in stated(c, language)]
    # stable: of equals the better passage's stays first
    likely = sorted(told, key=lambda s: -coverage(asked, s.terms))[:SHORTLIST]
    if not likely:
        return None
    cosines = (
        encoder.encode_passages([s.text for s in likely]) @ encoder.encode_queries([question])[0]
    )
    nearest = likely[int(cosines.argmax())]
    return Signals(
        similarity=similarity(float(cosines.max()), candidates),
        words=coverage(asked, likely[0].terms),
        strangers=strangers(question, nearest, language),
        denies=negates(question, language) and not negates(nearest.text, language),
        grounded=grounded,
    )


def similarity(sentence: float, candidates: Sequence[Candidate]) -> float:
    """The mean of the nearest sentence's cosine and of the nearest passage's.

    The dense leg tells the passage's; without one it is estimated.

    >>> round(similarity(0.8, ()), 3)
    0.748
    """
    told = [c.scores["dense"] for c in candidates if "dense" in c.scores]
    return (sentence + max(told, default=LENGTH * sentence)) / 2


def stated(candidate: Candidate, language: str) -> list[Sentence]:
    """The sentences of a passage that say something; a heading does only where it stands alone."""
    item = candidate.item
    context = frozenset(terms(" ".join([*item.headings, item.text]), language))
    texts = [item.text[start:end] for start, end in sentences(item.text)]
    told = [text for text in texts if text.strip("#= ") not in item.headings]
    return [Sentence(t, frozenset(terms(t, language)), context) for t in told or texts]


def strangers(question: str, near: Sentence, language: str) -> int:
    """How many numbers of the question the sentence, and how many names the passage lacks."""
    unknown = numbers(question) - numbers(near.text)
    if language not in NOUNS_LIKE_NAMES:
        told = {name.lower() for name in names(question.lstrip(OPENINGS))}
        unknown |= {name for name in told if not near.context.issuperset(terms(name, language))}
    return len(unknown)


def negates(text: str, language: str) -> bool:
    """Whether a text says "not"; only in languages whose words for it are listed.

    >>> negates("Which wheel doesn't mill grain?", "en"), negates("Knots hold.", "en")
    (True, False)
    """
    listed = NEGATIONS.get(language, "").split()
    return any(w in listed or (language == "en" and w.endswith("n't")) for w in words(text))
