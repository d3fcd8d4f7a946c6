"""``noria releases promote, rollback, canary, history``: what answers, and why."""

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from noria.cli.options import Config, Debug, Home, Json, house, progress, show

if TYPE_CHECKING:
    from collections.abc import Mapping

    from noria.build import House
    from noria.store.rollouts import Rollouts
    from noria.types import Rollout

BY_HAND = {"by": "hand"}
DAYS = 7.0  # in which the first stage of a ramp is to be left
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
    from noria.shipyard import ReleaseYard, begun

    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        frozen = ReleaseYard(at).freeze(release, now).id
        rows = rows_of(at)
        before = rows.now() or begun(ReleaseYard(at), rows, now)
        after = promoted(before, frozen)
        rows.change(before, after, "promote", frozen, BY_HAND, now)
    show(told(after), json, f"{frozen} is live; {after.previous} was before it")


def rollback(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """End what is tried; where nothing is, go back to what was live before."""
    from noria.loop.deploy import rolled_back

    at, now = house(config, home), datetime.now(UTC)
    rows = rows_of(at)
    before = rows.now()
    after = rolled_back(before)
    rows.change(before, after, "rollback", gone(before), BY_HAND, now)
    show(told(after), json, f"{after.live} is live")


def canary(
    release: Wanted,
    share: Annotated[
        float | None,
        typer.Option("--share", min=0.0001, max=1.0, help="Of the users, as 0.05, by hand."),
    ] = None,
    judged_a_day: Annotated[
        float,
        typer.Option("--judged-a-day", min=0, help="Users that judge an answer: where to begin."),
    ] = 5000.0,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Try a release on some users: a ramp that the statistics decide on, or a share by hand."""
    from noria.loop.deploy import tried, widened
    from noria.shipyard import ReleaseYard, begun

    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        frozen = ReleaseYard(at).freeze(release, now).id
        rows = rows_of(at)
        before = rows.now() or begun(ReleaseYard(at), rows, now)
        plan = {} if share else ramped(at, before.live, judged_a_day)
        chosen = share or plan["shares"][0]
        if share and before.trial is not None and frozen in before.trial.releases:
            action, after = "widen", widened(before, frozen, share, now)
        else:
            experiment, salt = f"x-{uuid4().hex[:12]}", secrets.token_hex(8)
            after = tried(before, {frozen: chosen}, experiment, salt, now, plan)
            action = "canary"
        rows.change(before, after, action, frozen, {**BY_HAND, "share": chosen}, now)
    show(told(after), json, f"{frozen} answers {chosen:.1%} of the users; {after.live} the others")


def history(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """What was promoted, tried and rolled back, when and why; the newest first."""
    from noria.store.rollouts import as_json

    changes = rows_of(house(config, home)).history()
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


def ramped(at: "House", live: str, judged_a_day: float) -> "Mapping[str, Any]":
    """What is settled for a ramp before its first user comes."""
    from contextlib import closing

    from noria.loop.oversee import Ramp, settled, slow_after
    from noria.loop.plan import ramp
    from noria.store.database import opened, url_in
    from noria.store.journal import Journal

    engine = opened(url_in(at.settings.home, at.settings.store.url))
    with closing(Journal(engine)) as journal:
        return settled(Ramp(ramp(judged_a_day, DAYS), slow_after=slow_after(journal, live)))


def rows_of(at: "House") -> "Rollouts":
    """Where it is kept what is live."""
    from noria.store.database import opened, url_in
    from noria.store.rollouts import Rollouts

    return Rollouts(opened(url_in(at.settings.home, at.settings.store.url)))


def gone(before: "Rollout | None") -> str:
    """What a rollback ends."""
    if before is None:
        return ""
    return before.trial.releases[0] if before.trial else before.live


def told(state: "Rollout") -> dict[str, Any]:
    """A state as it is printed."""
    from noria.store.rollouts import as_json

    return as_json(state)
