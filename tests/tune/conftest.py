from pathlib import Path

import pytest

from tiny_model import tiny


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as a Hugging Face folder; its embeddings are wide enough to be learnt with."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny(initializer_range=0.3).save_pretrained(folder)
    return folder
