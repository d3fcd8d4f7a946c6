"""Parts of a set of questions for cross-validation, so that no document is in two of them."""

import random
from collections import defaultdict
from collections.abc import Collection, Sequence

from noria.errors import UsageError


def folds(keys: Sequence[Collection[str]], k: int, seed: int) -> list[int]:
    """The fold of each question, from 0 to ``k`` - 1.

    ``keys``: the documents of each question. Questions that share one, directly or through others,
    are in one fold; a question without any stands alone. The largest groups are placed first, each
    into the smallest fold, so that the folds differ by at most the largest group. The same seed
    gives the same folds. Raises UsageError for fewer than two folds, or more folds than groups.

    >>> folds([{"a"}, {"b"}, {"a", "c"}, {"c"}], 2, seed=0)
    [0, 1, 0, 0]
    """
    groups = connected(keys)
    if k < 2:
        raise UsageError(f"expected at least 2 folds, got {k}")
    if len(groups) < k:
        raise UsageError(
            f"{len(keys)} questions from {len(groups)} unrelated documents cannot be parted into "
            f"{k} folds; ask for fewer folds, or add questions on other documents"
        )
    random.Random(seed).shuffle(groups)
    groups.sort(key=len, reverse=True)  # stable: equal ones stay shuffled
    sizes = [0] * k
    placed = [0] * len(keys)
    for group in groups:
        fold = min(range(k), key=sizes.__getitem__)
        sizes[fold] += len(group)
        for question in group:
            placed[question] = fold
    return placed


def connected(keys: Sequence[Collection[str]]) -> list[list[int]]:
    """The places of questions that share a key, directly or through others, group by group.

    >>> connected([{"a"}, {"b"}, {"a", "c"}, set(), {"c"}])
    [[0, 2, 4], [1], [3]]
    """
    parent = list(range(len(keys)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    first: dict[str, int] = {}
    for place, own in enumerate(keys):
        for key in sorted(own):
            one, other = sorted((root(place), root(first.setdefault(key, place))))
            parent[other] = one
    groups = defaultdict(list)
    for place in range(len(keys)):
        groups[root(place)].append(place)
    return list(groups.values())
