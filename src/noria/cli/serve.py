"""``noria serve``: the HTTP service, until it is told to end."""

import gc
import logging
import signal
import socket
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from noria.cli.options import Config, Debug, Home, complain, house, progress
from noria.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from noria.build import House
    from noria.serve.standing import Standing
    from noria.serve.trace import Traces

LOOPBACK = ("127.0.0.1", "::1", "localhost")
GRACE = 30  # seconds for answers that are being written when the service is told to end


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen at.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="Port to listen at.")
    ] = None,
    open_to_all: Annotated[
        bool,
        typer.Option("--without-keys", help="Let anybody ask who reaches another than this host."),
    ] = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Answer over HTTP, as OpenAI's clients ask; Ctrl-C or SIGTERM ends it."""
    try:
        from noria.serve.auth import Keys
        from noria.serve.standing import Standing
        from noria.serve.trace import traces
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "serve") from None
    from noria.models.heap import share_arenas
    from noria.shipyard import ReleaseYard, begun

    share_arenas()  # models will come and go for weeks
    with progress() as tell:
        at = house(config, home, tell)
        settings = at.settings.serve
        address = host or settings.host
        chosen = settings.port if port is None else port
        if address not in LOOPBACK and not Keys(at.engine, monotonic).any() and not open_to_all:
            raise UsageError(
                f"{address} can be reached from other machines, and there are no keys: anybody "
                "could ask; make one with: noria keys add TENANT"
            )
        free(address, chosen)
        told = traces(settings.traces)  # before models are loaded: its packages may be missing
        yard = ReleaseYard(at)
        standing = Standing(at.rollouts, yard, begun(yard, at.rollouts, datetime.now(UTC)))
    listen(at, standing, address, chosen, told)


def free(address: str, port: int) -> None:
    """Raise UsageError where nobody can listen, before models are loaded for nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except OSError as error:
        raise UsageError(
            f"{address}, port {port}: {error.strerror}; choose another with --port or --host"
        ) from None


def listen(
    at: "House", standing: "Standing", address: str, port: int, traces: "Traces | None" = None
) -> None:
    """Answer with what stands, until the process is told to end; chats are told to ``traces``."""
    try:
        import uvicorn

        from noria.serve.app import create_app
        from noria.serve.auth import Keys, Rates
        from noria.serve.door import Stamped
        from noria.serve.overseer import Overseer
        from noria.serve.service import Service
        from noria.serve.watch import Watch
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", "serve") from None
    from noria.loop.lookout import Lookout, learnt_by
    from noria.store.journal import Journal

    journal = Journal(at.engine)
    service = Service(
        standing=standing,
        journal=journal,
        keys=Keys(at.engine, monotonic),
        rates=Rates(monotonic),
        settings=at.settings.serve,
        places=at.settings.models.parallel,
        now=lambda: datetime.now(UTC),
        traces=traces,
    )
    logging.basicConfig(format="%(asctime)s %(levelname)s %(request)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Stamped())
    logging.getLogger("noria").setLevel(logging.INFO)  # others would log what users wrote
    live = standing.rollout.live
    complain(f"serving {live} at http://{address}:{port}; Ctrl-C ends it")
    # uvicorn drains, and then lets the signal end the process: that is no failure
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gc.collect()
    gc.freeze()  # what is loaded stays: looking through all of it again stops every request
    unended = timedelta(seconds=2 * at.settings.serve.max_seconds + 60)
    lookout = Lookout(at.rollouts, journal, learnt_by(at.registry))
    with (
        closing(Overseer(at.rollouts, journal, service.now, unended=unended)),
        closing(Watch(lookout, service)),
    ):
        uvicorn.run(
            create_app(service),
            host=address,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=30,
            server_header=False,
        )
