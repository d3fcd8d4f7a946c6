"""The sizes of a model, told by its files."""

from pathlib import Path

import pytest

from noria.errors import ModelError
from noria.tune.shape import shaped
from noria.tune.weights import Movable, moving, prepared


def test_the_shape_is_told_by_the_files(tiny_folder: Path) -> None:
    model = prepared(tiny_folder, Movable("full"), seed=0)
    shape = shaped(tiny_folder)
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())
    assert (shape.embedded, shape.hidden, shape.layers, shape.vocabulary) == (96 * 32, 32, 2, 96)
    # q and o, k and v, gate and up and down, in each of two layers
    assert shape.linear == 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64)
    assert shape.largest == 32 * 64
    assert shape.stored == (tiny_folder / "model.safetensors").stat().st_size
    adapter = moving(prepared(tiny_folder, Movable("lora", rank=4), seed=0))
    assert 4 * shape.width == sum(weight.numel() for weight in adapter.values())


def test_a_folder_without_a_model_is_no_base(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"its size cannot be told.*expected the config\.json"):
        shaped(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((tiny_folder / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text('{"vocab_size": 96, "n_embd": 32}', encoding="utf-8")
    with pytest.raises(ModelError, match="no num_hidden_layers"):
        shaped(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\x08" + b"\0" * 20)
    with pytest.raises(ModelError, match="is no safetensors file"):
        shaped(tmp_path)
