"""The commands that measure: ``evaluate retrieval``, ``evaluate general``."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from noria.cli.options import Config, Debug, Home, Json, complain, house, progress, show
from noria.errors import UsageError

LISTED = 20  # problems that are told one by one

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure, on questions with known answers."
)


@app.command("retrieval")
def evaluate_retrieval(
    directory: Annotated[Path, typer.Argument(help="corpus.jsonl, queries.jsonl, qrels/.")],
    split: Annotated[str, typer.Option("--split", help="Which qrels.")] = "test",
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Measure the three retrievers on a folder in BEIR's layout."""
    from noria.evaluate.retrieval import evaluate as measure

    with progress() as tell:
        at = house(config, home, tell)
        result = measure(
            directory,
            at.encoder,
            at.splitter,
            at.languages,
            at.settings.home,
            split=split,
            progress=tell,
        )
    if json:
        show(result.as_json(), json)
    else:
        from noria.screen import legs

        legs(result.as_json())


@app.command("general")
def evaluate_general(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Folder of questions and texts.", show_default="$NORIA_DATA/general"
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="An earlier run's folder: ask the same, tell what changed."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where to write it.", show_default="a new one in the home"),
    ] = None,
    release: Annotated[
        str | None,
        typer.Option("--release", help="Of what was tuned.", show_default="the model as it was"),
    ] = None,
    per_set: Annotated[
        int, typer.Option("--per-set", min=1, help="How many questions of each set.")
    ] = 400,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", min=1, help="Begin nothing that would end later.")
    ] = 540,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Measure what the model can do in general, and what it has forgotten."""
    from time import monotonic

    from noria.evaluate.forgetting.general import evaluate, plan, told
    from noria.store.versions import version

    with progress() as tell:
        at = house(config, home, tell)
        new = at.settings.home / "evaluations" / f"general-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        planned = plan(data or general_data(), out or new, per_set, against)
        generator = at.settings.models.generator
        tuned = version(at.registry, release) if release else None
        scorer = at.writers.scorer(generator, tuned) if tuned else at.scorer
        about = {"model": scorer.fingerprint, "generator": generator}
        about |= {"release": tuned.id} if tuned else {}
        result = evaluate(planned, scorer, monotonic, max_seconds, about, tell)
    for problem in result["problems"][:LISTED]:
        complain(problem)
    if len(result["problems"]) > LISTED:
        complain(f"… and {len(result['problems']) - LISTED} more problems; --json lists them all")
    show(result, json, told(result))


def general_data(option: str = "--data") -> Path:
    """The folder of general questions that the environment names; raises UsageError."""
    if not os.environ.get("NORIA_DATA"):
        raise UsageError(
            "no questions to ask: Noria ships none, for they have licences of their own; "
            f"name a folder with {option} (docs/forgetting.md says what it holds)"
        )
    return Path(os.environ["NORIA_DATA"]) / "general"
