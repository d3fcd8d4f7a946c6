"""What the commands share: their options, what is made of them, and how results are told."""

import json as jsonlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from noria.errors import UsageError

if TYPE_CHECKING:
    from noria.build import House
    from noria.types import Query

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


def progress() -> Any:
    """A context whose value tells how far a job is, on stderr."""
    from noria.screen import Bar

    return Bar()


def show(value: Mapping[str, Any], json: bool, text: str = "") -> None:
    """Print one JSON object, or ``text`` for people."""
    typer.echo(jsonlib.dumps(value, ensure_ascii=False) if json else text)


def complain(message: str) -> None:
    """Say what went wrong, on stderr, and go on."""
    typer.echo(message, err=True)
