"""Releases as they are served: frozen with all that decides how they answer, and loaded again.

What ``noria tune`` registers pins digests. To be served, a release also needs the settings that it
was tried with: they are stored beside its weights, and both together have an id. Documents, ports
and threads are not part of it.
"""

import json
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from noria.build import House
from noria.config import Settings, overlay
from noria.errors import BusyError, NoriaError, UsageError
from noria.evaluate.arms.arm import READER, chosen
from noria.serve.fleet import Fleet
from noria.store.registry import PREFIX
from noria.store.releases import canonical, made
from noria.store.rollouts import Rollouts
from noria.store.versions import Version, version
from noria.types import Release, Rollout

if TYPE_CHECKING:
    from noria.answer.answerer import Answerer

SETTINGS = "settings"  # the part of a release that is served
SERVED = "serve"  # its objective
SETTINGS_DID = {"by": "the settings"}  # why the usual release is live
MODELS = ("generator", "encoder", "endpoint_model", "fast_copy", "context")


@dataclass(frozen=True)
class ReleaseYard:
    """Freezes and loads the releases of one house."""

    house: House

    def freeze(self, wanted: str, now: datetime) -> Release:
        """Register what answers as ``wanted``: an arm's name, or the id of a release.

        The same again is the same release. Raises UsageError for what cannot be served.
        """
        if PREFIX.fullmatch(wanted) and len(wanted) > 1:
            found = self.house.registry.get(wanted)
            if SETTINGS in found.stored:
                return found
            return self._frozen(found.id, version(self.house.registry, found.id), now)
        try:
            (arm,) = chosen([wanted], self.house.settings.arms)
        except UsageError as error:
            raise UsageError(f"{error}; or a release: noria releases list") from None
        if arm.examples or arm.passages != "retrieved" or arm.generator:
            raise UsageError(
                f"arm {arm.name!r} cannot be served: only arms that answer from what is retrieved, "
                "without worked examples; name rag, reader, tuned+rag, or a release"
            )
        (arm,) = self.house.entrants.released([arm])
        return self._frozen(arm.release, self.house.entrants.version_of(arm.release), now)

    def usual(self, now: datetime) -> Release:
        """What ``noria ask`` answers with, frozen."""
        return self.freeze(self.house.entrants.usual, now)

    def _frozen(self, tuned: str, known: Version | None, now: datetime) -> Release:
        at = self.house.beside(self.house.settings, known)
        registry = at.registry
        told = {"version": READER if tuned == READER else "", **settled(at.settings)}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "settings.json")
            file.write_text(canonical(told), encoding="utf-8")
            digest = registry.artifacts.put(file)
        parts = {**at.parts, SETTINGS: digest}
        stored = {SETTINGS}
        made_from: tuple[str, ...] = ()
        if known is not None and tuned == READER:
            parts |= {"adapter": known.release.parts["adapter"]}
        elif known is not None:
            parts = {**known.release.parts, **parts}
            stored |= known.release.stored
            made_from = (known.id,)
        recipe = {"objective": SERVED, "manner": known.manner if known else "together"}
        return registry.add(made("release", parts, now, stored, made_from, recipe))

    def fleet(self, releases: Sequence[str]) -> Fleet:
        """All of them, loaded; those of one generator share its weights."""
        houses = {id: self.house_of(id) for id in dict.fromkeys(releases)}
        by_source: dict[str, list[str]] = {}
        for id, house in houses.items():
            by_source.setdefault(house.settings.models.generator, []).append(id)
        answerers: dict[str, Answerer] = {}
        bases, closers = [], []
        try:
            for source, ids in by_source.items():
                first = houses[ids[0]]
                versions = [houses[id].version for id in ids]
                base, writers, close = first.writers.several(source, versions)
                bases.append(base)
                closers.append(close)
                for id, llm in zip(ids, writers, strict=True):
                    answerers[id] = replace(houses[id].answerer_with(llm), release=id)
        except BaseException:
            closed(closers)
            raise
        return Fleet(answerers, bases[0], lambda: closed(closers))

    def house_of(self, id: str) -> House:
        """A house with the settings that a release was frozen with."""
        registry = self.house.registry
        release = registry.get(id)
        if SETTINGS not in release.stored:
            raise UsageError(
                f"release {id} was not frozen to be served; run: noria releases promote {id}"
            )
        told = json.loads(registry.artifacts.path(release.parts[SETTINGS]).read_text("utf-8"))
        known = told.pop("version")
        settings = overlay(self.house.settings, told, "")
        tuned: Version | None = None
        if known == READER:
            tuned = self.house.entrants.version_of(READER)
        elif release.stored - {SETTINGS}:
            tuned = version(registry, release.id)
        at = self.house.beside(settings, tuned)
        checked(release, at.parts)
        return at


def drawn_anew() -> tuple[str, str]:
    """A name and a salt for an experiment: no two share their users."""
    return f"x-{uuid4().hex[:12]}", secrets.token_hex(8)


def begun(yard: ReleaseYard, rows: Rollouts, now: datetime) -> Rollout:
    """What is live; the usual release, where nothing was ever promoted by anybody.

    That one follows the settings: where they changed, so does it.
    """
    before, last = rows.now(), rows.history(1)
    if before is not None and last[0].reason != SETTINGS_DID:
        return before
    usual = yard.usual(now).id
    if before is not None and before.live == usual:
        return before
    after = Rollout(usual) if before is None else replace(before, live=usual)
    try:
        return rows.change(before, after, "promote", usual, SETTINGS_DID, now)
    except BusyError:  # another process was the first
        found = rows.now()
        assert found is not None
        return found


def settled(settings: Settings) -> dict[str, Any]:
    """The settings that decide an answer, as ``noria.toml`` has them."""
    funnel = settings.funnel.answers
    stages = {
        "retrieve": spelled(funnel.retrieve),
        "filter": [spelled(stage) for stage in funnel.filter],
        "rank": spelled(funnel.rank),
        "order": spelled(funnel.order),
    }
    corpus = settings.corpus
    return {
        "models": {name: getattr(settings.models, name) for name in MODELS},
        "corpus": {
            "passage_tokens": corpus.passage_tokens,
            "languages": list(corpus.languages),
        },
        "answer": asdict(settings.answer),
        "funnel": {"answers": stages},
    }


def spelled(stage: Any) -> dict[str, Any]:
    """A stage as ``noria.toml`` has it."""
    return {"kind": stage.kind, **stage.options}


def checked(release: Release, parts: Mapping[str, str]) -> None:
    """Raise NoriaError where what is here now is not what the release was frozen with."""
    wrong = sorted(
        name for name, digest in parts.items() if release.parts.get(name, digest) != digest
    )
    if wrong:
        raise NoriaError(
            f"release {release.id} was frozen with another {' and '.join(wrong)} than this Noria "
            "and these sources give; promote a release that was made with them"
        )


def closed(closers: Sequence[Any]) -> None:
    """Give back all models."""
    for close in closers:
        close()
