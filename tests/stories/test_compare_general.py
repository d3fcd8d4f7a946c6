"""A user compares ways to answer, and has measured what the models forgot, as typed."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from noria import build, cli
from noria.config import Settings
from noria.models.fake import FakeScorer
from noria.store.artifacts import Artifacts
from noria.store.database import url_in
from noria.store.registry import Registry
from noria.store.releases import made
from noria.store.versions import Version
from noria.types import Likelihood, Release
from noria.writers import Writers

NOW = datetime(2026, 11, 21, tzinfo=UTC)
WORDS = ("wheel", "river", "field", "grain", "stone", "bucket", "axle", "rope", "mill", "spring")


class Tuned(FakeScorer):
    """Finds texts less likely by 0.01 nats a token."""

    def score(self, prompts, continuations, done=None):  # type: ignore[no-untyped-def]
        found = super().score(prompts, continuations)
        found = [Likelihood(it.logprob - 0.01 * it.tokens, it.tokens) for it in found]
        for place, it in enumerate(found):
            done(place, it)
        return found


@pytest.fixture
def questions(desk: Path) -> Path:
    general = desk / "data" / "general"
    general.mkdir(parents=True)
    asked = [
        {"question": f"Is {w} {n} a {w}?", "choices": [w, WORDS[i - 1]], "answer": 0}
        for i, w in enumerate(WORDS)
        for n in range(3)
    ]
    (general / "known.jsonl").write_text("\n".join(map(json.dumps, asked)))
    stories = [f"{word} and {word} lift water to fields. " * 12 for word in WORDS]
    (general / "stories.txt").write_text("\n".join(stories))
    path = desk / "questions.json"
    articles = [
        {
            "title": word,
            "paragraphs": [
                {
                    "context": f"The {word} of Hama is {n} metres long.",
                    "qas": [{"id": word, "question": f"How long is the {word} of Hama?",
                             "answers": [{"text": f"{n} metres"}]}],
                }
            ],
        }
        for n, word in enumerate(WORDS)
    ]  # fmt: skip
    path.write_text(json.dumps({"version": "1.1", "data": articles}))
    return path


@pytest.fixture
def release(desk: Path) -> Iterator[Release]:
    """A release that was tuned; its adapter is only a name."""
    adapter = desk / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    home = desk / ".noria"
    registry = Registry(url_in(home, ""), Artifacts(home / "artifacts"))
    parts = {"base": "b", "adapter": registry.artifacts.put(adapter)}
    yield registry.add(made("release", parts, NOW, ["adapter"], (), {"objective": "radit"}))
    registry.close()


@pytest.fixture
def loaded(release: Release, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The releases whose scorers were loaded, in their order; empty for the base."""
    found: list[str] = []

    def scorer(self: Any, source: str, version: Version | None = None) -> FakeScorer:
        found.append(version.id if version else "")
        return Tuned() if version else FakeScorer()

    monkeypatch.setattr(build.House, "parts", {"base": "b", "template": "t"})
    monkeypatch.setattr(Writers, "scorer", scorer)
    monkeypatch.setattr(Writers, "fits", lambda self, source, version: None)
    monkeypatch.setattr(Writers, "_tuned", lambda *of: build.House(Settings()).llm)
    return found


def typed(monkeypatch: Any, capsys: Any, *words: str, code: int = 0) -> str:
    monkeypatch.setattr(sys, "argv", ["noria", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    assert (end.value.code or 0) == code, said.err
    return str(said.out or said.err)


def test_forgetting_stands_in_the_report_and_is_measured_once(
    questions: Path, loaded: list[str], release: Release, monkeypatch: Any, capsys: Any
) -> None:
    command = ("compare", str(questions), "--arms", "base,tuned,tuned+rag", "--general-data")
    found = json.loads(typed(monkeypatch, capsys, *command, "data/general", "--json"))
    (model,) = found["forgetting"]["models"]
    assert model["arms"] == ["tuned", "tuned+rag"]
    assert model["model"] == f"b {release.parts['adapter']}"
    assert model["passes"] is True
    assert model["text"]["difference"] == pytest.approx(0.01)
    assert loaded == ["", release.id]
    monkeypatch.setenv("NORIA_DATA", "data")
    said = typed(monkeypatch, capsys, *command[:-1], "--general", "--general-per-set", "20")
    assert "forgetting of tuned, tuned+rag: passes" in said
    assert "+0.010" in said
    assert loaded == ["", release.id]  # nothing was asked again


def test_without_being_asked_for_nothing_is_measured(
    questions: Path, loaded: list[str], monkeypatch: Any, capsys: Any
) -> None:
    found = json.loads(
        typed(monkeypatch, capsys, "compare", str(questions), "--arms", "base", "--json")
    )
    assert (found["forgetting"], loaded) == (None, [])


def test_a_folder_that_is_not_there_is_told_before_anything_is_asked(
    questions: Path, loaded: list[str], monkeypatch: Any, capsys: Any
) -> None:
    command = ("compare", str(questions), "--arms", "base", "--general-data", "nowhere")
    assert "no such folder" in typed(monkeypatch, capsys, *command, code=2)
    assert not list(questions.parent.glob(".noria/reports/*"))


def test_the_general_abilities_of_a_release(
    questions: Path, loaded: list[str], release: Release, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr(Tuned, "fingerprint", "abc", raising=False)
    command = (
        "evaluate",
        "general",
        "--data",
        "data/general",
        "--release",
        release.id[:6],
        "--json",
    )
    found = json.loads(typed(monkeypatch, capsys, *command))
    assert (found["release"], found["model"], loaded) == (release.id, "abc", [release.id])
