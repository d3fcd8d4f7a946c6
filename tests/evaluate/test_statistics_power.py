"""How many questions a difference needs."""

import numpy as np
import pytest

from noria.evaluate.statistics.power import detectable, deviation, needed


def test_both_formulas_are_each_others_inverse() -> None:
    apart = np.random.default_rng(0).normal(0, 0.4, 300)
    size = detectable(apart, 300)
    assert size == pytest.approx(2.8016 * apart.std(ddof=1) / np.sqrt(300), rel=1e-4)
    assert needed(apart, size) in (300, 301)
    assert needed(apart, -size) == needed(apart, size)
    assert detectable(apart, 1200) == pytest.approx(size / 2)


def test_a_t_test_sees_what_is_detectable_in_four_of_five_cases() -> None:
    rng = np.random.default_rng(0)
    apart = rng.normal(detectable(1.0, 200), 1, (200, 4000))
    t = apart.mean(axis=0) / apart.std(axis=0, ddof=1) * np.sqrt(200)
    assert (t > 1.972).mean() == pytest.approx(0.8, abs=0.02)


def test_an_interval_tells_the_deviation_of_a_figure_that_is_no_mean() -> None:
    error = 0.4 / np.sqrt(300)
    told = deviation(0.1 - 1.96 * error, 0.1 + 1.96 * error, 300)
    assert told == pytest.approx(0.4, rel=1e-4)


def test_where_nothing_differed_three_questions_may() -> None:
    for same in (np.zeros(100), np.full(100, 0.1)):
        assert detectable(same, 100) == pytest.approx(2.8016 * np.sqrt(3) / 100, rel=1e-4)
    assert needed(np.ones(10), 0.5) == 2


def test_of_nothing_nothing_is_told() -> None:
    assert np.isnan(detectable(np.array([]), 10))
    assert np.isnan(detectable(np.array([1.0]), 1))
    assert np.isnan(detectable(0.5, 0))
    assert np.isnan(detectable(np.array([0.0, np.nan]), 2))
    for unknown in (np.array([1.0]), np.array([np.nan, 1.0])):
        with pytest.raises(ValueError, match="two or more questions"):
            needed(unknown, 0.1)
    with pytest.raises(ValueError, match="difference of 0"):
        needed(0.5, 0)
