from dataclasses import replace
from pathlib import Path

import pytest

from noria.errors import ModelError, UsageError
from noria.models.adapters import export, gguf_of
from noria.models.layout import Layout
from noria.models.llamacpp import LlamaCpp, Prediction
from noria.models.parity import Parity, Served, Trained, check, divergence, parity
from noria.types import Message, Prompt
from tiny_llama import Tiny, adapter, hugging_face

PROMPTS: list[Prompt] = [
    "The wheel lifts water, the the river turns the wheel.",
    "<s>marks are tokens</s>",
    "Zwölf große Räder 🦜",
    "ab",  # what follows is half a character
    (Message("system", "Be brief."), Message("user", "What is a noria?")),
]


def compared(tiny: Tiny, trained: Path | None, base: Path, *exported: Path) -> Parity:
    with LlamaCpp(base, context=128, parallel=1, threads=1, adapters=exported) as llama:
        return parity(
            Trained(tiny.folder, trained), Served(llama, 0 if exported else None), PROMPTS
        )


def test_an_exact_export_passes(tiny: Tiny) -> None:
    found = compared(tiny, tiny.adapters[0], tiny.base, tiny.exported[0])
    check(found)
    assert (found.prompts, found.token_ids_equal) == (5, True)
    assert 0 <= found.mean_kl <= found.max_kl < 1e-5


@pytest.mark.parametrize("strength", [0.3, 0.03])
def test_a_forgotten_permutation_is_caught(
    tiny: Tiny, strength: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = adapter(tmp_path / "adapter", tiny.folder, strength=strength)
    right = compared(tiny, made, tiny.base, export(made, tiny.base, tmp_path / "right"))
    monkeypatch.setattr(Layout, "turned", lambda self, name, weight: weight)
    found = compared(tiny, made, tiny.base, export(made, tiny.base, tmp_path / "wrong"))
    assert found.token_ids_equal
    assert found.max_kl > 100 * right.max_kl
    with pytest.raises(ModelError, match="next tokens differ"):
        check(found)
    whole = gguf_of(tiny.folder, tiny.base, tmp_path / "whole.gguf")
    with pytest.raises(ModelError, match="next tokens differ"):
        check(compared(tiny, None, whole))


def test_the_wrong_adapter_and_none_are_caught(tiny: Tiny) -> None:
    for served in ((tiny.exported[1],), ()):
        with pytest.raises(ModelError, match="is not the trained one"):
            check(compared(tiny, tiny.adapters[0], tiny.base, *served))


def test_a_rounded_export_needs_its_own_bound(tiny: Tiny, tmp_path: Path) -> None:
    rounded = gguf_of(tiny.folder, tiny.base, tmp_path / "small.gguf", "Q8_0")
    found = compared(tiny, None, rounded)
    check(found, 0.02)
    with pytest.raises(ModelError, match="kind of weights"):
        check(found)


def test_another_template_is_caught(tiny: Tiny, tmp_path: Path) -> None:
    other = hugging_face(tmp_path / "model")
    text = (other / "chat_template.jinja").read_text()
    (other / "chat_template.jinja").write_text(text.replace(": ", ":"))
    with LlamaCpp(tiny.base, context=128, parallel=1, threads=1) as llama:
        found = parity(Trained(other), Served(llama), PROMPTS)
    assert found.unequal == (4,)
    with pytest.raises(ModelError, match="1 of 5 prompts as other tokens"):
        check(found)


def test_the_trainers_own_rendering_is_asked(tiny: Tiny) -> None:
    with LlamaCpp(tiny.base, context=128, parallel=1, threads=1) as llama:
        found = parity(Trained(tiny.folder, ids=lambda prompt: [5, 6]), Served(llama), PROMPTS[:1])
    assert found.unequal == (0,)


class Says:
    """Predicts as it is told."""

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction

    def predict(self, prompt: Prompt) -> Prediction:
        return self._prediction


HALVES = Prediction((1, 2), {0: -0.693147, 1: -0.693147})


def test_probabilities_are_made_to_sum_to_one() -> None:
    off = replace(HALVES, logprobs={0: -0.6929, 1: -0.6929})
    assert parity(Says(HALVES), Says(off), ["x"]).max_kl < 1e-12


def test_a_token_that_one_side_does_not_know_is_no_parity() -> None:
    with pytest.raises(ModelError, match="2 tokens, a served one of 3"):
        divergence(HALVES.logprobs, {**HALVES.logprobs, 2: -9.0})


def test_no_number_does_not_pass() -> None:
    off = replace(HALVES, logprobs={0: float("nan"), 1: -0.69})
    for pair in ((HALVES, off), (off, HALVES)):
        with pytest.raises(ModelError, match="not a number"):
            parity(*map(Says, pair), ["x"])


def test_what_one_finds_impossible_does_not_pass() -> None:
    sure = replace(HALVES, logprobs={0: 0.0, 1: float("-inf")})
    with pytest.raises(ModelError, match="differ by inf"):
        check(parity(Says(HALVES), Says(sure), ["x"]))


def test_without_prompts_nothing_is_said(tiny: Tiny) -> None:
    with pytest.raises(UsageError, match="no prompts"):
        parity(Says(HALVES), Says(HALVES), [])


def test_models_of_other_tokens(tiny: Tiny, tmp_path: Path) -> None:
    more = hugging_face(tmp_path / "model", vocab_size=300)
    with (
        LlamaCpp(tiny.base, context=128, parallel=1, threads=1) as llama,
        pytest.raises(ModelError, match="300 tokens, a served one of 261"),
    ):
        parity(Trained(more), Served(llama), PROMPTS)
