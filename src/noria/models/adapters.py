"""What training made, as llama.cpp reads it: a LoRA adapter beside its base, or a whole model.

Architecture, heads and names are those of the base's GGUF file; see ``models/layout.py``.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from noria.errors import MissingExtraError, ModelError, SourceError, UsageError
from noria.models.cache import digest_of, kept, sha256
from noria.models.gguf import close, copy_fields
from noria.models.layout import Layout, tensors

Kind = Literal["F32", "Q8_0", "Q4_1", "Q4_0"]
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."  # before the names of the base's weights
BLOCK = 32  # weights that are rounded together
# Fields of an adapter's configuration that are followed, or say nothing of what it computes.
UNDERSTOOD = frozenset(
    {
        "auto_mapping", "base_model_name_or_path", "bias", "exclude_modules", "inference_mode",
        "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout",
        "megatron_core", "peft_type", "peft_version", "qalora_group_size", "r", "revision",
        "target_modules", "task_type", "use_rslora",
    }
)  # fmt: skip
EXPECTED: Mapping[str, tuple[object, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "init_lora_weights": (True, False, "gaussian", "orthogonal", "eva"),  # others change the base
}


@dataclass(frozen=True, slots=True)
class Pair:
    """The two matrices of one layer: ``a`` (rank, inputs) and ``b`` (outputs, rank), float32."""

    a: Any
    b: Any


def export(folder: Path, base: Path, cache: Path) -> Path:
    """The LoRA adapter in a PEFT ``folder`` as a GGUF file for ``base``, kept in the cache.

    Weights are float32, so that nothing is rounded. Raises SourceError for a folder without an
    adapter, and ModelError for one that llama.cpp could not follow (DoRA, biases, whole modules,
    ranks that differ by layer, another base).
    """
    scale, weights = checked(folder), folder / WEIGHTS
    parts = (repr(scale), sha256(weights, cache), digest_of(base, cache))
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def make(files: Path) -> Path:
        target = files / f"{folder.name}.lora.gguf"
        write_adapter(pairs(weights), Layout(base), scale, target)
        return target

    entry = cache / "adapters" / f"{digest[:32]}.weights"
    return kept(entry, f"adapter:{digest}", f"exporting {folder.name}", make)


def checked(folder: Path) -> float:
    """What an adapter's product is multiplied by. Raises for what llama.cpp could not follow."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{folder}: no adapter is there ({error}); expected {CONFIG} and {WEIGHTS}"
        ) from None
    if not (folder / WEIGHTS).is_file():
        raise SourceError(f"{folder}: no {WEIGHTS}; save the adapter as safetensors")
    wrong = sorted(name for name, value in config.items() if value and name not in UNDERSTOOD)
    wrong += [name for name, values in EXPECTED.items() if config.get(name) not in values]
    if wrong or rank < 1:
        raise ModelError(
            f"{folder}: cannot be served as a LoRA adapter "
            f"({', '.join(f'{name} = {config.get(name)!r}' for name in wrong) or f'r = {rank}'}); "
            "merge it into its base and export that"
        )
    return alpha / (rank**0.5 if config.get("use_rslora") else rank)


def pairs(weights: Path) -> dict[str, Pair]:
    """The matrices in an adapter's file, by the name of the weight that they change.

    Raises ModelError for anything else in it.
    """
    first, second = ".lora_A.weight", ".lora_B.weight"
    found = {name: tensor for name, tensor in tensors(weights)}
    stems = {name.removesuffix(first).removesuffix(second) for name in found}
    complete = {f"{stem}{end}" for stem in stems for end in (first, second)}
    strange = sorted(complete ^ found.keys())
    if strange or not all(stem.startswith(PREFIX) for stem in stems):
        raise ModelError(
            f"{weights}: not the pairs of a LoRA on linear layers ({', '.join(strange[:3])}); "
            "merge the adapter into its base and export that"
        )
    return {
        f"{stem.removeprefix(PREFIX)}.weight": Pair(found[stem + first], found[stem + second])
        for stem in sorted(stems)
    }


def write_adapter(changed: Mapping[str, Pair], base: Layout, scale: float, target: Path) -> None:
    """Write an adapter for llama.cpp, which multiplies by alpha over each pair's own rank."""
    from gguf import GGUFType, GGUFWriter

    ranks = {pair.a.shape[0] for pair in changed.values()}
    if len(ranks) != 1:
        raise ModelError(f"an adapter of ranks {sorted(ranks)}; expected one for all layers")
    writer = GGUFWriter(target, base.architecture)
    writer.add_type(GGUFType.ADAPTER)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", scale * ranks.pop())
    for name, pair in changed.items():
        known = base.named(name)
        shape = (pair.b.shape[0], pair.a.shape[1])
        if known is None or base.shapes.get(known) != shape:
            raise ModelError(
                f"the adapter changes {name} {shape}, but {base.path.name} has "
                f"{base.shapes.get(known or '', 'none')}; it was trained on another base"
            )
        writer.add_tensor(f"{known}.lora_a", pair.a)
        writer.add_tensor(f"{known}.lora_b", base.turned(known, pair.b))
    close(writer)


def merged(folder: Path, adapter: Path, target: Path) -> Path:
    """The weights of a Hugging Face ``folder`` with an adapter added in, as a folder of its own.

    Float32 safetensors and the tokenizer; any adapter that PEFT can merge. Raises UsageError if
    ``target`` is not empty, and ModelError if the adapter does not fit.
    """
    from noria.models.quiet import quiet
    from noria.models.transformers import loaded

    empty(target)
    tokenizer, model = loaded(folder)
    with quiet():
        sum_of_both = adapted(model, adapter).merge_and_unload(safe_merge=True)
        sum_of_both.save_pretrained(target, safe_serialization=True)
        tokenizer.save_pretrained(target)
    return target


def adapted(model: Any, adapter: Path) -> Any:
    """A model of transformers with a PEFT adapter. Raises ModelError if it does not fit.

    Raises MissingExtraError without PEFT.
    """
    import warnings

    from noria.models.quiet import quiet

    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # what PEFT asks transformers, not we
            from peft import PeftModel

            return PeftModel.from_pretrained(model, adapter, local_files_only=True).eval()
    except ImportError:
        raise MissingExtraError("peft", "tune") from None
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{adapter}: not an adapter for this model ({error}); was it trained on another base?"
        ) from None


def gguf_of(folder: Path, template: Path, target: Path, kind: Kind = "F32") -> Path:
    """A GGUF file of a Hugging Face ``folder``, by the ``template`` that its base came from.

    The tokenizer and all else but the weights are copied from the template. ``kind`` F32 rounds
    nothing. Q8_0 rounds every matrix to 8 bits, Q4_1 and Q4_0 to 4, but embeddings to 8. Raises
    ModelError where the folder's weights are not those of the template's shape.
    """
    from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType

    base = Layout(template)
    weights = whole(folder, base)
    writer = GGUFWriter(target, base.architecture)
    copy_fields(base.reader, writer)
    writer.add_file_type(
        LlamaFileType.ALL_F32 if kind == "F32" else LlamaFileType[f"MOSTLY_{kind}"]
    )
    if kind != "F32" and base.reader.get_field("general.quantization_version") is None:
        writer.add_quantization_version(2)
    for tensor in base.reader.tensors:
        if tensor.name not in weights:  # of the positions: no weight in transformers
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        data = base.turned(tensor.name, weights.pop(tensor.name))
        as_kind = GGMLQuantizationType[rounding(tensor.name, data, kind)]
        writer.add_tensor(tensor.name, rounded(data, as_kind), raw_dtype=as_kind)
    close(writer)
    return target


def gguf_kept(folder: Path, template: Path, cache: Path, kind: Kind = "Q8_0") -> Path:
    """``gguf_of``, kept in the cache."""
    parts = (digest_of(folder, cache), digest_of(template, cache), kind)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def make(files: Path) -> Path:
        return gguf_of(folder, template, files / f"model-{kind}.gguf", kind)

    entry = cache / "exported" / f"{digest[:32]}.weights"
    return kept(entry, f"exported:{digest}", f"exporting {folder.name[:12]}", make)


def whole(folder: Path, base: Layout) -> dict[str, Any]:
    """The weights of a folder by llama.cpp's names, each of which the base has, in its shape."""
    config = configured(folder)
    heads = config.get("num_attention_heads"), config.get("num_key_value_heads")
    if heads != (base.heads, base.heads_of_k):
        raise ModelError(
            f"{folder}: has {heads[0]} heads, {heads[1]} of them for keys; expected {base.heads} "
            f"and {base.heads_of_k} as in {base.path.name}"
        )
    found: dict[str, Any] = {}
    strange: list[str] = []
    for file in sorted(folder.glob("*.safetensors")):
        for name, tensor in tensors(file):
            known = base.named(name)
            if known == "output.weight" and config.get("tie_word_embeddings"):
                continue  # the embeddings again
            if known is None or base.shapes.get(known) != tensor.shape:
                strange.append(name)
            else:
                found[known] = tensor
    missing = [name for name in base.shapes if name not in found and "rope" not in name]
    if strange or missing:
        raise ModelError(
            f"{folder}: its weights are not those of {base.path.name} "
            f"({', '.join([*strange, *missing][:3])}); name the GGUF file that its base came from"
        )
    return found


def rounding(name: str, data: Any, kind: Kind) -> str:
    """The kind of one tensor: vectors stay exact, and embeddings, also the output's, have 8 bits.

    llama.cpp's own small kinds spare the embeddings too.
    """
    if kind == "F32" or data.ndim < 2 or data.shape[-1] % BLOCK:
        return "F32"
    return "Q8_0" if name in ("token_embd.weight", "output.weight") else kind


def rounded(data: Any, kind: Any) -> Any:
    """Float32 numbers in another kind."""
    from gguf.quants import quantize

    return data if kind.name == "F32" else quantize(data, kind)


def configured(folder: Path) -> dict[str, Any]:
    """A Hugging Face folder's configuration."""
    try:
        found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{folder}: no model is there ({error}); expected config.json") from None
    return found


def empty(folder: Path) -> None:
    """Raise UsageError unless ``folder`` is absent or empty."""
    with suppress(FileNotFoundError, NotADirectoryError):
        if not any(folder.iterdir()):
            return
        raise UsageError(f"{folder}: not empty; name another folder")
