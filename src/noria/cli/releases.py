"""The commands about what was made: ``releases list, show, export, import, mirror``."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noria.cli.options import Config, Debug, Home, Json, complain, house, show
from noria.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from noria.store.registry import Registry
    from noria.types import Release

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What was made: bases, adapters, encoders, data sets, releases.",
)
NOTHING = "nothing is registered yet; 'noria tune' makes a release"
Id = Annotated[str, typer.Argument(help="The release, or the beginning of its id.")]


@app.command("list")
def releases_list(
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="Only: base, adapter, encoder, dataset or release."),
    ] = None,
    objective: Annotated[
        str | None, typer.Option("--objective", help="Only those tuned for it: sft, radit …")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Only those made from it: id or digest.")
    ] = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """What there is, the newest first."""
    from noria.store.registry import PREFIX
    from noria.store.releases import KINDS

    wanted = next((known for known in KINDS if known == kind), None)
    if kind is not None and wanted is None:
        raise UsageError(f"--kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    with registry(config, home) as at:
        if dataset is not None and PREFIX.fullmatch(dataset):
            dataset = at.get(dataset).id
        found = at.list(wanted, objective, dataset)
        shown = [row_json(at, release) for release in found]
    none = "none is like that" if kind or objective or dataset else NOTHING
    show({"releases": shown}, json, table(shown) or none)


@app.command("show")
def releases_show(
    release: Id,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """One release: its parts, what it was made from, how, and what was measured."""
    with registry(config, home) as at:
        found = at.get(release)
        told = whole_json(at, found)
    show(told, json, page(told))


@app.command("export")
def releases_export(
    release: Id,
    file: Annotated[Path, typer.Argument(help="The archive to write.")],
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Write a release and all that it was made from into one file."""
    from noria.store.archive import export

    with registry(config, home) as at:
        found = export(at, release, file)
        shown = [row_json(at, one) for one in found]
    size = file.stat().st_size
    told = f"{found[-1].id} written to {file}, {megabytes(size)}; in it:\n{table(shown)}"
    show({"release": found[-1].id, "file": str(file), "bytes": size, "releases": shown}, json, told)
    if any(one.kind == "dataset" and one.stored for one in found):
        complain("it holds training data: who gets the file can read them")
    for one in found:
        if pinned := sorted(set(one.parts) - one.stored):
            complain(f"{one.id}: only the digest of: {', '.join(pinned)}")


@app.command("import")
def releases_import(
    file: Annotated[Path, typer.Argument(help="An archive that export wrote.")],
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Take a release from a file; all of it is checked first."""
    from noria.store.archive import take

    with registry(config, home) as at:
        found = take(at, file)
        shown = [row_json(at, one) for one in found]
    told = f"{found[-1].id} is here now, with:\n{table(shown)}"
    show({"release": found[-1].id, "releases": shown}, json, told)


@app.command("mirror")
def releases_mirror(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """Write to MLflow what it lacks."""
    from noria.store.mirror import mirror

    with registry(config, home) as at:
        found = mirror(at, house(config, home).settings.home)
    result = {
        "place": found.place,
        "written": list(found.written),
        "held": found.held,
        "problem": found.problem,
    }
    show(result, json, f"{len(found.written)} written to {found.place}, {found.held} were there")
    if found.problem:
        complain(found.problem)
        raise typer.Exit(1)


@contextmanager
def registry(config: Path | None, home: Path | None) -> "Iterator[Registry]":
    """The registry of the settings, for as long as the block runs."""
    from noria.store.artifacts import Artifacts
    from noria.store.database import url_in
    from noria.store.registry import Registry

    settings = house(config, home).settings
    at = Registry(url_in(settings.home, settings.store.url), Artifacts(settings.home / "artifacts"))
    try:
        yield at
    finally:
        at.close()


def row_json(at: "Registry", release: "Release") -> dict[str, Any]:
    """One release as ``list --json`` has it; ``bytes`` of what is stored of it."""
    return {
        "id": release.id,
        "kind": release.kind,
        "objective": release.objective,
        "at": release.at.isoformat(),
        "made_from": list(release.made_from),
        "metrics": dict(release.metrics),
        "bytes": sum(at.artifacts.size(release.parts[name]) for name in release.stored),
    }


def whole_json(at: "Registry", release: "Release") -> dict[str, Any]:
    """One release as ``show --json`` has it: everything, with its ancestors and where it lies."""
    from noria.store.releases import as_json, run_as_json

    run = at.run(release.id)
    paths = {name: str(at.artifacts.path(release.parts[name])) for name in sorted(release.stored)}
    return {
        **as_json(release),
        **row_json(at, release),
        "paths": paths,
        "lineage": [row_json(at, one) for one in at.lineage(release)[:-1]],
        "run": run_as_json(run) if run else None,
    }


def table(rows: "Sequence[dict[str, Any]]") -> str:
    """Releases, one a line."""
    return "\n".join(
        f"{row['id']}  {row['kind']:8} {row['objective'] or '-':10} {row['at'][:16]}  "
        f"{megabytes(row['bytes']):>9}  {figures(row['metrics'])}".rstrip()
        for row in rows
    )


def page(told: dict[str, Any]) -> str:
    """One release, for people."""
    lines = [f"{told['id']}  {told['kind']}, made {told['at'][:16]}", "", "parts"]
    lines += [
        f"  {name}: {digest}  {told['paths'].get(name, '(its digest alone)')}"
        for name, digest in told["parts"].items()
    ]
    for title, values in (("recipe", told["recipe"]), ("measured", told["metrics"])):
        lines += ["", title, *(f"  {name}: {value}" for name, value in values.items())]
    parents = table(told["lineage"]) or "nothing that is registered"
    lines += ["", "made from", *(f"  {line}" for line in parents.splitlines())]
    return "\n".join(lines)


def figures(metrics: dict[str, float]) -> str:
    """Some figures on one line.

    >>> figures({"f1": 0.53, "loss": 1.25})
    'f1 0.53  loss 1.25'
    """
    return "  ".join(f"{name} {value:.4g}" for name, value in list(metrics.items())[:4])


def megabytes(size: int) -> str:
    """A size for people.

    >>> megabytes(9_800_000), megabytes(0)
    ('9.8 MB', '-')
    """
    return f"{size / 1e6:.1f} MB" if size else "-"
