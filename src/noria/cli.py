"""The command line: parse, build, call, print. Exit 0 done, 1 failed, 2 wrong usage or input."""

import json as jsonlib
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from noria.errors import NoriaError, UsageError

if TYPE_CHECKING:
    from noria.build import House
    from noria.corpus.changes import Changes, Tree
    from noria.corpus.ingest import Ingestion, Report
    from noria.evaluate.swap import Trial
    from noria.types import Answer, Query, Slate

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: importing rich costs half the time of --help
    pretty_exceptions_enable=False,
    help="Lift your data into a language model, turn after turn.",
)
models = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The models: where they come from, what is cached.",
)
evaluate = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Measure, on questions with known answers."
)
app.add_typer(models, name="models")
app.add_typer(evaluate, name="evaluate")

INTERRUPTED = 130  # the exit status after Ctrl-C, as shells have it

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file.", show_default="./noria.toml")
]
Home = Annotated[Path | None, typer.Option("--home", help="State folder.", show_default="./.noria")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]
Groups = Annotated[str | None, typer.Option("--groups", help="The reader's groups: a,b.")]
Fields = Annotated[
    list[str] | None, typer.Option("--field", help="Only passages with key=value; repeatable.")
]


@app.command()
def demo(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """Ingest Noria's own documentation, ask it questions, print cited answers."""
    from noria.config import load
    from noria.demo import run

    run(load(config, home or Path(".noria/demo")), json=json, tell=progress(json))


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a commented noria.toml."""
    from noria.config import write_template

    path = write_template(directory)
    show({"path": str(path)}, json, f"wrote {path}; next: noria ingest PATH")


@app.command()
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
    with progress(json) as tell:
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
        with progress(json) as tell:
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


def complain(message: str) -> None:
    """Say what went wrong, on stderr, and go on."""
    typer.echo(message, err=True)


@app.command()
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
    with progress(json) as tell:
        slate = house(config, home, tell).funnel.search(query, k)
    if json:
        show(slate_json(slate), json)
    else:
        from noria.screen import passages

        passages(slate)


@app.command()
def ask(
    text: str,
    groups: Groups = None,
    field: Fields = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Answer a question from the documents, with citations, or say that it does not know."""
    query = question(text, groups, field)
    with progress(json) as tell:
        answerer = house(config, home, tell).answerer
    if json:
        show(answer_json(answerer.answer(query)), json)
    else:
        from noria.screen import stream

        stream(answerer.stream(query))


@models.command("list")
def models_list(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """Sources, digests, sizes, and whether they are cached."""
    from noria.models.sources import describe

    found = describe(house(config, home).settings)
    if json:
        show({"models": [{**asdict(w), "path": str(w.path or "")} for w in found]}, json)
    else:
        from noria.screen import weights

        weights(found)


@models.command("pull")
def models_pull(
    role: Annotated[list[str] | None, typer.Argument(help="Which; none: both.")] = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Fetch the weights into the cache, and verify them."""
    from noria.models.sources import ROLES, pull

    wanted = [known for known in ROLES if not role or known in role]
    if unknown := set(role or ()) - set(ROLES):
        raise UsageError(f"unknown role {sorted(unknown)[0]!r}; known: {', '.join(ROLES)}")
    with progress(json) as tell:
        found = pull(house(config, home).settings, wanted, progress=tell)
    if json:
        show({"models": [{**asdict(w), "path": str(w.path or "")} for w in found]}, json)
    else:
        from noria.screen import weights

        weights(found)


@evaluate.command("retrieval")
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

    with progress(json) as tell:
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


def house(config: Path | None, home: Path | None, tell: Any = None) -> "House":
    """The objects that the settings make."""
    from noria.build import House
    from noria.config import load
    from noria.jobs import silent

    return House(load(config, home), tell or silent)


def question(text: str, groups: str | None, fields: list[str] | None) -> "Query":
    """What the user asks, and may see."""
    from noria.corpus.ingest import parse_groups, storable
    from noria.types import Query

    if not text.strip() or not storable(text):
        raise UsageError("the question is empty, or no UTF-8; expected some words")
    return Query(
        id=uuid4().hex[:16],
        text=text,
        groups=parse_groups(groups) or frozenset(),
        fields=parse_fields(fields) or {},
    )


def parse_fields(pairs: list[str] | None) -> dict[str, str] | None:
    """Fields from ``key=value`` texts; None stays None.

    >>> parse_fields(["lang=en", "year=2026"])
    {'lang': 'en', 'year': '2026'}
    """
    from noria.corpus.ingest import storable

    if pairs is None:
        return None
    fields = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip() or not storable(pair):
            raise UsageError(f"--field: expected key=value in UTF-8, got {pair!r}")
        fields[key.strip()] = value.strip()
    return fields


def progress(json: bool) -> Any:
    """A context whose value tells how far a job is, on stderr."""
    from noria.screen import Bar

    return Bar(quiet=json and not sys.stderr.isatty())


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


def report_json(report: "Report") -> dict[str, Any]:
    """A report as ``noria ingest --json`` prints it: what was skipped is among what failed."""
    failed = [asdict(failure) for failure in (*report.failed, *report.skipped)]
    kept = {name: value for name, value in asdict(report).items() if name != "skipped"}
    return {**kept, "failed": failed}


def slate_json(slate: "Slate") -> dict[str, Any]:
    """A slate as ``noria search --json`` prints it."""
    return {
        "candidates": [
            {
                "id": c.item.id,
                "document": c.item.document,
                "start": c.item.start,
                "end": c.item.end,
                "score": c.score,
                "scores": dict(c.scores),
                "text": c.item.text,
            }
            for c in slate.candidates
        ],
        "index_version": slate.version,
        "timings": dict(slate.timings),
    }


def answer_json(answer: "Answer") -> dict[str, Any]:
    """An answer as ``noria ask --json`` prints it."""
    return {
        "id": answer.id,
        "answer": answer.text,
        "citations": [
            {
                "id": c.item.id,
                "document": c.item.document,
                "start": c.start,
                "end": c.end,
                "quote": c.quote,
            }
            for c in answer.citations
        ],
        "confidence": answer.confidence,
        "grounded": answer.grounded,
        "abstained": answer.abstained,
        "release": answer.release,
        "index_version": answer.index_version,
        "timings": dict(answer.timings),
    }


def show(value: Mapping[str, Any], json: bool, text: str = "") -> None:
    """Print one JSON object, or ``text`` for people."""
    typer.echo(jsonlib.dumps(value, ensure_ascii=False) if json else text)


def main() -> None:
    """Run the command line."""
    try:
        app(standalone_mode=True)
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        stop("interrupted; what was finished is kept", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output went away: nothing is wrong
        sys.stderr.close()
        sys.exit(0)
    except UsageError as error:
        stop(str(error), 2, error)
    except NoriaError as error:
        stop(str(error), 1, error)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else "no message"
        stop(f"unexpected {type(error).__name__}: {reason} (--debug shows where)", 1, error)


def stop(message: str, code: int, error: Exception | None = None) -> None:
    """Say what went wrong, on stderr, and leave."""
    if error is not None and "--debug" in sys.argv:
        raise error
    typer.echo(f"error: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
