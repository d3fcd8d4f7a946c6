"""What NF4 with double quantization saves: the bytes of a model's linear layers, and of all of it.

The embeddings stay as they are. With ``--examples``, the same adapter is trained some updates on
the frozen NF4 weights, which must make the loss of what it read fall.

    python benchmarks/nf4.py --data DIR --examples 8
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import _common
import training
from noria.config import GENERATOR
from noria.models.cache import default_cache
from noria.models.gguf import converted
from noria.models.sources import fetch
from noria.tune import attention
from noria.tune.pack import pack
from noria.tune.render import Lesson
from noria.tune.train import Recipe, adam, held_out_loss, step
from noria.tune.weights import Movable, loaded, prepared

BFLOAT16 = 2  # bytes of a weight


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__, options)
    path = converted(fetch(GENERATOR), default_cache())
    plain, packed = (loaded(path, method, "cpu") for method in ("lora", "qlora"))
    linear, rest = (sum(weights(plain, inside)) * BFLOAT16 for inside in (True, False))
    linear4 = sum(stored(packed))
    rest4 = sum(weights(packed, False)) * BFLOAT16
    result: dict[str, Any] = {
        "linear_layers_mb": {"bf16": linear / 1e6, "nf4": linear4 / 1e6},
        "linear_layers": linear4 / linear,
        "whole_model_mb": {"bf16": (linear + rest) / 1e6, "nf4": (linear4 + rest4) / 1e6},
        "whole_model": (linear4 + rest4) / (linear + rest),
        "whole_model_with_float32_embeddings": (linear4 + 2 * rest4) / (linear + rest),
    }
    if given.examples:
        given.at_once, given.held_out = given.examples, 0
        (update,), _ = training.lessons(given, path, 4)
        result["training"] = trained(path, update, given.updates)
    _common.show(result)


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--examples", type=int, default=8, help="to train on; 0: not at all")
    parser.add_argument("--updates", type=int, default=4)


def layers(model: Any) -> Iterator[Any]:
    """The linear layers that can be quantized: all but the one that shares the embedding."""
    import torch

    head = model.get_output_embeddings()
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            yield module


def weights(model: Any, inside: bool) -> Iterator[int]:
    """How many weights each tensor in (or else outside) the linear layers has."""
    linear = {id(weight) for layer in layers(model) for weight in layer.parameters()}
    return (weight.numel() for weight in model.parameters() if (id(weight) in linear) == inside)


def stored(model: Any) -> Iterator[int]:
    """The bytes of each NF4 layer: weights of four bits, their scales, and the scales' own."""
    for layer in layers(model):
        state = layer.weight.quant_state
        tensors = [layer.weight, state.absmax, state.code]
        if state.nested:
            tensors += [state.state2.absmax, state.state2.code, state.offset]
        yield sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def trained(path: Path, some: Sequence[Lesson], updates: int) -> dict[str, float]:
    """Losses before and after some updates on the same examples."""
    recipe = Recipe(learning_rate=1e-3)
    model = prepared(path, Movable("qlora"), seed=0)
    attention.use(model)
    optimizer = adam(model)
    rows = pack(some, recipe.row)
    before = held_out_loss(model, some, recipe)
    began = perf_counter()
    for _ in range(updates):
        step(model, optimizer, rows, recipe.learning_rate, recipe)
    return {
        "loss_before": before,
        "loss_after": held_out_loss(model, some, recipe),
        "examples_per_second": updates * len(some) / (perf_counter() - began),
    }


if __name__ == "__main__":
    main()
