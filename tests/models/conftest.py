"""Fixtures of this folder; what they are made of is in sites.py and tiny_llama.py."""

from typing import Any

import pytest
from sites import cache, site, wheel

__all__ = ["cache", "site", "wheel"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny Llama as a folder and a GGUF file, with two adapters; ``tiny_llama.Tiny``."""
    from tiny_llama import tiny_models  # torch: not for every test of this folder

    return tiny_models(tmp_path_factory.mktemp("tiny"))
