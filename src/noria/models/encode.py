"""Turns text into unit vectors with a sentence-transformers model in a local folder."""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from noria.errors import ModelError, SourceError
from noria.models.cache import digest_of
from noria.models.folder import dimension_of, read, window_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from noria.protocols import Matrix

# An answer asks for the question twice, and for sentences that were looked at a step before, or for
# the answer before: of calls with FEW texts, up to KEPT texts of SHORT length are kept (16 MB).
FEW, KEPT, SHORT = 64, 8192, 500
PASSAGE_NAMES = ("passage", "document", "corpus")  # what publishers call the passages' prompt


class SentenceEncoder:
    """A sentence-transformers encoder: float32, unit length, on first use.

    Everything but the vectors is read from the folder's small files: torch is not imported before
    the first ``encode_…``. Prompts come from the model's own configuration unless given. Any number
    of texts may be given at once. A text's vector does not depend on the texts beside it, but for
    rounding: 1e-5. Safe to use from several threads. Raises SourceError for a missing folder,
    ModelError for one that is no encoder.

    On a processor, common encoders are computed by ``noria.models.bert``, without padding; others,
    and all on an accelerator, by sentence-transformers, ``batch`` texts at a time.
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
        self._forward: Forward | None = None
        self._kept: dict[tuple[str, str], NDArray[np.float32]] = {}

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
        if len(texts) > FEW:
            return self._computed(texts, prompt)
        kept = self._kept  # another thread may put a new one in its place
        rows = {text: kept[prompt, text] for text in texts if (prompt, text) in kept}
        missing = list(dict.fromkeys(text for text in texts if text not in rows))
        if missing:
            rows.update(zip(missing, self._computed(missing, prompt), strict=True))
            if len(kept) + len(missing) > KEPT:
                kept = self._kept = {}
            kept.update(((prompt, t), rows[t].copy()) for t in missing if len(t) <= SHORT)
        return np.array([rows[text] for text in texts], dtype=np.float32)

    def _computed(self, texts: Sequence[str], prompt: str) -> "Matrix":
        with self._lock:
            self._forward = self._forward or self._loaded()
        return self._forward.encode(texts, prompt)

    def _loaded(self) -> "Forward":
        """The quickest way to this encoder's vectors on this machine."""
        from noria.models.bert import Bert, computes

        if computes(self._path) and on_processor(self._device):
            return Bert(self._path, self._window)
        return General(self._path, self._batch, self._device)


class Forward(Protocol):
    """Computes vectors of length 1; safe to share between threads."""

    def encode(self, texts: Sequence[str], prompt: str) -> "Matrix":
        """One row a text, each read with ``prompt`` before it; float32."""
        ...


class General:
    """Whatever sentence-transformers can load, on whatever device it finds."""

    def __init__(self, path: Path, batch: int, device: str | None) -> None:
        self._batch = batch
        self._lock = threading.Lock()
        self._model = sentence_transformer(path, device)

    def encode(self, texts: Sequence[str], prompt: str) -> "Matrix":
        """One row a text; the longest are encoded first, ``batch`` at a time."""
        import numpy as np

        # One at a time: its tokenizer keeps state during a call, and torch uses all cores anyway.
        with self._lock:
            rows = self._model.encode(
                list(texts),
                batch_size=self._batch,
                prompt=prompt or None,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(rows, dtype=np.float32)


def sentence_transformer(path: Path, device: str | None = None) -> Any:
    """The encoder in ``path`` as sentence-transformers has it, in float32.

    Raises ModelError for a folder that it cannot load.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    from noria.models.quiet import quiet

    try:
        with quiet():
            return SentenceTransformer(
                str(path),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": torch.float32, "use_safetensors": True},
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            f"{path}: sentence-transformers cannot load it ({error}); "
            "fetch it again, or choose another encoder"
        ) from None


def on_processor(device: str | None) -> bool:
    """Whether ``device``, or without one the best that is there, is the processor."""
    import torch

    return not torch.accelerator.is_available() if device is None else device == "cpu"
