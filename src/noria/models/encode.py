"""Turns text into unit vectors with a sentence-transformers model in a local folder."""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.errors import ModelError, SourceError
from noria.models.cache import digest_of

if TYPE_CHECKING:
    from noria.protocols import Matrix

PASSAGE_NAMES = ("passage", "document", "corpus")  # what publishers call the passages' prompt
UNBOUNDED = 100_000  # tokenizers without a limit state an absurd one


class SentenceEncoder:
    """A sentence-transformers encoder: float32, unit length, on first use.

    Everything but the vectors is read from the folder's small files: torch is not imported before
    the first ``encode_…``. Prompts come from the model's own configuration unless given. Safe to
    use from several threads. Raises SourceError for a missing folder, ModelError for one that is
    no encoder.
    """

    def __init__(
        self,
        path: Path,
        *,
        batch: int = 32,
        device: str | None = None,
        query_prompt: str | None = None,
        passage_prompt: str | None = None,
        digest: str | None = None,
    ) -> None:
        from tokenizers import Tokenizer

        if not path.is_dir():
            raise SourceError(f"{path}: no such folder; check models.encoder")
        prompts = read(path / "config_sentence_transformers.json").get("prompts") or {}
        named = next((prompts[name] for name in PASSAGE_NAMES if prompts.get(name)), "")
        self._path, self._batch, self._device = path, batch, device
        self._query_prompt = prompts.get("query", "") if query_prompt is None else query_prompt
        self._passage_prompt = named if passage_prompt is None else passage_prompt
        try:
            self._tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        except Exception as error:  # tokenizers raises nothing narrower
            raise ModelError(
                f"{path}: no readable tokenizer.json ({error}); choose an encoder that has one"
            ) from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._dimension, self._window = dimension_of(path), window_of(path)
        self._digest = digest
        self._lock = threading.Lock()
        self._model: Any = None

    @property
    def fingerprint(self) -> str:
        """Digest of the folder's content and of both prompts."""
        if self._digest is None:
            self._digest = digest_of(self._path)
        parts = (self._digest, self._query_prompt, self._passage_prompt, "float32 unit")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._dimension

    @property
    def max_tokens(self) -> int:
        """Tokens of a passage that are read; the rest of it is not in its vector."""
        special = self._tokenizer.num_special_tokens_to_add(False)
        return self._window - special - self.count(self._passage_prompt)

    def count(self, text: str) -> int:
        """Exact number of tokens in ``text``, special tokens not counted."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_queries(self, texts: Sequence[str]) -> "Matrix":
        """One row a question."""
        return self._encode(texts, self._query_prompt)

    def encode_passages(self, texts: Sequence[str]) -> "Matrix":
        """One row a passage."""
        return self._encode(texts, self._passage_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> "Matrix":
        import numpy as np

        if not texts:
            return np.zeros((0, self._dimension), dtype=np.float32)
        # One at a time: its tokenizer keeps state during a call, and torch uses all cores anyway.
        with self._lock:
            self._model = self._model or self._loaded()
            rows = self._model.encode(
                list(texts),
                batch_size=self._batch,
                prompt=prompt or None,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(rows, dtype=np.float32)

    def _loaded(self) -> Any:
        import torch
        from sentence_transformers import SentenceTransformer

        from noria.models.quiet import quiet

        try:
            with quiet():
                return SentenceTransformer(
                    str(self._path),
                    device=self._device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"dtype": torch.float32, "use_safetensors": True},
                )
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(
                f"{self._path}: sentence-transformers cannot load it ({error}); "
                "fetch it again, or choose another encoder"
            ) from None


def read(path: Path) -> Mapping[str, Any]:
    """A JSON object, empty where there is no such file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not readable as JSON ({error}); fetch the model again") from None
    return value if isinstance(value, dict) else {"": value}


def dimension_of(path: Path) -> int:
    """Numbers in a vector: the last module that says so, else the transformer's width."""
    width = read(path / "config.json").get("hidden_size")
    for module in read(path / "modules.json").get("", []):
        config = read(path / module.get("path", "") / "config.json") if module.get("path") else {}
        width = config.get("out_features") or pooled(config) or width
    if not isinstance(width, int):
        raise ModelError(
            f"{path}: its files do not say how wide its vectors are; is it an encoder?"
        )
    return width


def pooled(config: Mapping[str, Any]) -> int:
    """Width after pooling: several modes lie side by side."""
    modes = sum(bool(on) for name, on in config.items() if name.startswith("pooling_mode_"))
    return int(config.get("word_embedding_dimension", 0)) * max(1, modes)


def window_of(path: Path) -> int:
    """Tokens read of a text, special tokens included."""
    stated = (
        read(path / "sentence_bert_config.json").get("max_seq_length"),
        read(path / "tokenizer_config.json").get("model_max_length"),
        read(path / "config.json").get("max_position_embeddings"),
    )
    first = next((int(n) for n in stated if isinstance(n, int | float) and 0 < n < UNBOUNDED), None)
    if first is None:
        raise ModelError(f"{path}: its files do not say how much it reads; is it an encoder?")
    return first
