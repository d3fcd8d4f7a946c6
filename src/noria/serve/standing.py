"""What answers now in this process: the row of the store, and the releases that it names, loaded.

Every process looks at the row several times a second. What is loaded already answers at the next
look; another release is loaded and warmed beside those that answer. Knows nothing of HTTP.
"""

from contextlib import suppress

from noria.errors import IndexStoreError, NoriaError
from noria.serve.fleet import Fleet, Shipyard
from noria.serve.repeated import Repeated
from noria.store.rollouts import Rollouts
from noria.succession import Succession
from noria.types import Message, Query, Rollout, Sampling

EVERY = 0.25  # seconds between two looks
WARM, READY = (Message("user", "Hello"),), Query("ready", "ready")


class Standing:
    """The rollout that this process serves, and its fleet.

    ``first`` is served until the row says otherwise, and where there is none. Raises NoriaError if
    its releases cannot be loaded.
    """

    def __init__(self, rollouts: Rollouts, yard: Shipyard, first: Rollout) -> None:
        self._rollouts, self._yard = rollouts, yard
        self._now = first
        fleet = yard.fleet(first.releases)
        warm(fleet)
        self.fleets: Succession[Fleet] = Succession(fleet)
        self._refused: frozenset[str] = frozenset()  # releases that could not be loaded
        self._looking = Repeated(
            "noria-standing", EVERY, self.refresh, "what is live stays as it is"
        )

    @property
    def rollout(self) -> Rollout:
        """What answers now."""
        return self._now

    def close(self) -> None:
        """Look no more; the fleet is closed when its last answer has ended."""
        self._looking.close()
        self.fleets.close()

    def refresh(self) -> None:
        """Serve what the row says; load first what is not loaded."""
        wanted = self._rollouts.now()
        if wanted is None or wanted == self._now:
            return
        absent = set(wanted.releases) - self.fleets.now().answerers.keys() - self._refused
        if absent:
            try:
                self.fleets.replace(lambda: self._yard.fleet(wanted.releases), warm, 0)
            except NoriaError:
                # asked again, it would fail again: the others answer until the row changes
                self._refused |= absent
                raise
        if wanted.live in self.fleets.now().answerers:
            self._now = wanted
            self._refused &= set(wanted.releases)


def warm(fleet: Fleet) -> None:
    """Let every model of a fleet read something, so that nobody waits for the first answer."""
    writers = [fleet.base, *(answerer.llm for answerer in fleet.answerers.values())]
    for llm in {llm.fingerprint: llm for llm in writers}.values():
        llm.batch([WARM], Sampling(max_tokens=1))
    for answerer in list(fleet.answerers.values())[:1]:  # most share their encoder and passages
        with suppress(IndexStoreError):  # nothing was ingested yet
            answerer.funnel.search(READY)
