"""Looks at what is tried, and does what the statistics say, beside the requests."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from noria.loop.oversee import UNENDED, overseen
from noria.serve.repeated import Repeated
from noria.store.journal import Journal
from noria.store.rollouts import Rollouts

EVERY = 15.0  # seconds between two looks: the tests stay valid however often one looks
log = logging.getLogger("noria.serve")


class Overseer(Repeated):
    """Looks every ``seconds`` until it is closed. Several servers may each have one.

    ``unended``: more than an answer may take.
    """

    def __init__(
        self,
        rows: Rollouts,
        journal: Journal,
        now: Callable[[], datetime],
        seconds: float = EVERY,
        unended: timedelta = UNENDED,
    ) -> None:
        def look() -> None:
            if found := overseen(rows, journal, now(), unended):
                log.info("%s", found[0].sentence)

        super().__init__("noria-overseer", seconds, look, "nothing was decided")
