"""How a model's GGUF file lays its weights out, and how one is read from safetensors into it.

llama.cpp turns pairs of neighbouring numbers by the position, transformers a head's first half
against its second: for some architectures the rows of q and k change places on the way. Forgetting
it costs little that a glance at the answers would show, hence ``models/parity.py``.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from noria.errors import ModelError
from noria.models.gguf import read

# Architectures by what llama.cpp does with the rows of q and k.
TURNED, STRAIGHT = frozenset({"llama"}), frozenset({"qwen2", "qwen3"})


class Layout:
    """What the header of a model's GGUF file says. Raises ModelError if it is not understood."""

    def __init__(self, path: Path) -> None:
        self.path, self.reader = path, read(path)
        self.architecture = self._field("general.architecture")
        if self.architecture not in TURNED | STRAIGHT:
            known = ", ".join(sorted(TURNED | STRAIGHT))
            raise ModelError(
                f"{path}: architecture {self.architecture!r} is not known here, only {known}; "
                "choose a base of one of these"
            )
        self.blocks = int(self._own("block_count"))
        self.heads = int(self._own("attention.head_count"))
        self.heads_of_k = int(self._own("attention.head_count_kv", self.heads))

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Rows and columns of each tensor, by llama.cpp's name."""
        return {t.name: tuple(int(n) for n in reversed(t.shape)) for t in self.reader.tensors}

    @cached_property
    def _names(self) -> Any:
        from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, get_tensor_name_map

        (arch,) = (a for a in MODEL_ARCH if MODEL_ARCH_NAMES[a] == self.architecture)
        return get_tensor_name_map(arch, self.blocks)

    def named(self, name: str) -> str | None:
        """llama.cpp's name for a weight's name in transformers, None where it has none."""
        found: str | None = self._names.get_name(name, try_suffixes=(".weight", ".bias"))
        return found

    def turned(self, name: str, weight: Any) -> Any:
        """A weight as llama.cpp stores it: for some architectures q and k in another order."""
        part = name.split(".")[-2]
        if self.architecture in STRAIGHT or part not in ("attn_q", "attn_k"):
            return weight
        heads = self.heads if part == "attn_q" else self.heads_of_k
        halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
        return halves.swapaxes(1, 2).reshape(weight.shape)

    def _own(self, name: str, default: Any = None) -> Any:
        return self._field(f"{self.architecture}.{name}", default)

    def _field(self, name: str, default: Any = None) -> Any:
        field = self.reader.get_field(name)
        if field is None and default is None:
            raise ModelError(f"{self.path}: its header has no {name}; choose a whole GGUF model")
        return default if field is None else field.contents()


def tensors(file: Path) -> Iterator[tuple[str, Any]]:
    """The tensors of a safetensors file as float32, with their names.

    Raises ModelError for a damaged file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            for name in list(opened.keys()):
                yield name, opened.get_tensor(name).float().numpy()
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file}: not a whole safetensors file ({error}); save it again") from None


def contiguous(data: Any) -> Any:
    """Numbers in the order in which they are written."""
    import numpy as np

    return np.ascontiguousarray(data)
