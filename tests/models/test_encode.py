"""A tiny, random BERT in a folder like a publisher's: nothing is fetched."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from noria.errors import ModelError, SourceError
from noria.models.encode import SentenceEncoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", ":", "a", "water", "wheel", "lifts", "tax"]
WIDTH = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(path)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(path)
    write(path / "sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": False})
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    write(
        path / "modules.json",
        [
            {"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{kind}"}
            for i, (p, kind) in enumerate(kinds.items())
        ],
    )
    (path / "1_Pooling").mkdir()
    write(
        path / "1_Pooling" / "config.json",
        {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True},
    )
    write(path / "config_sentence_transformers.json", {"prompts": {"query": "query: "}})
    return path


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


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
        rows = list(pool.map(encoder.encode_passages, [["a wheel"]] * 16))
    assert all(np.allclose(row, rows[0], atol=1e-6) for row in rows)


def test_it_is_silent(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    SentenceEncoder(folder).encode_passages(["a wheel"])
    assert capfd.readouterr() == ("", "")


def test_what_is_no_encoder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        SentenceEncoder(tmp_path / "absent")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        SentenceEncoder(tmp_path)
