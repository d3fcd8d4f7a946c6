"""How much work a row is, in floating-point operations, and at what pace a machine does it.

The pace is measured on one row of the very training where the model is loaded already, else a
prior.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

from noria.errors import UsageError
from noria.protocols import Clock
from noria.tune.machine import Machine
from noria.tune.pack import Row
from noria.tune.shape import Shape, moved
from noria.tune.weights import Movable, Precision, moving

# 30e9 operations a second were measured on a core with AVX2. For an accelerator it is a guess from
# data sheets at a third of their bfloat16: it was not measured here.
CORE, ACCELERATOR = 30e9, 100e12
PROBED = 512  # tokens: a row of 128 was read at two thirds of the pace of one of 512


@dataclass(frozen=True, slots=True)
class Pace:
    """Floating-point operations a second, and where the figure is from."""

    speed: float
    source: Literal["measured", "prior"]


def prior(machine: Machine) -> Pace:
    """A pace for a machine on which nothing was timed."""
    return Pace(ACCELERATOR if machine.device != "cpu" else CORE * machine.cores, "prior")


def measured(
    probe: Callable[[Row], object],
    shape: Shape,
    movable: Movable,
    plan: Sequence[Sequence[Row]],
    clock: Clock = perf_counter,
) -> Pace:
    """The pace at which ``probe`` learns from a row of ``plan`` that is long enough to tell.

    The shortest row comes first and is not timed, since the first one also loads what is needed.
    """
    rows = sorted((row for rows in plan for row in rows), key=lambda row: row.length)
    if not rows:
        raise UsageError("nothing to train on, so nothing to time; give examples")
    row = next((row for row in rows if row.length >= PROBED), rows[-1])
    probe(rows[0])
    began = clock()
    probe(row)
    # a clock that stood still would make the pace infinite
    return Pace(trains(shape, movable, row) / max(clock() - began, 1e-6), "measured")


def probe(model: Any, precision: Precision = "float32") -> Callable[[Row], object]:
    """Reads a row forth and back as training does, and moves no weight."""
    import torch

    from noria.tune.pack import laid
    from noria.tune.train import losses

    def forth_and_back(row: Row) -> None:
        model.train()
        torch.autograd.backward(losses(model, laid(row), precision))
        if model.device.type == "cuda":
            torch.cuda.synchronize()  # a GPU only queues what it is told
        for weight in moving(model).values():
            weight.grad = None

    return forth_and_back


def trains(shape: Shape, movable: Movable, row: Row) -> float:
    """The operations of learning from a row once.

    The way back costs as much again for what is passed on, and once more for the weights that move.
    """
    if movable.method == "full":
        return 3 * reads(shape, row)
    return 2 * reads(shape, row) + 3 * 2 * moved(shape, movable) * row.length


def reads(shape: Shape, row: Row) -> float:
    """The operations of reading a row once: two a weight, and what tokens say to each other."""
    attention = 4 * shape.hidden * shape.layers * pairs(row)
    return (
        2 * shape.linear * row.length + attention + 2 * shape.hidden * shape.vocabulary * row.learnt
    )


def pairs(row: Row) -> int:
    """Tokens times the tokens that they read: a trunk itself, branches their tree."""
    return sum(t.trunk**2 + (t.length - t.trunk) * t.length for t in row.trees)
