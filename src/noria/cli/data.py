"""``noria data check``; ``data build`` stands in ``dataset``."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli.options import Config, Debug, Home, Json, complain, house, progress, show
from noria.errors import NoriaError, UsageError

if TYPE_CHECKING:
    from noria.build import House

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Look at training data, and prepare them."
)


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="Examples: docs/training-data.md has the forms.")],
    against: Annotated[
        Path | None, typer.Option("--against", help="What a test will ask: finds what leaks.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Tokens of an example.", show_default="the model's"),
    ] = None,
    redact: Annotated[
        Path | None,
        typer.Option("--redact", help="Write the examples here, without personal data."),
    ] = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Check training data before anything is spent on them."""
    from noria.tune.data.check import check as looked_at
    from noria.tune.data.clean import redact as redacted
    from noria.tune.data.read import read
    from noria.tune.data.report import report, told
    from noria.tune.data.store import dataset, write

    if redact is not None and os.path.lexists(redact):
        raise UsageError(f"{redact}: exists; name another file")
    found = read(file)
    test = read(against, split="test") if against else None
    with progress() as tell:
        count, longest = counter(house(config, home, tell), limit)
        made = looked_at(found.examples, test.examples if test else (), count, longest, tell)
    problems = (*found.problems, *(test.problems if test else ()))
    if redact is not None:
        write(redact, redacted(found.examples))
    if json:
        id = dataset(found.examples).id
        show({**report(made, file, problems, id), "limit": longest}, json)
    else:
        show({}, json, told(made, file, problems, longest))


def counter(at: "House", limit: int | None) -> tuple[Callable[[str], int] | None, int | None]:
    """What counts tokens, and how many an example may have: by default the model's window.

    Without a model the data can still be checked, except for their length, and people are told.
    """
    try:
        return at.llm.count, limit or at.llm.context
    except NoriaError as error:
        if limit is not None:
            raise
        complain(f"tokens are not counted: {error}")
        return None, None
