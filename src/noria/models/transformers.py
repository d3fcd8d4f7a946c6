"""Says how likely a text is, with a causal language model in transformers, in float32."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noria.errors import ModelError, SourceError, UsageError
from noria.jobs import locked
from noria.models.cache import (
    FILES,
    Manifest,
    combined,
    default_cache,
    digest_of,
    digests,
    filling,
    read_manifest,
    write_manifest,
)
from noria.types import Likelihood, Prompt


@dataclass(frozen=True, slots=True)
class _Scored:
    """Token ids of a prompt with its continuation, which begins at ``start``."""

    place: int
    ids: tuple[int, ...]
    start: int


class TransformersScorer:
    """Log-probabilities from a Hugging Face folder, or from a GGUF file converted once.

    ``batch`` texts of similar length go through the model together. Raises SourceError for a
    missing path and ModelError for one that cannot be loaded.
    """

    def __init__(
        self, path: Path, *, batch: int = 8, cache: Path | None = None, device: str = "cpu"
    ) -> None:
        if not path.exists():
            raise SourceError(f"{path}: no such model; check the path, or run: noria models pull")
        self._path = path
        folder = path if path.is_dir() else converted(path, cache or default_cache())
        self._tokenizer, self._model = loaded(folder)
        self._model.to(device)
        self._batch, self._device = batch, device
        self._lock = threading.Lock()  # tokenizers keep state during a call

    @property
    def fingerprint(self) -> str:
        """Digest of the weights."""
        return digest_of(self._path)

    def score(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> list[Likelihood]:
        """Log-probability of each continuation after the prompt at the same place.

        Raises UsageError for an empty continuation or unequal lengths, ModelError where the
        tokenizer would merge the prompt's end with the continuation, or a text is too long.
        """
        if len(prompts) != len(continuations):
            raise UsageError(
                f"{len(prompts)} prompts for {len(continuations)} continuations; pair them"
            )
        with self._lock:
            pairs = [
                self._tokens(i, *pair)
                for i, pair in enumerate(zip(prompts, continuations, strict=True))
            ]
        ordered = sorted(pairs, key=lambda pair: len(pair.ids))  # little padding in a batch
        found: dict[int, Likelihood] = {}
        for first in range(0, len(ordered), self._batch):
            found |= self._likelihoods(ordered[first : first + self._batch])
        return [found[i] for i in range(len(prompts))]

    def _tokens(self, place: int, prompt: Prompt, continuation: str) -> _Scored:
        """Tokens of the pair, with the continuation's first token its own."""
        if not continuation:
            raise UsageError(f"continuation {place} is empty; there is nothing to score")
        text, special = self._written(prompt)
        before = self._ids(text, special)
        whole = self._ids(text + continuation, special)
        if not before and self._tokenizer.bos_token_id is not None:
            before, whole = (self._tokenizer.bos_token_id,), (self._tokenizer.bos_token_id, *whole)
        if not before:
            raise UsageError(
                f"prompt {place} is empty, and this model has no start token; give one"
            )
        if whole[: len(before)] != before or len(whole) == len(before):
            raise ModelError(
                f"the tokenizer merges the end of prompt {place} with its continuation "
                f"({text[-12:]!r} + {continuation[:12]!r}); "
                "let the space begin the continuation, not end the prompt"
            )
        longest = getattr(self._model.config, "max_position_embeddings", None)
        if longest and len(whole) > longest:
            raise ModelError(
                f"prompt {place} with its continuation has {len(whole)} tokens, "
                f"the model reads {longest}; shorten it"
            )
        return _Scored(place, whole, len(before))

    def _written(self, prompt: Prompt) -> tuple[str, bool]:
        """The prompt as text, and whether the tokenizer adds its start token (templates do)."""
        if isinstance(prompt, str):
            return prompt, True
        messages = [{"role": m.role, "content": m.content} for m in prompt]
        if not self._tokenizer.chat_template:
            raise ModelError(f"{self._path}: the model has no chat template; use string prompts")
        text: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return text, False

    def _ids(self, text: str, special: bool) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=special)["input_ids"])

    def _likelihoods(self, batch: Sequence[_Scored]) -> dict[int, Likelihood]:
        import torch

        longest = max(len(pair.ids) for pair in batch)
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, pair in enumerate(batch):  # right padding: positions stay those of the text
            ids[row, : len(pair.ids)] = torch.tensor(pair.ids)
            mask[row, : len(pair.ids)] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        first = min(pair.start for pair in batch) - 1  # the token before predicts the first
        with torch.inference_mode():
            # Only from there on: a vocabulary of logits a token is most of the memory.
            logits = self._model(
                input_ids=ids,
                attention_mask=mask,
                use_cache=False,
                logits_to_keep=torch.arange(first, longest - 1, device=ids.device),
            ).logits.float()
        return {
            pair.place: likelihood(logits[row], ids[row], pair, first)
            for row, pair in enumerate(batch)
        }


def likelihood(logits: Any, ids: Any, pair: _Scored, first: int) -> Likelihood:
    """Sum the log-probabilities of the continuation's tokens.

    ``logits[i]`` predicts the token at ``first + i + 1``.
    """
    end = len(pair.ids)
    rows = logits[pair.start - 1 - first : end - 1 - first]
    chosen = rows.gather(1, ids[pair.start : end, None])[:, 0]
    total = (chosen - rows.logsumexp(dim=1)).double().sum()
    return Likelihood(float(total), end - pair.start)


def loaded(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a Hugging Face folder. Raises ModelError if they cannot be loaded."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from noria.models.quiet import quiet

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{folder}: transformers cannot load it ({error}); it needs config.json, "
            "tokenizer files and safetensors of a causal language model"
        ) from None
    return tokenizer, model.eval()


def converted(path: Path, cache: Path) -> Path:
    """A Hugging Face folder made of a GGUF file, kept in ``cache`` by the file's digest.

    The weights are those of the file, de-quantized to float32: some 20 s for 135 million
    parameters, once. Raises ModelError if transformers cannot read the file.
    """
    digest = digest_of(path, cache)
    entry = cache / "converted" / f"{digest[:32]}.weights"
    if held := read_manifest(entry):
        return entry / FILES / held.name
    with locked(entry.with_suffix(".lock"), f"converting {path.name}", timeout=-1):
        held = read_manifest(entry)
        if held is None:
            with filling(entry) as building:
                folder = building / FILES / path.stem
                convert(path, folder)
                files = digests(folder)
                held = Manifest(f"gguf:{digest}", folder.name, combined(folder, files), files)
                write_manifest(building, held)
    return entry / FILES / held.name


def convert(path: Path, folder: Path) -> None:
    """Write a GGUF file's weights and tokenizer as a Hugging Face folder."""
    import io
    from contextlib import redirect_stderr

    from transformers import AutoTokenizer

    from noria.models.quiet import quiet

    try:
        # The bar of the de-quantization cannot be switched off, only sent elsewhere.
        with quiet(), redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
            model = dequantized(path)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except Exception as error:  # a damaged file breaks its readers in every way
        raise ModelError(
            f"{path}: transformers cannot read this GGUF ({error}); "
            "give the scorer a Hugging Face folder"
        ) from None


def dequantized(path: Path) -> Any:
    """A model with a GGUF file's weights in float32.

    ``from_pretrained(gguf_file=…)`` would need accelerate, take half as long again, and return a
    model flagged as quantized that refuses to be saved.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    read = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)
    result = model.load_state_dict(read["tensors"], strict=False)
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    wrong = (set(result.missing_keys) - tied) | set(result.unexpected_keys)
    if wrong:
        raise ValueError(f"weights that do not fit: {', '.join(sorted(wrong)[:3])}")
    model.tie_weights()
    return model
