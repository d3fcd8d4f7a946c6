"""What is held out was not seen, not even in other words."""

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.evaluate.questions import Question
from noria.tune.data.read import read
from noria.tune.data.repeats import leaks
from noria.tune.data.split import kept_together, split
from noria.tune.examples import Example

WHEEL = "Please tell me how the great wheel of the old town lifts water out of the river"


def asked(id: str, text: str, response: str = "yes", **more: Any) -> Example:
    return Example(Question(id, text, (response,), **more), response)


TEXTS = st.sampled_from(
    [WHEEL, WHEEL.upper(), WHEEL.replace("great", "huge"), "Why?", "Who dug the well?", "When?",
     "Where is the mill that grinds the corn of the whole valley?", "How deep is the sea?"]
)  # fmt: skip
ROWS = st.tuples(
    TEXTS,
    st.sampled_from([(), ("a.md",), ("b.md",), ("a.md", "c.md")]),
    st.sampled_from([None, "The wheel of Hama has paddles.", "The sea is deep and blue."]),
    st.sampled_from([{}, {"article": "Hama"}, {"article": "Sea"}]),
)


@st.composite
def examples_of(draw: st.DrawFn) -> list[Example]:
    rows = draw(st.lists(ROWS, min_size=2, max_size=14))
    return [
        asked(str(at), text, documents=documents, context=context, slice=slice)
        for at, (text, documents, context, slice) in enumerate(rows)
    ]


@given(examples_of(), st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 3))
def test_laws(examples: list[Example], share: float, seed: int) -> None:
    try:
        train, held = split(examples, share, seed)
    except UsageError:
        assume(False)
    places = {example.id: at for at, example in enumerate(examples)}
    for part in (train, held):
        assert part
        assert [places[e.id] for e in part] == sorted(places[e.id] for e in part)
    assert sorted(e.id for e in train + held) == sorted(places)
    found = leaks(train, held)
    assert (found.exact, found.near, found.documents) == ({}, {}, {})
    keys = dict(zip(places, kept_together(examples), strict=True))
    assert not set().union(*(keys[e.id] for e in train)) & set().union(*(keys[e.id] for e in held))
    articles = [{e.question.slice.get("article") for e in part} - {None} for part in (train, held)]
    assert not articles[0] & articles[1]


@given(examples_of(), st.integers(0, 3), st.randoms(use_true_random=False))
def test_neither_order_nor_ids_matter(examples: list[Example], seed: int, random: Any) -> None:
    mixed = list(examples)
    random.shuffle(mixed)
    try:
        once, again = split(examples, 0.3, seed), split(mixed, 0.3, seed)
    except UsageError:
        assume(False)
    assert [{e.id for e in part} for part in once] == [{e.id for e in part} for part in again]


def test_labels_have_their_share_on_both_sides() -> None:
    sizes = {"repair": 100, "bill": 50, "move": 10, "odd": 1}
    rng = random.Random(0)
    examples = [
        asked(f"{label}{at}", f"{label} {rng.random()} {rng.random()}", label,
              task="classification", choices=tuple(sizes))
        for label, size in sizes.items() for at in range(size)
    ]  # fmt: skip
    train, held = split(examples, 0.2, 0)
    assert Counter(e.response for e in held) == {"repair": 20, "bill": 10, "move": 2}
    assert len(train) == 129
    assert split(examples, 0.2, 0) == (train, held)
    assert split(examples, 0.2, 1)[1] != held


def test_unanswerable_questions_have_their_share() -> None:
    examples = [asked(str(at), f"{at} {at * 7} {at * 13}") for at in range(50)]
    examples += [
        Example(Question(f"u{at}", f"{at} {at * 3} {at * 11}", unanswerable=True), "")
        for at in range(50)
    ]
    held = split(examples, 0.1, 0)[1]
    assert Counter(e.question.unanswerable for e in held) == {True: 5, False: 5}


def test_large_documents_are_not_torn() -> None:
    examples = [asked(str(at), f"{at} {at * 7}", documents=(f"{at // 30}.md",)) for at in range(90)]
    held = split(examples, 0.05, 0)[1]  # no document is as small: the nearest is one of them
    assert len({e.question.documents for e in held}) == 1
    assert len(held) == 30


def test_another_slice_may_part() -> None:
    examples = [asked(str(at), f"{at} {at * 7}", slice={"user": f"{at % 4}"}) for at in range(40)]
    train, held = split(examples, 0.25, 0, by="user")
    assert {e.question.slice["user"] for e in train}.isdisjoint(
        e.question.slice["user"] for e in held
    )
    assert len(held) == 10


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_a_share_between_0_and_1(share: float) -> None:
    with pytest.raises(UsageError, match="expected one between 0 and 1"):
        split([asked("1", "a"), asked("2", "b")], share, 0)


@pytest.mark.parametrize("number", [0, 1, 5])
def test_what_hangs_together_cannot_be_parted(number: int) -> None:
    with pytest.raises(UsageError, match=f"{number} examples that all hang together"):
        split([asked(str(at), WHEEL) for at in range(number)], 0.5, 0)


@pytest.mark.shared
def test_squad_is_parted_by_article() -> None:
    found = read(Path(os.environ["NORIA_DATA"]) / "squad" / "dev-v2.0.partA.json")
    train, held = split(found.examples, 0.2, 0)
    articles = [{e.question.slice["article"] for e in part} for part in (train, held)]
    assert not articles[0] & articles[1]
    assert 0.1 < len(held) / len(found.examples) < 0.3
    share = [sum(e.question.unanswerable for e in part) / len(part) for part in (train, held)]
    assert abs(share[0] - share[1]) < 0.1
