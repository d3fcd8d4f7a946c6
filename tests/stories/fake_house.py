"""A house whose models are fakes, for stories that only look at the way through it."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from interrupted import save_tokenizer

from noria import build
from noria.corpus.split import TokenSplitter
from noria.models.fake import FakeEncoder, FakeLLM
from noria.types import Prompt


def fake_house(tokenizer: Path, answer: Callable[[Prompt], str]) -> type[build.House]:
    """The house; ``answer`` writes, and the tokenizer is written to the path ``tokenizer``."""
    save_tokenizer(tokenizer)

    class FakeHouse(build.House):
        @cached_property
        def encoder(self) -> FakeEncoder:  # type: ignore[override]
            return FakeEncoder()

        @cached_property
        def llm(self) -> FakeLLM:  # type: ignore[override]
            return FakeLLM(answer)

        @cached_property
        def splitter(self) -> TokenSplitter:
            return TokenSplitter(tokenizer, 256, self.settings.corpus.passage_tokens)

    return FakeHouse
