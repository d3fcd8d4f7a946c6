"""Folds never part a document."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.evaluate.statistics.folds import connected, folds

KEYS = st.lists(st.sets(st.sampled_from("abcdefghijklmnopqrst"), max_size=2), max_size=40)


@given(KEYS, st.integers(2, 5), st.integers(0, 3))
def test_no_document_is_in_two_folds(keys: list[set[str]], k: int, seed: int) -> None:
    groups = connected(keys)
    assume(len(groups) >= k)
    placed = folds(keys, k, seed)
    for key in set().union(*keys):
        assert len({fold for own, fold in zip(keys, placed, strict=True) if key in own}) == 1
    sizes = [placed.count(fold) for fold in range(k)]
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) <= max(len(group) for group in groups)
    assert folds(keys, k, seed) == placed


def test_without_documents_the_folds_are_even_and_the_seed_decides() -> None:
    keys: list[set[str]] = [set() for _ in range(103)]
    placed = folds(keys, 5, 0)
    assert sorted(placed.count(fold) for fold in range(5)) == [20, 20, 21, 21, 21]
    assert folds(keys, 5, 1) != placed


def test_what_hangs_together_stays_together() -> None:
    chain = [{str(i), str(i + 1)} for i in range(5000)]
    assert connected(chain) == [list(range(5000))]
    assert connected([*reversed(chain), {"alone"}])[1:] == [[5000]]


def test_too_few_documents_are_told() -> None:
    with pytest.raises(UsageError, match=r"4 questions from 2 unrelated documents.* 3 folds"):
        folds([{"a"}, {"a"}, {"b"}, {"b"}], 3, 0)
    with pytest.raises(UsageError, match="at least 2 folds, got 1"):
        folds([{"a"}, {"b"}], 1, 0)
