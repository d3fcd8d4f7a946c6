"""The commands that answer "retrieve, fine-tune, or both?": ``compare``, ``evaluate report``."""

from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli import measure
from noria.cli.options import (
    Config,
    Debug,
    Groups,
    Home,
    Json,
    complain,
    house,
    progress,
    show,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noria.build import House
    from noria.evaluate.arms.arm import Arm
    from noria.evaluate.results import Comparison


def compare(
    questions: Annotated[Path, typer.Argument(help="What to ask: docs/questions.md has formats.")],
    arms: Annotated[
        str, typer.Option("--arms", help="Which ways to answer; noria.toml may name more.")
    ] = "base,rag,rag-fewshot,oracle",
    examples: Annotated[
        Path | None,
        typer.Option("--examples", help="Worked examples; without: other folds of the questions."),
    ] = None,
    ingested: Annotated[
        bool, typer.Option("--ingested", help="Read what was ingested, not the questions' texts.")
    ] = False,
    groups: Groups = None,
    max_questions: Annotated[
        int | None, typer.Option("--max-questions", min=1, help="Ask a stratified sample.")
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option("--max-seconds", min=0, help="Begin no turn after so long."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The report's folder.", show_default="in --home")
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="A model that judges too: a source or a URL.")
    ] = None,
    risk: Annotated[
        float | None,
        typer.Option("--risk", min=0, max=1, help="Fit the confidence to abstain below to this."),
    ] = None,
    release: Annotated[
        list[str] | None,
        typer.Option("--release", help="What tuned arms answer with.", show_default="the newest"),
    ] = None,
    general: Annotated[
        bool, typer.Option("--general", help="Measure also what tuned models forgot.")
    ] = False,
    general_data: Annotated[
        Path | None,
        typer.Option(
            "--general-data",
            help="Folder of general questions; implies --general.",
            show_default="$NORIA_DATA/general",
        ),
    ] = None,
    general_per_set: Annotated[
        int, typer.Option("--general-per-set", min=1, help="How many questions of each set.")
    ] = 400,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws samples and intervals.")] = 0,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Compare ways to answer on your questions, with a report and advice."""
    from noria.corpus.ingest import parse_groups
    from noria.evaluate.arms.arm import chosen
    from noria.evaluate.contest import Budget, contest, named
    from noria.evaluate.forgetting.suite import read
    from noria.evaluate.report.report import as_json

    with progress() as tell:
        at = house(config, home, tell)
        names = [name.strip() for name in arms.split(",") if name.strip()]
        some = at.entrants.released(chosen(names, at.settings.arms), release or [])
        asked = None
        if general or general_data:
            questions_at = general_data or measure.general_data("--general-data")
            asked = at.entrants.general(some, read(questions_at), general_per_set)
        known = learnt_from(at, some, questions)
        folder = out or at.settings.home / "reports" / named(questions)
        found = contest(
            questions,
            some,
            at.entrants.ready_for(parse_groups(groups) or frozenset()),
            folder,
            monotonic,
            examples=examples,
            ingested=ingested,
            budget=Budget(max_questions, max_seconds),
            judge=at.entrants.judge_of(judge) if judge else None,
            risk=risk,
            seed=seed,
            about={
                "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
                **at.told(),
                **{f"questions that {name} learnt from": n for name, n in known.items()},
            },
            progress=tell,
            general=asked,
        )
    for name, count in known.items():
        complain(
            f"arm {name!r} learnt from {count} of these questions, or from nearly the same; "
            "its figures prove nothing: ask others"
        )
    if json:
        show(as_json(found, folder), json)
    else:
        told(found, folder)


def learnt_from(at: "House", arms: "Sequence[Arm]", file: Path) -> dict[str, int]:
    """How many of the questions each tuned arm has learnt from, where it has.

    What the reader learnt from is not here: its card names the articles.
    """
    from noria.evaluate.arms.arm import READER
    from noria.evaluate.questions import read
    from noria.tune.seen import seen

    tuned = [arm for arm in arms if arm.release not in ("", READER)]
    questions = read(file).asked if tuned else ()
    found = {arm.name: len(seen(at.registry, arm.release, questions)) for arm in tuned}
    return {name: count for name, count in found.items() if count}


def report(
    folder: Annotated[Path, typer.Argument(help="A folder that noria compare wrote.")],
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Compute a report's numbers again, from its answers alone."""
    from noria.evaluate.again import again
    from noria.evaluate.report.report import as_json

    found = again(folder)
    if json:
        show(as_json(found, folder), json)
    else:
        told(found, folder)


def told(found: "Comparison", folder: Path) -> None:
    """A comparison for people."""
    from noria.screen import side_by_side

    side_by_side(found, folder / "report.html")
