"""An adapter's layers compute what PEFT's own do, forth and back."""

from pathlib import Path
from typing import Any

import pytest
import torch

from noria.tune import fused
from noria.tune.pack import laid, pack
from noria.tune.render import Lesson
from noria.tune.train import losses
from noria.tune.weights import Method, Movable, Precision, moving, prepared
from tiny_model import tiny

SOME = [Lesson(str(n), (1, n + 50, 2, n + 60), (n + 50, 3)) for n in range(6)]


def adapted(folder: Path, method: Method = "lora", kept: Precision = "float32") -> Any:
    """A model whose adapter already says something."""
    model = prepared(folder, Movable(method, rank=4, alpha=8), seed=0, precision=kept)
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in moving(model).values():
            weight.copy_(torch.randn(weight.shape, generator=drawn) / 10)
    return model.train()


def gradients(model: Any, precision: Precision) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a row, and what it says to the weights that move."""
    (row,) = pack(SOME, 99)
    loss = losses(model, laid(row), precision)
    torch.autograd.backward(loss)
    return loss.item(), {name: weight.grad for name, weight in moving(model).items()}


def test_what_is_multiplied_in_bfloat16_is_kept_so(tiny_folder: Path) -> None:
    wide, narrow = adapted(tiny_folder), adapted(tiny_folder, kept="bfloat16")
    layers = [module for module in narrow.modules() if hasattr(module, "lora_A")]
    assert {layer.base_layer.weight.dtype for layer in layers} == {torch.bfloat16}
    assert all(weight.dtype == torch.float32 for weight in moving(narrow).values())
    loss, found = gradients(narrow, "bfloat16")
    expected, usual = gradients(wide, "bfloat16")
    assert loss == expected
    assert all(torch.equal(found[name], gradient) for name, gradient in usual.items())


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-5), ("bfloat16", 0.1)])
def test_loss_and_gradients_are_those_of_peft(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, precision: Precision, near: float
) -> None:
    loss, ours = gradients(adapted(tiny_folder), precision)
    monkeypatch.setattr(fused, "fuse", lambda model: None)
    expected, theirs = gradients(adapted(tiny_folder), "float32")
    assert loss == pytest.approx(expected, rel=near)
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert gradient.dtype == torch.float32
        assert (gradient - theirs[name]).norm() <= near * theirs[name].norm(), name


def test_beside_layers_with_a_bias_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(attention_bias=True, mlp_bias=True)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.copy_(torch.linspace(-1, 1, len(weight)))
    model.save_pretrained(tmp_path)
    fused_layers = adapted(tmp_path)
    assert all("forward" in m.__dict__ for m in fused_layers.modules() if hasattr(m, "lora_A"))
    loss, ours = gradients(fused_layers, "float32")
    monkeypatch.setattr(fused, "fuse", lambda model: None)
    expected, theirs = gradients(adapted(tmp_path), "float32")
    assert loss == pytest.approx(expected, rel=1e-5)
    for name, gradient in ours.items():
        assert (gradient - theirs[name]).norm() <= 1e-5 * theirs[name].norm(), name


def test_beside_four_bits_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bitsandbytes")
    # whole blocks of 64 weights, as bitsandbytes wants them on a CPU
    tiny(hidden_size=64, intermediate_size=128).save_pretrained(tmp_path)
    loss, ours = gradients(adapted(tmp_path, "qlora"), "float32")
    monkeypatch.setattr(fused, "fuse", lambda model: None)
    expected, theirs = gradients(adapted(tmp_path, "qlora"), "float32")
    assert loss == pytest.approx(expected, rel=1e-5)
    for name, gradient in ours.items():
        assert (gradient - theirs[name]).norm() <= 1e-4 * theirs[name].norm(), name


def test_every_layer_of_the_adapter_computes_so(tiny_folder: Path) -> None:
    model = adapted(tiny_folder)
    layers = [module for module in model.modules() if hasattr(module, "lora_A")]
    assert layers
    blocks = [module for module in model.modules() if hasattr(module, "gate_proj")]
    assert blocks
    assert all("forward" in module.__dict__ for module in layers + blocks)


def test_without_its_adapter_a_model_is_its_base(tiny_folder: Path) -> None:
    model = adapted(tiny_folder)
    ids = torch.tensor([[1, 50, 2, 60]])
    with torch.no_grad(), model.disable_adapter():
        alone = model(input_ids=ids).logits
    with torch.no_grad():
        together = model(input_ids=ids).logits
        base = prepared(tiny_folder, Movable("full"), seed=0)(input_ids=ids).logits
    assert torch.equal(alone, base)
    assert not torch.allclose(together, base, atol=1e-3)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_a_layer_in_which_peft_does_more_is_left_alone(tiny_folder: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = prepared(tiny_folder, Movable("full"), seed=0)
    config = LoraConfig(r=4, target_modules="all-linear", lora_dropout=0.1, task_type="CAUSAL_LM")
    model = get_peft_model(base, config)
    fused.fuse(model)
    assert not any("forward" in module.__dict__ for module in model.modules())
