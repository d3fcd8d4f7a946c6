"""Near-duplicates, against what comparing everything with everything finds."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.evaluate.statistics.folds import connected
from noria.tune.data.alike import NEAR, bags, known, same, together

WORDS = st.lists(
    st.sampled_from(["the", "a", "well", "wheel", "water", "old", "deep", "dug", "lifts"]),
    max_size=14,
)
TEXTS = st.lists(WORDS.map(" ".join), max_size=12)


def near(texts: list[str]) -> set[tuple[int, int]]:
    """All pairs that are alike, each compared."""
    made = bags(texts)
    return {
        (one, other)
        for one, other in combinations(range(len(texts)), 2)
        if made.alike(one, other) >= NEAR
    }


@given(TEXTS)
def test_nothing_alike_is_overlooked_and_nothing_else_found(texts: list[str]) -> None:
    keys = [{f"{one} {other}" for one, other in near(texts) if at in (one, other)}
            for at in range(len(texts))]  # fmt: skip
    groups = connected(keys)
    expected = {place: min(group) for group in groups for place in group}
    assert together(texts) == [expected[place] for place in range(len(texts))]


@given(TEXTS, st.data())
def test_only_texts_of_one_key_hang_together(texts: list[str], data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.sampled_from("ab"), min_size=len(texts), max_size=len(texts)))
    found = together(texts, keys)
    assert all(keys[place] == keys[first] for place, first in enumerate(found))


@given(TEXTS, TEXTS)
def test_what_is_known_is_alike(texts: list[str], among: list[str]) -> None:
    made = bags([*among, *texts])
    for at, hit in enumerate(known(texts, among)):
        likes = [made.alike(len(among) + at, other) for other in range(len(among))]
        if hit is None:
            assert max(likes, default=0) < NEAR
        else:
            assert likes[hit[0]] >= NEAR - 1e-9
            assert hit[1] == any(same(texts[at]) == same(other) for other in among)


@given(TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_the_texts_does_not_matter(texts: list[str], random: object) -> None:
    places = list(range(len(texts)))
    random.shuffle(places)  # type: ignore[attr-defined]
    before, after = together(texts), together([texts[place] for place in places])
    parts = {frozenset(p for p, r in enumerate(before) if r == root) for root in before}
    moved = {frozenset(places[p] for p, r in enumerate(after) if r == root) for root in after}
    assert parts == moved


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Who dug it?", "who dug it"),
        ("How are packets forwarded?", "  how ARE packets... forwarded"),
        ("What is the name of one rule that is useful for testing whether a number is prime?",
         "What is the name of another rule that is useful for testing whether a number is prime?"),
        ("水車は川から水を汲み上げる", "水車は川から水を汲み上げる。"),
        ("?!", "?!"),
    ],
)  # fmt: skip
def test_alike(one: str, other: str) -> None:
    assert together([one, other]) == [0, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I top up by card?", "How do I top up by cheque?"),
        ("What is the capital of France?", "What is the capital of Italy?"),
        ("Who dug it?", "Who sold it?"),
        ("?!", "!?"),
        ("", "."),
    ],
)
def test_not_alike(one: str, other: str) -> None:
    assert together([one, other]) == [0, 1]


def test_a_preamble_that_all_share_makes_nobody_alike() -> None:
    preamble = "Below is an instruction that describes a task. Write a response that fits. "
    said = [f"{preamble}{' '.join(f'{c}{n}' for c in 'abcdefghijkl')}" for n in range(2000)]
    assert together(said) == list(range(2000))
    assert together([*said, said[7] + " now"])[-1] == 7
