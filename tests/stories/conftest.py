from functools import cached_property
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from noria import build
from noria.corpus.split import TokenSplitter
from noria.models.fake import FakeEncoder, FakeLLM


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and a house whose models are fakes."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))

    class FakeHouse(build.House):
        @cached_property
        def encoder(self) -> FakeEncoder:  # type: ignore[override]
            return FakeEncoder()

        @cached_property
        def llm(self) -> FakeLLM:  # type: ignore[override]
            return FakeLLM(quote_question_words)

        @cached_property
        def splitter(self) -> TokenSplitter:
            return TokenSplitter(path, 256, self.settings.corpus.passage_tokens)

    monkeypatch.setattr(build, "House", FakeHouse)
    desk = tmp_path / "desk"
    (desk / "handbook").mkdir(parents=True)
    monkeypatch.chdir(desk)
    return desk


def quote_question_words(prompt: object) -> str:
    """The sentence of the passages that shares most words with the question."""
    user = prompt[-1].content  # type: ignore[index]
    asked = set(user.rpartition("Question: ")[2].lower().replace("?", " ").split())
    lines = [line for line in user.splitlines() if not line.startswith(("<", "#", "Question"))]
    sentences = [s.strip() + "." for line in lines for s in line.split(".") if s.strip()]
    return max(sentences, key=lambda s: len(asked & set(s.lower().replace(".", "").split())))
