"""How the chance of a wrong decision is shared out over everything that could decide.

By the union bound: chances add up at most, whatever depends on what. The same users meet several
stages, and the same outage trips several guardrails, so nothing better may be assumed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spending:
    """What each test may err with.

    ``rollback``: each guardrail in each stage, and in each stage the test for worse answers.
    ``promotion``: "not inferior" and "better", once, since only the last stage promotes. It is not
    halved between them, since nothing is promoted without "not inferior"; "better" is a claim of
    its own, with its own chance to be wrong.
    """

    rollback: float
    promotion: float


def spend(
    rollback: float, promotion: float, *, stages: int, guardrails: int, rivals: int
) -> Spending:
    """Shares out the chance of a false rollback, and of a false promotion, of a whole ramp.

    ``rivals``: how many arms run against the same live release. The sample-ratio check is not paid
    from this: it neither rolls back nor promotes, and errs in one of a thousand stages.

    >>> each = spend(0.05, 0.05, stages=4, guardrails=4, rivals=1)
    >>> round(1 / each.rollback), each.promotion
    (400, 0.05)
    """
    tests = guardrails + 1
    return Spending(rollback / (rivals * stages * tests), promotion / rivals)
