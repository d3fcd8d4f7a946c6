"""A thread of the server that looks at what is tried, and does what the statistics say."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from noria.errors import NoriaError
from noria.loop.oversee import overseen
from noria.store.journal import Journal
from noria.store.rollouts import Rollouts

EVERY = 15.0  # seconds between two looks: the tests stay valid however often one looks
log = logging.getLogger("noria.serve")


class Overseer:
    """Looks every ``seconds`` until it is closed. Several servers may each have one."""

    def __init__(
        self,
        rows: Rollouts,
        journal: Journal,
        now: Callable[[], datetime],
        seconds: float = EVERY,
    ) -> None:
        self._rows, self._journal, self._now, self._seconds = rows, journal, now, seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="noria-overseer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                if found := overseen(self._rows, self._journal, self._now()):
                    log.info("%s", found[0].sentence)
            except NoriaError as error:
                log.error("nothing was decided: %s", error)
            except Exception:  # the database may be away; the next look finds the same rows
                log.exception("nothing was decided")
