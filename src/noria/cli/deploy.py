"""``noria releases promote, rollback, canary, ab, shadow, history``: what answers, and why."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noria.cli.options import Config, Debug, Home, Json, house, progress, show
from noria.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noria.build import House
    from noria.config import CanarySettings
    from noria.types import Rollout

BY_HAND = {"by": "hand"}
Wanted = Annotated[
    str, typer.Argument(help="A release, the beginning of its id, or an arm: rag, reader …")
]


def promote(
    release: Wanted,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Let a release answer everybody, in every server within a second.

    One that answers already stays, whatever the settings say later.
    """
    from noria.loop.deploy import promoted
    from noria.store.rollouts import as_json

    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        frozen, before = ready(at, release, now)
        after = promoted(before, frozen)
        at.rollouts.change(before, after, "promote", frozen, BY_HAND, now)
    earlier = f"{after.previous} was before it" if after.previous else "nothing was before it"
    show(as_json(after), json, f"{frozen} is live; {earlier}")


def rollback(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """End what is tried; where nothing is, go back to what was live before."""
    from noria.loop.deploy import rolled_back
    from noria.store.rollouts import as_json

    at, now = house(config, home), datetime.now(UTC)
    before = at.rollouts.now()
    after = rolled_back(before)
    at.rollouts.change(before, after, "rollback", gone(before), BY_HAND, now)
    show(as_json(after), json, f"{after.live} is live")


def canary(
    release: Wanted,
    share: Annotated[
        float | None,
        typer.Option("--share", min=0.0001, max=1.0, help="Of the users, as 0.05, by hand."),
    ] = None,
    judged_a_day: Annotated[
        float | None,
        typer.Option(
            "--judged-a-day",
            min=0,
            help="Users that judge an answer: where to begin.",
            show_default="canary.judged_a_day",
        ),
    ] = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Try a release on some users: a ramp that the statistics decide on, or a share by hand."""
    from noria.loop.deploy import taken_over, tried, widened
    from noria.shipyard import drawn_anew
    from noria.store.rollouts import as_json

    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        frozen, before = ready(at, release, now)
        own = at.settings.canary
        if judged_a_day is not None:
            own = replace(own, judged_a_day=judged_a_day)
        shares = (share,) if share else ()
        plan = planned(at, before.live, own, shares, by_hand=bool(share))
        chosen = share or plan["shares"][0]
        trial = before.trial if before.trial and before.trial.kind != "shadow" else None
        if share and trial is not None and frozen in trial.releases:
            action, after = "widen", taken_over(widened(before, frozen, share, now))
        else:
            after = tried(before, {frozen: chosen}, *drawn_anew(), now, plan)
            action = "canary"
        at.rollouts.change(before, after, action, frozen, {**BY_HAND, "share": chosen}, now)
    show(
        as_json(after), json, f"{frozen} answers {chosen:.1%} of the users; {after.live} the others"
    )


def ab(
    releases: Annotated[
        list[str], typer.Argument(help="Two or more: releases, beginnings of ids, or arms.")
    ],
    share: Annotated[
        float, typer.Option("--share", min=0.0001, max=0.5, help="Of the users, for each, as 0.25.")
    ],
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Compare releases with the live one; the first that is shown to be better is promoted."""
    from noria.loop.deploy import tried
    from noria.shipyard import drawn_anew
    from noria.store.rollouts import as_json

    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        found = [ready(at, release, now) for release in releases]
        before, arms = found[-1][1], dict.fromkeys((frozen for frozen, _ in found), share)
        if len(arms) < 2:
            raise UsageError("one release alone; expected two or more, or: noria releases canary")
        plan = planned(at, before.live, at.settings.canary, (share,), len(arms))
        after = tried(before, arms, *drawn_anew(), now, plan)
        first, *others = arms
        reason = {**BY_HAND, "share": share, "beside": others}
        at.rollouts.change(before, after, "ab", first, reason, now)
    told = f"{', '.join(arms)} answer {share:.1%} of the users each; {after.live} the others"
    show(as_json(after), json, told)


def shadow(
    release: Wanted,
    share: Annotated[
        float, typer.Option("--share", min=0.0001, max=1.0, help="Of the users, as 0.1.")
    ],
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Let a release answer some users once more, where a place is free, and show it to nobody."""
    from noria.loop.deploy import shadowed
    from noria.shipyard import drawn_anew
    from noria.store.rollouts import as_json

    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        frozen, before = ready(at, release, now)
        after = shadowed(before, frozen, share, *drawn_anew(), now)
        at.rollouts.change(before, after, "shadow", frozen, {**BY_HAND, "share": share}, now)
    told = f"{frozen} answers {share:.1%} of the users unseen; {after.live} answers everybody"
    show(as_json(after), json, told)


def history(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """What was promoted, tried and rolled back, when, by whom and why; the newest first."""
    from noria.store.rollouts import as_json

    changes = house(config, home).rollouts.history()
    rows = [
        {
            "at": change.at.isoformat(),
            "action": change.action,
            "release": change.release,
            "reason": dict(change.reason),
            "state": as_json(change.state),
        }
        for change in changes
    ]
    lines = [
        f"{c.at:%Y-%m-%d %H:%M}  {c.action:9}  {c.release}  {why(c.reason)}".rstrip()
        for c, newer in zip(changes, (None, *changes), strict=False)
        # that it held says nothing once another decision has followed
        if newer is None or (c.action, c.release) != ("hold", newer.release)
    ]
    show({"changes": rows}, json, "\n".join(lines) or "nothing was promoted yet")


def why(reason: "Mapping[str, Any]") -> str:
    """Who did it, and why.

    >>> why({"by": "the statistics", "sentence": "r2 is better"})
    'by the statistics: r2 is better'
    >>> why({"by": "a turn", "turn": "t-1", "verdict": {"sentence": "passed, with a gain: task"}})
    'by a turn, t-1: passed, with a gain: task'
    >>> why({"by": "hand", "share": 0.1})
    'by hand'
    """
    who = ", ".join(str(reason[name]) for name in ("by", "turn") if name in reason)
    sentence = reason.get("sentence") or reason.get("verdict", {}).get("sentence")
    return f"by {who}" + (f": {sentence}" if sentence else "")


def planned(
    at: "House",
    live: str,
    canary: "CanarySettings",
    shares: tuple[float, ...] = (),
    rivals: int = 1,
    by_hand: bool = False,
) -> "Mapping[str, Any]":
    """What is settled for a trial before its first user comes."""
    from contextlib import closing

    from noria.loop.oversee import ramped, settled
    from noria.store.journal import Journal

    with closing(Journal(at.engine)) as journal:
        return settled(ramped(journal, live, canary, shares, rivals=rivals, by_hand=by_hand))


def ready(at: "House", release: str, now: datetime) -> "tuple[str, Rollout]":
    """The id of a release that is frozen to be served, and what is live beside it."""
    from noria.shipyard import ReleaseYard, begun

    yard = ReleaseYard(at)
    frozen = yard.freeze(release, now).id
    return frozen, at.rollouts.now() or begun(yard, at.rollouts, now)


def gone(before: "Rollout | None") -> str:
    """What a rollback ends."""
    if before is None:
        return ""
    return before.trial.releases[0] if before.trial else before.live
