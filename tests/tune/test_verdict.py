"""What became of a training, by rules."""

import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.tune.curve import Curve, Look, Point
from noria.tune.verdict import as_json, glances, verdict

EACH = 10  # updates between looks


def curve(held_out: Sequence[float], trained: Sequence[float]) -> Curve:
    """Held-out losses at the looks, and the training loss of the updates between them."""
    points = tuple(
        Point(EACH * k + n + 1, loss, 100, 400, float(EACH * k + n + 1))
        for k, loss in enumerate(trained)
        for n in range(EACH)
    )
    return Curve(points, tuple(Look(EACH * k, loss) for k, loss in enumerate(held_out)))


@pytest.mark.parametrize(
    ("held_out", "trained", "kind"),
    [
        # fell, and was flat at the end
        ([2.0, 1.3, 1.1, 1.05, 1.04, 1.035, 1.03], [1.6, 1.2, 1.1, 1.0, 1.0, 1.0], "learnt"),
        ([2.0, 1.0, 1.0], [1.5, 1.0], "learnt"),
        # two looks do not tell whether the fall had ended
        ([2.0, 1.5], [1.8], "learnt"),
        # the last look is a little worse, by less than counts
        ([2.0, 1.200, 1.205], [1.5, 1.1], "learnt"),
        # as steep at the end as before
        ([2.0, 1.8, 1.6, 1.4, 1.2], [1.9, 1.7, 1.5, 1.3], "underfit"),
        ([2.0, 1.7, 1.5], [1.9, 1.6], "underfit"),
        # up again, while what was trained on went on falling
        ([2.0, 1.3, 1.2, 1.3, 1.5], [1.6, 1.2, 0.8, 0.4], "overfit"),
        ([2.0, 2.1, 2.3, 2.6], [1.9, 1.2, 0.6], "overfit"),
        # up again with the training loss
        ([2.0, 1.3, 1.2, 3.0, 5.0], [1.6, 1.2, 3.0, 5.0], "diverged"),
        # one look tells no way of the training loss
        ([2.0, 6.0], [2.0], "unsteady"),
        ([2.0, 4.0, 6.0], [2.0, 7.0], "diverged"),
        ([2.0, 1.3, math.nan], [1.6, 1.2], "diverged"),
        ([2.0, 1.3, math.inf], [1.6, 1.2], "diverged"),
        # up again, and the training loss does not say why
        ([2.0, 1.3, 1.4], [1.2, 1.25], "unsteady"),
        # nothing but noise
        ([2.0, 1.999, 2.001], [2.0, 1.99], "unmoved"),
        ([2.0], [], "unmoved"),
        # a hundredth of a high loss is no progress, of a low one it is
        ([9.0, 8.95, 8.95], [9.0, 9.0], "unmoved"),
        ([0.5, 0.45, 0.45], [0.5, 0.45], "learnt"),
    ],
)
def test_a_curve_has_one_verdict(held_out: list[float], trained: list[float], kind: str) -> None:
    found = verdict(curve(held_out, trained))
    assert found.kind == kind
    assert bool(found.advice) == (kind != "learnt")
    assert found.sentence.endswith(".")
    assert found.sentence.count(". ") == 0  # one sentence


def test_an_overfit_run_says_so() -> None:
    found = verdict(curve([2.0, 1.3, 1.2, 1.3, 1.5], [1.6, 1.2, 0.8, 0.4]))
    assert found.sentence == (
        "Overfit: the held-out loss rose from 1.200 at update 20 to 1.500 while the training loss "
        "fell; nothing is lost, since the weights of update 20 are kept."
    )
    assert found.advice == "Train for fewer epochs, or give more examples."
    assert found.kept.gap == pytest.approx(0.0)
    assert found.last.gap == pytest.approx(1.1)


def test_what_never_helped_is_said_otherwise() -> None:
    found = verdict(curve([2.0, 2.1, 2.3, 2.6], [1.9, 1.2, 0.6]))
    assert "its first weights are kept" in found.sentence
    assert found.kept.gap is None


def test_the_gap_is_between_what_was_held_out_and_what_was_trained_on_since() -> None:
    looks = (Look(0, 2.0), Look(2, 1.5))
    points = (Point(1, 2.0, 10, 99, 1.0), Point(2, 1.0, 30, 99, 2.0), Point(3, 9.0, 30, 99, 3.0))
    before, now = glances(Curve(points, looks))
    assert (before.trained, before.gap) == (None, None)
    assert now.trained == pytest.approx((2.0 * 10 + 1.0 * 30) / 40)  # tokens count, not updates
    assert now.gap == pytest.approx(0.25)
    assert str(before) == "held-out loss 2.000"
    assert str(now) == "held-out loss 1.500, the best so far; training 1.250, gap +0.250"


def test_a_look_that_was_not_the_best_does_not_say_so() -> None:
    assert str(glances(curve([2.0, 1.5, 1.7], [1.5, 1.4]))[-1]) == (
        "held-out loss 1.700; training 1.400, gap +0.300"
    )


def test_json_has_no_word_for_what_is_no_number() -> None:
    found = as_json(verdict(curve([2.0, 1.3, math.nan], [1.6, 1.2])))
    read = json.loads(json.dumps(found, allow_nan=False))
    assert read["kind"] == "diverged"
    assert read["last"]["held_out"] is None
    assert read["kept"] == {
        "update": 10,
        "held_out": 1.3,
        "trained": 1.6,
        "best": True,
        "gap": pytest.approx(-0.3),
    }
    assert read["gap"] == pytest.approx(-0.3)


LOSSES = st.one_of(st.floats(0, 20), st.sampled_from([math.nan, math.inf]))


@settings(deadline=None)
@given(st.data(), st.integers(1, 9))
def test_every_curve_has_a_verdict_that_json_can_tell(data: st.DataObject, count: int) -> None:
    held_out = data.draw(st.lists(LOSSES, min_size=count, max_size=count))
    trained = data.draw(st.lists(st.floats(0, 20), min_size=count - 1, max_size=count - 1))
    given_curve = curve(held_out, trained)
    found = verdict(given_curve)
    json.dumps(as_json(found), allow_nan=False)
    assert sum(each.best for each in glances(given_curve)) == 1
    if all(map(math.isfinite, held_out)):
        assert found.kept.held_out == min(held_out) == given_curve.best.loss
        assert found.kept.update == given_curve.best.update


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 20), min_size=2, max_size=9), st.floats(0.5, 2.0))
def test_a_run_that_never_improved_is_never_called_learnt(
    trained: list[float], loss: float
) -> None:
    held_out = [loss] * (len(trained) + 1)
    assert verdict(curve(held_out, trained)).kind == "unmoved"
