"""Samples that stand for all questions."""

from collections import Counter
from collections.abc import Callable, Sequence
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.evaluate.questions import Question
from noria.evaluate.sample import apportioned, by_importance, stratified, stratum

KINDS = st.tuples(
    st.sampled_from(["qa", "classification", "chat"]),
    st.booleans(),
    st.sampled_from(["bill", "repair", "leak"]),
    st.sampled_from(["north", "south", None]),
    st.integers(0, 5),
)


def question(at: int, kind: tuple[str, bool, str, str | None, int]) -> Question:
    task, unanswerable, label, area, document = kind
    choices = ("bill", "leak", "repair") if task == "classification" else ()
    return Question(
        str(at),
        "Who?",
        () if unanswerable else (label,),
        (f"{document}.md",),
        task,  # type: ignore[arg-type]
        choices=choices,
        slice={"area": area} if area else {},
        unanswerable=unanswerable,
    )


MIXED = st.lists(KINDS, max_size=60).map(
    lambda kinds: [question(at, kind) for at, kind in enumerate(kinds)]
)


@given(MIXED, st.integers(0, 70), st.integers(0, 3))
def test_a_sample_has_its_size_and_each_stratum_its_share(
    asked: list[Question], n: int, seed: int
) -> None:
    found = stratified(asked, n, seed)
    assert len(found) == min(n, len(asked))
    assert list(found) == [q for q in asked if q in found]  # in their order, none twice
    of = stratum(asked)
    taken, there = Counter(map(of, found)), Counter(map(of, asked))
    for name, size in there.items():
        share = size * len(found) / len(asked)
        assert floor(share + 1e-9) <= taken[name] <= ceil(share - 1e-9)


@given(MIXED, st.integers(0, 70), st.integers(0, 70), st.integers(0, 3))
def test_a_larger_sample_holds_the_smaller(
    asked: list[Question], a: int, b: int, seed: int
) -> None:
    small, large = sorted((a, b))
    some = {q.id for q in stratified(asked, small, seed)}
    assert some <= {q.id for q in stratified(asked, large, seed)}


@given(MIXED, st.integers(0, 60))
def test_the_order_of_the_file_does_not_matter(asked: list[Question], n: int) -> None:
    there = {q.id for q in stratified(asked, n)}
    assert there == {q.id for q in stratified(asked[::-1], n)}


@given(st.lists(st.integers(0, 40), max_size=12))
def test_every_beginning_is_within_one_of_every_share(sizes: list[int]) -> None:
    order = list(apportioned(sizes, [0.5] * len(sizes)))
    assert Counter(order) == Counter({at: size for at, size in enumerate(sizes) if size})
    taken = [0] * len(sizes)
    for n, place in enumerate(order, 1):
        taken[place] += 1
        for had, size in zip(taken, sizes, strict=True):
            assert abs(had * len(order) - size * n) < len(order)


def test_strata_of_a_thousand_labels() -> None:
    sizes = [1 + at % 7 for at in range(1_000)]
    order = list(apportioned(sizes, [0.0] * 1_000))[:2_000]
    taken, total = Counter(order), sum(sizes)
    assert all(abs(taken[at] - size * 2_000 / total) < 1 for at, size in enumerate(sizes))


def share(found: Sequence[Question], of: Callable[[Question], object], value: object) -> float:
    return sum(of(q) == value for q in found) / len(found)


def test_a_small_slice_is_not_lost_in_many_strata() -> None:
    """With 50 labels and two questions of each, a fifth still is from the south."""
    labels = [f"label {n}" for n in range(50)]
    asked = [
        Question(f"{label} {n}", "?", (label,), task="classification", choices=tuple(labels),
                 slice={"area": "north" if n % 5 else "south"})
        for label in labels
        for n in range(20)
    ]  # fmt: skip
    found = stratified(asked, 100)
    assert {*Counter(q.answers for q in found).values()} == {2}
    assert share(found, lambda q: q.slice["area"], "south") == pytest.approx(0.2, abs=0.1)


def test_articles_and_paragraphs_are_spread() -> None:
    asked = [
        Question(f"{article}-{at}-{n}", "?", ("x",), (f"{article}/{at}",),
                 slice={"article": article})
        for article in "abcde"
        for at in range(10)
        for n in range(4)
    ]  # fmt: skip
    found = stratified(asked, 50)
    by_article = Counter(q.slice["article"] for q in found)
    assert len(by_article) == 5
    assert max(by_article.values()) - min(by_article.values()) <= 2
    assert len({q.documents for q in found}) >= 45  # of 50


def test_other_options_in_each_question_are_no_labels() -> None:
    own = [Question(f"c{n}", "?", (f"a{n}",), task="choice", choices=(f"a{n}", f"b{n}"))
           for n in range(10)]  # fmt: skip
    same = [Question(f"s{n}", "?", ("no" if n else "yes",), task="choice", choices=("yes", "no"))
            for n in range(10)]  # fmt: skip
    of = stratum([*own, *same])
    assert len({of(q) for q in own}) == 1
    assert len({of(q) for q in same}) == 2


def test_another_seed_is_another_sample() -> None:
    asked = [Question(str(n), "?") for n in range(100)]
    samples = {tuple(q.id for q in stratified(asked, 10, seed)) for seed in range(10)}
    assert len(samples) == 10


def test_time_may_run_out_at_any_question() -> None:
    asked = [Question(str(n), "?", unanswerable=n >= 80) for n in range(100)]
    order = list(by_importance(asked))
    assert sorted(q.id for q in order) == sorted(q.id for q in asked)
    assert [sum(q.unanswerable for q in order[:n]) for n in (5, 20, 50)] == [1, 4, 10]


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(UsageError, match="a sample of -1 questions; expected 0 or more"):
        stratified([], -1)
