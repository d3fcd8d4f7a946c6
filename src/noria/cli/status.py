"""``noria status``: what answers, what is tried, and how they did lately."""

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from noria.cli.options import Config, Debug, Home, Json, house, show


def status(
    hours: Annotated[
        float, typer.Option("--hours", min=0.01, max=24 * 366, help="How far back to look.")
    ] = 24.0,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """What is live, what is tried and what was decided on it, and how they did lately."""
    from noria.loop.lately import lately
    from noria.store.journal import ANSWER, Journal
    from noria.store.rollouts import as_json

    at = house(config, home)
    state, last = at.rollouts.now(), at.rollouts.history(1)
    since = datetime.now(UTC) - timedelta(hours=hours)
    with closing(Journal(at.engine)) as journal:
        found = lately(journal.events(ANSWER, since=since), journal.feedback(since=since))
    told = {
        "rollout": as_json(state) if state else None,
        "decided": dict(last[0].reason) if last else None,
        "lately": [asdict(each) for each in found],
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
    ]
    show(told, json, "\n".join(lines))
