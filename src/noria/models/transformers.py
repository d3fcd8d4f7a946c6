"""Says how likely a text is, with a causal language model in transformers, in float32."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from noria.errors import ModelError, SourceError, UsageError
from noria.models.cache import default_cache, digest_of
from noria.models.gguf import converted
from noria.types import Likelihood, Prompt

AT_ONCE = 512  # tokens that go through the model together: more are no quicker on a CPU
SAME = 1e-3  # nats; one text read in two ways differs by less, in float32

Done = Callable[[int, Likelihood], None]


@dataclass(frozen=True, slots=True)
class _Pair:
    """Token ids of a prompt and of its continuation."""

    place: int
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """What the model reads as one: a prompt, and one continuation of it or several, in turn."""

    pairs: tuple[_Pair, ...]

    @property
    def before(self) -> tuple[int, ...]:
        return self.pairs[0].before

    @property
    def length(self) -> int:
        return len(self.before) + sum(len(pair.after) for pair in self.pairs)


class TransformersScorer:
    """Log-probabilities from a Hugging Face folder, or from a GGUF file converted once.

    Texts of similar length go through the model together, ``at_once`` tokens or a single text.
    Pairs with the same prompt are read as one text, so that the prompt is read once; a model that
    does not read them so as it reads each alone (see ``packs``) is given each alone. ``adapter``: a
    PEFT folder that changes the weights. Raises
    SourceError for a missing path and ModelError for one that cannot be loaded.
    """

    def __init__(
        self,
        path: Path,
        *,
        at_once: int = AT_ONCE,
        cache: Path | None = None,
        device: str = "cpu",
        adapter: Path | None = None,
    ) -> None:
        if not path.exists():
            raise SourceError(f"{path}: no such model; check the path, or run: noria models pull")
        self._path = path
        folder = path if path.is_dir() else converted(path, cache or default_cache())
        self._tokenizer, self._model = loaded(folder)
        if adapter is not None:
            from noria.models.adapters import adapted

            self._model = adapted(self._model, adapter)
        self._adapter = adapter
        self._model.to(device)
        self._at_once, self._device = at_once, device
        self._lock = threading.Lock()  # tokenizers keep state during a call

    @property
    def fingerprint(self) -> str:
        """Digest of the weights, and of the adapter's where there is one."""
        base = digest_of(self._path)
        if self._adapter is None:
            return base
        return hashlib.sha256(f"{base}\0{digest_of(self._adapter)}".encode()).hexdigest()

    @cached_property
    def packs(self) -> bool:
        """Whether several continuations may follow one prompt in one text.

        Their positions restart, and a mask hides them from each other. Models with recurrent
        layers, sliding windows or biases by distance do not obey; this one is tried.
        """
        if set(getattr(self._model.config, "layer_types", None) or ()) - {"full_attention"}:
            return False  # a sliding window would show in long texts only
        if getattr(self._model.config, "sliding_window", None):
            return False
        size = self._model.get_input_embeddings().num_embeddings
        ids = [(7 * i + 3) % size for i in range(8)]  # any text will do
        pairs = [_Pair(i, tuple(ids[:4]), tuple(ids[4 + i : 7 + i])) for i in range(2)]
        alone = self._likelihoods([_Row((pair,)) for pair in pairs])
        try:
            together = self._likelihoods([_Row(tuple(pairs))])
        except (TypeError, ValueError, IndexError, RuntimeError):
            return False  # it takes no positions, or no mask of its own
        return all(abs(together[i].logprob - alone[i].logprob) < SAME for i in range(2))

    def score(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        done: Done | None = None,
    ) -> list[Likelihood]:
        """Log-probability of each continuation after the prompt at the same place.

        ``done`` is told each, with its place, as soon as it is known. Raises UsageError for an
        empty continuation or unequal lengths, ModelError where the tokenizer would merge the
        prompt's end with the continuation, or a text is too long.
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
        found: dict[int, Likelihood] = {}
        for batch in batches(self._rows(pairs), self._at_once):
            known = self._likelihoods(batch)
            found |= known
            if done:
                for place, likelihood in known.items():
                    done(place, likelihood)
        return [found[i] for i in range(len(prompts))]

    def _rows(self, pairs: Sequence[_Pair]) -> list[_Row]:
        """Pairs with the same prompt in one row, as far as the model allows."""
        alike: dict[tuple[int, ...], list[_Pair]] = {}
        for pair in pairs:
            alike.setdefault(pair.before, []).append(pair)
        if len(alike) == len(pairs) or not self.packs:
            return [_Row((pair,)) for pair in pairs]
        return [row for group in alike.values() for row in rows(group, self._at_once)]

    def _tokens(self, place: int, prompt: Prompt, continuation: str) -> _Pair:
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
        return _Pair(place, before, whole[len(before) :])

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

    def _likelihoods(self, batch: Sequence[_Row]) -> dict[int, Likelihood]:
        import torch

        layout = packed if any(len(row.pairs) > 1 for row in batch) else padded
        inputs, starts = layout(batch)
        length = inputs["input_ids"].shape[1]
        # Logits only where a continuation is predicted: each is a number for every known token.
        keep = min(start + len(row.before) for row, start in zip(batch, starts, strict=True)) - 1
        with torch.inference_mode():
            logits = self._model(
                **{name: tensor.to(self._device) for name, tensor in inputs.items()},
                use_cache=False,
                logits_to_keep=torch.arange(keep, length, device=self._device),
            ).logits
            found = {}
            for row, start, known in zip(batch, starts, logits, strict=True):
                known = known.float()
                totals = known.logsumexp(dim=1)
                for pair, sources in predicting(row, start - keep):
                    chosen = known[sources, list(pair.after)] - totals[sources]
                    found[pair.place] = Likelihood(float(chosen.double().sum()), len(pair.after))
        return found


def batches(found: Sequence[_Row], at_once: int) -> Iterator[list[_Row]]:
    """Rows of similar length, longest first: what memory does not hold fails at once."""
    batch: list[_Row] = []
    for row in sorted(found, key=lambda row: row.length, reverse=True):
        if batch and (len(batch) + 1) * batch[0].length > at_once:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def rows(pairs: Sequence[_Pair], at_once: int) -> Iterator[_Row]:
    """Continuations of one prompt, as many in a row as ``at_once`` tokens hold, at least one.

    A prompt longer than that is read again only after as many tokens of continuations.
    """
    room = max(at_once - len(pairs[0].before), len(pairs[0].before))
    row: list[_Pair] = []
    for pair in pairs:
        if row and sum(len(each.after) for each in (*row, pair)) > room:
            yield _Row(tuple(row))
            row = []
        row.append(pair)
    yield _Row(tuple(row))


def padded(batch: Sequence[_Row]) -> tuple[dict[str, Any], list[int]]:
    """One continuation a row, filled up on the right; and where each row starts."""
    import torch

    ids = torch.zeros((len(batch), max(row.length for row in batch)), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for line, row in enumerate(batch):
        ids[line, : row.length] = torch.tensor(row.before + row.pairs[0].after)
        mask[line, : row.length] = 1
    return {"input_ids": ids, "attention_mask": mask}, [0] * len(batch)


def packed(batch: Sequence[_Row]) -> tuple[dict[str, Any], list[int]]:
    """All continuations of a row behind its prompt, each of which sees the prompt and itself.

    Filled up on the left, so that the continuations of all rows stand in the same columns and
    little is predicted in vain. Also where each row starts.
    """
    import torch

    longest = max(row.length for row in batch)
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    positions = torch.zeros_like(ids)
    seen = torch.eye(longest, dtype=torch.bool).repeat(len(batch), 1, 1)  # nobody sees nothing
    starts = [longest - row.length for row in batch]
    for line, (row, start) in enumerate(zip(batch, starts, strict=True)):
        first = start + len(row.before)
        ids[line, start:first] = torch.tensor(row.before)
        positions[line, start:first] = torch.arange(len(row.before))
        seen[line, start:, start:first] = True
        for pair in row.pairs:
            last = first + len(pair.after)
            ids[line, first:last] = torch.tensor(pair.after)
            positions[line, first:last] = torch.arange(last - first) + len(row.before)
            seen[line, first:last, first:last] = True
            first = last
    seen &= torch.ones(longest, longest, dtype=torch.bool).tril()  # nobody sees what comes
    hidden = torch.finfo(torch.float32).min
    mask = torch.zeros(seen.shape).masked_fill(~seen, hidden)[:, None]
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}, starts


def predicting(row: _Row, start: int) -> Iterator[tuple[_Pair, list[int]]]:
    """Each pair with the places whose logits predict its tokens; the row begins at ``start``.

    The prompt's last token predicts the first of every continuation.
    """
    prompt_end = first = start + len(row.before)
    for pair in row.pairs:
        last = first + len(pair.after)
        yield pair, [prompt_end - 1, *range(first, last - 1)]
        first = last


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
