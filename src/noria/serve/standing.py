"""What answers now in this process: the row of the store, and the releases that it names, loaded.

Every process looks at the row several times a second. What is loaded already answers at the next
look; another release is loaded and warmed beside those that answer. Knows nothing of HTTP.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress

from noria.errors import IndexStoreError
from noria.serve.fleet import Fleet, Shipyard
from noria.serve.repeated import Repeated
from noria.store.rollouts import Rollouts
from noria.succession import Succession
from noria.types import Message, Query, Rollout, Sampling

EVERY = 0.25  # seconds between two looks
log = logging.getLogger("noria.serve")
WARM, READY = (Message("user", "Hello"),), Query("ready", "ready")


class Standing:
    """The rollout that this process serves, and its fleet.

    ``first`` is served until the row says otherwise, and where there is none. What of it cannot be
    loaded is left out; raises NoriaError if that is what is live.
    """

    def __init__(self, rollouts: Rollouts, yard: Shipyard, first: Rollout) -> None:
        self._rollouts, self._yard = rollouts, yard
        self._now = self._seen = first
        fleet, self._refused = loaded(yard, first.live, others(first))
        self.fleets: Succession[Fleet] = Succession(fleet)
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
        """Serve what the row says; load first what is not loaded.

        What could not be loaded is not asked for again, for it would fail again, until the row
        changes and has it answer somebody. What is live here stays loaded beside the new ones, for
        requests that began with it.
        """
        wanted = self._rollouts.now()
        if wanted is None:
            return
        if wanted != self._seen:
            self._seen = wanted
            tried = wanted.trial.releases if wanted.trial else ()
            self._refused -= {wanted.live, *tried}
        if wanted == self._now:
            return
        there = self.fleets.now().answerers.keys()
        if set(wanted.releases) - there - self._refused:
            more = [each for each in wanted.releases if each not in self._refused]
            self.fleets.replace(lambda: self._loaded(more), lambda fleet: None, 0)
        if wanted.live in self.fleets.now().answerers:
            self._now = wanted

    def _loaded(self, more: Sequence[str]) -> Fleet:
        """What is live here and as many others as can be loaded."""
        live = self._now.live
        beside = [each for each in more if each != live]
        try:
            fleet, refused = loaded(self._yard, live, beside)
        except Exception:  # there is no room for a second fleet, say: it will not be there at once
            self._refused |= frozenset(beside)
            raise
        self._refused |= refused
        return fleet


def others(rollout: Rollout) -> list[str]:
    """What is loaded beside the live release."""
    return [each for each in rollout.releases if each != rollout.live]


def loaded(yard: Shipyard, live: str, more: Sequence[str]) -> tuple[Fleet, frozenset[str]]:
    """A warm fleet of ``live`` and of ``more``, and those of them that cannot be loaded.

    Raises what loading ``live`` raises.
    """
    try:
        return warmed(yard.fleet([live, *more])), frozenset()
    except Exception as error:
        if not more:
            raise
        log.warning("%s cannot be loaded together (%s); one by one", ", ".join(more), error)
    fleet = warmed(yard.fleet([live]))
    refused = set()
    for each in more:
        try:
            wider = warmed(yard.fleet([*fleet.answerers, each]))
        except Exception as error:  # whatever is wrong with one, the others answer
            log.error("%s is not served: %s: %s", each, type(error).__name__, error)
            refused.add(each)
        else:
            fleet.close()
            fleet = wider
    return fleet, frozenset(refused)


def warmed(fleet: Fleet) -> Fleet:
    """The fleet, every model of which has read something: nobody waits for the first answer."""
    try:
        warm(fleet)
    except BaseException:
        fleet.close()
        raise
    return fleet


def warm(fleet: Fleet) -> None:
    """Let every model of a fleet read something."""
    writers = [fleet.base, *(answerer.llm for answerer in fleet.answerers.values())]
    for llm in {llm.fingerprint: llm for llm in writers}.values():
        llm.batch([WARM], Sampling(max_tokens=1))
    for answerer in list(fleet.answerers.values())[:1]:  # most share their encoder and passages
        with suppress(IndexStoreError):  # nothing was ingested yet
            answerer.funnel.search(READY)
