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
    from collections.abc import Callable

    from noria.loop.drift import Drift


def status(
    hours: Annotated[
        float, typer.Option("--hours", min=0.01, max=24 * 366, help="How far back to look.")
    ] = 24.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out drift, for which questions are encoded.")
    ] = False,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """What is live, tried and decided, how it did lately, and whether it drifts."""
    from noria.loop.lately import lately
    from noria.loop.lookout import Lookout, learnt_by
    from noria.store.journal import ANSWER, Journal
    from noria.store.rollouts import as_json

    with progress() as tell:
        at = house(config, home, tell)
        state, last = at.rollouts.now(), at.rollouts.history(1)
        since = datetime.now(UTC) - timedelta(hours=hours)
        with closing(Journal(at.engine)) as journal:
            found = lately(journal.events(ANSWER, since=since), journal.feedback(since=since))
            lookout = Lookout(at.rollouts, journal, learnt_by(at.registry), tell)
            drifts = () if quick else tried(lambda: lookout.look(lambda: at.encoder))
    told = {
        "rollout": as_json(state) if state else None,
        "decided": dict(last[0].reason) if last else None,
        "lately": [asdict(each) for each in found],
        "drift": {each.what: each.as_json() for each in drifts},
    }
    lines = [
        f"live      {state.live if state else 'the settings: nothing was promoted'}",
        *([f"previous  {state.previous}"] if state and state.previous else []),
        *(
            [f"tried     {release} {share:.1%}" for release, share in state.trial.steps]
            if state and state.trial
            else []
        ),
        *(f"decided   {each.reason['sentence']}" for each in last if "sentence" in each.reason),
        "",
        f"{'release':18} {'answers':>8} {'abstained':>10} {'grounded':>9} {'seconds':>8}  thumbs",
        *(
            f"{each.release:18} {each.answers:8} {each.abstained:10.0%} {each.grounded:9.2f} "
            f"{each.seconds:8.2f}  +{each.up} -{each.down}"
            for each in found
        ),
        *(["", "drift of what is live"] if drifts else []),
        *(f"{each.what:9} {each.sentence}" for each in drifts),
    ]
    show(told, json, "\n".join(lines))


def tried(look: "Callable[[], tuple[Drift, ...]]") -> "tuple[Drift, ...]":
    """What is seen of drift; why nothing is seen is no reason to tell nothing else."""
    try:
        return look()
    except NoriaError as error:
        complain(f"drift cannot be told: {error}")
        return ()
