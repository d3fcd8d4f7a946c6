"""``noria data check``, as people call it; a count of words stands for the model's."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from noria.cli import data
from noria.errors import SourceError, UsageError
from noria.tune.data.read import read

GOOD = {"prompt": "Who dug the well?", "response": "Ada; write to ada@example.org"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    rows = [json.dumps(GOOD), "no JSON", json.dumps({**GOOD, "prompt": "who dug the well"})]
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


class Words:
    """A model that counts words, or none at all."""

    context = 5

    def count(self, text: str) -> int:
        return len(text.split())


class House:
    llm = Words()


class Empty:
    @property
    def llm(self) -> Any:
        raise SourceError("the model could not be fetched")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object, house: object = None) -> Result:
    monkeypatch.setattr(data, "house", lambda *_: house or House())
    words = ["check", *map(str, arguments)]
    return CliRunner().invoke(data.app, words, catch_exceptions=False)


def test_the_figures_as_json(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    result = run(monkeypatch, path, "--against", path, "--limit", "8", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert {k: told[k] for k in ("examples", "tokens", "truncated", "duplicates", "leaks")} == {
        "examples": 2, "tokens": 16, "truncated": 0, "duplicates": 1, "leaks": 2,
    }  # fmt: skip
    assert told["pii"]["email"] == 2
    assert told["problems"][0].startswith(f"{path}:2: not JSON")
    assert told["limit"] == 8
    assert len(told["dataset"]) == 32


def test_the_figures_for_people(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    result = run(monkeypatch, path)
    assert "2 examples, 1 problems in reading" in result.stdout
    assert "16, 2 examples over 5" in result.stdout  # the model's window
    assert f"{path}:3: the same as line 1" in result.stdout


def test_redacted_examples_are_written_once(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    out = path.with_name("clean.jsonl")
    assert run(monkeypatch, path, "--redact", out).exit_code == 0
    assert [each.response for each in read(out).examples] == ["Ada; write to [email]"] * 2
    with pytest.raises(UsageError, match=r"clean\.jsonl: exists"):
        run(monkeypatch, path, "--redact", out)


def test_without_a_model_all_but_the_length_is_checked(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    result = run(monkeypatch, path, "--json", house=Empty())
    assert json.loads(result.stdout)["tokens"] is None
    assert "tokens are not counted: the model could not be fetched" in result.stderr
    with pytest.raises(SourceError):
        run(monkeypatch, path, "--limit", "5", house=Empty())
