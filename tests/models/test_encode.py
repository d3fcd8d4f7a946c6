"""A tiny, random BERT in a folder like a publisher's: nothing is fetched."""

import json
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import ModelError, SourceError
from noria.models.bert import Bert, batched, computes, dismiss
from noria.models.encode import FEW, General, SentenceEncoder
from noria.testing.laws import check_encoder
from tiny_encoder import WIDTH, tiny_encoder, write

WORDS = ["a", "water", "wheel", "lifts", "tax"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder"), WORDS, {"query": "query: "})


def variant(folder: Path, path: Path, family: str, pooling: str | list[str]) -> Path:
    """The same encoder pooled in another way, or with a random RoBERTa in its place."""
    import torch
    from transformers import RobertaConfig, RobertaModel

    shutil.copytree(folder, path)
    write(path / "1_Pooling" / "config.json",
          {"embedding_dimension": WIDTH, "pooling_mode": pooling})  # fmt: skip
    if family == "roberta":
        known = json.loads((path / "config.json").read_text())
        torch.manual_seed(1)
        kept = ("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size")
        config = RobertaConfig(
            **{name: known[name] for name in kept},
            num_hidden_layers=2,
            max_position_embeddings=32,
            type_vocab_size=1,
            pad_token_id=0,
        )
        RobertaModel(config).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceEncoder:
    return SentenceEncoder(folder)


def test_the_files_say_everything_but_the_vectors(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from noria.models.encode import SentenceEncoder;"
        f"e = SentenceEncoder(Path({str(folder)!r}));"
        "print(e.dimension, e.max_tokens, e.count('a water wheel'), e.fingerprint,"
        "[m for m in ('torch', 'transformers', 'sentence_transformers') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = SentenceEncoder(folder)
    assert run.stdout.split() == [str(WIDTH), "10", "3", here.fingerprint, "[]"]


def test_rows_are_unit_float32_in_the_order_of_the_texts(encoder: SentenceEncoder) -> None:
    texts = ["a water wheel lifts water", "tax", "a wheel"]
    rows = encoder.encode_passages(texts)
    assert rows.shape == (3, WIDTH)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    for text, row in zip(texts, rows, strict=True):
        assert np.allclose(encoder.encode_passages([text])[0], row, atol=1e-5)


def test_nothing_in_nothing_out(encoder: SentenceEncoder) -> None:
    assert encoder.encode_queries([]).shape == (0, WIDTH)


def test_questions_get_the_models_own_prompt(encoder: SentenceEncoder, folder: Path) -> None:
    asked = encoder.encode_queries(["water"])
    assert np.allclose(asked, encoder.encode_passages(["query: water"]), atol=1e-5)
    assert not np.allclose(asked, encoder.encode_passages(["water"]), atol=1e-3)


def test_a_prompt_costs_room_and_changes_the_fingerprint(folder: Path) -> None:
    plain, prompted = SentenceEncoder(folder), SentenceEncoder(folder, passage_prompt="a tax: ")
    assert prompted.max_tokens == plain.max_tokens - 3
    assert prompted.fingerprint != plain.fingerprint == SentenceEncoder(folder).fingerprint


def test_it_reads_max_tokens_and_no_more(encoder: SentenceEncoder) -> None:
    full = " ".join(["wheel"] * encoder.max_tokens)
    rows = encoder.encode_passages([full, f"{full} tax tax", full.removesuffix(" wheel") + " tax"])
    assert np.allclose(rows[0], rows[1], atol=1e-6)
    assert not np.allclose(rows[0], rows[2], atol=1e-3)


def test_threads_may_share_it(encoder: SentenceEncoder) -> None:
    with ThreadPoolExecutor(4) as pool:
        # more at once than are remembered: each is computed
        rows = list(pool.map(encoder.encode_passages, [["a wheel"] * (FEW + 1)] * 16))
    assert all(np.allclose(row, rows[0], atol=1e-6) for row in rows)


def test_what_an_answer_asks_twice_is_computed_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, computed = SentenceEncoder(folder), []
    forward = encoder._computed

    def counted(texts: list[str], prompt: str) -> object:
        computed.append(list(texts))
        return forward(texts, prompt)

    monkeypatch.setattr(encoder, "_computed", counted)
    first = encoder.encode_passages(["a well", "a wheel", "a well"])
    again = encoder.encode_passages(["a wheel", "a well", "a bucket"])
    assert computed == [["a well", "a wheel"], ["a bucket"]]
    assert (first[0] == again[1]).all()
    assert (first[0] == first[2]).all()
    first[0] = 0.0  # whoever changes a row changes nobody else's
    assert encoder.encode_passages(["a well"]).any()
    encoder.encode_passages(["x" * 501] * 2)
    encoder.encode_passages(["x" * 501])
    assert computed[2:] == [["x" * 501]] * 2  # long ones would fill the memory


def test_it_is_silent(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    SentenceEncoder(folder).encode_passages(["a wheel"])
    assert capfd.readouterr() == ("", "")


def test_what_is_no_encoder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        SentenceEncoder(tmp_path / "absent")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        SentenceEncoder(tmp_path)


def test_common_encoders_need_no_sentence_transformers(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from noria.models.encode import SentenceEncoder;"
        f"SentenceEncoder(Path({str(folder)!r}), device='cpu').encode_queries(['a wheel']);"
        "print(*{'transformers', 'sentence_transformers'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not run.stdout.split()


TEXTS = [
    *(" ".join([":", *WORDS][(i + j) % 6] for j in range(i % 14)) for i in range(400)),
    "a water wheel lifts water " * 30,  # longer than what is read
]


@pytest.mark.parametrize("family", ["bert", "roberta"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_quick_way_gives_what_sentence_transformers_does(
    folder: Path, tmp_path: Path, family: str, pooling: str
) -> None:
    path = variant(folder, tmp_path / "variant", family, pooling)
    assert computes(path)
    expected = General(path, 32, "cpu").encode(TEXTS, "query: ")
    assert np.abs(Bert(path, 12).encode(TEXTS, "query: ") - expected).max() < 1e-5


def test_a_vector_does_not_depend_on_the_texts_beside_it(folder: Path) -> None:
    encoder = SentenceEncoder(folder, device="cpu")
    together = encoder.encode_passages(TEXTS)
    assert np.abs(encoder.encode_passages(TEXTS[::-1])[::-1] - together).max() < 1e-5
    for i in (0, 1, 13, 399, 400):
        assert np.abs(encoder.encode_passages([TEXTS[i]])[0] - together[i]).max() < 1e-5


@pytest.mark.parametrize("quick", [True, False])
def test_the_laws_hold_both_ways(folder: Path, tmp_path: Path, quick: bool) -> None:
    path = variant(folder, tmp_path / "variant", "bert", "mean" if quick else "max")
    assert computes(path) == quick
    texts = ["a water wheel", "tax", "", "a water wheel lifts water " * 9]
    check_encoder(SentenceEncoder(path, device="cpu"), texts)


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("config.json", "model_type", "modernbert"),
        ("config.json", "hidden_act", "relu"),
        ("config.json", "position_embedding_type", "relative_key"),
        ("sentence_bert_config.json", "do_lower_case", True),
        ("1_Pooling/config.json", "pooling_mode_max_tokens", True),
        ("1_Pooling/config.json", "include_prompt", False),
    ],
)
def test_what_it_does_not_know_is_left_to_sentence_transformers(
    folder: Path, tmp_path: Path, file: str, key: str, value: object
) -> None:
    path = tmp_path / "other"
    shutil.copytree(folder, path)
    assert computes(path)
    write(path / file, {**json.loads((path / file).read_text()), key: value})
    assert not computes(path)


def test_two_poolings_are_side_by_side(folder: Path, tmp_path: Path) -> None:
    path = variant(folder, tmp_path / "variant", "bert", ["mean", "cls"])
    assert not computes(path)
    encoder = SentenceEncoder(path, device="cpu")
    assert encoder.encode_queries(["a wheel"]).shape == (1, 2 * WIDTH) == (1, encoder.dimension)


def test_another_module_is_left_to_sentence_transformers(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "dense"
    shutil.copytree(folder, path)
    listed = json.loads((path / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    write(path / "modules.json", [*listed[:2], dense])
    assert not computes(path)


def test_weights_of_another_model_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "deeper"
    shutil.copytree(folder, path)
    write(
        path / "config.json",
        {**json.loads((path / "config.json").read_text()), "num_hidden_layers": 3},
    )
    with pytest.raises(ModelError, match=r"encoder\.layer\.2"):
        SentenceEncoder(path, device="cpu").encode_queries(["a wheel"])


def test_torch_keeps_its_threads(folder: Path) -> None:
    import torch

    before = torch.get_num_threads()
    encoder = SentenceEncoder(folder, device="cpu")
    encoder.encode_passages(TEXTS)
    encoder.encode_queries(["a wheel"])
    assert torch.get_num_threads() == before


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 60))
def test_batches_hold_each_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(batched(lengths, budget))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(b) == 1 or sum(lengths[i] for i in b) <= budget for b in batches)


def test_idle_threads_can_be_ended(encoder: SentenceEncoder) -> None:
    def threads() -> list[str]:
        return [each.name for each in threading.enumerate() if each.name.startswith("noria-que")]

    before = encoder.encode_queries(WORDS)
    assert threads()
    dismiss()
    assert not threads()
    dismiss()
    assert np.array_equal(encoder.encode_queries(WORDS), before)


def test_each_batch_has_one_thread_of_torch_whatever_others_have() -> None:
    """torch gave threads that had not asked yet the number that was set last."""
    import torch

    from noria.models.bert import started

    pool = started("test")
    torch.set_num_threads(torch.get_num_threads())
    assert pool.submit(torch.get_num_threads).result() == 1
    pool.shutdown()
