"""The commands about documents: ``ingest``, ``search``, ``ask``."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noria.cli.options import (
    Config,
    Debug,
    Fields,
    Groups,
    Home,
    Json,
    complain,
    house,
    parse_fields,
    progress,
    question,
    show,
)
from noria.cli.shapes import answer_json, report_json, slate_json
from noria.errors import UsageError

if TYPE_CHECKING:
    from noria.corpus.changes import Changes, Tree
    from noria.corpus.ingest import Ingestion, Report
    from noria.evaluate.swap import Trial


def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders; none: all that is known.")
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option("--groups", help="Who may read them: a,b. Without: as before, or public."),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Anybody may read them.")] = False,
    field: Annotated[
        list[str] | None, typer.Option("--field", help="A field of them, key=value; repeatable.")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Remove what is gone.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on, take what changes, and remove what is gone.")
    ] = False,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", help="Before a new encoder's index goes live, compare on it."),
    ] = None,
    swap: Annotated[
        bool, typer.Option("--swap", help="Make the new index live, whatever was compared.")
    ] = False,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Add and update documents; unchanged ones cost nothing."""
    from noria.corpus.changes import Tree
    from noria.corpus.ingest import parse_groups
    from noria.corpus.watch import patiently
    from noria.evaluate.questions import read
    from noria.evaluate.swap import Trial

    if public and groups is not None:
        raise UsageError("--public and --groups contradict each other; give one of them")
    if groups is not None and not groups.strip():
        raise UsageError("--groups is empty; expected names, or --public to let anybody read them")
    if watch and not paths:
        raise UsageError("--watch expects the files or folders to watch; name them")
    readers = frozenset[str]() if public else parse_groups(groups)
    given: dict[str, Any] = {"groups": readers, "fields": parse_fields(field)}
    recorded = read(questions) if questions else None
    with progress() as tell:
        at = house(config, home, tell)
        now = datetime.now(UTC)
        trial = Trial(at.state, at.encoder, at.encoder_of, now, recorded, swap, tell)
        ingestion = replace(at.ingestion, accept=trial)
        tree = Tree(paths or []) if watch else None  # before: what changes meanwhile counts

        def first() -> "Report":
            return ingestion.run(paths or [], datetime.now(UTC), prune=prune or watch, **given)

        report = patiently(first, complain) if watch else first()
    show_ingestion(report, json, trial)
    if recorded and not trial.comparison:
        complain("nothing was compared: no new index was completed")
    if tree is not None and not trial.refusal:
        follow(tree, ingestion, given, json)
    nothing = not (report.added or report.updated or report.unchanged or report.removed)
    if trial.refusal or (report.failed and nothing):
        raise typer.Exit(1)


def follow(tree: "Tree", ingestion: "Ingestion", given: Mapping[str, Any], json: bool) -> None:
    """Ingest what changes, until the user interrupts."""
    from noria.corpus.watch import Summary, watch

    live = ingestion.live.name()

    def take(changes: "Changes") -> "Report":
        if not ingestion.lock.exists() or ingestion.live.name() != live:
            complain("the state folder is gone, or another recipe live; start the watch again")
            raise SystemExit(1)
        with progress() as tell:
            told = replace(ingestion, progress=tell)
            return told.run(changes.changed, datetime.now(UTC), gone=changes.gone, **given)

    summary = Summary()
    try:
        ingestion.encoder.encode_passages(["ready"])  # loads it: the first change must not wait
        typer.echo("watching; Ctrl-C ends it", err=True)
        for report in watch(tree, take, complain):
            summary = summary.and_then(report)
            show_ingestion(report, json)
    except KeyboardInterrupt:
        typer.echo(f"\n{summary}", err=json)


def show_ingestion(report: "Report", json: bool, trial: "Trial | None" = None) -> None:
    """What an ingestion did, and how the new index compared with the old one, if it was tried."""
    found = trial.comparison if trial else None
    if json:
        show(report_json(report) | ({"comparison": found.as_json()} if found else {}), json)
    else:
        from noria.screen import comparison, ingestion

        ingestion(report)
        if found:
            comparison(found)
    if trial and trial.refusal:
        complain(
            f"the old index stays live: the new one is {trial.refusal}; put models.encoder and "
            f"corpus back in noria.toml, or take the new one with: noria ingest --swap"
        )


def search(
    text: str,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many passages.")] = 10,
    groups: Groups = None,
    field: Fields = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Find passages: the funnel alone."""
    query = question(text, groups, field)
    with progress() as tell:
        slate = house(config, home, tell).funnel.search(query, k)
    if json:
        show(slate_json(slate), json)
    else:
        from noria.screen import passages

        passages(slate)


def ask(
    text: str,
    groups: Groups = None,
    field: Fields = None,
    arm: Annotated[
        str | None,
        typer.Option(
            "--arm",
            help="As which arm of noria compare: base, rag, tuned+rag …",
            show_default="reader, or rag for other models",
        ),
    ] = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Answer a question from the documents, with citations, or say that it does not know."""
    from noria.evaluate.arms.arm import chosen

    query = question(text, groups, field)
    with progress() as tell:
        at = house(config, home, tell)
        (as_arm,) = chosen([arm or at.entrants.usual], at.settings.arms)
        answerer = at.entrants.answerer_of(as_arm)
    if json:
        show(answer_json(answerer.answer(query)), json)
    else:
        from noria.screen import stream

        stream(answerer.stream(query))
