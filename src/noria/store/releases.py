"""Releases as values: their ids, and their form in JSON. Knows nothing of where they are kept."""

import hashlib
import json
import math
import os
import platform
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, get_args

from noria.errors import UsageError
from noria.types import Kind, Release

KINDS: tuple[Kind, ...] = get_args(Kind)
ID = re.compile(r"[abder][0-9a-f]{16}")
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
STORED = re.compile(r"[0-9a-f]{64}")
KEYS = {"id", "kind", "parts", "at", "stored", "made_from", "recipe", "metrics"}
# What decides the figures of a run, if it is installed.
PACKAGES = (
    "noria", "torch", "transformers", "peft", "trl", "accelerate", "bitsandbytes",
    "sentence-transformers", "tokenizers", "safetensors", "gguf", "xllamacpp", "numpy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """How a training went, for people to look at; no part of what came of it.

    ``curves``: name -> (step, value), as ``{"loss": ((1, 2.5), (2, 2.1))}``.
    """

    curves: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def made(
    kind: Kind,
    parts: Mapping[str, str],
    at: datetime,
    stored: Collection[str] = (),
    made_from: Sequence[str] = (),
    recipe: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
) -> Release:
    """A release under the id that its kind, parts, lineage and recipe give.

    Raises UsageError for what a release cannot have: an unknown kind, no parts, a recipe that is
    no JSON, figures that are no numbers, a time without its zone.

    >>> made("base", {"base": "0f"}, datetime(2026, 11, 21, tzinfo=UTC)).id
    'bb7fcb25e78560ec7'
    """
    if kind not in KINDS:
        raise UsageError(f"unknown kind {kind!r}; expected one of: {', '.join(KINDS)}")
    if at.tzinfo is None:
        raise UsageError(f"{at}: a time without its zone; expected one in UTC")
    return Release(
        identity(kind, parts, made_from, recipe or {}),
        kind,
        checked_parts(parts),
        at.astimezone(UTC),
        checked_stored(stored, parts),
        tuple(map(known_form, made_from)),
        json.loads(canonical(recipe or {})),
        {name: figure(name, value) for name, value in (metrics or {}).items()},
    )


def identity(
    kind: Kind, parts: Mapping[str, str], made_from: Sequence[str], recipe: Mapping[str, Any]
) -> str:
    """The id: the kind's first letter, and a digest of all that is fixed."""
    fixed = canonical([kind, dict(parts), list(made_from), recipe])
    return kind[0] + hashlib.sha256(fixed.encode()).hexdigest()[:16]


def canonical(value: object) -> str:
    """The one JSON text of a value."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"a recipe is JSON without NaN; this is not: {error}") from None


def known_form(release: str) -> str:
    """``release``, if it has the form of an id."""
    if not isinstance(release, str) or not ID.fullmatch(release):
        raise UsageError(f"expected the id of a release, got {str(release)[:80]!r}")
    return release


def checked_parts(parts: Mapping[str, str]) -> dict[str, str]:
    """``parts``, sorted; names and digests must be texts that are some."""
    if not parts:
        raise UsageError("a release without parts; expected name -> digest")
    for name, digest in parts.items():
        if not NAME.fullmatch(name) or not isinstance(digest, str) or not digest:
            raise UsageError(f"part {name[:80]!r}: expected a name with a digest")
    return dict(sorted(parts.items()))


def checked_stored(stored: Collection[str], parts: Mapping[str, str]) -> frozenset[str]:
    """``stored``, if those parts have digests that artifacts have."""
    for name in stored:
        if not STORED.fullmatch(parts.get(name, "")):
            raise UsageError(f"stored part {str(name)[:80]!r}: expected the digest of an artifact")
    return frozenset(stored)


def figure(name: str, value: object) -> float:
    """A metric's value, which must be a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"metric {name[:80]!r}: expected a finite number, got {value!r:.80}")
    return float(value)


def as_json(release: Release) -> dict[str, Any]:
    """A release as JSON has it."""
    return {
        "id": release.id,
        "kind": release.kind,
        "parts": dict(release.parts),
        "at": release.at.isoformat(),
        "stored": sorted(release.stored),
        "made_from": list(release.made_from),
        "recipe": dict(release.recipe),
        "metrics": dict(release.metrics),
    }


def from_json(raw: Any) -> Release:
    """A release from JSON; raises UsageError unless it is exactly one, under its own id."""
    if not isinstance(raw, dict) or raw.keys() != KEYS:
        raise UsageError(f"a release: expected the keys {', '.join(sorted(KEYS))}")
    shapes = {"parts": dict, "stored": list, "made_from": list, "recipe": dict, "metrics": dict}
    for key, shape in shapes.items():
        if not isinstance(raw[key], shape):
            raise UsageError(f"a release's {key}: expected a JSON {shape.__name__}")
    try:
        at = datetime.fromisoformat(raw["at"])
        release = made(raw["kind"], raw["parts"], at, *(raw[k] for k in list(shapes)[1:]))
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"a release that cannot be read: {error}") from None
    if release.id != raw["id"]:
        raise UsageError(f"release {str(raw['id'])[:80]!r}: its content has the id {release.id}")
    return release


def run_as_json(run: Run) -> dict[str, Any]:
    """A run as JSON has it."""
    curves = {name: [list(point) for point in curve] for name, curve in run.curves.items()}
    return {"curves": curves, "environment": dict(run.environment), "seconds": run.seconds}


def run_from_json(raw: Any) -> Run:
    """A run from JSON; raises UsageError unless it is one."""
    try:
        curves = {
            str(name): tuple((int(step), figure(name, value)) for step, value in curve)
            for name, curve in raw["curves"].items()
        }
        environment = {str(name): str(value) for name, value in raw["environment"].items()}
        return Run(curves, environment, figure("seconds", raw["seconds"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"a run that cannot be read: {type(error).__name__} {error}") from None


def environment(machine: str = "") -> dict[str, str]:
    """What a run was made with: versions, system, cores; ``machine``: the accelerator's name."""
    found = {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": str(os.cpu_count()),
        "machine": machine or "cpu",
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # what is not installed decided nothing
    return found
