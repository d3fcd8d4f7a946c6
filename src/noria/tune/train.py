"""The loop that trains: rows in, weights moved, everything on disk that a resumed run needs.

The loss of an update is the mean over all tokens that are learnt in it, however they lie in rows:
adding rows up by their own means would weigh short responses more (transformers#34191).
"""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from noria.errors import ModelError, UsageError
from noria.jobs import silent
from noria.protocols import Clock, Progress
from noria.tune import attention, checkpoint
from noria.tune.curve import Curve, Look, Point
from noria.tune.pack import Inputs, Row, Tree, laid, pack, trees
from noria.tune.render import Lesson
from noria.tune.weights import Precision, moving

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    ``at_once``: lessons of an update, or a few more where a tree has them. ``row``: tokens that go
    through the model together, or one tree that is longer. ``looks``: how often the held-out loss
    is taken; after ``patience`` of them without a better one, training ends. The learning rate
    rises over ``warmup`` of all updates and then falls to zero as a cosine. ``precision``: in which
    the frozen layers multiply; weights, sums and what moves stay float32.
    """

    learning_rate: float = 5e-4
    epochs: float = 1.0
    at_once: int = 16
    row: int = 1024
    warmup: float = 0.1
    clip: float = 1.0
    looks: int = 6
    patience: int = 3
    precision: Precision = "float32"
    seed: int = 0


def train(
    model: Any,
    lessons: Sequence[Lesson],
    held_out: Sequence[Lesson],
    recipe: Recipe,
    folder: Path,
    progress: Progress = silent,
    clock: Clock = monotonic,
) -> Curve:
    """Train ``model`` in place; at the end it has the weights with the lowest held-out loss.

    After each look a checkpoint is in ``folder``; a later call with the same arguments goes on from
    there. Raises UsageError for no lessons, ModelError for a loss that is no number.
    """
    if not lessons or not held_out:
        raise UsageError("nothing to train on, or nothing held out to judge it; give more examples")
    plan = planned(lessons, recipe)
    looks = looking(len(plan), recipe.looks)
    optimizer = adam(model)
    curve = checkpoint.resumed(model, optimizer, folder) or begun(model, held_out, recipe, folder)
    began = clock() - curve.seconds
    for update in range(len(curve.points), len(plan)):
        if given_up(curve, recipe.patience):
            break
        loss, learnt = step(model, optimizer, plan[update], rate(update, len(plan), recipe), recipe)
        read = sum(row.length for row in plan[update])
        point = Point(update + 1, loss, learnt, read, clock() - began)
        curve = replace(curve, points=(*curve.points, point))
        progress(f"training, loss {loss:.3f}", update + 1, len(plan))
        if update + 1 in looks:
            look = Look(update + 1, held_out_loss(model, held_out, recipe))
            curve = replace(curve, looks=(*curve.looks, look))
            checkpoint.write(model, optimizer, curve, folder)
    checkpoint.put_best(model, curve, folder)
    return curve


def planned(lessons: Sequence[Lesson], recipe: Recipe) -> list[list[Row]]:
    """The rows of each update. Trees are shuffled, not lessons, so that they stay whole."""
    grown = list(trees(lessons))
    plan: list[list[Row]] = []
    for epoch in range(math.ceil(recipe.epochs)):
        random.Random(f"{recipe.seed}/{epoch}").shuffle(grown)
        plan += [packed(update, recipe.row) for update in updates(grown, recipe.at_once)]
    return plan[: max(1, round(len(plan) * recipe.epochs / math.ceil(recipe.epochs)))]


def updates(grown: Iterable[Tree], at_once: int) -> Iterator[list[Tree]]:
    """Trees with ``at_once`` lessons together."""
    update: list[Tree] = []
    for tree in grown:
        update.append(tree)
        if sum(len(each.lessons) for each in update) >= at_once:
            yield update
            update = []
    if update:
        yield update


def packed(update: Sequence[Tree], room: int) -> list[Row]:
    """The trees in rows."""
    return pack([lesson for tree in update for lesson in tree.lessons], room)


def looking(count: int, looks: int) -> set[int]:
    """The updates after which the held-out loss is taken, the last one among them."""
    return {max(1, round(count * (i + 1) / looks)) for i in range(looks)} | {count}


def rate(update: int, count: int, recipe: Recipe) -> float:
    """The learning rate of an update."""
    warm = max(1, round(recipe.warmup * count))
    if update < warm:
        return recipe.learning_rate * (update + 1) / warm
    share = (update - warm) / max(1, count - warm)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def adam(model: Any) -> "torch.optim.Optimizer":
    """Adam without weight decay: an adapter is small by its rank."""
    import torch

    return torch.optim.AdamW(list(moving(model).values()), lr=0.0, weight_decay=0.0)


def step(
    model: Any, optimizer: "torch.optim.Optimizer", rows: Sequence[Row], lr: float, recipe: Recipe
) -> tuple[float, int]:
    """One update; its mean loss and how many tokens it learnt."""
    import torch

    inputs = [laid(row) for row in rows]
    whole = float(sum(each.weights.sum() for each in inputs))
    total = 0.0
    model.train()
    for each in inputs:
        loss = losses(model, each, recipe.precision) / whole
        torch.autograd.backward(loss)
        total += loss.item()
    norm = torch.nn.utils.clip_grad_norm_(list(moving(model).values()), recipe.clip).item()
    for name, value in (("loss", total), ("gradient's length", norm)):
        if not math.isfinite(value):
            raise ModelError(
                f"the {name} is {value}, no number; try a lower learning rate, or look at the data "
                "with --preview; the last checkpoint is whole"
            )
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total, sum(len(each.targets) for each in inputs)


def losses(model: Any, inputs: Inputs, precision: Precision = "float32") -> "torch.Tensor":
    """The weighted sum of the losses of a row's learnt tokens.

    Where the base is kept, a token's loss is how far the model is from it. Without an adapter there
    is no base any more, and the token that stands there is learnt.
    """
    from torch.nn.functional import cross_entropy

    logits = attention.logits(model, inputs, precision)
    targets, weights, kept = (
        each.to(logits.device) for each in (inputs.targets, inputs.weights, inputs.kept)
    )
    if not inputs.kept.any() or not hasattr(model, "disable_adapter"):
        return (cross_entropy(logits, targets, reduction="none") * weights).sum()
    each = cross_entropy(logits[~kept], targets[~kept], reduction="none")
    away = drifted(model, logits[kept], inputs, precision)
    return (each * weights[~kept]).sum() + (away * weights[kept]).sum()


def drifted(
    model: Any, logits: "torch.Tensor", inputs: Inputs, precision: Precision
) -> "torch.Tensor":
    """KL(base || model) in the places where the base is kept, of the model's ``logits`` there."""
    import torch
    from torch.nn.functional import kl_div, log_softmax

    with torch.no_grad(), model.disable_adapter():
        places = replace(inputs, sources=inputs.sources[inputs.kept])
        base = attention.logits(model, places, precision)
    found = log_softmax(logits, -1), log_softmax(base, -1)
    return kl_div(*found, reduction="none", log_target=True).sum(-1)


def held_out_loss(model: Any, lessons: Sequence[Lesson], recipe: Recipe) -> float:
    """Mean loss of the lessons' learnt tokens."""
    import torch

    total = weight = 0.0
    model.eval()
    with torch.inference_mode():
        for each in pack(lessons, recipe.row):
            inputs = laid(each)
            total += losses(model, inputs, recipe.precision).item()
            weight += inputs.weights.sum().item()
    return total / weight


def given_up(curve: Curve, patience: int) -> bool:
    """Whether the last ``patience`` looks were no better than the one before them."""
    if len(curve.looks) <= patience:
        return False
    best = min(look.loss for look in curve.looks[:-patience])
    return all(look.loss >= best for look in curve.looks[-patience:])


def begun(model: Any, held_out: Sequence[Lesson], recipe: Recipe, folder: Path) -> Curve:
    """The curve before the first update."""
    curve = Curve(looks=(Look(0, held_out_loss(model, held_out, recipe)),))
    checkpoint.write(model, None, curve, folder)
    return curve
