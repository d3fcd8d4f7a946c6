"""Whether a served model is the trained one: the same token ids, the same next token as likely.

Asked are prompts that the trainer and the server each read by themselves. A difference that hardly
shows in answers, such as an adapter exported with rows in the wrong order, shows here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from noria.errors import ModelError, UsageError
from noria.models.adapters import adapted
from noria.models.llamacpp import LlamaCpp, Prediction
from noria.types import Prompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BOUND = 2e-5  # nats; exact exports had 3e-6 at most, a weak adapter in wrong order 6e-5

Ids = Callable[[Prompt], Sequence[int]]


class Side(Protocol):
    """A model that says what it reads and what it expects next."""

    def predict(self, prompt: Prompt) -> Prediction:
        """The token ids of ``prompt`` and how likely each token is to follow them."""
        ...


@dataclass(frozen=True, slots=True)
class Parity:
    """What ``prompts`` prompts found.

    ``unequal``: the places of those with other token ids. ``mean_kl`` and ``max_kl``: the
    Kullback-Leibler divergence of the server's next token from the trainer's, in nats, over the
    other prompts; ``worst`` is the place of the largest, -1 if there is none.
    """

    prompts: int
    unequal: tuple[int, ...]
    mean_kl: float
    max_kl: float
    worst: int

    @property
    def token_ids_equal(self) -> bool:
        """Whether both read every prompt alike."""
        return not self.unequal


class Trained:
    """A Hugging Face folder in transformers, in float32, with the PEFT ``adapter`` if one is named.

    ``ids`` renders a prompt as training does; without it, the folder's own tokenizer and template.
    Raises ModelError for what cannot be loaded.
    """

    def __init__(self, folder: Path, adapter: Path | None = None, ids: Ids | None = None) -> None:
        from noria.models.transformers import loaded

        self._tokenizer, self._model = loaded(folder)
        if adapter is not None:
            self._model = adapted(self._model, adapter)
        self._ids = ids or self._rendered

    def predict(self, prompt: Prompt) -> Prediction:
        """The token ids of ``prompt`` and the log-probabilities after the last."""
        import torch

        ids = tuple(self._ids(prompt))
        with torch.inference_mode():
            inputs = torch.tensor([ids])
            logits = self._model(input_ids=inputs, use_cache=False, logits_to_keep=1).logits[0, -1]
            logprobs = logits.double().log_softmax(dim=0)
        return Prediction(ids, dict(enumerate(logprobs.tolist())))

    def _rendered(self, prompt: Prompt) -> Sequence[int]:
        if isinstance(prompt, str):
            found: list[int] = self._tokenizer(prompt)["input_ids"]
            return found
        text = self._tokenizer.apply_chat_template(
            [{"role": m.role, "content": m.content} for m in prompt],
            tokenize=False,
            add_generation_prompt=True,
        )
        found = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return found


@dataclass(frozen=True, slots=True)
class Served:
    """llama.cpp with one of its adapters, or with none."""

    llama: LlamaCpp
    adapter: int | None = None

    def predict(self, prompt: Prompt) -> Prediction:
        """The token ids of ``prompt`` and the log-probabilities after the last."""
        return self.llama.following(prompt, self.adapter)


def parity(trainer: Side, server: Side, prompts: Sequence[Prompt]) -> Parity:
    """Compare what both read and expect. Raises UsageError without prompts."""
    if not prompts:
        raise UsageError("no prompts, so nothing would be compared; give some like those asked")
    unequal: list[int] = []
    found: dict[int, float] = {}
    for place, prompt in enumerate(prompts):
        theirs, ours = trainer.predict(prompt), server.predict(prompt)
        if tuple(theirs.ids) != tuple(ours.ids):
            unequal.append(place)
        else:
            found[place] = divergence(theirs.logprobs, ours.logprobs)
    worst = max(found, key=lambda place: found[place], default=-1)
    mean = sum(found.values()) / len(found) if found else 0.0
    return Parity(len(prompts), tuple(unequal), mean, found.get(worst, 0.0), worst)


def check(found: Parity, bound: float = BOUND) -> None:
    """Raise ModelError where token ids differ, or a divergence is above ``bound`` nats.

    A rounded export (Q8_0, Q4_0) differs by 0.003 to 0.02 and needs another bound.
    """
    if found.unequal:
        raise ModelError(
            f"the served model reads {len(found.unequal)} of {found.prompts} prompts as other "
            f"tokens than the trained one (first: prompt {found.unequal[0]}); the GGUF file's "
            "tokenizer or template is not that of the folder trained on: export from one source"
        )
    if found.max_kl > bound:
        raise ModelError(
            f"the served model is not the trained one: their next tokens differ by "
            f"{found.max_kl:.2g} nats at prompt {found.worst}, at most {bound:.2g} were expected; "
            "check that adapter, base and kind of weights belong together"
        )


def divergence(expected: Mapping[int, float], found: Mapping[int, float]) -> float:
    """KL of two next-token distributions in nats, each made to sum to 1 first.

    llama.cpp's do not quite. Raises ModelError where they are not of the same tokens, or hold what
    is not a number.

    >>> divergence({0: -0.693147, 1: -0.693147}, {0: 0.0, 1: 0.0}) < 1e-12
    True
    >>> round(divergence({0: -0.693147, 1: -0.693147}, {0: -0.287682, 1: -1.386294}), 3)
    0.144
    """
    import numpy as np

    if expected.keys() != found.keys():
        raise ModelError(
            f"a trained model of {len(expected)} tokens, a served one of {len(found)}; "
            "they are not of one base"
        )
    order = sorted(expected)
    p, q = (normal(np.array([side[token] for token in order])) for side in (expected, found))
    found_kl = float(np.sum(np.exp(p) * (p - q)))
    if np.isnan(found_kl):
        raise ModelError("a probability is not a number; the weights are damaged, train again")
    return max(0.0, found_kl)


def normal(logprobs: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Log-probabilities that sum to 1."""
    import numpy as np

    highest = logprobs.max()
    whole: NDArray[np.float64] = logprobs - highest - np.log(np.exp(logprobs - highest).sum())
    return whole
