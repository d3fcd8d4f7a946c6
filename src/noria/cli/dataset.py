"""``noria data build``: what people said, as a data set."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli.feedback import desk
from noria.cli.options import Config, Debug, Home, Json, complain, house, progress, show
from noria.errors import UsageError

if TYPE_CHECKING:
    from noria.loop.feedback.harvest import Harvest
    from noria.tune.examples import Origin


def build(
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Also write the examples to this new file.")
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option("--held-out", help="What a test asks, never learnt; repeatable."),
    ] = None,
    more: Annotated[
        list[Path] | None,
        typer.Option("--with", help="Examples to mix in: annotated, synthetic; repeatable."),
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option("--groups", help="Whose passages may be learnt: a,b. Without: public only."),
    ] = None,
    tenant: Annotated[
        list[str] | None, typer.Option("--tenant", help="Of whose users; repeatable.")
    ] = None,
    voices: Annotated[
        float, typer.Option("--voices", min=0.25, help="Persons who must hold the same.")
    ] = 1.0,
    a_day: Annotated[
        int, typer.Option("--a-day", min=1, help="Judgements of one person and day that count.")
    ] = 20,
    share: Annotated[
        float,
        typer.Option("--share", min=0.001, max=0.999, help="Of all judgements, by one person."),
    ] = 0.1,
    few: Annotated[
        int, typer.Option("--few", min=1, help="Judgements that one person has, whatever share.")
    ] = 20,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help="How much each origin counts.",
            show_default="annotated=1,interaction=0.5,synthetic=0.25",
        ),
    ] = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Make a data set of what people thought of answers, and of reviews."""
    from noria.corpus.ingest import parse_groups
    from noria.loop.feedback import shelf
    from noria.loop.feedback.caps import Caps
    from noria.loop.feedback.harvest import Policy, harvested
    from noria.tune.data.store import write

    if out is not None and os.path.lexists(out):
        raise UsageError(f"{out}: exists; name another file")
    readers = parse_groups(groups) or frozenset()
    policy = Policy(readers, voices, Caps(a_day, share, few), weights_of(weights))
    with progress() as tell:
        at = house(config, home, tell)
        tests = shelf.examples_of(held_out or (), complain)
        made = None
        with desk(at) as (journal, reviews):
            harvest = harvested(
                shelf.kept_in(journal, reviews, tenant or ()),
                at.passages_named,
                policy,
                [*tests, *shelf.held_out(at.registry)],
                shelf.examples_of(more or (), complain),
            )
            if harvest.examples:
                if out is not None:
                    write(out, harvest.examples)
                now, folder = datetime.now(UTC), at.settings.home
                made = shelf.shelved(harvest, at.registry, policy, folder, now).id
    row = {"dataset": made, "examples": harvest.origins, "dropped": dict(harvest.dropped)}
    show(row, json, told(made, harvest))


def weights_of(text: str | None) -> "dict[Origin, float]":
    """Weights from ``origin=weight,…``; the others stay as they are.

    >>> weights_of("interaction=0.1")["interaction"]
    0.1
    """
    from noria.loop.feedback.harvest import WEIGHTS

    found = dict(WEIGHTS)
    for pair in text.split(",") if text else ():
        name, _, weight = pair.partition("=")
        origin = next((each for each in WEIGHTS if each == name.strip()), None)
        try:
            value = float(weight)
        except ValueError:
            value = 0.0
        if origin is None or not 0 < value < float("inf"):
            raise UsageError(
                f"--weights: expected {', '.join(f'{each}=1' for each in WEIGHTS)} or some of "
                f"these, with weights above 0; got {pair!r:.60}"
            )
        found[origin] = value
    return found


def told(dataset: str | None, harvest: "Harvest") -> str:
    """A harvest for people."""
    lines = [f"{times:7,}  {origin}" for origin, times in harvest.origins.items()]
    lines += [f"{times:7,}  left out: {why}" for why, times in harvest.dropped.items()]
    head = f"data set {dataset}" if dataset else "nothing to learn from yet, so no data set"
    return "\n".join([head, *lines])
