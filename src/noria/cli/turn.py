"""``noria turn``: one turn of the loop, from what people said to a release that is tried."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from noria.cli.options import Config, Debug, Home, Json, complain, house, progress, show

if TYPE_CHECKING:
    from noria.build import House
    from noria.loop.turn import Turned
    from noria.store.jobs import Jobs
    from noria.wheel import Wheel


def turn(
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions", help="What releases are judged by.", show_default="turn.questions"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Learn from what people said: data set, tuning, gate, canary; or say why not now."""
    from noria.loop.turn import turn as taken
    from noria.store.jobs import Jobs
    from noria.store.journal import Journal
    from noria.store.reviews import Reviews
    from noria.wheel import Wheel, questions_of

    with progress() as tell:
        at = house(config, home, tell)
        if questions is not None:
            own = replace(at.settings.turn, questions=str(questions))
            at = replace(at, settings=replace(at.settings, turn=own))
        complain(f"releases are judged by {questions_of(at.settings.turn)}")  # or nothing begins
        jobs, now = Jobs(at.engine), lambda: datetime.now(UTC)
        with closing(Journal(at.engine)) as journal:
            wheel = Wheel(at, jobs, journal, Reviews(at.engine), now, complain)
            if dry_run:
                found, told = foreseen(jobs, wheel, at)
            else:
                with jobs.alone(at.settings.home / "turn.lock", "taking a turn"):
                    id = f"t-{uuid4().hex[:12]}"
                    done = taken(jobs, wheel, id, at.settings.turn.examples, now)
                found, told = as_json(done), page(done)
    show(found, json, told)


def as_json(done: "Turned") -> dict[str, Any]:
    """What came of a turn, as ``--json`` has it."""
    names = ("dataset", "release", "verdict", "deployment")
    return {
        "end": done.end,
        "sentence": done.sentence,
        **{name: done.record.get(name) for name in names},
    }


def page(done: "Turned") -> str:
    """What came of a turn, for people."""
    verdict = done.record.get("verdict")
    checks = [line(check) for check in verdict["checks"]] if verdict else []
    return "\n".join([*checks, done.sentence])


def line(check: Mapping[str, Any]) -> str:
    """One check of the gate."""
    return f"{'passed' if check['passed'] else 'FAILED'}  {check['name']:12} {check['sentence']}"


def foreseen(jobs: "Jobs", wheel: "Wheel", at: "House") -> tuple[dict[str, Any], str]:
    """What a turn would do now: as JSON, and for people. Nothing is written."""
    from noria.loop.turn import TURN, idle
    from noria.store.jobs import RUNNING

    waiting = jobs.last(TURN, RUNNING)
    own, found = at.settings.turn, wheel.evidence()
    reason = None if waiting else idle(wheel, own.examples)
    state = at.rollouts.now()
    live = state.live if state else "what the settings name"
    done = sorted(waiting.record) if waiting else []
    row = {
        "would": "nothing" if reason else "go on" if waiting else "begin",
        "reason": reason,
        "evidence": asdict(found),
        "done": done,
    }
    told = [
        f"{found.examples} examples say what is right, {found.fresh} of them new",
        *(
            f"{times:7,}  {origin}, also such as only say what is wrong"
            for origin, times in found.origins.items()
        ),
        *(f"{times:7,}  left out: {why}" for why, times in found.dropped.items()),
    ]
    if waiting:
        told.append(f"goes on with {waiting.id}, which has: {', '.join(done) or 'nothing'}")
    elif reason:
        told.append(reason)
    else:
        told.append(
            f"would tune {own.objective} on {at.settings.models.generator}, ask it and {live} "
            f"{own.most} questions of {wheel.questions.name} at most, and try it beside {live}"
        )
    return row, "\n".join(told)
