"""Finds texts that say nearly the same, among a hundred thousand. Knows no examples.

A text is the set of its pairs of neighbouring words. Two texts are alike by the weight of the
pairs that they share, over the weight of all pairs of both (weighted Jaccard). A pair weighs the
less, the more texts have it, so a preamble that all share makes nobody alike. What is found is
exact, not drawn: texts this much alike share one of their rarest pairs, so only those are looked
up (prefix filtering; Bayardo, Ma and Srikant 2007).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noria.words import PAIRS, words

NEAR = 0.7  # of ten words one may differ in a long text, and little in a short one
FEW = 1_000  # texts below which a pair's weight is as if there were so many
# Texts compared by one pair. More share it only where texts are filled into one template by the
# hundred; then some who are alike may be overlooked.
COMPARED = 50

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bags:
    """The pairs of each text as numbers, the rarest first, and what each number weighs."""

    pairs: Sequence[Numbers]
    weights: NDArray[np.float64]
    totals: Sequence[float]

    def alike(self, one: int, other: int) -> float:
        """How much two texts are alike, from 0 to 1."""
        low, high = sorted((self.totals[one], self.totals[other]))
        if low < NEAR * high:  # cannot be near: not worth counting
            return 0.0
        mine, theirs = self.pairs[one], self.pairs[other]
        places = mine.searchsorted(theirs)  # a third of the time that np.intersect1d takes
        places[places == len(mine)] = 0
        shared = float(self.weights[theirs[mine[places] == theirs]].sum())
        return shared / (low + high - shared)

    def rarest(self, place: int) -> Iterator[int]:
        """The pairs of which a text that is near must share one."""
        pairs = self.pairs[place]
        left = self.totals[place]
        enough = NEAR * left - 1e-9  # sums of floats
        for pair, weight in zip(pairs.tolist(), self.weights[pairs].tolist(), strict=True):
            if left < enough:
                return
            yield pair
            left -= weight


def bags(texts: Sequence[str]) -> Bags:
    """The pairs of words of all texts."""
    numbers: dict[str, int] = {"": 0}  # 0 stands before the first word and after the last
    found: list[Numbers] = []
    for text in texts:
        said = [numbers.setdefault(word, len(numbers)) for word in said_in(text)]
        row = np.array([0, *said, 0], dtype=np.int64)
        found.append(np.unique(row[:-1] << 32 | row[1:]))
    if not found:
        return Bags((), np.zeros(0), ())
    every, places, times = np.unique(
        np.concatenate(found), return_inverse=True, return_counts=True
    )  # fmt: skip
    order = np.lexsort((every, times))
    number = np.empty(len(every), dtype=np.int64)
    number[order] = np.arange(len(every))
    weights = np.log1p(max(FEW, len(texts)) / times[order])
    ends = np.cumsum([len(row) for row in found])
    rows = [np.sort(row) for row in np.split(number[places.ravel()], ends[:-1])]
    return Bags(rows, weights, [float(weights[row].sum()) for row in rows])


def said_in(text: str) -> list[str]:
    """The words of ``text``; single characters where there are no spaces, the text where no words.

    >>> said_in("Who dug it?"), said_in("水車"), said_in("?!")
    (['who', 'dug', 'it'], ['水', '車'], ['?!'])
    """
    if text.isascii():
        return words(text) or [text.strip()]
    found: list[str] = []
    for word in words(text):
        found += word if PAIRS.match(word) else [word]
    return found or [text.strip()]


def same(text: str) -> str:
    """What texts have in common that differ in capitals, punctuation and space only.

    >>> same("Who dug it?") == same("who  dug it")
    True
    """
    return " ".join(said_in(text))


def together(texts: Sequence[str], keys: Sequence[Hashable] | None = None) -> list[int]:
    """For each text the place of the first one with which it hangs together.

    Texts hang together that are alike, directly or through others; with ``keys``, only texts of
    one key do.

    >>> together(["Who dug the well?", "How deep is it?", "who dug the well"])
    [0, 1, 0]
    """
    own = keys or [None] * len(texts)
    made = bags(texts)
    forest = Forest(len(texts))
    copies: dict[Hashable, int] = {}
    known: dict[Hashable, list[int]] = defaultdict(list)
    for place in range(len(texts)):
        copy = copies.setdefault((own[place], made.pairs[place].tobytes()), place)
        if copy < place:
            forest.join(copy, place)
            continue
        tried: set[int] = set()
        for pair in made.rarest(place):
            others = known[own[place], pair]
            for other in others:
                if other in tried or forest.root(other) == forest.root(place):
                    continue
                tried.add(other)
                if made.alike(place, other) >= NEAR:
                    forest.join(other, place)
            if len(others) < COMPARED:
                others.append(place)
    return [forest.root(place) for place in range(len(texts))]


def anywhere(_text: int, _other: int) -> bool:
    """Any two texts may be compared."""
    return True


def known(
    texts: Sequence[str],
    among: Sequence[str],
    comparable: Callable[[int, int], bool] = anywhere,
) -> list[tuple[int, bool] | None]:
    """For each text one of ``among`` that is alike, by its place, and whether it says the same.

    One that says the same goes before one that is merely alike. ``comparable`` says of two places
    whether they may be compared.

    >>> known(["Who dug the well?", "Why?"], ["Where?", "who dug the well"])
    [(1, True), None]
    """
    made = bags([*among, *texts])
    copies: dict[str, list[int]] = defaultdict(list)
    index: dict[int, list[int]] = defaultdict(list)
    for place, text in enumerate(among):
        copies[same(text)].append(place)
        for pair in made.rarest(place):
            if len(index[pair]) < COMPARED:
                index[pair].append(place)
    found: list[tuple[int, bool] | None] = []
    for at, text in enumerate(texts):
        exact = next((p for p in copies.get(same(text), ()) if comparable(at, p)), None)
        if exact is not None:
            found.append((exact, True))
            continue
        place = len(among) + at
        near = dict.fromkeys(p for pair in made.rarest(place) for p in index.get(pair, ()))
        others = (p for p in near if comparable(at, p) and made.alike(place, p) >= NEAR)
        best = next(others, None)
        found.append(None if best is None else (best, False))
    return found


class Forest:
    """Which of some places hang together; the first of them stands for all."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, place: int) -> int:
        """The first place of those that hang together with one."""
        parent = self._parent
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    def join(self, one: int, other: int) -> None:
        """From here on they hang together."""
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low
