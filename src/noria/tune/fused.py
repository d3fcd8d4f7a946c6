"""The layers of a model with a LoRA adapter, forth and back with fewer tensors between.

PEFT adds the adapter's part to the frozen layer's by three tensors of its size: the part, the
scaled part, the sum. They are freed soon, but among what is kept for the way back, and the holes
stay. Here the part is added where the frozen layer's numbers lie, and the way back is written down.
A gated block keeps its gate and what goes through it; their product, as large as both, is made
again on the way back. Together that is a sixth of a training's memory in rows of 384 tokens, and
more in longer ones. What is computed is the same: ``y = W x + b + s B A x`` (Hu et al. 2021,
section 4.1), and ``down(silu(gate) * up)`` (Shazeer 2020, "GLU Variants", section 2).

Importing this module imports torch and PEFT.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import silu
from transformers.activations import SiLUActivation

ADAPTED = {"Linear", "Linear4bit"}  # as PEFT names the layers; the second needs bitsandbytes
GATED = {"gate_proj", "up_proj", "down_proj", "act_fn"}  # as Llama, Mistral and Qwen name them


def fuse(model: Any) -> None:
    """Let the layers compute so; where PEFT or the model does more, it does it still."""
    for module in model.modules():
        if plain(module):
            module.__dict__["forward"] = partial(linear, module, module.forward)
    for module in model.modules():
        if gated(module):
            module.__dict__["forward"] = partial(block, module, module.forward)


def narrow(model: Any) -> None:
    """Keep in bfloat16 what is multiplied in bfloat16: the frozen weights of the fused layers.

    Autocast would make them so at each pass, with the same result.
    """
    for module in model.modules():
        if plain(module) and not quantized(module.base_layer):
            module.base_layer.to(torch.bfloat16)


def plain(module: Any) -> bool:
    """Whether a layer is ``W x + b + s B A x`` with frozen ``W`` and ``b``, and nothing else."""
    if not isinstance(module, LoraLayer) or type(module).__name__ not in ADAPTED:
        return False
    name = module.active_adapters[0]
    base, down, up = module.base_layer, module.lora_A[name], module.lora_B[name]
    return (
        (type(base) is torch.nn.Linear or quantized(base))
        and all(type(each) is torch.nn.Linear for each in (down, up))
        and all(each.bias is None for each in (down, up))
        and not any(each.requires_grad for each in base.parameters())
        and len(module.active_adapters) == 1
        and isinstance(module.lora_dropout[name], torch.nn.Identity)
        and name not in module.lora_variant
    )


def gated(module: Any) -> bool:
    """Whether a block is ``down(silu(gate(x)) * up(x))``."""
    parts = dict(module.named_children())
    return (
        parts.keys() == GATED
        and isinstance(parts["act_fn"], torch.nn.SiLU | SiLUActivation)
        and all(plain(parts[name]) for name in GATED - {"act_fn"})
    )


def linear(module: Any, usual: Any, x: Tensor, *args: Any, **more: Any) -> Tensor:
    """What a layer makes of ``x``, in the precision that autocast asks for."""
    kind = computed_in(module, x)
    if args or more or kind is None:
        found: Tensor = usual(x, *args, **more)
    else:
        found = adapted(x.to(kind), *weights(module))
    return found


def block(module: Any, usual: Any, x: Tensor) -> Tensor:
    """What a gated block makes of ``x``."""
    if computed_in(module.down_proj, x) is None:
        found: Tensor = usual(x)
    else:
        found = through_gate(module.gate_proj(x), module.up_proj(x), *weights(module.down_proj))
    return found


def computed_in(module: Any, x: Tensor) -> torch.dtype | None:
    """The precision of a layer's product with ``x``; None where this is PEFT's affair."""
    if module.disable_adapters or module.merged:
        return None
    if torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    _, down, _, _ = weights(module)
    return x.dtype if x.dtype == down.dtype else None


def weights(module: Any) -> tuple[Any, Tensor, Tensor, float]:
    """The frozen layer, ``A``, ``B`` and ``s``."""
    name = module.active_adapters[0]
    down, up = module.lora_A[name].weight, module.lora_B[name].weight
    return module.base_layer, down, up, module.scaling[name]


def quantized(base: Any) -> bool:
    """Whether a frozen layer is NF4."""
    return getattr(base.weight, "quant_state", None) is not None


def whole(base: Any, kind: torch.dtype) -> Tensor:
    """``W`` [out, in], in a precision to compute in."""
    weight: Tensor = base.weight
    if quantized(base):
        from bitsandbytes.functional import dequantize_4bit  # late: it need not be installed

        weight = dequantize_4bit(weight, weight.quant_state)  # type: ignore[attr-defined]
    return weight.to(kind)


def forth(x: Tensor, base: Any, down: Tensor, up: Tensor, scale: float) -> list[Tensor]:
    """``y`` and ``A x``, of rows ``x``, in their precision."""
    with torch.autocast(x.device.type, enabled=False):
        inner = x @ down.to(x.dtype).T
        bias = base.bias if base.bias is None else base.bias.to(x.dtype)
        found = torch.nn.functional.linear(x, whole(base, x.dtype), bias)
        return [found.addmm_(inner, up.to(x.dtype).T, alpha=scale), inner]


def back(
    given: Tensor, x: Tensor, inner: Tensor, down: Tensor, up: Tensor, base: Any, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of ``x``, ``A`` and ``B``, from that of ``y``."""
    middle = (given @ up.to(x.dtype)).mul_(scale)
    of_x = (given @ whole(base, x.dtype)).addmm_(middle, down.to(x.dtype))
    of_up = (given.T @ inner).mul_(scale)
    return of_x, (middle.T @ x).to(down.dtype), of_up.to(up.dtype)


class Adapted(torch.autograd.Function):
    """``y = W x + b + s B A x``; ``A`` and ``B`` alone move."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, base: Any, down: Tensor, up: Tensor, scale: float) -> Tensor:
        """[.., in], [rank, in], [out, rank] -> [.., out]."""
        rows = x.reshape(-1, x.shape[-1])
        found, inner = forth(rows, base, down, up, scale)
        ctx.save_for_backward(rows, inner, down, up)
        ctx.base, ctx.scale, ctx.shape = base, scale, x.shape
        return found.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of ``x``, ``A`` and ``B``."""
        rows, inner, down, up = ctx.saved_tensors
        of_y = given.reshape(len(rows), -1)
        of_x, of_down, of_up = back(of_y, rows, inner, down, up, ctx.base, ctx.scale)
        return of_x.view(ctx.shape), None, of_down, of_up, None


class ThroughGate(torch.autograd.Function):
    """``y = W x + b + s B A x`` of ``x = silu(gate) * value``, which is not kept."""

    @staticmethod
    def forward(
        ctx: Any,
        gate: Tensor,
        value: Tensor,
        base: Any,
        down: Tensor,
        up: Tensor,
        scale: float,
    ) -> Tensor:
        """[.., in] twice, [rank, in], [out, rank] -> [.., out]."""
        rows = silu(gate).mul_(value).reshape(-1, gate.shape[-1])
        found, inner = forth(rows, base, down, up, scale)
        ctx.save_for_backward(gate, value, inner, down, up)
        ctx.base, ctx.scale = base, scale
        return found.view(*gate.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of ``gate``, ``value``, ``A`` and ``B``."""
        gate, value, inner, down, up = ctx.saved_tensors
        opened = silu(gate)
        rows = (opened * value).reshape(-1, gate.shape[-1])
        of_y = given.reshape(len(rows), -1)
        of_rows, of_down, of_up = back(of_y, rows, inner, down, up, ctx.base, ctx.scale)
        of_x = of_rows.view(gate.shape)
        of_gate = torch.ops.aten.silu_backward(of_x * value, gate)
        return of_gate, of_x * opened, None, of_down, of_up, None


# torch gives them no types
adapted: Callable[..., Tensor] = Adapted.apply
through_gate: Callable[..., Tensor] = ThroughGate.apply
