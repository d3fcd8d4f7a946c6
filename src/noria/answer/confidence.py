"""How sure an answer may be: the probability that the documents answer the question.

It rests on the one sentence of the passages that is nearest to the question. Knows neither how
the passages were found nor what wrote the answer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from noria.answer.grounding import names, numbers
from noria.answer.sentences import sentences
from noria.protocols import Encoder
from noria.types import Candidate
from noria.words import coverage, terms, words

SHORTLIST = 4  # sentences by words whose embeddings are compared: more find hardly a nearer one
MOST_STRANGERS = 3  # more say nothing new
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
    grounded: float


# Fitted by `python benchmarks/confidence.py --fit` on every second article of SQuAD's dev sets.
WEIGHTS = Weights(
    base=-4.64, similarity=7.26, words=1.25, strangers=-0.45, denies=-2.47, grounded=0.8
)
USUALLY_GROUNDED = 0.5  # the mean share there: what counts while nothing is written yet


@dataclass(frozen=True, slots=True)
class Signals:
    """What tells whether the passages answer a question.

    ``similarity``: cosine of the question and the nearest sentence; ``words``: share of the
    question's content words in it; ``strangers``: names and numbers of the question that its
    passage does not have; ``denies``: the question says "not", and the sentence does not;
    ``grounded``: share of the answer's sentences that the passages support.
    """

    similarity: float
    words: float
    strangers: int
    denies: bool
    grounded: float = USUALLY_GROUNDED

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
            + weights.grounded * (self.grounded - USUALLY_GROUNDED)
        )
        return 1 / (1 + math.exp(-odds))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, its terms, the passage with its headings, and the passage's terms."""

    text: str
    terms: frozenset[str]
    passage: str
    context: frozenset[str]


def signals(
    question: str,
    candidates: Sequence[Candidate],
    encoder: Encoder,
    language: str,
    grounded: float = USUALLY_GROUNDED,
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
    place = int(cosines.argmax())
    nearest = likely[place]
    return Signals(
        similarity=float(cosines[place]),
        words=coverage(asked, nearest.terms),
        strangers=strangers(question, nearest, language),
        denies=negates(question, language) and not negates(nearest.text, language),
        grounded=grounded,
    )


def stated(candidate: Candidate, language: str) -> list[Sentence]:
    """The sentences of a passage that say something; a heading does only where it stands alone."""
    item = candidate.item
    passage = " ".join([*item.headings, item.text])
    context = frozenset(terms(passage, language))
    texts = [item.text[start:end] for start, end in sentences(item.text)]
    told = [text for text in texts if text.strip("#= ") not in item.headings]
    return [Sentence(t, frozenset(terms(t, language)), passage, context) for t in told or texts]


def strangers(question: str, near: Sentence, language: str) -> int:
    """How many names and numbers of the question the sentence's passage does not have."""
    unknown = numbers(question) - numbers(near.passage)
    if language not in NOUNS_LIKE_NAMES:
        told = {name.lower() for name in names(question)}
        unknown |= {name for name in told if not near.context.issuperset(terms(name, language))}
    return len(unknown)


def negates(text: str, language: str) -> bool:
    """Whether a text says "not"; only in languages whose words for it are listed.

    >>> negates("Which wheel doesn't mill grain?", "en"), negates("Knots hold.", "en")
    (True, False)
    """
    listed = NEGATIONS.get(language, "").split()
    return any(w in listed or (language == "en" and w.endswith("n't")) for w in words(text))
