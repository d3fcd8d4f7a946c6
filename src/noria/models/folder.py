"""What an encoder's folder says of it in its small files; its weights are not read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from noria.errors import ModelError

UNBOUNDED = 100_000  # tokenizers without a limit state an absurd one
POOLING = "pooling_mode_"


def read(path: Path) -> Mapping[str, Any]:
    """A JSON object, empty where there is no such file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as JSON ({error}); fetch the model again") from None
    return value if isinstance(value, dict) else {"": value}


def dimension_of(path: Path) -> int:
    """Numbers in a vector: the last module that says so, else the transformer's width."""
    width = read(path / "config.json").get("hidden_size")
    for module in modules(path):
        config = read(path / module.get("path", "") / "config.json") if module.get("path") else {}
        width = config.get("out_features") or pooled(config) or width
    if not isinstance(width, int):
        raise ModelError(
            f"{path}: its files do not say how wide its vectors are; is it an encoder?"
        )
    return width


def pooled(config: Mapping[str, Any]) -> int:
    """Width after pooling: several modes lie side by side."""
    width = config.get("embedding_dimension", config.get("word_embedding_dimension", 0))
    return int(width) * max(1, len(modes(config)))


def modes(config: Mapping[str, Any]) -> list[str]:
    """What a pooling module makes of many vectors: ``mean``, ``cls`` and so on.

    >>> modes({"pooling_mode": "cls"}) == modes({"pooling_mode_cls_token": True}) == ["cls"]
    True
    """
    stated = config.get("pooling_mode", [])
    on = [name for name in config if name.startswith(POOLING) and config[name]]
    older = [n.removeprefix(POOLING).removesuffix("_tokens").removesuffix("_token") for n in on]
    return [stated] if isinstance(stated, str) else [*stated, *older]


def window_of(path: Path) -> int:
    """Tokens read of a text, special tokens included."""
    stated = (
        read(path / "sentence_bert_config.json").get("max_seq_length"),
        read(path / "tokenizer_config.json").get("model_max_length"),
        read(path / "config.json").get("max_position_embeddings"),
    )
    first = next((int(n) for n in stated if isinstance(n, int | float) and 0 < n < UNBOUNDED), None)
    if first is None:
        raise ModelError(f"{path}: its files do not say how much it reads; is it an encoder?")
    return first


def modules(path: Path) -> Sequence[Mapping[str, Any]]:
    """What ``modules.json`` lists, in its order."""
    found: Sequence[Mapping[str, Any]] = read(path / "modules.json").get("", [])
    return found


def kinds(path: Path) -> list[str]:
    """The kinds of the modules, as ``Transformer`` or ``Pooling``, in their order."""
    return [str(module.get("type", "")).rpartition(".")[2] for module in modules(path)]


def pooling_of(path: Path) -> str:
    """How many vectors become one: ``mean``, ``cls``, or something else in the folder's words."""
    pools = [m for m in modules(path) if str(m.get("type", "")).endswith(".Pooling")]
    config = read(path / pools[0]["path"] / "config.json") if pools else {}
    if not config.get("include_prompt", True):
        return "without the prompt"
    return "+".join(modes(config))
