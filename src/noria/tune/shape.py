"""The sizes of a model, told by the files of its Hugging Face folder. No weight is read."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noria.errors import ModelError
from noria.tune.weights import Movable


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model. ``width``: numbers in and out of its linear layers, for one token.

    ``linear``: weights in them, ``largest`` of which are in one. The rest of ``parameters`` are
    embeddings, of which there are ``embedded``, and norms. ``stored``: bytes of the files.
    """

    parameters: int
    embedded: int
    linear: int
    largest: int
    width: int
    hidden: int
    layers: int
    vocabulary: int
    stored: int


def shaped(folder: Path) -> Shape:
    """The shape of the model in a Hugging Face folder, from its config.json and safetensors.

    No weight is read. Raises ModelError where the folder does not hold what that takes.
    """
    sizes = dict(tensors(folder))
    linear = [s for name, s in sizes.items() if len(s) == 2 and not embeds(name)]
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = raw.get("text_config") or raw
        return Shape(
            parameters=sum(map(math.prod, sizes.values())),
            embedded=sum(math.prod(s) for name, s in sizes.items() if embeds(name)),
            linear=sum(map(math.prod, linear)),
            largest=max(map(math.prod, linear)),
            width=sum(map(sum, linear)),
            hidden=named(config, "hidden_size", "n_embd", "d_model"),
            layers=named(config, "num_hidden_layers", "n_layer", "num_layers"),
            vocabulary=named(config, "vocab_size"),
            stored=sum(path.stat().st_size for path in folder.glob("*.safetensors")),
        )
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{folder}: its size cannot be told ({error}); expected the config.json and "
            "safetensors of a causal language model"
        ) from None


def tensors(folder: Path) -> Iterable[tuple[str, tuple[int, ...]]]:
    """The names and shapes of all tensors of a folder."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                names = list(file.keys())
                yield from ((name, tuple(file.get_slice(name).get_shape())) for name in names)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path}: is no safetensors file ({error}); fetch it again") from None


def embeds(name: str) -> bool:
    """Whether a tensor turns tokens into vectors, or vectors into logits: no adapter goes there."""
    return any(part in name for part in ("emb", "wte", "wpe", "lm_head"))


def named(config: dict[str, Any], *names: str) -> int:
    """The first of some settings that is there: families name them differently."""
    for name in names:
        if isinstance(config.get(name), int):
            return int(config[name])
    raise KeyError(f"no {names[0]}")


def moved(shape: Shape, movable: Movable) -> int:
    """How many numbers are trained."""
    return shape.parameters if movable.method == "full" else movable.rank * shape.width
