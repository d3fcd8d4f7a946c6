"""How fast a training goes here."""

import math
from itertools import count
from pathlib import Path

import pytest
from smol import SMOL, row

from noria.errors import UsageError
from noria.tune.estimate import estimate
from noria.tune.machine import Machine
from noria.tune.pace import measured, prior, probe
from noria.tune.shape import shaped
from noria.tune.weights import Movable, moving, prepared


def test_a_prior_is_of_the_machine() -> None:
    assert prior(Machine(1, 2)).speed == 2 * prior(Machine(1, 1)).speed
    assert prior(Machine(1, 2, "cuda")).speed > prior(Machine(1, 2)).speed
    assert prior(Machine(1, 2)).source == "prior"


def test_a_measured_pace_is_that_of_a_long_row_after_a_short_one() -> None:
    ticks = count(step=2)  # seconds
    seen: list[int] = []
    plan = [[row(1024)], [row(600), row(20)]]
    pace = measured(lambda r: seen.append(r.length), SMOL, Movable(), plan, lambda: next(ticks))
    assert seen == [20, 600]
    alone = estimate(SMOL, Movable(), [[row(600)]], [], 0, pace)
    assert alone.seconds == pytest.approx(2.0)
    assert pace.source == "measured"
    with pytest.raises(UsageError, match="nothing to time"):
        measured(seen.append, SMOL, Movable(), [])  # type: ignore[arg-type]


def test_a_clock_that_stands_still_makes_no_infinite_pace() -> None:
    pace = measured(lambda r: None, SMOL, Movable(), [[row(20)]], lambda: 1.0)
    assert math.isfinite(pace.speed)


def test_a_probe_moves_no_weight(tiny_folder: Path) -> None:
    model = prepared(tiny_folder, Movable("lora", rank=4), seed=0)
    before = {name: weight.clone() for name, weight in moving(model).items()}
    assert measured(probe(model), shaped(tiny_folder), Movable(), [[row(20, 4)]]).speed > 0
    for name, weight in moving(model).items():
        assert weight.grad is None
        assert bool((weight == before[name]).all())
