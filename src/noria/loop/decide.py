"""Whether a canary is rolled back, held, widened, promoted, or given up without a conclusion.

Frozen values in, one frozen decision out, with every number it rests on. Knows no storage and no
clock: it may be asked after every row or once a day, and finds the same.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from noria.errors import UsageError
from noria.loop.checks import (
    Check,
    Says,
    guardrail_check,
    preference_checks,
    quality_checks,
    sample_ratio_check,
)
from noria.loop.ledger import Ledger, no_marks
from noria.loop.plan import Plan

Kind = Literal["rollback", "hold", "widen", "promote", "inconclusive"]

PROMOTES: tuple[Says, ...] = ("not inferior", "better")


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, and why.

    ``share``: of the stage that was looked at; ``to``: the share that follows from it, 0 where the
    canary ends and 1 where it becomes the live release. ``units``: how many had been exposed.
    ``better``: whether it was shown to be better than the live release, not only no worse.
    """

    kind: Kind
    share: float
    to: float
    units: int
    better: bool
    checks: tuple[Check, ...]
    sentence: str


def decide(
    plan: Plan, stage: int, ledger: Ledger, *, gain: bool, overdue: bool = False
) -> Decision:
    """The decision on stage ``stage`` of ``plan``, by what the ledger of that stage holds.

    ``gain``: whether a gate has measured, before the ramp, that the canary is worth having; without
    it "no worse" is no reason to promote. ``overdue``: the time for the stage is over. Whatever
    rolls back goes before whatever promotes.
    """
    seen = ledger.until(plan.most)
    units = len(seen.exposed)
    checks = checked(plan, stage, seen)
    due = _due(plan, stage, checks, gain)
    kind: Kind = "hold"
    if due.rollback <= units:
        kind = "rollback"
    elif due.invalid <= units:
        kind = "inconclusive"
    elif due.onwards <= units:
        kind = "promote" if plan.last(stage) else "widen"
    elif units >= plan.most or overdue:
        kind = "inconclusive"
    share = plan.shares[stage]
    found = Decision(
        kind,
        share,
        _next(plan, stage, kind),
        units,
        any(check.spoke("better") for check in checks),
        checks,
        "",
    )
    return replace(found, sentence=_said(found))


def first_decision(
    plan: Plan, stage: int, ledger: Ledger, *, gain: bool, every: int = 1
) -> Decision:
    """What one finds who looks after each ``every`` units, up to the first that is not "hold".

    Computed from the moments at which the checks spoke, not look by look: this is what makes it
    possible to simulate thousands of ramps with the code that decides.
    """
    due = _due(plan, stage, checked(plan, stage, ledger.until(plan.most)), gain)
    moment = min(due.rollback, due.invalid, due.onwards, plan.most, len(ledger.exposed))
    look = math.ceil(moment / every) * every
    return decide(plan, stage, ledger.until(look), gain=gain)


def checked(plan: Plan, stage: int, ledger: Ledger) -> tuple[Check, ...]:
    """Every check of a stage. Only the last stage asks what could promote."""
    if not 0 <= stage < len(plan.shares):
        raise UsageError(
            f"stage {stage} was asked for; expected one of the ramp's {len(plan.shares)}, counted "
            "from 0"
        )
    unwatched = sorted(ledger.failed.keys() - {rail.name for rail in plan.guardrails})
    if unwatched:
        raise UsageError(
            f"units failed by {', '.join(map(repr, unwatched))}, which no guardrail watches; "
            f"expected {', '.join(repr(rail.name) for rail in plan.guardrails) or 'none'}. Add a "
            "guardrail of that name before the ramp begins, or leave these outcomes out"
        )
    share, spending = plan.shares[stage], plan.spending
    rails = tuple(
        guardrail_check(rail, ledger.failed.get(rail.name, no_marks()), share, spending.rollback)
        for rail in plan.guardrails
    )
    claims = {"margin": plan.margin, "worse": spending.rollback, "promoted": spending.promotion}
    quality = (
        quality_checks(ledger.judged, **claims)
        if plan.quality == "judged"
        else preference_checks(ledger.preferred, **claims)
    )
    asked = quality if plan.last(stage) else tuple(c for c in quality if c.says not in PROMOTES)
    return (sample_ratio_check(ledger.exposed, share), *rails, *asked)


@dataclass(frozen=True, slots=True)
class _Due:
    """After how many units each thing was due; infinity for what was not."""

    rollback: float
    invalid: float
    onwards: float


def _due(plan: Plan, stage: int, checks: tuple[Check, ...], gain: bool) -> _Due:
    def moment(says: Says) -> float:
        return min(
            (check.at for check in checks if check.says == says and check.at is not None),
            default=math.inf,
        )

    if plan.last(stage):
        # a better one is no worse, too: asking for both keeps each claim to its own 5 %
        shown = max(moment("not inferior"), 0 if gain else moment("better"))
    else:
        shown = moment("ready") if plan.quality == "judged" else 0
    return _Due(moment("worse"), moment("invalid"), max(shown, plan.least))


def _next(plan: Plan, stage: int, kind: Kind) -> float:
    """The canary's share after the decision."""
    match kind:
        case "rollback" | "inconclusive":
            return 0.0
        case "hold":
            return plan.shares[stage]
        case "widen":
            return plan.shares[stage + 1]
        case "promote":
            return 1.0


def _said(found: Decision) -> str:
    """The decision in a sentence, with the checks that led to it."""
    after = f"after {found.units:,} units at {found.share:.0%}"
    spoken: dict[Says, str] = {}
    for check in found.checks:
        if check.at is not None:
            before = f"{spoken[check.says]}; " if check.says in spoken else ""
            spoken[check.says] = before + check.sentence
    match found.kind:
        case "rollback":
            return f"Rolled back {after}: {spoken['worse']}."
        case "inconclusive" if "invalid" in spoken:
            return (
                f"Invalid {after}, so the live release stays: {spoken['invalid']}. Find out where "
                "units are lost, and begin again with a new salt."
            )
        case "inconclusive":
            return f"Inconclusive {after}: nothing was shown, so the live release stays."
        case "widen":
            return f"Widened to {found.to:.0%} {after}: no check speaks against it."
        case "promote" if found.better:
            return f"Promoted {after}, as the better one: {spoken['better']}."
        case "promote":
            return f"Promoted {after}, as no worse, with the gate's gain: {spoken['not inferior']}."
        case "hold":
            return f"Held {after}: nothing is decided yet."
