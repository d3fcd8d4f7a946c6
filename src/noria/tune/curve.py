"""What happened in training: the losses, update by update."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """One update: the mean loss (nats a token) of what it learnt from, and seconds so far."""

    update: int
    loss: float
    learnt: int  # tokens
    read: int  # tokens
    seconds: float


@dataclass(frozen=True, slots=True)
class Look:
    """The mean loss of the held-out lessons after so many updates."""

    update: int
    loss: float


@dataclass(frozen=True, slots=True)
class Curve:
    """What happened. ``best``: the look whose weights were kept."""

    points: tuple[Point, ...] = ()
    looks: tuple[Look, ...] = ()

    @property
    def best(self) -> Look:
        """The first of the looks with the lowest loss that is a number; else the first."""
        return min(self.looks, key=lambda look: look.loss if isfinite(look.loss) else inf)

    @property
    def seconds(self) -> float:
        """Of training, in this run and those it resumed."""
        return self.points[-1].seconds if self.points else 0.0


def curve_of(raw: Mapping[str, Any]) -> Curve:
    """The curve in JSON that ``dataclasses.asdict`` made of one."""
    return Curve(
        tuple(Point(**point) for point in raw["points"]),
        tuple(Look(**look) for look in raw["looks"]),
    )
