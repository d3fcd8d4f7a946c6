import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import UsageError
from noria.evaluate.metrics.abstention import aurc, auroc, ece, fitted, lowest, points

SURE = np.array([0.9, 0.8, 0.8, 0.4, 0.1])
RIGHT = np.array([1.0, 1.0, 0.0, 1.0, 0.0])
ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans(), st.integers(0, 3)), min_size=1
)


@given(ROWS)
def test_auroc_counts_pairs(rows):
    sure, able, counts = (np.array(column) for column in zip(*rows, strict=True))
    (value,) = auroc(sure.astype(float), able).figure(counts[None].astype(float))
    drawn = [(s, a) for s, a, count in rows for _ in range(count)]
    pairs = [(s, t) for s, a in drawn if a for t, b in drawn if not b]
    if not pairs:
        assert np.isnan(value)
    else:
        won = sum((s > t) + (s == t) / 2 for s, t in pairs)
        assert value == pytest.approx(won / len(pairs))


def test_failures_are_ranked_last_or_first():
    sure = np.array([-np.inf, 0.5, 0.4, np.inf])
    (value,) = auroc(sure, np.array([True, True, False, False])).figure(np.ones((1, 4)))
    assert value == 0.25  # of four pairs only 0.5 over 0.4


def test_aurc_by_hand():
    # thresholds 0.9, 0.8 (two questions), 0.4, 0.1: risks 0, 1/3, 1/4, 2/5
    (value,) = aurc(SURE, RIGHT).figure(np.ones((1, 5)))
    assert value == pytest.approx((0 + 2 * (1 / 3) + 1 / 4 + 2 / 5) / 5)


@given(ROWS, st.data())
def test_a_draw_is_as_good_as_its_questions_written_out(rows, data):
    sure, right, counts = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if not counts.sum():
        return
    places = np.repeat(np.arange(len(rows)), counts.astype(int))
    for measure in (aurc, ece):
        (drawn,) = measure(sure, right).figure(counts[None])
        (out,) = measure(sure[places], right[places]).figure(np.ones((1, len(places))))
        assert drawn == pytest.approx(out)


def test_ece_by_hand():
    # bins: 0.9 off by 0.1 (of one), 0.8 by 0.3 (two), 0.4 by 0.6, 0.1 by 0.1
    (value,) = ece(SURE, RIGHT).figure(np.ones((1, 5)))
    assert value == pytest.approx((0.1 + 2 * 0.3 + 0.6 + 0.1) / 5)


@pytest.mark.parametrize("sure", [0.0, 0.05, 0.3, 0.95, 1.0])
def test_a_share_that_is_right_as_often_as_it_says_is_calibrated(sure):
    right = np.concatenate([np.ones(round(100 * sure)), np.zeros(100 - round(100 * sure))])
    (value,) = ece(np.full(100, sure), right).figure(np.ones((1, 100)))
    assert value == pytest.approx(0, abs=1e-12)


def test_the_curve_begins_with_the_surest_and_ends_with_all():
    covered, right = zip(*points(SURE, RIGHT), strict=True)
    assert covered == pytest.approx((0.2, 0.6, 0.8, 1.0))
    assert right == pytest.approx((1.0, 2 / 3, 3 / 4, 3 / 5))
    assert points(np.array([]), np.array([])) == ()


@pytest.mark.parametrize(
    ("risk", "threshold"), [(0.0, 0.9), (0.25, 0.4), (0.3, 0.4), (0.4, 0.1), (1.0, 0.1)]
)
def test_the_lowest_threshold_that_keeps_the_risk(risk, threshold):
    assert lowest(SURE, RIGHT, risk) == threshold


def test_where_no_threshold_keeps_the_risk_nothing_is_answered():
    assert lowest(np.array([0.9, 0.1]), np.array([0.0, 1.0]), 0.2) == float("inf")
    found = fitted(np.ones(10), np.zeros(10), [[str(n)] for n in range(10)], 0.1, seed=0)
    assert (found.confidence, found.risk, found.coverage) == (float("inf"), None, 0.0)
    assert (found.fitted, found.held_out) == (5, 5)


def test_the_held_out_risk_is_near_the_stated_one():
    rng = np.random.default_rng(0)
    sure = rng.random(4000)
    right = (rng.random(4000) < sure).astype(float)  # right as often as it says
    documents = [[str(at // 4)] for at in range(4000)]
    found = fitted(sure, right, documents, 0.2, seed=0)
    assert found.confidence == pytest.approx(0.6, abs=0.05)  # the mean of what is above is 0.8
    assert found.risk == pytest.approx(0.2, abs=0.03)
    assert found.coverage == pytest.approx(0.4, abs=0.05)


def test_no_document_is_on_both_sides():
    sure = np.array([0.9, 0.9, 0.1, 0.1])  # two documents, told apart by the confidence
    found = [fitted(sure, sure, [["a"], ["a"], ["b"], ["b"]], 0.5, seed) for seed in range(8)]
    assert {(each.confidence, each.coverage) for each in found} <= {(0.9, 0.0), (np.inf, 0.0)}
    with pytest.raises(UsageError, match="unrelated documents"):
        fitted(sure, sure, [["a"]] * 4, 0.5, seed=0)
