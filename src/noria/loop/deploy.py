"""Changes of what is live, as values: promote, roll back, try beside, shadow. Writes nothing."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from noria.errors import UsageError
from noria.loop.assign import LIVE, ROUNDING, Split
from noria.types import Rollout, Trial


def promoted(before: Rollout | None, release: str) -> Rollout:
    """``release`` answers everybody; what did so before can be gone back to. Trials end.

    >>> promoted(Rollout("r1"), "r2")
    Rollout(live='r2', previous='r1', trial=None)
    >>> promoted(Rollout("r2", "r1"), "r2")
    Rollout(live='r2', previous='r1', trial=None)
    """
    if before is None:
        return Rollout(release)
    previous = before.live if before.live != release else before.previous
    return Rollout(release, previous)


def rolled_back(before: Rollout | None) -> Rollout:
    """Without the trial, where there is one; else what was live before.

    >>> rolled_back(Rollout("r2", "r1"))
    Rollout(live='r1', previous='r2', trial=None)
    """
    if before is None:
        raise UsageError("nothing was promoted yet, so there is nothing to go back to")
    if before.trial is not None:
        return replace(before, trial=None)
    if before.previous is None:
        raise UsageError(f"{before.live} is live, and nothing was before it")
    return Rollout(before.previous, before.live)


def ended(before: Rollout, release: str) -> Rollout:
    """Without one that is tried: its users are the live one's, and other arms keep theirs."""
    if before.trial is None:
        return before
    steps = Split(before.trial.steps).without(release).steps
    trial = replace(before.trial, steps=steps)
    return replace(before, trial=trial if trial.releases else None)


def tried(
    before: Rollout | None,
    shares: Mapping[str, float],
    experiment: str,
    salt: str,
    now: datetime,
    plan: Mapping[str, Any] | None = None,
) -> Rollout:
    """Releases tried beside the live one, on these shares of the users, drawn anew by ``salt``.

    Several are an A/B experiment: each is compared with the live one, which therefore keeps at
    least as many users as any of them. ``plan``: what was settled for the decisions on it.
    """
    free = untried(before, shares)
    split = Split()
    for release, share in shares.items():
        split = split.widened(release, checked(share))
    if len(shares) > 1 and split.share(LIVE) < max(shares.values()) - ROUNDING:
        raise UsageError(
            f"{len(shares)} arms leave {split.share(LIVE):.1%} of the users to {free.live}, which "
            f"each of them is compared with; give an arm at most {1 / (len(shares) + 1):.3g}"
        )
    kind: Literal["canary", "ab"] = "canary" if len(shares) == 1 else "ab"
    trial = Trial(experiment, kind, split.steps, salt, now, plan=plan or {})
    return replace(free, trial=trial)


def shadowed(
    before: Rollout | None, release: str, share: float, experiment: str, salt: str, now: datetime
) -> Rollout:
    """A release that answers a share of the users once more, and is shown to nobody."""
    free = untried(before, [release])
    steps = Split().widened(release, checked(share)).steps
    return replace(free, trial=Trial(experiment, "shadow", steps, salt, now))


def untried(before: Rollout | None, releases: Collection[str]) -> Rollout:
    """What is live, where ``releases`` may be tried beside it: one trial at a time."""
    if before is None:
        raise UsageError("nothing is live to try it beside; promote a release first")
    if before.trial is not None:
        names = ", ".join(before.trial.releases)
        kind = "a shadow" if before.trial.kind == "shadow" else "being tried"
        raise UsageError(
            f"{names} is {kind}; end that first (noria releases rollback), or promote it"
        )
    if before.live in releases:
        raise UsageError(f"{before.live} is live; try another release beside it")
    return before


def widened(before: Rollout, release: str, share: float, now: datetime) -> Rollout:
    """The same trial with a larger share: nobody leaves it, and statistics begin anew."""
    trial = before.trial
    if trial is None or trial.kind == "shadow" or release not in trial.releases:
        raise UsageError(f"{release} is not being tried; begin with: noria releases canary")
    steps = Split(trial.steps).widened(release, checked(share)).steps
    if steps == trial.steps:
        raise UsageError(f"{release} has a share of {share:.1%} already")
    return replace(before, trial=replace(trial, steps=steps, since=now, stage=trial.stage + 1))


def taken_over(before: Rollout) -> Rollout:
    """The same trial, whose next share people choose: from now on only harm is acted on."""
    if before.trial is None:
        return before
    plan = {**before.trial.plan, "by_hand": True} if before.trial.plan else {}
    return replace(before, trial=replace(before.trial, plan=plan))


def checked(share: float) -> float:
    """A share of the users.

    >>> checked(1.5)
    Traceback (most recent call last):
    noria.errors.UsageError: a share of 1.5: expected more than 0 and at most 1
    """
    if not 0 < share <= 1:
        raise UsageError(f"a share of {share}: expected more than 0 and at most 1")
    return share
