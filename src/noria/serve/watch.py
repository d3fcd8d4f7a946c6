"""Looks for drift beside the requests, and counts what it finds."""

import logging

from noria.loop.lookout import Lookout
from noria.protocols import Encoder
from noria.serve.repeated import Repeated
from noria.serve.service import Service

EVERY = 600.0  # seconds between two looks: drift is of days, and encoding takes time from answers
log = logging.getLogger("noria.serve")


class Watch(Repeated):
    """Looks every ``seconds`` until it is closed. Several servers may each have one."""

    def __init__(self, lookout: Lookout, service: Service, seconds: float = EVERY) -> None:
        self._lookout, standing = lookout, service.standing

        def encoder() -> Encoder:
            return standing.fleets.now().answerers[standing.rollout.live].encoder

        def look() -> None:
            found = lookout.look(encoder)
            service.observed.drifted(found)
            for each in found:
                if each.alarm:
                    log.warning("%s are %s", each.what, each.sentence)

        super().__init__("noria-watch", seconds, look, "drift was not looked for")

    def close(self) -> None:
        """Look no more, and do not wait for a look that is long."""
        self._lookout.close()
        super().close()
