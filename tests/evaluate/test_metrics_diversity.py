import numpy as np
import pytest

from noria.evaluate.metrics.diversity import SAMPLE, distinct, sampled, self_bleu

ALL = np.ones((1, 3))


def test_distinct_is_the_share_of_different_runs():
    answers = ["the wheel lifts", "the wheel turns", "the wheel lifts"]
    (value,) = distinct(answers).figure(ALL)
    assert value == pytest.approx(3 / 6)  # the wheel, wheel lifts, wheel turns
    assert distinct(["a b", "c d", "e f"]).figure(ALL)[0] == 1.0
    assert distinct(["a a a a", "", "a"]).figure(ALL)[0] == pytest.approx(1 / 3)


def test_a_draw_that_repeats_answers_is_not_less_diverse():
    measure = distinct(["a b c", "d e f", "g h i"])
    assert measure.figure(np.array([[3.0, 0.0, 0.0]])) == pytest.approx([1.0])


def test_the_mean_over_draws_is_the_figure_itself():
    measure = distinct(["the wheel lifts it", "the wheel turns it", "the wheel lifts it"] * 10)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(30, np.full(30, 1 / 30), 2000).astype(float)
    (value,) = measure.figure(np.ones((1, 30)))
    assert measure.figure(draws).mean() == pytest.approx(value, abs=0.005)


def test_self_bleu_knows_alike_from_different():
    alike = ["the wheel lifts water out of the stream"] * 3
    different = ["one two three four five", "six seven eight nine ten", "a b c d e"]
    assert self_bleu(alike).figure(ALL)[0] == pytest.approx(100)
    assert self_bleu(different).figure(ALL)[0] == pytest.approx(0)
    mixed = self_bleu([*alike[:2], different[0]])
    assert mixed.values == pytest.approx([100, 100, 0])


def test_the_sample_is_bounded_and_the_same_each_time():
    assert sampled(5).tolist() == [0, 1, 2, 3, 4]
    assert len(set(sampled(1000).tolist())) == SAMPLE
    assert sampled(1000).tolist() == sampled(1000).tolist()
    assert sampled(1000, seed=1).tolist() != sampled(1000).tolist()
