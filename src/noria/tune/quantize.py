"""A version in fewer bits, as a version of its own, with what that costs.

``noria.tune.cost`` measures: bytes, nats, and the metric of the questions that were held out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

from noria.errors import UsageError
from noria.jobs import silent
from noria.models.adapters import Kind, gguf_of
from noria.models.parity import Served
from noria.models.whole import ADAPTER, BASE, MODEL, WEIGHTS, Fetch, folder_of, whole_of
from noria.protocols import Clock, Progress
from noria.store.registry import Registry
from noria.store.releases import Run, environment, made
from noria.tune.cost import Cost, Model, answers, exact, next_tokens, own, prepared
from noria.tune.examples import Example
from noria.types import Release

if TYPE_CHECKING:
    import numpy as np

ROUNDED: Mapping[str, Kind] = {"q8_0": "Q8_0", "q4_1": "Q4_1", "q4_0": "Q4_0"}
INT8 = "int8"
TO = (*ROUNDED, INT8)
OBJECTIVE = "quantize"

# Mean nats. SmolLM2-135M: q8_0 0.008, q4_1 0.045, q4_0 0.77, with which it writes other answers.
BOUND = 0.1
BETTER = {"q4_0": "q8_0 or q4_1", "q4_1": "q8_0"}

CONTEXT = 2048  # tokens of prompt and answer
HELD_OUT = "held_out"  # the part of a data set that training did not see
ROUNDED_PARTS = {BASE, ADAPTER, MODEL, WEIGHTS}  # of a release: one file stands for them


@dataclass(frozen=True, slots=True)
class Quantized:
    """What was registered, and what it costs; ``warnings`` in words.

    ``weights``: the rounded weights, a base of their own. ``release``: what answers with them as
    the original does, where a release was rounded; else the weights again.
    """

    release: Release
    weights: Release
    cost: Cost
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where versions are kept, and what is made on the way.

    ``fetch``: a source's weights. ``threads`` of llama.cpp; 0: the cores this process may use.
    """

    registry: Registry
    fetch: Fetch
    cache: Path
    home: Path
    threads: int = 0


def quantize(
    release: Release,
    to: str,
    examples: Sequence[Example],
    place: Place,
    now: datetime,
    rng: "np.random.Generator",
    progress: Progress = silent,
    device: str = "",
    clock: Clock = monotonic,
) -> Quantized:
    """Round the weights of ``release`` to ``to``, measure, and register what came of it.

    ``examples``: what its model never learnt from; where there are none, the next tokens of
    Noria's own prompts are compared, and no answers. ``device``: of int8; empty for the GPU. Raises
    UsageError for a version without weights, ModelError where int8 finds no GPU, or the float32
    weights are not served as they were trained.
    """
    if to not in TO:
        raise UsageError(f"--to {to}: unknown; expected one of {', '.join(TO)}")
    on = on_device(device) if to == INT8 else ""
    began = clock()
    whole = whole_of(release, place.registry.artifacts, place.fetch)
    place.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="quantize-", dir=place.home) as made_here:
        at = Path(made_here)
        progress("rounding weights", 0, 1)
        folder = folder_of(whole, at, place.cache)
        with (
            in_transformers(folder, at, on)
            if to == INT8
            else in_llama(folder, whole.template, ROUNDED[to], at, place.threads)
        ) as (full, small):
            progress("rounding weights", 1, 1)
            asked, left_out = prepared(release, examples or own(), full.writer)
            if to != INT8:
                exact(folder, full, asked)
            apart = next_tokens(full, small, asked)
            change = answers(full, small, asked, rng, progress) if examples else None
            cost = Cost(whole.bytes, full.bytes, small.bytes, apart, change, left_out)
        digest = place.registry.artifacts.put(small.path)
    rounded = made(
        "base", {WEIGHTS: digest}, now, [WEIGHTS], [release.id],
        {"objective": OBJECTIVE, "to": to}, figures(cost),
    )  # fmt: skip
    run = Run(environment=environment(on), seconds=clock() - began)
    weights = place.registry.add(rounded, run)
    if release.kind == "release" and to != INT8:
        answers_so = place.registry.add(answering(release, weights, now))
        return Quantized(answers_so, weights, cost, warnings(cost, to))
    return Quantized(weights, weights, cost, warnings(cost, to))


def answering(release: Release, weights: Release, now: datetime) -> Release:
    """``release`` with the rounded ``weights``: it asks and reads as it did."""
    kept = {name: digest for name, digest in release.parts.items() if name not in ROUNDED_PARTS}
    stored = [WEIGHTS, *(release.stored - ROUNDED_PARTS)]
    recipe = {**release.recipe, BASE: f"release:{weights.id}", "to": weights.recipe["to"]}
    parts = {**kept, WEIGHTS: weights.parts[WEIGHTS]}
    made_from = [weights.id, release.id]
    return made("release", parts, now, stored, made_from, recipe, weights.metrics)


def on_device(device: str) -> str:
    """``device``, or the GPU; raises ModelError where there is none."""
    from noria.models.int8 import gpu

    return device or gpu()


@contextmanager
def in_llama(
    folder: Path, template: Path, kind: Kind, at: Path, threads: int
) -> Iterator[tuple[Model, Model]]:
    """Both sides in llama.cpp: the folder's weights in float32, and rounded to ``kind``."""
    from noria.models.llamacpp import LlamaCpp

    files = [gguf_of(folder, template, at / f"{name}.gguf", name) for name in ("F32", kind)]
    # one prompt at a time with all threads: with several there would be as many copies in memory
    with (
        LlamaCpp(files[0], context=CONTEXT, parallel=1, threads=threads) as full,
        LlamaCpp(files[1], context=CONTEXT, parallel=1, threads=threads) as small,
    ):
        yield Model(Served(full), full, files[0]), Model(Served(small), small, files[1])


@contextmanager
def in_transformers(folder: Path, at: Path, device: str) -> Iterator[tuple[Model, Model]]:
    """Both sides in transformers: the folder's weights in float32, and in bitsandbytes' 8 bits."""
    from noria.models.int8 import Hosted, write

    target = write(folder, at / INT8, device)
    full, small = Hosted(folder, device), Hosted(target, device, narrow=True)
    yield Model(full, full, folder), Model(small, small, target)


def figures(cost: Cost) -> dict[str, float]:
    """What is registered of the cost."""
    found: dict[str, float] = {
        "kl": cost.apart.mean_kl,
        "kl_max": cost.apart.max_kl,
        "prompts": cost.apart.prompts,
        "bytes_before": cost.bytes_before,
        "bytes_full": cost.bytes_full,
        "bytes_after": cost.bytes_after,
    }
    if cost.change is not None:
        change = cost.change
        told = {
            change.metric: change.after,
            f"{change.metric}_before": change.before,
            "metric_delta": change.delta,
            "metric_delta_low": change.low,
            "metric_delta_high": change.high,
            "questions": change.questions,
        }
        found |= {name: value for name, value in told.items() if math.isfinite(value)}
    return found


def warnings(cost: Cost, to: str) -> tuple[str, ...]:
    """What people should know before they serve it."""
    found = []
    if cost.apart.mean_kl > BOUND:
        remedy = f"{BETTER[to]} costs less" if to in BETTER else "serve the original"
        found.append(
            f"{to} moves the next token by {cost.apart.mean_kl:.2g} nats on average, more than "
            f"{BOUND}: it will write other answers; {remedy}"
        )
    if cost.change is not None and cost.change.worse:
        change = cost.change
        found.append(
            f"{change.metric} fell from {change.before:.3g} to {change.after:.3g}, by more than "
            f"chance (95 %: {change.low:+.3g} to {change.high:+.3g})"
        )
    if cost.bytes_after >= cost.bytes_before:
        found.append(
            "it is no smaller than the version that it was made of, whose base was published in "
            f"few bits ({cost.bytes_before / 1e6:.1f} MB); what it saves is against float32"
        )
    if cost.left_out:
        found.append(f"{cost.left_out} questions were too long for the window, and not asked")
    return tuple(found)


def held_out(release: Release, registry: Registry) -> tuple[Example, ...]:
    """The examples that were held out when ``release`` was trained; none where none are kept.

    They are the part ``held_out`` of a data set of its lineage, the nearest that has one.
    """
    from noria.tune.data.read import read

    for each in reversed(registry.lineage(release)):
        if HELD_OUT in each.stored:
            return read(registry.artifacts.path(each.parts[HELD_OUT])).examples
    return ()
