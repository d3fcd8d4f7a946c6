"""The loop that trains, on a tiny model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from noria.errors import ModelError, NoriaError, UsageError
from noria.tune import checkpoint
from noria.tune.curve import Curve, Look
from noria.tune.pack import laid, pack
from noria.tune.render import Lesson
from noria.tune.train import (
    Recipe,
    given_up,
    held_out_loss,
    looking,
    losses,
    planned,
    rate,
    step,
    train,
)
from noria.tune.weights import Movable, moving, prepared

RECIPE = Recipe(learning_rate=1e-2, epochs=4, at_once=4, row=128, looks=4, seed=3)


def lessons(count: int, first: int = 0) -> list[Lesson]:
    """After n, n comes: a lesson that a tiny model learns."""
    return [
        Lesson(str(n), (1, n % 40 + 50, 2), (n % 40 + 50, 3)) for n in range(first, first + count)
    ]


def fresh(tiny_folder: Path, method: str = "lora") -> Any:
    return prepared(tiny_folder, Movable(method, rank=4, alpha=8), seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_loss_falls_and_the_best_weights_stay(
    tiny_folder: Path, tmp_path: Path, method: str
) -> None:
    model = fresh(tiny_folder, method)
    curve = train(model, lessons(32), lessons(8), RECIPE, tmp_path)
    assert curve.looks[0].update == 0
    assert curve.best.loss < 0.7 * curve.looks[0].loss
    assert held_out_loss(model, lessons(8), RECIPE) == pytest.approx(curve.best.loss, abs=1e-5)


def test_bfloat16_learns_the_same(tiny_folder: Path, tmp_path: Path) -> None:
    wide = train(fresh(tiny_folder), lessons(32), lessons(8), RECIPE, tmp_path / "wide")
    recipe = replace(RECIPE, precision="bfloat16")
    model = fresh(tiny_folder)
    narrow = train(model, lessons(32), lessons(8), recipe, tmp_path / "narrow")
    assert narrow.looks[0].loss == pytest.approx(wide.looks[0].loss, abs=0.02)
    assert narrow.best.loss == pytest.approx(wide.best.loss, rel=0.1)
    assert all(weight.dtype == torch.float32 for weight in model.parameters())


def test_only_the_adapter_moves(tiny_folder: Path, tmp_path: Path) -> None:
    model = fresh(tiny_folder)
    names = set(moving(model))
    assert names
    assert all("lora_" in name for name in names)
    before = {k: v.clone() for k, v in model.named_parameters() if k not in names}
    train(model, lessons(8), lessons(4), replace(RECIPE, epochs=1), tmp_path)
    assert all(torch.equal(before[k], v) for k, v in model.named_parameters() if k in before)


def test_the_same_seed_gives_the_same_weights(tiny_folder: Path, tmp_path: Path) -> None:
    one, other = fresh(tiny_folder), fresh(tiny_folder)
    first = train(one, lessons(16), lessons(4), RECIPE, tmp_path / "one")
    second = train(other, lessons(16), lessons(4), RECIPE, tmp_path / "other")
    assert [point.loss for point in first.points] == [point.loss for point in second.points]
    assert all(torch.equal(a, moving(other)[name]) for name, a in moving(one).items())


class Killed(BaseException):
    """As if the process died."""


@pytest.mark.parametrize("at", [1, 5, 9, 15, 16])
def test_a_killed_run_goes_on_as_if_nothing_had_been(
    tiny_folder: Path, tmp_path: Path, at: int
) -> None:
    whole = train(fresh(tiny_folder), lessons(16), lessons(4), RECIPE, tmp_path / "whole")

    def die(stage: str, done: int, total: int) -> None:
        if done == at:
            raise Killed

    with pytest.raises(Killed):
        train(fresh(tiny_folder), lessons(16), lessons(4), RECIPE, tmp_path / "half", die)
    model = fresh(tiny_folder)
    resumed = train(model, lessons(16), lessons(4), RECIPE, tmp_path / "half")
    for one, other in zip(whole.points, resumed.points, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-6)
    assert [look.loss for look in whole.looks] == pytest.approx([k.loss for k in resumed.looks])


def test_a_finished_run_is_not_run_again(tiny_folder: Path, tmp_path: Path) -> None:
    curve = train(fresh(tiny_folder), lessons(8), lessons(4), RECIPE, tmp_path)

    def told(stage: str, done: int, total: int) -> None:
        pytest.fail("trained again")

    assert train(fresh(tiny_folder), lessons(8), lessons(4), RECIPE, tmp_path, told) == curve


def test_a_checkpoint_keeps_the_last_and_the_best(tiny_folder: Path, tmp_path: Path) -> None:
    curve = train(fresh(tiny_folder), lessons(16), lessons(4), RECIPE, tmp_path)
    last = curve.looks[-1].update
    expected = {
        checkpoint.weights_at(tmp_path, last),
        checkpoint.moments_at(tmp_path, last),
        checkpoint.weights_at(tmp_path, curve.best.update),
    }
    assert set(tmp_path.glob("*.safetensors")) == expected


def test_the_loss_is_a_mean_over_learnt_tokens_however_they_lie(tiny_folder: Path) -> None:
    some = [Lesson("a", (1, 2), (5,)), Lesson("b", (1, 4), (6, 7, 8, 9))]
    model = fresh(tiny_folder)
    each = [losses(model, laid(row)).item() for lesson in some for row in pack([lesson], 99)]
    recipe = replace(RECIPE, learning_rate=0.0)
    for rows in (pack(some, 99), [row for lesson in some for row in pack([lesson], 99)]):
        optimizer = torch.optim.AdamW(moving(model).values(), lr=0.0)
        loss, learnt = step(model, optimizer, rows, 0.0, recipe)
        assert learnt == 5
        assert loss == pytest.approx(sum(each) / 5, abs=1e-6)


def away(model: Any, lesson: Lesson) -> float:
    """KL(base || model) of a lesson's learnt tokens, added up, by transformers alone."""
    ids = torch.tensor([lesson.before + lesson.after])
    places = slice(len(lesson.before) - 1, -1)
    with torch.no_grad():
        tuned = model(input_ids=ids).logits[0, places].log_softmax(-1)
        with model.disable_adapter():
            base = model(input_ids=ids).logits[0, places].log_softmax(-1)
    return float((base.exp() * (base - tuned)).sum())


def test_where_the_base_is_kept_the_loss_is_how_far_the_model_is_from_it(tiny_folder: Path) -> None:
    model = fresh(tiny_folder)
    kept = Lesson("r", (1, 9), (4, 5, 6), weight=2.0, kept=True)
    other = Lesson("a", (1, 2), (5,))
    (row,) = pack([kept, other], 99)
    (alone,) = pack([other], 99)
    apart = losses(model, laid(row)).item() - losses(model, laid(alone)).item()
    assert apart == pytest.approx(0.0, abs=1e-5)  # a fresh adapter changes nothing
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in moving(model).values():
            weight.copy_(torch.randn(weight.shape, generator=drawn) / 10)
    apart = losses(model, laid(row)).item() - losses(model, laid(alone)).item()
    assert apart == pytest.approx(2.0 * away(model, kept), rel=1e-4)
    assert apart > 0.01


def test_what_is_kept_is_forgotten_less(tiny_folder: Path, tmp_path: Path) -> None:
    kept = [Lesson(f"r{n}", (1, n + 50, 2), (n + 51, 3), kept=True) for n in range(20)]
    drifts = {}
    for name, more in (("without", []), ("with", kept)):
        model = fresh(tiny_folder)
        curve = train(model, [*lessons(32), *more], lessons(8), RECIPE, tmp_path / name)
        assert curve.best.loss < 0.8 * curve.looks[0].loss
        drifts[name] = sum(away(model, lesson) for lesson in kept)
    assert drifts["with"] < 0.5 * drifts["without"]


def test_without_an_adapter_there_is_no_base_to_keep(tiny_folder: Path) -> None:
    model = fresh(tiny_folder, "full")
    lesson = Lesson("r", (1, 9), (4, 5, 6))
    said, kept = (
        losses(model, laid(pack([each], 99)[0])).item()
        for each in (lesson, replace(lesson, kept=True))
    )
    assert said == kept


def test_a_weight_counts_an_example_more(tiny_folder: Path) -> None:
    model = fresh(tiny_folder)
    one, other = Lesson("a", (1, 2), (5,)), Lesson("b", (1, 4), (6,))
    a, b = (losses(model, laid(pack([x], 9)[0])).item() for x in (one, other))
    optimizer = torch.optim.AdamW(moving(model).values(), lr=0.0)
    loss, _ = step(model, optimizer, pack([replace(one, weight=3.0), other], 99), 0.0, RECIPE)
    assert loss == pytest.approx((3 * a + b) / 4, abs=1e-6)


def test_a_loss_that_is_no_number_ends_training(tiny_folder: Path, tmp_path: Path) -> None:
    model = fresh(tiny_folder)
    with torch.no_grad():
        for weight in moving(model).values():
            weight.fill_(float("nan"))
    optimizer = torch.optim.AdamW(moving(model).values(), lr=0.0)
    with pytest.raises(ModelError, match="the loss is nan, no number; try a lower learning rate"):
        step(model, optimizer, pack(lessons(2), 99), 0.0, RECIPE)


def test_a_gradient_that_is_no_number_moves_nothing(tiny_folder: Path) -> None:
    model = fresh(tiny_folder)
    before = {name: weight.detach().clone() for name, weight in moving(model).items()}
    next(iter(moving(model).values())).register_hook(lambda grad: grad * float("inf"))
    optimizer = torch.optim.AdamW(moving(model).values(), lr=0.1)
    with torch.no_grad():  # a second matrix of zeros lets no gradient through to the first
        for name, weight in moving(model).items():
            if "lora_B" in name:
                weight.fill_(0.1)
                before[name] = weight.detach().clone()
    with pytest.raises(ModelError, match=r"the gradient's length is (inf|nan), no number"):
        step(model, optimizer, pack(lessons(2), 99), 0.1, RECIPE)
    assert all(torch.equal(before[name], weight) for name, weight in moving(model).items())


def test_nothing_to_learn_is_an_error(tiny_folder: Path, tmp_path: Path) -> None:
    for some, held in (([], lessons(1)), (lessons(1), [])):
        with pytest.raises(UsageError, match="give more examples"):
            train(fresh(tiny_folder), some, held, RECIPE, tmp_path)


def test_each_epoch_sees_each_lesson_once() -> None:
    for epochs in (1, 3):
        plan = planned(lessons(30), replace(RECIPE, epochs=epochs))
        seen = [x.id for update in plan for row in update for t in row.trees for x in t.lessons]
        assert sorted(seen) == sorted([str(n) for n in range(30)] * epochs)
    whole = len(planned(lessons(32), replace(RECIPE, epochs=1)))
    for epochs in (0.5, 1.5, 2.25):
        assert len(planned(lessons(32), replace(RECIPE, epochs=epochs))) == epochs * whole


def test_the_rate_rises_and_falls() -> None:
    recipe = replace(RECIPE, learning_rate=1.0, warmup=0.1)
    rates = [rate(update, 100, recipe) for update in range(100)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert max(rates) == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01


def test_looks_are_spread_and_the_last_update_is_one() -> None:
    assert looking(100, 4) == {25, 50, 75, 100}
    assert looking(3, 8) == {1, 2, 3}


def test_it_gives_up_when_no_look_was_better() -> None:
    falling = Curve(looks=tuple(Look(n, 1.0 / (n + 1)) for n in range(6)))
    rising = Curve(looks=tuple(Look(n, abs(n - 2) + 1.0) for n in range(6)))
    assert not given_up(falling, 3)
    assert given_up(rising, 3)
    assert not given_up(rising, 4)
    assert rising.best == Look(2, 1.0)


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.torch

    real, calls = safetensors.torch.save_file, 0

    def full(tensors: Any, path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise SafetensorError("No space left on device")
        real(tensors, path)

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(NoriaError, match="make room on the disk and give the same command again"):
        train(fresh(tiny_folder), lessons(16), lessons(4), RECIPE, tmp_path)
    monkeypatch.setattr(safetensors.torch, "save_file", real)
    whole = train(fresh(tiny_folder), lessons(16), lessons(4), RECIPE, tmp_path / "whole")
    resumed = train(fresh(tiny_folder), lessons(16), lessons(4), RECIPE, tmp_path)
    assert [point.loss for point in resumed.points] == [point.loss for point in whole.points]
