"""Something that is done again and again beside the requests, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from noria.errors import NoriaError

log = logging.getLogger("noria.serve")


class Repeated:
    """Does ``work`` every ``seconds`` until it is closed, for the first time after as many.

    ``failing``: what is so where it fails; the next time it may not, for a database that was away
    comes back.
    """

    def __init__(self, name: str, seconds: float, work: Callable[[], object], failing: str) -> None:
        self._seconds, self._work, self._failing = seconds, work, failing
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Do it no more, once it is done."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self._work()
            except NoriaError as error:
                log.error("%s: %s", self._failing, error)
            except Exception:
                log.exception("%s", self._failing)
