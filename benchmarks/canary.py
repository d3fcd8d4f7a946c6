"""How often a canary is rolled back or promoted by mistake, and how soon a bad one is caught.

Draws the units of a stage, 20,000 at 50:50, the last of the usual ramp, and lets ``noria.loop``
decide: the code that decides in the server. Someone looks after every 20 units and stops at the
first decision. 80 % of the live release's answers are good; 2 % of its units fail, in each of four
ways. The gate has measured a gain, so that "no worse" promotes.

Then what else could mislead: whole ramps; claims of "better" and alarms of the checks where nothing
differs, over all looks at all units, beside a z-test that is looked at as often; a rare canary
(5 %) whose good answers (95 %) became worse by the margin, with the burn-in and without; a ramp of
which one in five canary units is lost; users who come back; pairs judged side by side.

    python benchmarks/canary.py [--runs 2000]

About a quarter of an hour on one core.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _common
from noria.evaluate.statistics.chance import wilson
from noria.loop.checks import Check, sample_ratio_check
from noria.loop.decide import Decision, checked, first_decision
from noria.loop.ledger import Judged, Ledger, Marks
from noria.loop.plan import Plan
from noria.loop.sequential import asymptotic, difference

Random = np.random.Generator
Flags = NDArray[np.bool_]

UNITS = 20_000
EVERY = 20  # units between two looks
PEEK = 100  # units between two looks at the z-test, the first after as many
PLAN = Plan()
LAST = len(PLAN.shares) - 1
GOOD, FAILS = 0.80, 0.02  # of the live release
MARGIN = PLAN.margin


@dataclass(frozen=True)
class Truth:
    """What the canary really is; the live release is as said above."""

    good: float = GOOD
    errors: float = FAILS


SAME = Truth()
SCENARIOS = {
    "no difference": SAME,
    "worse by the margin": Truth(good=GOOD - MARGIN),
    "worse by 5 points": Truth(good=GOOD - 0.05),
    "better by 5 points": Truth(good=GOOD + 0.05),
    "failing 6 % instead of 2 %": Truth(errors=0.06),
}


def drawn(rng: Random, truth: Truth, share: float, n: int = UNITS) -> Ledger:
    """One stage: each unit sends one request, which may fail in four ways, and is judged."""
    canary = rng.random(n) < share
    at = np.arange(1, n + 1)
    failed = {}
    for rail in PLAN.guardrails:
        rate = np.where(canary, truth.errors if rail.name == "errors" else FAILS, FAILS)
        which = np.flatnonzero(rng.random(n) < rate)
        failed[rail.name] = Marks(canary[which], at[which])
    success = rng.random(n) < np.where(canary, truth.good, GOOD)
    return Ledger(canary, failed, Judged(canary, success, at))


def share_of(hits: Iterable[bool]) -> dict[str, float]:
    """A share with its 95 % interval (Wilson)."""
    told = list(hits)
    low, high = wilson(sum(told) / len(told), len(told))
    return {"share": sum(told) / len(told), "low": low, "high": high, "runs": len(told)}


def spread(values: list[float]) -> dict[str, float]:
    """The middle, and what 19 of 20 stay below."""
    if not values:
        return {}
    return {"median": _common.percentile(values, 0.5), "p95": _common.percentile(values, 0.95)}


def outcomes(found: list[Decision]) -> dict[str, Any]:
    """What became of the runs of one scenario."""
    kinds = [each.kind for each in found]
    return {
        **{kind: share_of(it == kind for it in kinds)
           for kind in ("rollback", "promote", "inconclusive")},
        "called_better": share_of(each.better for each in found),
        "caught_within_3000": share_of(
            each.kind == "rollback" and each.units <= 3000 for each in found),
        "units": spread([float(each.units) for each in found]),
    }  # fmt: skip


def stages(rng: Random, runs: int) -> dict[str, Any]:
    """The last stage, for each scenario."""
    table = {}
    for name, truth in SCENARIOS.items():
        found = [
            first_decision(PLAN, LAST, drawn(rng, truth, PLAN.shares[LAST]), gain=True, every=EVERY)
            for _ in range(runs)
        ]
        table[name] = outcomes(found)
        _common.tell(f"{name}: {dict(Counter(each.kind for each in found))}")
    return table


def ramps(rng: Random, runs: int) -> dict[str, Any]:
    """Whole ramps, 1 to 50 %, of all scenarios: how they end, and how many met the canary."""
    table = {}
    for name, truth in SCENARIOS.items():
        ends = [ramp(rng, truth) for _ in range(runs)]
        table[name] = {
            kind: share_of(end == kind for end, _, _ in ends)
            for kind in ("rollback", "promote", "inconclusive")
        } | {
            "units": spread([float(units) for _, units, _ in ends]),
            "canary_units": spread([float(met) for _, _, met in ends]),
        }
        _common.tell(f"ramps, {name}: {dict(Counter(end for end, _, _ in ends))}")
    return table


def ramp(rng: Random, truth: Truth) -> tuple[str, int, int]:
    """How one ramp ends, after how many units, and how many of those met the canary."""
    units = met = 0
    for stage, share in enumerate(PLAN.shares):
        ledger = drawn(rng, truth, share)
        found = first_decision(PLAN, stage, ledger, gain=True, every=EVERY)
        units += found.units
        met += int(ledger.exposed[: found.units].sum())
        if found.kind != "widen":
            break
    return found.kind, units, met


def alarms(rng: Random, runs: int) -> dict[str, Any]:
    """Where nothing differs: what each check claims at any of all looks at 20,000 units."""
    claims: dict[str, list[bool]] = {}
    for _ in range(runs):
        ledger = drawn(rng, SAME, PLAN.shares[LAST])
        for check in checked(PLAN, LAST, ledger):
            claims.setdefault(check.name, []).append(check.at is not None)
        claims.setdefault("z-test, looked at as one likes", []).append(peeked(ledger.judged))
    return {name: share_of(said) for name, said in claims.items() if name not in NO_ALARM}


NO_ALARM = ("burn-in", "quality, not inferior")  # true where nothing differs


def peeked(judged: Judged) -> bool:
    """Whether a z-test at 5 % ever finds a difference, asked after each hundred judgements."""
    at = np.arange(PEEK - 1, len(judged.at), PEEK)
    n, k = np.cumsum(judged.canary)[at], np.cumsum(judged.canary & judged.success)[at]
    m, j = at + 1 - n, np.cumsum(~judged.canary & judged.success)[at]
    pooled = (k + j) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return bool((np.abs(k / n - j / m) > 1.96 * error).any())


def burn_in(rng: Random, runs: int) -> dict[str, Any]:
    """A canary of 5 %, 95 % of the live answers good: the bounds with the rule, and without.

    How often the bounds ever say that two equal arms differ, and that a canary that is worse by the
    margin is not. Without the rule it is enough that each arm has 30 judgements.
    """
    said: dict[str, list[bool]] = {}
    for _ in range(runs):
        canary = rng.random(UNITS) < 0.05
        for truth, name in ((0.95, "called different, though equal"),
                            (0.95 - MARGIN, "called no worse, though worse")):  # fmt: skip
            success = rng.random(UNITS) < np.where(canary, truth, 0.95)
            found = asymptotic.sequence(canary, success, PLAN.promotion)
            for rule, low, high in (("with the burn-in", found.low, found.high),
                                    ("from 30 on", *plain(canary, success))):  # fmt: skip
                wrong = low > -MARGIN if truth < 0.95 else (low > 0) | (high < 0)
                said.setdefault(f"{name}, {rule}", []).append(bool(wrong.any()))
    return {name: share_of(told) for name, told in said.items()}


def plain(canary: Flags, success: Flags) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The bounds without burn-in and pseudo-counts, from 30 judgements of each arm on."""
    n, k = (np.cumsum(part) for part in difference.counts(canary, success))
    m, j = (np.cumsum(part) for part in difference.counts(~canary, success))
    p, q = k / np.maximum(n, 1), j / np.maximum(m, 1)
    rho, total = asymptotic.tuned(PLAN.promotion), n + m
    spread = total * (p * (1 - p) / np.maximum(n, 1) + q * (1 - q) / np.maximum(m, 1))
    mixed = total * rho + 1
    width = np.sqrt(spread * mixed / (total**2 * rho) * np.log(mixed / PLAN.promotion**2))
    ready = np.minimum(n, m) >= 30
    return np.where(ready, p - q - width, -1.0), np.where(ready, p - q + width, 1.0)


def leak(rng: Random, runs: int) -> dict[str, Any]:
    """A canary of 10 % that keeps 8 %: after how many units the sample-ratio check speaks."""
    found: list[Check] = [sample_ratio_check(rng.random(UNITS) < 0.08, 0.1) for _ in range(runs)]
    return {
        "found": share_of(each.at is not None for each in found),
        "units": spread([float(each.at) for each in found if each.at is not None]),
    }


def returning(rng: Random, runs: int, requests: int = 3000, users: int = 1500) -> dict[str, Any]:
    """Users who come back: 3,000 requests of 1,500 users, 6 % of the canary's fail, not 2 %.

    A user counts once, at the first failure. How often the guardrail has spoken by then.
    """
    caught = []
    for _ in range(runs):
        who = rng.integers(users, size=requests)
        arm = rng.random(users) < PLAN.shares[LAST]
        bad = rng.random(requests) < np.where(arm[who], 0.06, FAILS)
        first = np.sort(np.unique(who[bad], return_index=True)[1])
        marks = Marks(arm[who[bad][first]], np.flatnonzero(bad)[first])
        # met: in order of the first request; the errors' check looks at nothing else
        met = arm[who[np.sort(np.unique(who, return_index=True)[1])]]
        checks = checked(PLAN, LAST, Ledger(met, {"errors": marks}))
        caught.append(any(check.name == "errors" and check.at is not None for check in checks))
    return {"caught_within_3000": share_of(caught)}


def pairs(rng: Random, runs: int, judged: int = 2000) -> dict[str, Any]:
    """Two thousand pairs judged side by side, in one stage at half the traffic."""
    plan = Plan(shares=(0.5,), quality="side by side", margin=0.05, least=500, most=judged)
    at = np.arange(1, judged + 1)
    table = {}
    for name, won in {"no difference": 0.5, "worse by the margin": 0.45, "preferred in 60 %": 0.6,
                      "preferred in 40 %": 0.4}.items():  # fmt: skip
        found = []
        for _ in range(runs):
            marks = Marks(rng.random(judged) < won, at)
            ledger = Ledger(rng.random(judged) < 0.5, preferred=marks)
            found.append(first_decision(plan, 0, ledger, gain=True, every=EVERY))
        table[name] = outcomes(found)
    return table


PARTS: dict[str, Callable[[Random, int], dict[str, Any]]] = {
    "last_stage": stages,
    "ramps": ramps,
    "alarms": alarms,
    "burn_in": burn_in,
    "leak": leak,
    "returning": returning,
    "side_by_side": pairs,
}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    table: dict[str, Any] = {"runs": given.runs}
    for place, (name, simulated) in enumerate(PARTS.items()):
        if name in given.only:
            _common.tell(f"{name} ...")
            table[name] = simulated(np.random.default_rng([_common.SEED, place]), given.runs)
    _common.show(table)


if __name__ == "__main__":
    main()
