"""The command ``quantize``: a version in fewer bits, and what that costs."""

import math
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from noria.cli.options import Config, Debug, Home, Json, complain, house, progress, show
from noria.cli.releases import registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from noria.build import House
    from noria.store.registry import Registry
    from noria.tune.cost import Change
    from noria.tune.examples import Example
    from noria.tune.quantize import Place, Quantized
    from noria.types import Release


def quantize(
    release: Annotated[str, typer.Argument(help="A base, an adapter or a release: its id.")],
    to: Annotated[
        str, typer.Option("--to", help="q8_0, q4_1 or q4_0; int8 on a GPU, for transformers.")
    ],
    questions: Annotated[
        Path | None,
        typer.Option("--questions", help="Ask these; without: what training held out."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the intervals.")] = 0,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Round the weights of a version, and measure what that costs."""
    import numpy as np

    from noria.tune.quantize import quantize as rounded

    with registry(config, home) as at, progress() as tell:
        found = at.get(release)
        asked = examples(questions, found, at)
        now, rng = datetime.now(UTC), np.random.default_rng(seed)
        made = rounded(found, to, asked, place(house(config, home), at, tell), now, rng, tell)
    show(as_json(made, found), json, told(made, found))
    for warning in made.warnings:
        complain(f"warning: {warning}")


def examples(file: Path | None, release: "Release", at: "Registry") -> "Sequence[Example]":
    """What is asked: the questions of a file, or what was held out when ``release`` was trained."""
    from noria.evaluate.questions import read
    from noria.tune.examples import Example
    from noria.tune.quantize import held_out

    if file is None:
        return held_out(release, at)
    found = read(file)
    for problem in found.problems:
        complain(problem)
    return [Example(question, "") for question in found.asked]


def place(at: "House", kept: "Registry", tell: Any) -> "Place":
    """Where versions are kept, and where weights come from."""
    from noria.models.cache import default_cache
    from noria.models.sources import fetch
    from noria.models.whole import stored
    from noria.tune.quantize import Place

    cache, settings = default_cache(), at.settings
    source = partial(
        fetch,
        cache=cache,
        pins=settings.models.sha256,
        progress=tell,
        releases=partial(stored, kept),
    )
    return Place(kept, source, cache, settings.home, settings.models.threads)


def as_json(made: "Quantized", of: "Release") -> dict[str, Any]:
    """The result as JSON has it."""
    cost = made.cost
    return {
        "release": made.release.id,
        "weights": made.weights.id,
        "made_from": of.id,
        "to": made.release.recipe["to"],
        "bytes_before": cost.bytes_before,
        "bytes_full": cost.bytes_full,
        "bytes_after": cost.bytes_after,
        "kl": cost.apart.mean_kl,
        "kl_max": cost.apart.max_kl,
        "prompts": cost.apart.prompts,
        "metric_delta": cost.change.delta if cost.change else None,
        "metric": change_json(cost.change) if cost.change else None,
        "warnings": list(made.warnings),
    }


def change_json(change: "Change") -> dict[str, Any]:
    """The metric before and after; a bound that nobody knows is null."""
    return {
        "name": change.metric,
        "before": change.before,
        "after": change.after,
        "low": change.low if math.isfinite(change.low) else None,
        "high": change.high if math.isfinite(change.high) else None,
        "questions": change.questions,
    }


def told(made: "Quantized", of: "Release") -> str:
    """The result for people."""
    from noria.cli.releases import megabytes

    cost, change = made.cost, made.cost.change
    lines = [
        f"{made.release.id} is {of.id} in {made.release.recipe['to']}",
        f"  size        {megabytes(cost.bytes_after)}; it was {megabytes(cost.bytes_before)}, "
        f"in float32 {megabytes(cost.bytes_full)}",
        f"  next token  {cost.apart.mean_kl:.2g} nats from float32, {cost.apart.max_kl:.2g} at "
        f"most, after {cost.apart.prompts} prompts",
    ]
    if change is None:
        lines.append("  answers     not compared: no held-out questions (--questions FILE)")
    else:
        lines.append(
            f"  {change.metric:11} {change.after:.3f}, in float32 {change.before:.3f}; "
            f"{change.delta:+.3f} (95 %: {change.low:+.3f} to {change.high:+.3f}), "
            f"{change.questions} questions"
        )
    if made.release != made.weights:
        lines.append(f'  ask it      [arms.small] release = "{made.release.id}"')
    elif made.release.recipe["to"] != "int8":
        lines.append(f'  serve it    models.generator = "release:{made.release.id}"')
    return "\n".join(lines)
