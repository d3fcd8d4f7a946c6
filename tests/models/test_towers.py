"""Two towers: questions by the taught one, passages by the one that made the index."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noria.errors import ModelError
from noria.models.bert import Bert
from noria.models.encode import General, SentenceEncoder, sentence_transformer
from noria.models.fake import FakeEncoder
from noria.models.towers import NOTE, Towers, save, towers
from noria.testing.laws import check_encoder
from tiny_encoder import tiny_encoder

WORDS = ["a", "water", "wheel", "lifts", "tax", "law", "who", "pays", "what", "turns"]
QUESTIONS = ["what lifts water", "who pays", "what turns a wheel and then some more of it again"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"), WORDS, {"query": "query: "})


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    """The encoder, moved as training would move it."""
    import torch

    model = sentence_transformer(folder, "cpu")
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return model.eval()


@pytest.fixture(scope="module")
def taught(folder: Path, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("taught") / "tower"
    save(model, path, SentenceEncoder(folder).fingerprint)
    return path


@pytest.fixture
def both(folder: Path, taught: Path) -> Towers:
    return towers(taught, SentenceEncoder(folder))


def test_they_keep_the_laws_of_encoders(both: Towers) -> None:
    check_encoder(both, ["a water wheel", "tax law", "who pays"])


def test_the_saved_tower_gives_the_vectors_of_the_trained_model(taught: Path, model: Any) -> None:
    expected = model.encode(QUESTIONS, prompt_name="query", normalize_embeddings=True)
    read = SentenceEncoder(taught)
    assert np.abs(read.encode_queries(QUESTIONS) - expected).max() < 1e-5
    general = General(taught, 32, "cpu").encode(QUESTIONS, "query: ")
    assert np.abs(general - expected).max() < 1e-5


def test_the_saved_tower_is_read_the_quick_way(taught: Path) -> None:
    read = SentenceEncoder(taught, device="cpu")
    read.encode_queries(["who pays"])
    assert isinstance(read._forward, Bert)


def test_the_saved_tower_reads_as_much_as_before(folder: Path, taught: Path) -> None:
    assert SentenceEncoder(taught).max_tokens == SentenceEncoder(folder).max_tokens
    assert SentenceEncoder(taught).count("a wheel") == SentenceEncoder(folder).count("a wheel")


def test_weights_are_safetensors_and_nothing_is_pickled(taught: Path) -> None:
    kinds = {path.suffix for path in taught.rglob("*") if path.is_file()}
    assert kinds <= {".json", ".safetensors", ".txt"}
    assert ".safetensors" in kinds


def test_questions_are_encoded_by_one_and_passages_by_the_other(
    both: Towers, folder: Path, taught: Path
) -> None:
    base, tuned = SentenceEncoder(folder), SentenceEncoder(taught)
    assert np.array_equal(both.encode_passages(QUESTIONS), base.encode_passages(QUESTIONS))
    assert np.array_equal(both.encode_queries(QUESTIONS), tuned.encode_queries(QUESTIONS))
    assert np.abs(both.encode_queries(QUESTIONS) - base.encode_queries(QUESTIONS)).max() > 1e-3


def test_the_index_knows_them_as_the_encoder_of_its_passages(both: Towers, folder: Path) -> None:
    base = SentenceEncoder(folder)
    assert both.fingerprint == base.fingerprint
    assert (both.dimension, both.max_tokens) == (base.dimension, base.max_tokens)


def test_a_release_tells_them_from_the_encoder_and_from_other_towers(
    both: Towers, folder: Path, taught: Path, model: Any, tmp_path: Path
) -> None:
    import torch

    base = SentenceEncoder(folder)
    with torch.no_grad():
        weight = next(iter(model.parameters()))
        weight.add_(0.5)
    save(model, tmp_path / "other", base.fingerprint)
    with torch.no_grad():
        weight.sub_(0.5)
    again, other = towers(taught, base), towers(tmp_path / "other", base)
    assert both.digest == again.digest
    assert len({both.digest, other.digest, base.fingerprint}) == 3


def test_a_tower_for_other_passages_is_refused(taught: Path, folder: Path) -> None:
    other = SentenceEncoder(folder, passage_prompt="a tax: ")
    with pytest.raises(ModelError, match="passages of another encoder"):
        towers(taught, other)


def test_a_folder_that_does_not_say_what_it_was_taught_for_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match=NOTE):
        towers(folder, SentenceEncoder(folder))


def test_towers_of_different_width_are_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="from the same encoder"):
        Towers(SentenceEncoder(folder), FakeEncoder(dimension=8))


def test_neither_tower_is_loaded_before_something_is_encoded(folder: Path, taught: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from noria.models.encode import SentenceEncoder;"
        "from noria.models.towers import towers;"
        f"t = towers(Path({str(taught)!r}), SentenceEncoder(Path({str(folder)!r})));"
        "print(t.digest, t.fingerprint, t.dimension,"
        "[m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    both = towers(taught, SentenceEncoder(folder))
    assert run.stdout.split() == [both.digest, both.fingerprint, str(both.dimension), "[]"]


def test_a_damaged_folder_is_said(taught: Path, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"type": "x.Transformer", "path": ""}]))
    with pytest.raises(ModelError, match="fetch it again"):
        sentence_transformer(tmp_path)
