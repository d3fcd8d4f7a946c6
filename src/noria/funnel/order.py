"""Arranges a slate. Knows nothing of models or storage."""

import re
from collections import Counter
from collections.abc import Sequence

from noria.types import Candidate, Query

SHINGLE = 5  # words in a row: long enough that two texts rarely share one by chance
WORD = re.compile(r"\w+")


class ByScore:
    """The best ``k``, as they come."""

    def __init__(self, k: int = 4) -> None:
        self.k = k

    def order(self, query: Query, candidates: Sequence[Candidate], k: int) -> list[Candidate]:
        """The first ``k``."""
        return list(candidates[:k])


class Diverse:
    """The best ``k`` without near-duplicates, and not all of them from one document.

    ``similarity``: two passages are near-duplicates when this share of the shorter one's word
    sequences is in the other. ``per_document``: places one document may take (0: any number)
    before another document's passage is preferred; free places are filled up again, best first.
    """

    def __init__(self, k: int = 4, similarity: float = 0.8, per_document: int = 3) -> None:
        self.k, self._similarity, self._cap = k, similarity, per_document

    def order(self, query: Query, candidates: Sequence[Candidate], k: int) -> list[Candidate]:
        """At most ``k``, best first."""
        taken: list[Candidate] = []
        waiting: list[Candidate] = []
        seen: list[set[str]] = []
        places: Counter[str] = Counter()
        for candidate in candidates:
            if len(taken) == k:
                break
            document = candidate.item.document or candidate.item.id
            full = self._cap and places[document] >= self._cap
            if full and len(waiting) >= k:
                continue  # one place more than could be filled up
            shingles = shingled(candidate.item.text)
            if any(overlap(shingles, other) >= self._similarity for other in seen):
                continue
            seen.append(shingles)
            if full:
                waiting.append(candidate)
                continue
            places[document] += 1
            taken.append(candidate)
        return taken + waiting[: k - len(taken)]


def shingled(text: str) -> set[str]:
    """The runs of five words in ``text``; of a shorter text, all its words as one."""
    words = WORD.findall(text.lower())
    last = max(1, len(words) - SHINGLE + 1)
    return {" ".join(words[i : i + SHINGLE]) for i in range(last)}


def overlap(one: set[str], other: set[str]) -> float:
    """Share of the smaller set that is in the other.

    >>> overlap({"a", "b"}, {"b", "c", "d"})
    0.5
    """
    return len(one & other) / max(1, min(len(one), len(other)))
