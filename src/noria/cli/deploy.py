"""``noria releases promote, rollback, canary, history``: what answers, and why."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from noria.cli.options import Config, Debug, Home, Json, house, progress, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noria.build import House
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
    """Let a release answer everybody, in every server within a second."""
    from noria.loop.deploy import promoted
    from noria.store.rollouts import as_json

    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        frozen, before = ready(at, release, now)
        after = promoted(before, frozen)
        at.rollouts.change(before, after, "promote", frozen, BY_HAND, now)
    show(as_json(after), json, f"{frozen} is live; {after.previous} was before it")


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
    from noria.store.rollouts import as_json

    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        frozen, before = ready(at, release, now)
        plan = {} if share else ramped(at, before.live, judged_a_day)
        chosen = share or plan["shares"][0]
        if share and before.trial is not None and frozen in before.trial.releases:
            action, after = "widen", taken_over(widened(before, frozen, share, now))
        else:
            experiment, salt = f"x-{uuid4().hex[:12]}", secrets.token_hex(8)
            after = tried(before, {frozen: chosen}, experiment, salt, now, plan)
            action = "canary"
        at.rollouts.change(before, after, action, frozen, {**BY_HAND, "share": chosen}, now)
    show(
        as_json(after), json, f"{frozen} answers {chosen:.1%} of the users; {after.live} the others"
    )


def history(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """What was promoted, tried and rolled back, when and why; the newest first."""
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
    lines = [f"{c.at:%Y-%m-%d %H:%M}  {c.action:9}  {c.release}" for c in changes]
    show({"changes": rows}, json, "\n".join(lines) or "nothing was promoted yet")


def ramped(at: "House", live: str, judged_a_day: float | None) -> "Mapping[str, Any]":
    """What is settled for a ramp before its first user comes."""
    from contextlib import closing

    from noria.loop.oversee import ramped as planned
    from noria.loop.oversee import settled
    from noria.store.journal import Journal

    own = at.settings.canary
    if judged_a_day is not None:
        own = replace(own, judged_a_day=judged_a_day)
    with closing(Journal(at.engine)) as journal:
        return settled(planned(journal, live, own))


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
