"""What a tuning stands on: the base, those who ask as the arms do, and where results go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noria.corpus.index import PassageTable
from noria.corpus.live import LivePassages
from noria.evaluate.contest import Ready
from noria.models.encode import SentenceEncoder
from noria.protocols import LLM
from noria.store.registry import Registry
from noria.types import Document


@dataclass(frozen=True)
class Workshop:
    """What one configuration offers to a tuning.

    ``source``: where the base is from; ``weights``: it, as a GGUF file or a Hugging Face folder;
    ``base``: makes it as it is served. ``parts``: name -> digest of all that a release is made of,
    but for what is tuned. ``passages``: those of some texts, or of what was ingested where there
    are none. ``encoder_folder``: where the encoder's weights lie. ``longest``: tokens of a lesson;
    ``prompt_tokens``: of its passages and question. ``context``: tokens of the server's window.
    ``rest`` gives back what asking took.
    """

    home: Path
    cache: Path
    registry: Registry
    source: str
    weights: Path
    parts: Mapping[str, str]
    ready: Ready
    base: Callable[[], LLM]
    passages: Callable[[Sequence[Document]], LivePassages | PassageTable]
    encoder: SentenceEncoder
    encoder_folder: Path
    longest: int
    prompt_tokens: int
    context: int
    rest: Callable[[], None]

    @property
    def device(self) -> str:
        """Where training runs, as torch names it."""
        from noria.tune.weights import device

        return device()

    @property
    def folder(self) -> Path:
        """The base as a Hugging Face folder, converted once."""
        from noria.models.gguf import converted

        return self.weights if self.weights.is_dir() else converted(self.weights, self.cache)

    @property
    def tokenizer(self) -> Any:
        """The base's."""
        from transformers import AutoTokenizer

        from noria.models.quiet import quiet

        with quiet():
            return AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
