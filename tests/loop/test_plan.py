"""What a ramp is to be."""

import pytest

from noria.errors import UsageError
from noria.loop.plan import Plan, ramp
from noria.loop.spending import spend


@pytest.mark.parametrize("rivals", [1, 3])
@pytest.mark.parametrize("guardrails", [0, 4])
def test_all_that_could_roll_back_errs_in_one_of_twenty_ramps(guardrails, rivals) -> None:
    stages = 4
    each = spend(0.05, 0.05, stages=stages, guardrails=guardrails, rivals=rivals)
    assert rivals * stages * (guardrails + 1) * each.rollback == pytest.approx(0.05)
    assert rivals * each.promotion == pytest.approx(0.05)


def test_a_ramp_begins_where_the_first_stage_can_be_left_in_time() -> None:
    # 20 failures at 80 % successes are 100 judgements of the canary's: 1 % of 10,000
    assert ramp(5000, days=2)[0] == 0.01
    assert ramp(4999, days=2)[0] == 0.05
    # 95 % successes: 400 judgements
    assert ramp(5000, days=2, success=0.95)[0] == 0.05


def test_too_little_traffic_is_told_what_to_do() -> None:
    with pytest.raises(
        UsageError, match=r"15 judgements in 3 days; a stage needs 100\. .* 20 days"
    ):
        ramp(10, days=3)
    with pytest.raises(UsageError, match="side by side"):
        ramp(1000, days=3, success=1.0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"shares": (0.5, 0.25)}, "each larger than the one before"),
        ({"shares": ()}, "at least one"),
        ({"shares": (0.5, 1.0)}, "between 0 and 1"),
        ({"margin": 0.0}, "0.03 for three points"),
        ({"rollback": 0.0}, "two chances of an error"),
        ({"rivals": 0}, "at least one rival"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong, said) -> None:
    with pytest.raises(UsageError, match=said):
        Plan(**wrong)
