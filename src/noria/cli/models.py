"""The commands about models: ``models list``, ``models pull``."""

from dataclasses import asdict
from typing import Annotated

import typer

from noria.cli.options import Config, Debug, Home, Json, house, progress, show
from noria.errors import UsageError

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The models: where they come from, what is cached.",
)


@app.command("list")
def models_list(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """Sources, digests, sizes, and whether they are cached."""
    from noria.models.sources import describe
    from noria.models.whole import stored

    at = house(config, home)
    found = describe(at.settings, releases=lambda release: stored(at.registry, release))
    if json:
        show({"models": [{**asdict(w), "path": str(w.path or "")} for w in found]}, json)
    else:
        from noria.screen import weights

        weights(found)


@app.command("pull")
def models_pull(
    role: Annotated[list[str] | None, typer.Argument(help="Which; none: both.")] = None,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Fetch the weights into the cache, and verify them."""
    from noria.models.sources import ROLES, pull
    from noria.models.whole import stored

    wanted = [known for known in ROLES if not role or known in role]
    if unknown := set(role or ()) - set(ROLES):
        raise UsageError(f"unknown role {sorted(unknown)[0]!r}; known: {', '.join(ROLES)}")
    with progress() as tell:
        at = house(config, home)
        found = pull(
            at.settings,
            wanted,
            progress=tell,
            releases=lambda release: stored(at.registry, release),
        )
    if json:
        show({"models": [{**asdict(w), "path": str(w.path or "")} for w in found]}, json)
    else:
        from noria.screen import weights

        weights(found)
