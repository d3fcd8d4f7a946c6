"""``noria keys add, list, revoke``: who may ask the HTTP service."""

from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noria.cli.options import Config, Debug, Home, Json, complain, house, show

if TYPE_CHECKING:
    from pathlib import Path

    from noria.serve.auth import Keys

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Keys of the HTTP service: who may ask."
)


@app.command("add")
def add(
    tenant: Annotated[str, typer.Argument(help="Whom it is for: their answers are kept apart.")],
    groups: Annotated[
        str | None, typer.Option("--groups", help="What it may read: a,b. Without: public only.")
    ] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0, help="Requests a minute; 0: as the settings say.")
    ] = 0.0,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Make a key. It is shown once, and kept nowhere."""
    from noria.corpus.ingest import parse_groups

    readers = parse_groups(groups) or frozenset()
    key, caller = keys_at(config, home).add(tenant, readers, rate, datetime.now(UTC))
    row = {"id": caller.key, "tenant": tenant, "groups": sorted(readers), "key": key}
    show(row, json, key)
    if not json:
        complain(
            f"{caller.key} for {tenant}, groups: {', '.join(sorted(readers)) or 'public only'}"
        )


@app.command("list")
def list_(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """All keys, without what opens."""
    found = keys_at(config, home).list()
    rows: list[dict[str, Any]] = [
        {
            "id": kept.caller.key,
            "tenant": kept.caller.tenant,
            "groups": sorted(kept.caller.groups),
            "rate": kept.caller.rate,
            "at": kept.at.isoformat(),
            "revoked": kept.revoked.isoformat() if kept.revoked else None,
        }
        for kept in found
    ]
    lines = [
        f"{row['id']}  {row['tenant']}  {', '.join(row['groups']) or 'public only'}"
        f"{'  revoked' if row['revoked'] else ''}"
        for row in rows
    ]
    none = "no key was made: only this machine may ask, and needs none"
    show({"keys": rows}, json, "\n".join(lines) or none)


@app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as list shows it.")],
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Let a key open nothing any more, in every server within a second."""
    keys_at(config, home).revoke(id, datetime.now(UTC))
    show({"revoked": id}, json, f"{id} opens nothing any more")


def keys_at(config: "Path | None", home: "Path | None") -> "Keys":
    """The keys of the settings' store."""
    from noria.serve.auth import Keys

    return Keys(house(config, home).engine, monotonic)
