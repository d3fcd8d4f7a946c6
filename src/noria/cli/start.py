"""The commands to begin with: ``demo``, ``init``."""

from pathlib import Path
from typing import Annotated

import typer

from noria.cli.options import Config, Debug, Home, Json, progress, show


def demo(
    json: Json = False, config: Config = None, home: Home = None, debug: Debug = False
) -> None:
    """Ingest Noria's own documentation, ask it questions, print cited answers."""
    from noria.config import load
    from noria.demo import run

    run(load(config, home or Path(".noria/demo")), json=json, tell=progress())


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(),
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a commented noria.toml."""
    from noria.cli.template import write

    path = write(directory)
    show({"path": str(path)}, json, f"wrote {path}; next: noria ingest PATH")
