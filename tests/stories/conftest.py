from pathlib import Path

import pytest
from fake_house import fake_house

from noria import build


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and a house whose models are fakes."""
    house = fake_house(tmp_path / "tokenizer.json", quote_question_words)
    monkeypatch.setattr(build, "House", house)
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
