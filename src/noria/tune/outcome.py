"""What came of a tuning: put into the registry with what it was made from, and told again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from noria.store.mirror import Mirrored
from noria.store.releases import Run, environment, made
from noria.tune.asked import Taught, taught_of
from noria.tune.curve import Curve, curve_of
from noria.tune.data.store import write
from noria.tune.order import Prepared
from noria.tune.workshop import Workshop
from noria.types import Kind, Release

ADAPTER, MODEL, QUERIES = "adapter", "model", "queries"  # parts of a release


@dataclass(frozen=True, slots=True)
class Result:
    """What was trained: the generator, the query encoder, or both, and what was measured of it."""

    metrics: Mapping[str, float]
    curve: Curve | None = None
    taught: Taught | None = None

    @property
    def seconds(self) -> float:
        """Of training the generator."""
        return self.curve.seconds if self.curve else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens that the generator read a second of training."""
        read = sum(point.read for point in self.curve.points) if self.curve else 0
        return read / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it. ``again``: it was made before, and nothing was trained."""

    release: Release
    parts: tuple[Release, ...]  # the adapter, the encoder
    dataset: Release
    result: Result
    problems: tuple[str, ...] = ()
    mirrored: Mirrored | None = None
    again: bool = False


def registered(
    prepared: Prepared,
    at: Workshop,
    folder: Path,
    result: Result,
    now: datetime,
) -> dict[str, Any]:
    """Register a release, its parts, and all that they were made from; the ids of all."""
    add, put = at.registry.add, at.registry.artifacts.put
    base = add(made("base", {"base": at.parts["base"]}, now, recipe={"base": at.source}))
    recipe = prepared.recipe
    data = {"dataset": prepared.material.whole.examples, "held_out": prepared.material.held_out}
    for name, examples in data.items():
        write(folder / name, examples)
    dataset = add(made("dataset", {name: put(folder / name) for name in data}, now, data))
    stored = {
        name: put(folder / name) for name in (ADAPTER, MODEL, QUERIES) if (folder / name).exists()
    }
    accelerator = "" if at.device == "cpu" else at.device
    run = Run(curves(result), environment(accelerator), result.seconds)
    parts = []
    for name, stored_as in stored.items():
        kind: Kind = "encoder" if name == QUERIES else "adapter"
        pinned = ("encoder",) if name == QUERIES else ("base", "template")
        own = {name: stored_as, **{pin: at.parts[pin] for pin in pinned}}
        parts.append(
            add(made(kind, own, now, [name], [base.id, dataset.id], recipe, result.metrics), run)
        )
    whole = {**at.parts, **stored, "dataset": dataset.parts["dataset"]}
    told = {name: recipe[name] for name in ("objective", "base", "manner")}
    release = add(
        made("release", whole, now, stored, [part.id for part in parts], told, result.metrics)
    )
    ids = {"release": release.id, "parts": [part.id for part in parts], "dataset": dataset.id}
    return ids | {"result": asdict(result)}


def finished(note: Path, at: Workshop) -> bool:
    """Whether a run was finished, and the registry still knows what came of it."""
    if not note.exists():
        return False
    known = json.loads(note.read_text(encoding="utf-8"))
    there = {release.id for release in at.registry.list()}
    return {known["release"], known["dataset"], *known["parts"]} <= there


def recalled(note: Path, at: Workshop, prepared: Prepared) -> Tuned:
    """What a finished run noted."""
    known = json.loads(note.read_text(encoding="utf-8"))
    told = known["result"]
    curve = curve_of(told["curve"]) if told["curve"] else None
    taught = taught_of(told["taught"]) if told["taught"] else None
    get = at.registry.get
    return Tuned(
        get(known["release"]),
        tuple(map(get, known["parts"])),
        get(known["dataset"]),
        Result(told["metrics"], curve, taught),
        prepared.problems,
    )


def curves(result: Result) -> dict[str, tuple[tuple[int, float], ...]]:
    """What people look at afterwards."""
    found: dict[str, tuple[tuple[int, float], ...]] = {}
    if result.curve:
        found["loss"] = tuple((point.update, point.loss) for point in result.curve.points)
        found["held_out_loss"] = tuple((look.update, look.loss) for look in result.curve.looks)
    if result.taught:
        sights = result.taught.sights
        found["retriever_loss"] = tuple(enumerate(result.taught.losses, 1))
        found["retriever_recall@5"] = tuple((n, sight.recall) for n, sight in enumerate(sights))
        found["retriever_mrr"] = tuple((n, sight.mrr) for n, sight in enumerate(sights))
    return found
