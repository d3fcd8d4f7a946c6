"""An adapter beside NF4 weights learns, and the weights stay as they are."""

from pathlib import Path

import pytest
import torch

from noria.tune.render import Lesson
from noria.tune.train import Recipe, train
from noria.tune.weights import Movable, moving, prepared
from tiny_model import tiny

LESSONS = [Lesson(str(n), (1, n % 40 + 50, 2), (n % 40 + 50, 3)) for n in range(16)]
RECIPE = Recipe(learning_rate=1e-2, epochs=6, at_once=4, row=128, looks=2)

pytest.importorskip("bitsandbytes")


def test_an_adapter_learns_beside_four_bits(tmp_path: Path) -> None:
    # whole blocks of 64 weights, as bitsandbytes wants them on a CPU
    tiny(hidden_size=64, intermediate_size=128, initializer_range=0.3).save_pretrained(tmp_path)
    model = prepared(tmp_path, Movable("qlora", rank=4, alpha=8), seed=0)
    frozen = {k: v.detach().clone() for k, v in model.named_parameters() if not v.requires_grad}
    assert sum(weight.dtype == torch.uint8 for weight in frozen.values()) == 14
    assert all("lora_" in name for name in moving(model))
    curve = train(model, LESSONS, LESSONS[:6], RECIPE, tmp_path / "run")
    assert curve.best.loss < 0.7 * curve.looks[0].loss
    after = dict(model.named_parameters())
    assert all(torch.equal(weight, after[name]) for name, weight in frozen.items())
