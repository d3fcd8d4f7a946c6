"""Which weights move: an adapter beside frozen ones (LoRA, QLoRA), or all.

LoRA: Hu et al. 2021; on every linear layer, since rank does not make up for layers left out
("LoRA Without Regret", 2025). QLoRA: Dettmers et al. 2023, NF4 in blocks of 64 with their scales
quantized again; what is computed with stays float32 on a CPU, where bfloat16 is emulated.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from noria.errors import MissingExtraError, ModelError
from noria.tune import attention

if TYPE_CHECKING:
    import torch

Method = Literal["lora", "qlora", "full"]
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
METHODS: tuple[Method, ...] = ("lora", "qlora", "full")
RATES = {"lora": 5e-4, "qlora": 5e-4, "full": 5e-5}  # an adapter bears far higher ones
ADAPTER = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Movable:
    """What is trained. ``rank`` and ``alpha`` are those of the adapter; full training has none."""

    method: Method = "lora"
    rank: int = 16
    alpha: int = 32


def rate(method: Method) -> float:
    """The learning rate that a method starts from."""
    return RATES[method]


def device() -> str:
    """Where to train, as torch names it: on the GPU, if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def quickest(device: str) -> Precision:
    """The precision in which a device multiplies quickest.

    A processor without bfloat16 emulates it, ten times slower.
    """
    import torch

    able = torch.cpu._is_avx512_bf16_supported() if device == "cpu" else narrow_on(device)
    return "bfloat16" if able else "float32"


def narrow_on(device: str) -> bool:
    """Whether a GPU knows bfloat16."""
    import torch

    return device.startswith("cuda") and torch.cuda.is_bf16_supported()


def prepared(
    folder: Path,
    movable: Movable,
    seed: int,
    device: str = "cpu",
    precision: Precision = "float32",
) -> Any:
    """The model of a Hugging Face folder, ready to be trained with ``precision``.

    A fresh adapter changes nothing: its second matrix is zero. What moves is float32. Raises
    ModelError where the folder holds no model that can be loaded, MissingExtraError without the
    packages of a method.
    """
    import torch

    from noria.models.quiet import quiet

    torch.manual_seed(seed)  # the adapter's first matrix is drawn
    model = loaded(folder, movable.method, device)
    attention.use(model)
    if movable.method == "full":
        return model.train()
    try:
        with quiet():
            from peft import LoraConfig, get_peft_model
    except ImportError:
        raise MissingExtraError("peft", "tune") from None

    config = LoraConfig(
        r=movable.rank,
        lora_alpha=movable.alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        # PEFT asks transformers in words that transformers is about to drop
        warnings.simplefilter("ignore", FutureWarning)
        adapted = get_peft_model(model, config).train()
    from noria.tune import fused  # late: it imports torch

    fused.fuse(adapted)
    if precision == "bfloat16":
        fused.narrow(adapted)
    return adapted


def loaded(folder: Path, method: Method, device: str) -> Any:
    """The model: float32, NF4, or frozen in bfloat16 on a GPU that knows it."""
    import torch
    from transformers import AutoModelForCausalLM

    from noria.models.quiet import quiet

    kind = torch.bfloat16 if method != "full" and narrow_on(device) else torch.float32
    options: dict[str, Any] = {"dtype": kind, "local_files_only": True, "use_safetensors": True}
    if method == "qlora":
        options["device_map"] = {"": device}
        from transformers import BitsAndBytesConfig

        try:
            import bitsandbytes  # noqa: F401  # transformers' own error would name a pip command
        except ImportError:
            raise MissingExtraError("bitsandbytes", "tune") from None
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=kind,
        )
    try:
        with quiet():
            model = AutoModelForCausalLM.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{folder}: cannot be loaded for training ({error}); it needs config.json and "
            "safetensors of a causal language model"
        ) from None
    if method != "qlora":
        return model.to(device)
    for module in model.modules():
        # judged on a CPU that knows bfloat16, bitsandbytes lays weights out anew, and from then on
        # no gradient goes through them
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def moving(model: Any) -> dict[str, "torch.Tensor"]:
    """The weights that are trained, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def put(model: Any, weights: Mapping[str, "torch.Tensor"]) -> None:
    """Set the weights that are trained."""
    import torch

    with torch.no_grad():
        for name, weight in moving(model).items():
            weight.copy_(weights[name])


def save(model: Any, folder: Path, base: Path) -> None:
    """Write what was trained: an adapter as PEFT reads it, or a whole Hugging Face model.

    The same weights give the same files, wherever ``base`` lies; its tokenizer goes with a whole
    model.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import AutoTokenizer

    from noria.models.quiet import quiet
    from noria.store.content import write_json

    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(model, "peft_config"):
        from peft import get_peft_model_state_dict

        with torch.no_grad():
            tensors = {k: v.contiguous() for k, v in get_peft_model_state_dict(model).items()}
        save_file(tensors, folder / ADAPTER, {"format": "pt"})
        told = model.peft_config["default"].to_dict()
        told |= {"base_model_name_or_path": None, "inference_mode": True}
        told["target_modules"] = sorted(told["target_modules"])
        write_json(folder / "adapter_config.json", plain(told))
        return
    with quiet():
        model.save_pretrained(folder, safe_serialization=True)
        AutoTokenizer.from_pretrained(base, local_files_only=True).save_pretrained(folder)


def plain(value: Any) -> Any:
    """``value`` as JSON has it: the names of enumerations, sets in their order."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in sorted(value.items())}
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value))
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return getattr(value, "value", value)
