"""``noria status``: what answers, what is tried, and how they did lately.

Last comes how far the questions to what is live, and what was found for them, have moved.
"""

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli.options import Config, Debug, Home, Json, complain, house, progress, show
from noria.errors import NoriaError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from noria.loop.drift import Drift
    from noria.loop.lately import Lately
    from noria.store.jobs import Job
    from noria.store.rollouts import Change
    from noria.types import Trial


def status(
    hours: Annotated[
        float, typer.Option("--hours", min=0.01, max=24 * 366, help="How far back to look.")
    ] = 24.0,
    drift: Annotated[
        bool, typer.Option("--drift", help="Also whether questions drift: they are encoded first.")
    ] = False,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """What is live, tried, decided and learnt, how it did lately, and whether it drifts."""
    from noria.loop.lately import lately
    from noria.loop.lookout import Lookout, learnt_by
    from noria.loop.turn import TURN
    from noria.store.jobs import Jobs
    from noria.store.journal import ANSWER, SHADOW, Journal
    from noria.store.rollouts import as_json

    with progress() as tell:
        at = house(config, home, tell)
        state, notes = at.rollouts.now(), at.rollouts.history()
        trial, turn = state.trial if state else None, Jobs(at.engine).last(TURN)
        since = datetime.now(UTC) - timedelta(hours=hours)
        with closing(Journal(at.engine)) as journal:
            found = lately(
                journal.events(ANSWER, since=since),
                journal.feedback(since=since),
                journal.events(SHADOW, since=since),
            )
            lookout = Lookout(at.rollouts, journal, learnt_by(at.registry), tell)
            drifts = seen(lambda: lookout.look(lambda: at.encoder)) if drift else ()
    told = {
        "rollout": as_json(state) if state else None,
        "decided": dict(notes[0].reason) if notes else None,
        "turn": turn
        and {"id": turn.id, "at": turn.at.isoformat(), "state": turn.state}
        | {"done": sorted(turn.record), "sentence": turn.record.get("sentence")},
        "lately": [asdict(each) for each in found],
        "drift": {each.what: each.as_json() for each in drifts},
    }
    lines = [
        f"live      {state.live if state else 'the settings: nothing was promoted'}",
        *([f"previous  {state.previous}"] if state and state.previous else []),
        *(tried(trial) if trial else ()),
        *decided(notes, trial),
        *([f"turn      {learnt(turn)}"] if turn else []),
        "",
        *(table(found) if found else [f"nobody asked in the last {hours:g} hours"]),
        *(["", "drift of what is live"] if drifts else []),
        *(f"{each.what:9} {each.sentence}" for each in drifts),
    ]
    show(told, json, "\n".join(lines))


def tried(trial: "Trial") -> list[str]:
    """Who is tried on how many, a line each."""
    from noria.loop.assign import Split

    name = "shadow" if trial.kind == "shadow" else "tried"
    split = Split(trial.steps)
    return [f"{name:9} {release} {split.share(release):.1%}" for release in trial.releases]


def decided(notes: "Sequence[Change]", trial: "Trial | None") -> list[str]:
    """The last decision; of several that are tried the last one on each."""
    if trial is None or len(trial.releases) == 1:
        last = [("", note) for note in notes[:1]]
    else:
        newest = {note.release: note for note in reversed(notes) if note.at >= trial.since}
        last = [(f"{name}: ", newest[name]) for name in trial.releases if name in newest]
    return [
        f"decided   {whose}{note.reason['sentence']}"
        for whose, note in last
        if "sentence" in note.reason
    ]


def learnt(turn: "Job") -> str:
    """How the last turn went, or how far it has come.

    >>> from noria.store.jobs import Job
    >>> at = datetime(2026, 1, 1, 3, 15)
    >>> learnt(Job("t-1", "turn", at, at, "running", "tuned", {"dataset": "d", "tuned": "r"}))
    't-1, begun 2026-01-01 03:15, is not at its end; it has: dataset, tuned'
    >>> learnt(Job("t-1", "turn", at, at, "refused", "verdict", {"sentence": "FAILED: task"}))
    't-1, begun 2026-01-01 03:15, refused: FAILED: task'
    """
    from noria.store.jobs import RUNNING

    begun = f"{turn.id}, begun {turn.at:%Y-%m-%d %H:%M}"
    if turn.state == RUNNING:
        return f"{begun}, is not at its end; it has: {', '.join(turn.record) or 'nothing yet'}"
    return f"{begun}, {turn.state}: {turn.record['sentence']}"


def table(found: "Sequence[Lately]") -> list[str]:
    """How releases did, a line each."""
    return [
        f"{'release':18} {'answers':>8} {'abstained':>10} {'grounded':>9} {'seconds':>8}  thumbs",
        *(
            f"{each.release:18} {each.answers:8} {each.abstained:10.0%} {each.grounded:9.2f} "
            f"{each.seconds:8.2f}  {in_shadow(each) if each.shadow else f'+{each.up} -{each.down}'}"
            for each in found
        ),
    ]


def in_shadow(each: "Lately") -> str:
    """What is known of a shadow, which nobody gives thumbs.

    >>> from noria.loop.lately import Lately
    >>> in_shadow(Lately("r2", 8, 0.0, 0.9, 1.2, shadow=True, failed=1, same=0.75))
    'shadow: 75% said the same, 1 failed'
    """
    same = "" if each.same is None else f" {each.same:.0%} said the same,"
    return f"shadow:{same} {each.failed} failed"


def seen(look: "Callable[[], tuple[Drift, ...]]") -> "tuple[Drift, ...]":
    """What is seen of drift; why nothing is seen is no reason to tell nothing else."""
    try:
        return look()
    except NoriaError as error:
        complain(f"drift cannot be told: {error}")
        return ()
