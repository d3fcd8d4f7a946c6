"""A tiny, random Llama with a tokenizer of words and spaces: nothing is fetched."""

import os
from pathlib import Path
from typing import Any

import pytest

from noria.config import GENERATOR
from noria.errors import ModelError, SourceError, UsageError
from noria.models.transformers import TransformersScorer, loaded
from noria.types import Likelihood, Message

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


def alike(folder: Path, path: Path, config: Any) -> Path:
    """A random model of another kind, with the tokenizer of ``folder``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoTokenizer.from_pretrained(folder).save_pretrained(path)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
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


WHEELS = "a wheel lifts water the wheel turns a wheel"
CHOICES = [" lifts water", " turns", " a", "\nthe wheel turns a wheel lifts water", " é", " lifts"]


def read_by(scorer: TransformersScorer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens the scorer's model was given each time; filled while it is used."""
    given: list[int] = []
    forward = scorer._model.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        given.append(kwargs["input_ids"].numel())
        return forward(*args, **kwargs)

    monkeypatch.setattr(scorer._model, "forward", counted)
    return given


def test_choices_of_one_prompt_do_not_see_each_other(
    folder: Path, scorer: TransformersScorer
) -> None:
    prompts = [WHEELS] * len(CHOICES) + ["the"] * len(CHOICES)
    scores = scorer.score(prompts, CHOICES * 2)
    assert scorer.packs
    for prompt, choice, score in zip(prompts, CHOICES * 2, scores, strict=True):
        logprob, tokens = by_labels(folder, prompt, choice)
        assert score.tokens == tokens
        assert score.logprob == pytest.approx(logprob, abs=1e-4)


def test_a_prompt_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = TransformersScorer(folder)
    assert scorer.packs  # is tried now, not while it is counted
    given = read_by(scorer, monkeypatch)
    scores = scorer.score([WHEELS] * len(CHOICES), CHOICES)
    prompt = len(loaded(folder)[0](WHEELS)["input_ids"])
    assert given == [prompt + sum(score.tokens for score in scores)]


def test_how_much_is_read_at_once_does_not_matter(folder: Path) -> None:
    prompts = [WHEELS] * len(CHOICES) + ["the", "the", "a wheel"]
    texts = [*CHOICES, " wheel", " water", " lifts"]
    few, some, all_ = (
        TransformersScorer(folder, at_once=at_once).score(prompts, texts)
        for at_once in (1, 24, 512)
    )
    for a, b, c in zip(few, some, all_, strict=True):
        assert a.tokens == b.tokens == c.tokens
        assert a.logprob == pytest.approx(c.logprob, abs=1e-4)
        assert b.logprob == pytest.approx(c.logprob, abs=1e-4)


def test_each_likelihood_is_told_once_and_early(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = TransformersScorer(folder, at_once=8)
    given, told = read_by(scorer, monkeypatch), {}
    behind = []

    def done(place: int, likelihood: Likelihood) -> None:
        assert place not in told
        told[place] = likelihood
        behind.append(len(given))

    scores = scorer.score(["a wheel", "the", WHEELS], [" lifts", " wheel", " turns"], done)
    assert scores == [told[place] for place in range(3)]
    assert len(given) == behind[-1] > behind[0]


@pytest.mark.parametrize("kind", ["mistral", "bloom", "mamba"])
def test_a_model_that_cannot_hide_choices_reads_each_alone(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoConfig

    sizes: dict[str, Any] = {
        "mistral": {"intermediate_size": 32, "num_key_value_heads": 2, "sliding_window": 4},
        "bloom": {},
        "mamba": {"state_size": 4, "expand": 1, "conv_kernel": 2},
    }
    config = AutoConfig.for_model(
        kind, vocab_size=300, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        initializer_range=0.5, **sizes[kind],
    )  # fmt: skip
    path = alike(folder, tmp_path / kind, config)
    scorer = TransformersScorer(path)
    assert not scorer.packs
    scores = scorer.score([WHEELS] * len(CHOICES), CHOICES)
    for choice, score in zip(CHOICES, scores, strict=True):
        logprob, tokens = by_labels(path, WHEELS, choice)
        assert (score.tokens, score.logprob) == (tokens, pytest.approx(logprob, abs=1e-3))


def test_learned_positions_restart_too(folder: Path, tmp_path: Path) -> None:
    from transformers import GPT2Config

    config = GPT2Config(
        vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.5
    )
    path = alike(folder, tmp_path / "gpt2", config)
    scorer = TransformersScorer(path)
    assert scorer.packs
    for choice, score in zip(CHOICES, scorer.score([WHEELS] * 6, CHOICES), strict=True):
        assert score.logprob == pytest.approx(by_labels(path, WHEELS, choice)[0], abs=1e-3)


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
