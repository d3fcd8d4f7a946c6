"""A tiny, random Llama with a tokenizer of words and spaces: nothing is fetched."""

import os
from pathlib import Path
from typing import Any

import pytest

from noria.config import GENERATOR
from noria.errors import ModelError, SourceError, UsageError
from noria.models.transformers import TransformersScorer, loaded
from noria.types import Message

TEMPLATE = (
    "{% for m in messages %}{{ m['content'] + ' |' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' said' }}{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("llama")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        ["a wheel lifts water", "the wheel turns"] * 20,
        trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(path)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.5,  # so that probabilities differ
    )
    LlamaForCausalLM(config).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def scorer(folder: Path) -> TransformersScorer:
    return TransformersScorer(folder, at_once=32)


def by_labels(folder: Path, prompt: str, continuation: str) -> tuple[float, int]:
    """What transformers' own loss says: the reference."""
    import torch

    tokenizer, model = loaded(folder)
    ids: Any = torch.tensor([tokenizer(prompt + continuation)["input_ids"]])
    start = len(tokenizer(prompt)["input_ids"])
    labels = ids.clone()
    labels[:, :start] = -100
    with torch.inference_mode():
        loss = model(input_ids=ids, labels=labels).loss
    tokens = ids.shape[1] - start
    return -float(loss) * tokens, tokens


def test_it_says_what_the_models_own_loss_says(folder: Path, scorer: TransformersScorer) -> None:
    pairs = [
        ("a wheel", " lifts water"),
        ("the", " wheel turns a wheel lifts water"),
        ("a wheel lifts water the wheel turns", " a"),
        ("é", "ü 🦜"),
        ("wheel wheel", "\nthe end"),
    ]
    scores = scorer.score([p for p, _ in pairs], [c for _, c in pairs])
    for (prompt, continuation), score in zip(pairs, scores, strict=True):
        logprob, tokens = by_labels(folder, prompt, continuation)
        assert score.tokens == tokens
        assert score.logprob == pytest.approx(logprob, abs=1e-3)


def test_a_chat_goes_through_the_template(scorer: TransformersScorer) -> None:
    chat, plain = scorer.score([(Message("user", "a wheel"),), "a wheel | said"], [" lifts"] * 2)
    assert chat.logprob == pytest.approx(plain.logprob, abs=1e-4)


def test_a_merged_boundary_is_refused(scorer: TransformersScorer) -> None:
    with pytest.raises(ModelError, match="merges the end of prompt 0"):
        scorer.score(["the whe"], ["el"])


def test_bad_input_is_refused(scorer: TransformersScorer) -> None:
    with pytest.raises(UsageError, match="empty"):
        scorer.score(["a"], [""])
    with pytest.raises(UsageError, match="start token"):
        scorer.score([""], ["a"])
    with pytest.raises(UsageError, match="1 prompts for 2"):
        scorer.score(["a"], ["b", "c"])
    with pytest.raises(ModelError, match="the model reads 64"):
        scorer.score(["é" * 60], [" a"])
    assert scorer.score([], []) == []


def test_it_loads_in_silence(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    TransformersScorer(folder).score(["a"], [" wheel"])
    assert capfd.readouterr() == ("", "")


def test_what_is_no_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SourceError, match="no such model"):
        TransformersScorer(tmp_path / "absent")
    with pytest.raises(ModelError, match="cannot load"):
        TransformersScorer(tmp_path)
    (tmp_path / "bad.gguf").write_bytes(b"GGUF and nothing else")
    with pytest.raises(ModelError, match="cannot read this GGUF"):
        TransformersScorer(tmp_path / "bad.gguf")


@pytest.mark.net
@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NORIA_NET") != "1", reason="NORIA_NET is not 1")
def test_the_default_generator_is_converted_once() -> None:
    from noria.models.sources import fetch

    scorer = TransformersScorer(fetch(GENERATOR))
    paris, banana = scorer.score(["The capital of France is"] * 2, [" Paris", " banana"])
    assert paris.logprob > -1 > -10 > banana.logprob
