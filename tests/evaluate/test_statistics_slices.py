"""Whether some are served worse than the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.evaluate.records import Record
from noria.evaluate.statistics.slices import holm, slices


def record(id: int, **fields: str) -> Record:
    return Record(str(id), "?", (), "", slice=fields)


def test_who_is_served_worse_is_told() -> None:
    records = [record(i, language="de" if i % 4 == 0 else "en") for i in range(200)]
    scores = np.array([float(i % 4 != 0 or i % 8 == 0) for i in range(200)])
    found = slices({"rag": records}, {"rag": scores}, "accuracy")
    german, english = found.arms["rag"]
    assert (german.field, german.value, german.metric) == ("language", "de", "accuracy")
    assert (german.here.mean, german.here.n, german.rest.mean, german.rest.n) == (0.5, 50, 1, 150)
    assert german.low < -0.5 < german.high < 0
    assert (german.worse, english.worse) == (True, False)  # better beyond chance is no warning
    assert (english.low, english.high) == pytest.approx((-german.high, -german.low))
    assert 0 < german.here.low < 0.5 < german.here.high < 1
    assert german.rest.high == 1
    assert found.problems == ()


def test_a_slice_is_found_in_any_field_and_of_any_arm() -> None:
    records = [record(i, topic="abcd"[i % 4], group="xy"[i % 2]) for i in range(80)]
    scores = np.random.default_rng(0).random(80)
    found = slices({"a": records, "b": records}, {"a": scores, "b": None}, "f1")
    assert [(s.field, s.value) for s in found.arms["a"]] == [
        ("group", "x"), ("group", "y"),
        ("topic", "a"), ("topic", "b"), ("topic", "c"), ("topic", "d"),
    ]  # fmt: skip
    assert found.arms["b"] == ()


def test_small_slices_and_missing_values_say_nothing() -> None:
    records = [record(i, **({"rare": "yes"} if i < 9 else {})) for i in range(60)]
    assert slices({"a": records}, {"a": np.zeros(60)}, "f1").arms["a"] == ()
    records = [record(i, rare="yes" if i < 12 else "no") for i in range(60)]
    scores = np.where(np.arange(60) < 3, np.nan, 0.5)
    assert slices({"a": records}, {"a": scores}, "f1").arms["a"] == ()
    records = [record(i, all="yes") for i in range(60)]  # no rest to compare with
    assert slices({"a": records}, {"a": np.zeros(60)}, "f1").arms["a"] == ()


def test_the_rest_are_all_other_questions_even_without_the_field() -> None:
    records = [record(i, **({"from": "mail"} if i < 20 else {})) for i in range(60)]
    (only,) = slices({"a": records}, {"a": np.linspace(0, 1, 60)}, "f1").arms["a"]
    assert (only.here.n, only.rest.n, only.worse) == (20, 40, True)


def test_a_field_with_many_values_is_named_and_left_out() -> None:
    records = [record(i, title=str(i % 31), ok="xy"[i % 2]) for i in range(400)]
    found = slices({"a": records, "b": records}, {"a": np.zeros(400), "b": np.ones(400)}, "f1")
    assert {s.field for s in found.arms["a"]} == {"ok"}
    assert found.problems == ("slices: 'title' has 31 values, more than 30; left out",)


def test_many_slices_of_noise_seldom_warn() -> None:
    """Ten slices a run, 200 runs without a difference: at most 5 % may warn; seeded."""
    rng = np.random.default_rng(0)
    records = [record(i, one=str(i % 5), two=str(i // 5 % 5)) for i in range(250)]
    warned = single = 0
    for _ in range(200):
        scores = (rng.random(250) < 0.7).astype(float)
        found = slices({"a": records}, {"a": scores}, "em").arms["a"]
        assert len(found) == 10
        warned += any(each.worse for each in found)
        single += any(each.high < 0 for each in found)
    assert warned <= 10
    assert single > 20  # which is why all are considered


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_only_raises_and_keeps_the_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= each <= 1 for p, each in zip(p_values, corrected, strict=True))
    ordered = [corrected[i] for i in np.argsort(p_values, kind="stable")]
    assert ordered == sorted(ordered)
    if p_values:
        assert min(corrected) == min(1, len(p_values) * min(p_values))


def test_holm_as_in_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    found = holm([float("nan"), 0.02, 0.03])
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([0.04, 0.04])
