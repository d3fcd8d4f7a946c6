"""Which release answers a request: the one that it names, or the one that its user is drawn to."""

import hashlib
from collections.abc import Container
from dataclasses import dataclass

from noria.errors import UsageError
from noria.loop.assign import LIVE, Experiment, Split, place
from noria.types import Rollout, Trial

ROUTED = "noria"  # the model's name that lets Noria choose
BASE = "base"
NAMED = 8  # of what is served, that an error names


class UnknownModelError(UsageError):
    """A model that is not served here."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The release that answers. ``experiment`` is empty where there is none.

    ``meant``: the release that was drawn; another answers where that one is not loaded.
    """

    release: str
    meant: str
    experiment: str = ""
    unit: str = ""

    @property
    def fallback(self) -> bool:
        """Whether another release answers than was drawn."""
        return self.release != self.meant


def drawn(model: str, unit: str, rollout: Rollout, loaded: Container[str]) -> Drawn:
    """Who answers ``unit``, which asks for ``model``: an alias, or a release's id.

    A user is drawn to the same release for as long as the experiment lasts; where a share grows,
    some come over, and none goes back. Raises UnknownModelError for a model that is not here.
    """
    trial = rollout.trial
    if model == ROUTED:
        if trial is None or trial.kind == "shadow":
            return Drawn(rollout.live, rollout.live)
        split, at = Split(trial.steps), place_in(trial, unit)
        if split.returned(at):  # their arm has ended: they are no fair comparison for another
            return Drawn(rollout.live, rollout.live)
        arm = split.arm(at)
        meant = rollout.live if arm == LIVE else arm
        release = meant if meant in loaded else rollout.live
        return Drawn(release, meant, trial.experiment, unit)
    release = named(model, rollout)
    if release not in loaded:
        known = ", ".join(names(rollout)[:NAMED])
        raise UnknownModelError(f"no model {model[:80]!r} is served here; there are: {known}")
    return Drawn(release, release)


def shadow(model: str, unit: str, rollout: Rollout, loaded: Container[str]) -> str | None:
    """The release that answers ``unit`` a second time, unseen; None where none does."""
    trial = rollout.trial
    if model != ROUTED or trial is None or trial.kind != "shadow":
        return None
    arm = Split(trial.steps).arm(place_in(trial, unit))
    return arm if arm != LIVE and arm in loaded else None


def place_in(trial: Trial, unit: str) -> float:
    """Where a unit lies in a trial."""
    return place(unit, Experiment(trial.experiment, trial.salt))


def named(model: str, rollout: Rollout) -> str:
    """The release that an alias means; any other name is its own."""
    trial = rollout.trial
    tried = trial.releases[0] if trial and trial.kind != "shadow" else ""
    aliases = {"live": rollout.live, "previous": rollout.previous or "", "canary": tried}
    return aliases.get(model, model)


def names(rollout: Rollout) -> tuple[str, ...]:
    """All that can be asked for: aliases of what is there, and releases.

    >>> names(Rollout("r2", "r1"))
    ('noria', 'base', 'live', 'previous', 'r2', 'r1')
    """
    aliases = [each for each in ("live", "previous", "canary") if named(each, rollout)]
    return (ROUTED, BASE, *aliases, *rollout.releases)


def unit_of(tenant: str, user: str) -> str:
    """Whom an experiment keeps to one release: a digest, since a log of it names nobody."""
    return hashlib.sha256(f"{tenant}\0{user}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
