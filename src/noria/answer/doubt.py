"""How much in an answer speaks against its passages. Knows no encoder and no citations.

Four signs, found by words alone:

- a number or a name that the passages do not have;
- one that they have elsewhere: at its place in the answer, among the same words, they have another;
- neighbouring words of the answer that stand far apart in the passages, or not there at all;
- an answer that has hardly any word of the passages.

The constants were chosen on one half of the data of `benchmarks/grounding.py`. Those of distance
are not sharp: halving or doubling one moves an AUROC by a hundredth. FACT against LOOSE is a trade:
more of FACT finds more altered answers, more of LOOSE more of FaithBench's hallucinations.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from noria.answer.reading import Kind, Token, read
from noria.answer.sentences import sentences
from noria.types import Candidate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.float64]

APART = 60  # tokens that seem to lie between one passage and the next
PAUSE = 6  # tokens that seem to lie between two sentences
NEAR = 8.0  # tokens of a passage over which a neighbour fades
BESIDE = 5.0  # tokens of the answer over which a neighbour matters less
WINDOW = 20  # tokens of the answer on each side that count as neighbours
ADJACENT = 4.0  # tokens over which a pair of neighbours comes apart
OF_QUESTION = 0.4  # weight of the question's words beside a fact's neighbours
SLACK = 0.15  # of the neighbours' weight: a rival must fit better by more than chance
REPEATED = 0.5  # share of the doubt that a fact keeps which the question already said

UNHEARD = 0.0  # fit of a number or name that no passage has
ALIKE = 0.4  # of a name that begins as one of the passages: Russian, Russia
PERHAPS = 0.4  # of a first word, which may be no name; in German, of any noun
SMALL = 0.3  # of a small number in words, which may count what is listed
PAIR = 0.7  # of "two", which summaries count with

FACT = 6.0  # halvings of the grounding by a fact without any fit
FACTS = 8  # a long answer has more facts, of which one fits worst by chance
LOOSE = 0.5  # halvings by a sentence none of whose neighbours stand together
FOREIGN = 4.0  # halvings by an answer that has no word of the passages

MOST_TOKENS = 2000  # of an answer; what comes after is as if it were not there
MOST_FACTS = 100  # of an answer, the first ones
MOST_PLACES = 2000  # of a term, and of all names or numbers, in the passages: the first ones


@dataclass(frozen=True, slots=True)
class Source:
    """What the passages have: the places of each term, of names and of numbers.

    ``lower``: terms that stand there as plain words; ``named``: those that stand there with a
    capital inside a sentence; ``beginnings``: the first four letters or more of those.
    """

    size: int
    places: "Mapping[str, Places]"
    rivals: Mapping[Kind, Sequence[tuple[str, int]]]
    lower: frozenset[str]
    named: frozenset[str]
    beginnings: frozenset[str]

    def rarity(self, term: str) -> float:
        """How much a term tells: more, the less often it stands in the passages."""
        return math.log(1 + (self.size + 1) / (len(self.places.get(term, ())) + 1))

    def has_alike(self, term: str) -> bool:
        """Whether some name of the passages begins as ``term`` does."""
        return len(term) >= 5 and term[: max(4, len(term) - 3)] in self.beginnings


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer beside the question. ``facts``: places in ``tokens``."""

    tokens: Sequence[Token]
    question: Sequence[Token]
    facts: Sequence[int]
    said: frozenset[str] = field(default=frozenset())
    asked: frozenset[str] = field(default=frozenset())


def doubt(question: str, answer: str, candidates: Sequence[Candidate], language: str) -> float:
    """How often the grounding of ``answer`` is to be halved: 0 if it copies a passage.

    >>> from noria.types import Item
    >>> hama = [Candidate(Item("p", "The wheel in Hama has 20 m. One in Homs has 12 m."), 1.0)]
    >>> round(doubt("", "The wheel in Hama has 20 m.", hama, "en"), 1)
    0.0
    >>> doubt("", "The wheel in Hama has 12 m.", hama, "en") > 0.5
    True
    """
    source = taken(candidates, language)
    asked = read(question, language)[:MOST_TOKENS]
    said = [s for s in told(answer, asked, source, language) if s.tokens]
    words = sum(len(s.tokens) for s in said)
    if not words:
        return 0.0
    facts = islice(((s, at) for s in said for at in s.facts), MOST_FACTS)
    fits = [fit(s, at, source, language) for s, at in facts]
    worst = max(((1 - f) ** 2 for f in fits), default=0.0)
    loose = sum(1 - together(s.tokens, source) for s in said)
    shared = sum(covered(s.tokens, source) * len(s.tokens) for s in said) / words
    return FACT * worst * FACTS / (FACTS + len(fits)) + LOOSE * loose + FOREIGN * (1 - shared) ** 4


def taken(candidates: Sequence[Candidate], language: str) -> Source:
    """What the passages and their headings have."""
    import numpy as np

    tokens: list[Token] = []
    for candidate in candidates:
        start = tokens[-1].place + APART if tokens else 0
        above = read(" ".join(candidate.item.headings), language, start)
        tokens += above
        tokens += read(candidate.item.text, language, start + len(above), PAUSE)
    places: dict[str, list[int]] = {}
    for token in tokens:
        places.setdefault(token.term, []).append(token.place)
    named = frozenset(t.term for t in tokens if t.kind == "name")
    names = [t for t in tokens if t.kind == "name" or (t.kind == "first" and t.term in named)]
    numbers = [t for t in tokens if t.kind == "number"]
    return Source(
        len(tokens),
        {term: np.array(at[:MOST_PLACES], dtype=np.float64) for term, at in places.items()},
        {
            "name": [(t.term, t.place) for t in names],
            "number": [(t.term, t.place) for t in numbers],
        },
        frozenset(t.term for t in tokens if t.kind == "word"),
        named,
        frozenset(name[:n] for name in named for n in range(4, len(name) + 1)),
    )


def told(answer: str, asked: Sequence[Token], source: Source, language: str) -> Iterable[Sentence]:
    """The sentences of an answer, each with the numbers and names that it claims."""
    plain = frozenset(t.term for t in asked if t.kind == "word")
    terms = frozenset(t.term for t in asked)
    count = 0
    for start, end in sentences(answer):
        tokens = read(answer[start:end], language)[: MOST_TOKENS - count]
        count += len(tokens)
        facts = [at for at in range(len(tokens)) if is_fact(tokens, at, source, plain)]
        said = frozenset(t.term for t in tokens)
        yield Sentence(tokens, asked, facts, said, terms)
        if count >= MOST_TOKENS:
            return


def is_fact(tokens: Sequence[Token], at: int, source: Source, plain: frozenset[str]) -> bool:
    """Whether a token is a number or a name; a first word is one if it looks so elsewhere too."""
    token = tokens[at]
    if not token.claims or token.kind == "word":
        return False
    if token.kind != "first":
        return True
    if token.term in source.lower or token.term in plain:
        return False
    return token.term in source.places or not token.pause


def fit(sentence: Sentence, at: int, source: Source, language: str) -> float:
    """How well a number or name fits the passages at its place in the answer, from 0 to 1.

    Its neighbours in the answer are looked for around it, and around every other number or name
    of the passages that the answer could have said instead: 1 if none of them fits better.
    """
    import numpy as np

    token = sentence.tokens[at]
    own = source.places.get(token.term)
    if own is None:
        return absent(sentence.tokens, at, source, language)
    around = neighbours(sentence, at, source)
    if not around:
        return 1.0
    kind: Kind = "number" if token.kind == "number" else "name"
    others = [
        place
        for term, place in source.rivals[kind][:MOST_PLACES]
        if term not in sentence.said and term not in sentence.asked
    ]
    fits = context(np.concatenate([own, np.array(others, dtype=np.float64)]), around, source)
    best, rival = float(fits[: len(own)].max()), float(fits[len(own) :].max(initial=0.0))
    fitting = (best + SLACK) / (max(best, rival) + SLACK)
    return 1 - REPEATED * (1 - fitting) if token.term in sentence.asked else fitting


def absent(tokens: Sequence[Token], at: int, source: Source, language: str) -> float:
    """The fit of a number or name that the passages do not have."""
    token = tokens[at]
    if token.kind == "number":
        if not token.in_words:
            return UNHEARD
        return PAIR if token.term == "#2" else SMALL
    if source.has_alike(token.term):
        return ALIKE
    alone = at + 1 == len(tokens) or not (tokens[at + 1].kind == "name" and tokens[at + 1].glued)
    unsure = token.kind == "first" and alone and len(tokens) > 3
    return PERHAPS if unsure or language == "de" else UNHEARD


def neighbours(sentence: Sentence, at: int, source: Source) -> list[tuple[str, float]]:
    """The words around a fact, and those of the question, by how much they say of its place."""
    token = sentence.tokens[at]
    own = whole_name(sentence.tokens, at)
    window = range(max(0, at - WINDOW), min(len(sentence.tokens), at + WINDOW + 1))
    beside = [
        (other.term, math.exp(-abs(i - at) / BESIDE) * source.rarity(other.term))
        for i in window
        if i not in own and (other := sentence.tokens[i]).term != token.term
    ]
    asked = [
        (other.term, OF_QUESTION * source.rarity(other.term))
        for other in sentence.question[: 2 * WINDOW]
        if other.term not in sentence.said
    ]
    return beside + asked


def whole_name(tokens: Sequence[Token], at: int) -> range:
    """The places of the name of several words that a token belongs to."""
    first = last = at
    if tokens[at].kind != "number":
        while first > max(0, at - WINDOW) and tokens[first - 1].kind in ("name", "first"):
            first -= 1
        while last + 1 < min(len(tokens), at + WINDOW) and tokens[last + 1].kind == "name":
            last += 1
    return range(first, last + 1)


def context(at: "Places", around: Sequence[tuple[str, float]], source: Source) -> "Places":
    """For each place: the share of the neighbours' weight around it, fading with distance."""
    import numpy as np

    found = np.zeros(len(at))
    for term, weight in around:
        places = source.places.get(term)
        if places is not None:
            found += weight * np.exp(-distance(at, places) / NEAR)
    total = sum(weight for _, weight in around)
    return found / total


def distance(at: "Places", places: "Places") -> "Places":
    """From each place to the nearest of ``places``, which are in order and not empty."""
    import numpy as np

    after = np.searchsorted(places, at).clip(0, len(places) - 1)
    before = (after - 1).clip(0)
    nearest: Places = np.minimum(np.abs(at - places[after]), np.abs(at - places[before]))
    return nearest


def together(tokens: Sequence[Token], source: Source) -> float:
    """How near neighbouring words of the answer stand in the passages, from 0 to 1."""
    near, total = 0.0, 0.0
    for one, other in pairwise(tokens):
        weight = source.rarity(one.term) + source.rarity(other.term)
        total += weight
        ones, others = source.places.get(one.term), source.places.get(other.term)
        if ones is not None and others is not None:
            apart = float(distance(ones, others).min())
            near += weight * math.exp(-max(0.0, apart - 1) / ADJACENT)
    return near / total if total else covered(tokens, source)


def covered(tokens: Sequence[Token], source: Source) -> float:
    """Share of the words that the passages have anywhere, rare ones counting more."""
    weights = [source.rarity(t.term) for t in tokens]
    had = sum(w for t, w in zip(tokens, weights, strict=True) if t.term in source.places)
    return had / sum(weights)
