"""``noria feedback import, export, review`` and ``noria forget``: what people think, in and out."""

import getpass
import json as jsonlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli.options import Config, Debug, Groups, Home, Json, complain, house, progress, show
from noria.errors import DataError, UsageError

if TYPE_CHECKING:
    from noria.build import House
    from noria.loop.feedback.harvest import Kept
    from noria.loop.feedback.queue import Waiting
    from noria.store.journal import Journal
    from noria.store.reviews import Reviews

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What people think of answers, in and out."
)


@app.command("review")
def review(
    reviewer: Annotated[
        str | None, typer.Option("--reviewer", help="Your name.", show_default="of this account")
    ] = None,
    groups: Groups = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Look at the answers that most need it, one after the other; each verdict is kept at once."""
    from noria.cli.reviewing import Session

    at = house(config, home)
    with desk(at) as (journal, reviews):
        session = Session(
            ask=answered,
            tell=complain,
            keep=reviews.keep,
            reviewer=named(reviewer),
            now=lambda: datetime.now(UTC),
        )
        done, left = session.go_through(queue(at, kept(journal, reviews), groups))
    show({"reviewed": done, "waiting": left}, json, f"{done} reviewed, {left} waiting")


@app.command("export")
def export(
    file: Annotated[Path | None, typer.Argument(help="A new file for Label Studio.")] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Print the labeling configuration, and no more.")
    ] = False,
    groups: Groups = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Write what waits for a review as tasks of Label Studio, its configuration beside it."""
    from noria.loop.feedback.label_studio import LABELS, task

    if labels:
        show({"labels": LABELS}, json, LABELS.rstrip())
        return
    if file is None:
        raise UsageError("name a file to write the tasks to, or give --labels")
    beside = file.with_suffix(".xml")
    for path in (file, beside):
        if os.path.lexists(path):
            raise UsageError(f"{path}: exists; name another file")
    at = house(config, home)
    with desk(at) as (journal, reviews):
        tasks = [task(each) for each in queue(at, kept(journal, reviews), groups)]
    written(beside, LABELS)
    written(file, jsonlib.dumps(tasks, ensure_ascii=False, indent=1) + "\n")
    row = {"tasks": len(tasks), "file": str(file), "labels": str(beside)}
    show(row, json, f"{len(tasks)} tasks in {file}; Label Studio's configuration is {beside}")


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="Label Studio's JSON export, or judgements as JSON Lines.")
    ],
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Take in reviews or judgements; the same file again changes nothing."""
    from noria.loop.feedback.intake import Desk

    at = house(config, home)
    with desk(at) as (journal, reviews):
        answers = kept(journal, reviews).answers
        taken = Desk(journal, reviews, answers, datetime.now(UTC)).take(file)
    row = {
        "judgements": taken.judgements,
        "reviews": taken.reviews,
        "known": taken.known,
        "problems": list(taken.problems),
    }
    counts = f"{taken.judgements} judgements and {taken.reviews} reviews are new, {taken.known} not"
    show(row, json, "\n".join([counts, *taken.problems]))
    if taken.problems and not (taken.judgements or taken.reviews or taken.known):
        raise typer.Exit(1)  # as an ingestion of which nothing came


def forget(
    user: Annotated[str, typer.Option("--user", help="Whom, as clients name them.")],
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Whose user; needed where several have one.")
    ] = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Erase a person's events and feedback; name the data sets and releases that hold some."""
    from noria.loop.feedback.erasure import forgotten, tenant_of
    from noria.serve.route import unit_of

    with progress() as tell:
        at = house(config, home, tell)
        with desk(at) as (journal, _):
            whose = tenant_of(journal, user, tenant)
            erased = forgotten(journal, at.registry, whose, user, unit_of(whose, user))
    datasets = [each.id for each in erased.touched.datasets]
    releases = [each.id for each in erased.touched.releases]
    row = {
        "user": user,
        "tenant": erased.tenant,
        "erased": dict(erased.rows),
        "datasets": datasets,
        "releases": releases,
    }
    lines = [f"{times:7,}  {name} erased" for name, times in erased.rows.items()]
    lines += [f"still holds some of it: {id}" for id in (*datasets, *releases)]
    show(row, json, "\n".join(lines))


@contextmanager
def desk(at: "House") -> "Iterator[tuple[Journal, Reviews]]":
    """What was kept, as long as it is looked at."""
    from noria.store.journal import Journal
    from noria.store.reviews import Reviews

    journal = Journal(at.engine)
    try:
        yield journal, Reviews(at.engine)
    finally:
        journal.close()
        at.close()


def kept(journal: "Journal", reviews: "Reviews") -> "Kept":
    """All answers, with what was said of them."""
    from noria.loop.feedback.shelf import kept_in

    return kept_in(journal, reviews)


def queue(at: "House", found: "Kept", groups: str | None) -> "tuple[Waiting, ...]":
    """What waits for a review that readers in ``groups`` may see."""
    from noria.corpus.ingest import parse_groups
    from noria.loop.feedback.queue import waiting

    return waiting(found, at.passages_named, parse_groups(groups) or frozenset())


def answered(question: str) -> str:
    """A line from the keyboard. The question goes to stderr: stdout is for what came of it all."""
    typer.echo(f"{question} ", err=True, nl=False)
    return input()


def named(reviewer: str | None) -> str:
    """Who reviews."""
    name = (reviewer or getpass.getuser()).strip()
    if not name or len(name) > 200:
        raise UsageError("--reviewer: expected a name of at most 200 characters")
    return name


def written(path: Path, text: str) -> None:
    """Write a new file; raises DataError if it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}; name another file", path) from None
