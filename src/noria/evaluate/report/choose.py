"""Chooses an arm: what is better than what beyond chance, and what is cheaper.

Reads a comparison; measures nothing, and says nothing.
"""

import math
from collections.abc import Iterable

from noria.evaluate.results import ArmResult, Comparison, Gap, Interval

RELEVANT = 0.05  # of a metric from 0 to 1: smaller differences matter to few users
ENOUGH_FOR_EQUAL = 60  # rule of three: what no question shows may yet happen in 3 of them
RETRIEVING = ("rag", "rag-fewshot", "reader", "tuned+rag")  # names, where nothing else is told
CHEAPER = 2  # times the tokens that outweigh a training


def candidates(comparison: Comparison) -> list[str]:
    """The arms that could be used; the gold passage is there in no real question."""
    return [
        name
        for name, arm in comparison.arms.items()
        if not is_gold(arm)
        and comparison.primary in arm.metrics
        and math.isfinite(arm.metrics[comparison.primary].mean)
    ]


def leader(comparison: Comparison) -> str:
    """The arm of the highest mean; of equals the cheapest."""
    arms = candidates(comparison)
    highest = max(mean(comparison, arm) for arm in arms)
    return cheapest(comparison, [arm for arm in arms if mean(comparison, arm) == highest])


def rivals(comparison: Comparison, arm: str) -> list[str]:
    """The arms that chance could put before ``arm``, or on a level with it."""
    return [
        other
        for other in candidates(comparison)
        if other != arm and not beats(comparison, arm, other)
    ]


def outsiders(comparison: Comparison, arm: str) -> list[str]:
    """The arms that ``arm`` is better than, beyond chance."""
    return [other for other in candidates(comparison) if beats(comparison, arm, other)]


def choice(comparison: Comparison) -> str:
    """The cheapest arm that is as good as the best, as far as can be told.

    No other arm may be better than it. Only base needs no proof of its own: any other must be
    better than whatever is cheaper and was beaten, or it would be the runner-up of one, and the
    equal of the next.
    """
    best, arms = leader(comparison), candidates(comparison)
    unbeaten = [
        arm
        for arm in (best, *rivals(comparison, best))
        if not any(beats(comparison, other, arm) for other in arms)
    ]
    if "base" in unbeaten:
        return "base"
    able = [
        arm
        for arm in unbeaten
        if all(
            beats(comparison, arm, other)
            for other in arms
            if other not in unbeaten and cheaper(comparison, other, arm)
        )
    ]
    return cheapest(comparison, able or [best])


def settled(comparison: Comparison, chosen: str) -> bool:
    """Whether no other arm can be better than the chosen one by a difference that matters."""
    gaps = [between(comparison, chosen, arm) for arm in rivals(comparison, chosen)]
    return all(gap is not None and no_better(comparison, gap) for gap in gaps)


def no_better(comparison: Comparison, gap: Gap) -> bool:
    """Whether ``b`` is not better than ``a`` by a difference that matters."""
    return gap.high < relevant(comparison) and gap.n >= ENOUGH_FOR_EQUAL


def likeliest(comparison: Comparison, chosen: str) -> str:
    """The arm that is likeliest to be better than ``chosen``: that of the highest mean."""
    return max(rivals(comparison, chosen), key=lambda arm: mean(comparison, arm))


def beats(comparison: Comparison, one: str, other: str) -> bool:
    """Whether ``one`` is better than ``other`` beyond chance."""
    gap = between(comparison, other, one)
    return gap is not None and gap.low > 0


def between(comparison: Comparison, a: str, b: str) -> Gap | None:
    """``b`` minus ``a`` in the primary metric; None where they were not compared."""
    for gap in comparison.differences:
        if gap.metric != comparison.primary or not math.isfinite(gap.low + gap.high):
            continue
        if (gap.a, gap.b) == (a, b):
            return gap
        if (gap.a, gap.b) == (b, a):
            return Gap(a, b, gap.metric, -gap.mean, -gap.high, -gap.low, gap.n, gap.detectable)
    return None


def cheapest(comparison: Comparison, arms: Iterable[str]) -> str:
    """Of the arms that read and write few tokens, one that needs no training.

    A training is paid once, tokens with every question: it outweighs no more than twice as many.
    """
    results = {arm: comparison.arms[arm] for arm in arms}
    least = min(tokens(result) for result in results.values())
    few = [arm for arm, result in results.items() if tokens(result) <= CHEAPER * least]
    return min(few, key=lambda arm: (is_tuned(results[arm]), tokens(results[arm])))


def cheaper(comparison: Comparison, one: str, other: str) -> bool:
    """Whether ``one`` would be taken rather than ``other``, were they equally good."""
    return one != other and cheapest(comparison, [one, other]) == one


def is_gold(arm: ArmResult) -> bool:
    """Whether the arm reads the right passage by design."""
    return arm.passages == "gold" or (not arm.passages and arm.name == "oracle")


def retrieves(arm: ArmResult) -> bool:
    """Whether the arm reads what is retrieved."""
    return arm.passages == "retrieved" or (not arm.passages and arm.name in RETRIEVING)


def as_named(arm: ArmResult) -> bool:
    """Whether the arm reads what the built-in arm of its name does."""
    return retrieves(arm) == (arm.name in RETRIEVING) and is_gold(arm) == (arm.name == "oracle")


def is_tuned(arm: ArmResult) -> bool:
    """Whether the user paid for a training."""
    return arm.training_seconds > 0 or arm.name in ("tuned", "tuned+rag")


def tokens(arm: ArmResult) -> float:
    """Tokens read and written for a question."""
    return arm.tokens / max(arm.questions, 1)


def seconds(arm: ArmResult) -> float:
    """Seconds for a question."""
    return arm.seconds / max(arm.questions, 1)


def mean(comparison: Comparison, arm: str) -> float:
    """The primary metric of an arm."""
    return primary(comparison, arm).mean


def primary(comparison: Comparison, arm: str) -> Interval:
    """The primary metric of an arm with its interval."""
    return comparison.arms[arm].metrics[comparison.primary]


def asked(comparison: Comparison) -> int:
    """Questions on which the arms were compared: the fewest of any."""
    arms = candidates(comparison)
    gaps = [gap.n for gap in comparison.differences if gap.metric == comparison.primary]
    return min(gaps or [primary(comparison, arm).n for arm in arms])


def relevant(comparison: Comparison) -> float:
    """The smallest difference that matters, on the metric's own scale."""
    highest = max(
        arm.metrics[comparison.primary].high
        for arm in comparison.arms.values()
        if comparison.primary in arm.metrics
    )
    return RELEVANT * (100 if highest > 2 else 1)
