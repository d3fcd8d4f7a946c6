"""The population stability index: by eye, under chance, and where questions have moved."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from noria.loop.drift import BINS, LEAST, Chart, Drift, Shift, Values, cuts, drift, psi, shift
from noria.models.fake import FakeEncoder

TOPICS = {
    topic: words.split(", ")
    for topic, words in {
        "leave": "leave, holiday, vacation, days, off, unpaid, sick, notice, absence, return",
        "pay": "salary, bonus, payslip, raise, pension, overtime, bank, month, tax, net",
        "desk": "laptop, monitor, keyboard, office, desk, chair, phone, badge, printer, room",
        "wells": "well, bucket, rope, winch, pump, stone, shaft, spring, water, digger",
    }.items()
}
OPENINGS = ("how do I get", "who decides on", "what is", "when may I ask for", "is there any")


def questions(shares: dict[str, float], number: int, rng: np.random.Generator) -> list[str]:
    """Questions about topics, each as often as its share says."""
    drawn = rng.choice(list(shares), size=number, p=list(shares.values()))
    return [
        f"{rng.choice(OPENINGS)} {' '.join(rng.choice(TOPICS[topic], rng.integers(2, 5)))}"
        for topic in drawn
    ]


USUAL = {"leave": 0.5, "pay": 0.3, "desk": 0.2}


class Words(FakeEncoder):
    """A text is the sum of its words' vectors, those of its opening being short."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, NDArray[np.float32]] = {}

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.array([sum(map(self._word, text.split())) for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def _word(self, word: str) -> NDArray[np.float32]:
        if word not in self._known:
            weight = 0.2 if word in " ".join(OPENINGS).split() else 1.0
            self._known[word] = weight * super().encode_queries([word])[0]
        return self._known[word]


ENCODER = Words()


def compared(before: Sequence[str], now: Sequence[str]) -> Drift:
    known, then, here = (
        ENCODER.encode_queries(each).astype(np.float64) for each in (before[::2], before[1::2], now)
    )
    chart = Chart.of(known)
    return drift("questions", "before", chart.placed(then, before[1::2]), chart.placed(here, now))


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """One thread for matrices this small: several would wait for each other on a busy machine."""
    with threadpool_limits(1):
        yield


def test_the_index_is_what_its_formula_says() -> None:
    before = np.array([0.0] * 50 + [1.0] * 50)
    now = np.array([0.0] * 80 + [1.0] * 20)
    edges = np.array([0.5])
    e, a = 50.5 / 101, 80.5 / 101  # half a value more in each of two bins
    expected = (a - e) * np.log(a / e) + (1 - a - (1 - e)) * np.log((1 - a) / (1 - e))
    assert psi(before, now, edges) == pytest.approx(expected)
    assert psi(before, before, edges) == 0.0
    assert psi(before, now, edges) == pytest.approx(psi(now, before, edges))


def test_bins_hold_equal_shares_of_what_was_before() -> None:
    values = np.random.default_rng(1).normal(size=1000)
    edges = cuts(values)
    assert len(edges) == BINS - 1
    assert np.bincount(np.searchsorted(edges, values)).tolist() == [100] * BINS


def test_what_was_one_value_and_is_another_has_moved() -> None:
    found = shift("x", np.zeros(200), np.ones(200))
    assert found.alarm
    assert not shift("x", np.zeros(200), np.zeros(200)).alarm


@pytest.mark.parametrize(("n", "m"), [(100, 100), (250, 1000)])
@pytest.mark.parametrize("kind", ["normal", "counts", "many zeros"])
def test_chance_alone_stays_below_the_bound(n: int, m: int, kind: str) -> None:
    rng = np.random.default_rng(7)

    def drawn(size: int) -> Values:
        if kind == "normal":
            return rng.normal(size=size)
        if kind == "counts":
            return rng.poisson(7, size=size).astype(np.float64)
        return np.where(rng.random(size) < 0.4, 0.0, rng.random(size))

    found = [shift("x", drawn(n), drawn(m)) for _ in range(1000)]
    assert sum(each.psi > each.bound for each in found) < 20  # 10 are expected at most
    mean = float(np.mean([each.psi for each in found]))
    assert mean < 1.05 * (BINS - 1) * (1 / n + 1 / m)
    if kind == "normal":
        assert mean > 0.85 * (BINS - 1) * (1 / n + 1 / m)


def test_small_samples_need_a_larger_move() -> None:
    few, many = shift("x", np.zeros(100), np.zeros(100)), shift("x", np.arange(1e4), np.arange(1e4))
    assert few.bound > many.bound
    assert not Shift("x", psi=0.19, bound=0.01).alarm
    assert not Shift("x", psi=0.30, bound=0.40).alarm
    assert Shift("x", psi=0.45, bound=0.40).alarm


def test_too_few_values_are_no_verdict() -> None:
    found = drift("x", "y", {"a": np.zeros(500)}, {"a": np.ones(LEAST - 1)})
    assert (found.shifts, found.alarm, found.furthest) == ((), False, None)
    assert found.as_json()["alarm"] is None
    assert "too few" in found.sentence


def test_the_same_questions_are_no_drift_in_95_of_100_draws() -> None:
    rng = np.random.default_rng(11)
    alarms = sum(
        compared(questions(USUAL, 400, rng), questions(USUAL, 200, rng)).alarm for _ in range(100)
    )
    assert alarms <= 5


def test_a_new_topic_is_noticed() -> None:
    rng = np.random.default_rng(12)
    shifted = {"leave": 0.3, "pay": 0.2, "desk": 0.1, "wells": 0.4}
    found = [compared(questions(USUAL, 400, rng), questions(shifted, 200, rng)) for _ in range(20)]
    assert sum(each.alarm for each in found) >= 19
    assert {each.furthest.figure for each in found if each.furthest} == {"nearest"}


def test_a_known_topic_that_grows_is_noticed() -> None:
    rng = np.random.default_rng(13)
    turned = {"leave": 0.1, "pay": 0.2, "desk": 0.7}
    found = [compared(questions(USUAL, 400, rng), questions(turned, 200, rng)) for _ in range(20)]
    assert sum(each.alarm for each in found) >= 19
    figures = {shift.figure for each in found for shift in each.shifts if shift.alarm}
    assert any(figure.startswith("direction") for figure in figures)


def test_pasted_texts_are_noticed() -> None:
    rng = np.random.default_rng(14)
    long = [" ".join([text] * 5) for text in questions(USUAL, 200, rng)]
    found = compared(questions(USUAL, 400, rng), long)
    assert "words" in [each.figure for each in found.shifts if each.alarm]
