"""The command that tunes: ``tune``."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from noria.cli.options import Config, Debug, Home, Json, complain, house, progress, show
from noria.errors import UsageError

if TYPE_CHECKING:
    from noria.tune.objectives import Objective
    from noria.tune.order import Order, Prepared
    from noria.tune.outcome import Tuned
    from noria.tune.workshop import Workshop
    from noria.types import Manner

Word = TypeVar("Word", bound=str)


def tune(
    objective: Annotated[str, typer.Argument(help="sft, raft, radit or retriever.")],
    data: Annotated[Path, typer.Argument(help="Examples: docs/training-data.md has the forms.")],
    held_out: Annotated[
        Path | None,
        typer.Option("--held-out", help="What training is judged by.", show_default="a share"),
    ] = None,
    share: Annotated[
        float, typer.Option("--share", min=0.01, max=0.9, help="Of the examples, held out.")
    ] = 0.1,
    examples: Annotated[
        int | None, typer.Option("--examples", min=1, help="Learn from at most so many.")
    ] = None,
    method: Annotated[str, typer.Option("--method", help="lora, qlora or full.")] = "lora",
    rank: Annotated[int, typer.Option("--rank", min=1, max=1024, help="Of the adapter.")] = 16,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", min=1e-8, show_default="by the method")
    ] = None,
    epochs: Annotated[float, typer.Option("--epochs", min=0.01, help="Times over the data.")] = 1,
    precision: Annotated[
        str, typer.Option("--precision", help="float32, bfloat16, or auto: the machine's quickest.")
    ] = "auto",
    manner: Annotated[
        str | None,
        typer.Option(
            "--manner",
            help="How passages are read: together, or in-turn until one answers.",
            show_default="in-turn for radit",
        ),
    ] = None,
    ingested: Annotated[
        bool, typer.Option("--ingested", help="Read what was ingested, not the examples' texts.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=16, help="Tokens of an example.", show_default="as served"),
    ] = None,
    row: Annotated[
        int,
        typer.Option("--row", min=16, help="Tokens read together: fewer take less memory."),
    ] = 1024,
    replay: Annotated[
        float,
        typer.Option("--replay", min=0, max=0.9, help="Share of general lessons: forgets less."),
    ] = 0,
    replay_from: Annotated[
        Path | None,
        typer.Option(
            "--replay-from", help="General chats or texts.", show_default="the base's own"
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show what is learnt, and train nothing.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws what chance decides.")] = 0,
    json: Json = False,
    config: Config = None,
    home: Home = None,
    debug: Debug = False,
) -> None:
    """Tune the generator, the retriever, or both on your examples, and register a release."""
    from noria.tune.machine import ask_for_large_pages
    from noria.tune.objectives import OBJECTIVES
    from noria.tune.order import Order, prepare
    from noria.tune.train import Recipe
    from noria.tune.tune import tune as tuned
    from noria.tune.weights import METHODS, PRECISIONS, Movable, quickest, rate

    ask_for_large_pages()
    wanted = one_of("objective", objective, OBJECTIVES)
    how = one_of("--method", method, METHODS)
    reads = manner_of(manner, wanted)
    if replay_from is not None and not replay:
        raise UsageError("--replay-from without --replay; say which share: --replay 0.1")
    with progress() as tell:
        at = house(config, home, tell).workshop
        auto = precision == "auto"
        narrow = quickest(at.device) if auto else one_of("--precision", precision, PRECISIONS)
        recipe = Recipe(learning_rate or rate(how), epochs, row=row, precision=narrow, seed=seed)
        order = Order(
            wanted,
            data,
            held_out,
            share,
            examples,
            limit,
            reads,
            ingested,
            Movable(how, rank, 2 * rank),
            recipe,
            replay,
            replay_from,
            general(),
        )
        ready = prepare(order, at, tell)
        for line in ready.listed:
            complain(line)
        if not preview:
            done = tuned(order, ready, at, datetime.now(UTC), progress=tell, say=complain)
    if not preview and done.mirrored and done.mirrored.problem:
        complain(done.mirrored.problem)
    if preview:
        show_lessons(ready, order, at, json)
    else:
        show(as_json(done), json, told(done))


def manner_of(word: str | None, objective: "Objective") -> "Manner":
    """How passages are read; raises UsageError for a manner that the objective does not teach."""
    from noria.tune.objectives import MANNERS

    if word is None:
        return MANNERS.get(objective, "together")
    if one_of("--manner", word, ("together", "in-turn")) == "together":
        return "together"
    if objective != "radit":
        raise UsageError(f"--manner in-turn: {objective} does not teach it; radit does")
    return "in turn"


def one_of(name: str, value: str, known: Sequence[Word]) -> Word:
    """``value`` if it is one of the known words; raises UsageError."""
    found = next((word for word in known if word == value), None)
    if found is None:
        raise UsageError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    return found


def general() -> Path | None:
    """The folder with which forgetting is measured, where there is one."""
    data = os.environ.get("NORIA_DATA")
    folder = Path(data) / "general" if data else None
    return folder if folder and folder.is_dir() else None


def show_lessons(prepared: "Prepared", order: "Order", at: "Workshop", json: bool) -> None:
    """The first lessons with what is learnt marked, and what training would take."""
    from rich.console import Console

    from noria.tune.estimate import as_json as estimated
    from noria.tune.machine import machine
    from noria.tune.preview import as_json as shown_json
    from noria.tune.preview import coloured, preview
    from noria.tune.tune import foreseen

    if not prepared.train.lessons:
        raise UsageError("the retriever learns from questions and passages, not from lessons")
    shown = preview(prepared.train.lessons, at.tokenizer)
    guess = foreseen(order, prepared, at)
    if json:
        show({"lessons": shown_json(shown), "estimate": estimated(guess, machine(at.device))}, json)
    else:
        Console().print(coloured(shown), soft_wrap=True)
        complain(str(guess))


def as_json(done: "Tuned") -> dict[str, Any]:
    """What came of it, as ``--json`` has it; ``peak_memory`` in MB."""
    from noria.evaluate.contest import peak_memory
    from noria.tune.verdict import as_json as judged
    from noria.tune.verdict import verdict

    ids = {part.kind: part.id for part in done.parts}
    curve = done.result.curve
    return {
        "release": done.release.id,
        "adapter": ids.get("adapter"),
        "encoder": ids.get("encoder"),
        "dataset": done.dataset.id,
        "metrics": dict(done.result.metrics),
        "tokens_per_second": round(done.result.tokens_per_second, 1),
        "seconds": round(done.result.seconds, 1),
        "peak_memory": round(peak_memory()),
        "verdict": judged(verdict(curve)) if curve else None,
    }


def told(done: "Tuned") -> str:
    """What came of it, for people."""
    from noria.tune.verdict import verdict

    lines = [f"{done.release.id}{' (made before)' if done.again else ''}"]
    if curve := done.result.curve:
        before, after = curve.looks[0].loss, curve.best.loss
        minutes = curve.seconds / 60
        lines.append(f"held-out loss {before:.3f} -> {after:.3f}, {minutes:.1f} minutes")
        found = verdict(curve)
        lines += [part for part in (found.sentence, found.advice) if part]
    if taught := done.result.taught:
        first, best = taught.sights[0], taught.sights[taught.best]
        lines.append(
            f"held-out questions that find their passage among five: {first.recall:.1%} -> "
            f"{best.recall:.1%}"
        )
    arm = {"sft": "tuned"}.get(done.release.objective, "tuned+rag")
    lines.append(
        f"compare it: noria compare QUESTIONS --arms base,rag,{arm} --release {done.release.id}"
    )
    return "\n".join(lines)
