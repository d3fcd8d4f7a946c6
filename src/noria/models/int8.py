"""Weights in 8 bits for a GPU: LLM.int8() of Dettmers et al. (2022), by bitsandbytes.

llama.cpp does not read them; transformers does. What they compute is 16 bits wide.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noria.errors import MissingExtraError, ModelError
from noria.models.llamacpp import Prediction
from noria.models.quiet import quiet
from noria.types import Completion, Prompt, Sampling


def gpu() -> str:
    """The device for 8 bits. Raises ModelError where there is no GPU, with what to do instead."""
    import torch

    if not torch.cuda.is_available():
        raise ModelError(
            "int8 is made and served on a GPU, and torch finds none here; use --to q8_0, which is "
            "as small and runs on a CPU, or run this on a machine with a GPU"
        )
    return "cuda:0"


def write(folder: Path, target: Path, device: str) -> Path:
    """Write a Hugging Face folder with the matrices of its layers in 8 bits; embeddings stay.

    Raises ModelError where the folder cannot be loaded.
    """
    from transformers import AutoTokenizer, BitsAndBytesConfig

    config = BitsAndBytesConfig(load_in_8bit=True)
    model = opened(folder, device, narrow=True, quantization_config=config)
    with quiet():
        model.save_pretrained(target, safe_serialization=True)
        AutoTokenizer.from_pretrained(folder, local_files_only=True).save_pretrained(target)
    return target


def opened(folder: Path, device: str, narrow: bool, **more: Any) -> Any:
    """A model of transformers on ``device`` in float32, or in float16 where a GPU is ``narrow``.

    Raises ModelError for what cannot be loaded, MissingExtraError without bitsandbytes.
    """
    import torch
    from transformers import AutoModelForCausalLM

    try:
        import bitsandbytes  # noqa: F401  # transformers' own error would name a pip command
    except ImportError:
        raise MissingExtraError("bitsandbytes", "tune") from None
    kind = torch.float16 if narrow and device != "cpu" else torch.float32
    try:
        with quiet():
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=kind,
                device_map={"": device},
                local_files_only=True,
                use_safetensors=True,
                **more,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{folder}: transformers cannot load it in 8 bits ({error}); it needs config.json and "
            "safetensors of a causal language model"
        ) from None
    return model.eval()


class Hosted:
    """A Hugging Face folder in transformers on ``device``, asked as the served models are.

    ``narrow``: what is not in 8 bits has 16 on a GPU. It writes greedily, one prompt at a time.
    Raises ModelError for what cannot be loaded.
    """

    def __init__(self, folder: Path, device: str, narrow: bool = False) -> None:
        from transformers import AutoTokenizer

        self._model = opened(folder, device, narrow)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._device = device

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""
        return int(self._model.config.max_position_embeddings)

    def count(self, text: str) -> int:
        """Number of tokens in ``text``."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def predict(self, prompt: Prompt) -> Prediction:
        """The token ids of ``prompt`` and the log-probabilities after the last."""
        import torch

        ids = self._ids(prompt)
        with torch.inference_mode(), narrowed():
            logits = self._model(input_ids=self._tensor(ids), use_cache=False).logits[0, -1]
            logprobs = logits.double().log_softmax(dim=0)
        return Prediction(ids, dict(enumerate(logprobs.tolist())))

    def batch(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        done: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Complete ``prompts``, in their order, greedily."""
        found = []
        for place, prompt in enumerate(prompts):
            found.append(self._written(self._ids(prompt), sampling))
            if done:
                done(place, found[-1])
        return found

    def _written(self, ids: tuple[int, ...], sampling: Sampling) -> Completion:
        """The completion of one prompt, up to the first of the texts that end it."""
        import torch

        with torch.inference_mode(), narrowed():
            whole = self._model.generate(
                input_ids=self._tensor(ids),
                attention_mask=torch.ones((1, len(ids)), dtype=torch.long, device=self._device),
                max_new_tokens=sampling.max_tokens,
                do_sample=False,
                stop_strings=list(sampling.stop) or None,
                tokenizer=self._tokenizer,
                pad_token_id=self._tokenizer.eos_token_id,
            )[0].tolist()
        after = whole[len(ids) :]
        text = str(self._tokenizer.decode(after, skip_special_tokens=True))
        ends = [text.find(stop) for stop in sampling.stop if stop in text]
        cut = len(after) >= sampling.max_tokens and not ends
        return Completion(
            text[: min(ends)] if ends else text, "length" if cut else "stop", len(ids), len(after)
        )

    def _ids(self, prompt: Prompt) -> tuple[int, ...]:
        if isinstance(prompt, str):
            return tuple(self._tokenizer(prompt)["input_ids"])
        text = self._tokenizer.apply_chat_template(
            [{"role": m.role, "content": m.content} for m in prompt],
            tokenize=False,
            add_generation_prompt=True,
        )
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _tensor(self, ids: Sequence[int]) -> Any:
        import torch

        return torch.tensor([list(ids)], device=self._device)


@contextmanager
def narrowed() -> Iterator[None]:
    """Without a word of bitsandbytes, at each layer, that inputs become 16 bits wide."""
    log = logging.getLogger("bitsandbytes.autograd._functions")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
