"""The reading adapter that comes with Noria is the one that its release names."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from noria.config import GENERATOR
from noria.models.adapters import CONFIG, WEIGHTS
from noria.models.reader import FOLDER, told
from noria.models.sources import digest_of, fetch
from noria.store.artifacts import digest_at
from noria.store.releases import from_json


def test_it_is_the_adapter_of_its_release(tmp_path: Path) -> None:
    for name in (WEIGHTS, CONFIG):
        shutil.copy(FOLDER / name, tmp_path)
    assert digest_at(tmp_path) == from_json(told()).parts["adapter"]


def test_it_fits_into_a_wheel_and_has_a_card() -> None:
    assert (FOLDER / WEIGHTS).stat().st_size < 10_000_000
    assert from_json(told()).id in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_its_numbers_are_numbers() -> None:
    tensors = load_file(FOLDER / WEIGHTS)
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float16)}
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())


@pytest.mark.net
def test_it_stands_on_the_default_generator() -> None:
    assert digest_of(fetch(GENERATOR)) == from_json(told()).parts["base"]
