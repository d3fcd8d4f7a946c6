"""A user has documents and no questions: they are written, and asked, as typed."""

import json
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import typer

from noria import build, cli
from noria.cli import synthesize
from noria.evaluate.synthesis.inquiry import ASK
from noria.models.fake import FakeLLM
from noria.types import Prompt

WHEELS = """# Wheels of Hama

The tallest wheel of the town was finished by the river in 1361. It has many names that nobody
can remember now, and that is why there are so many stories about it.

## Mills

The oldest mill beside the bridge belongs to the miller Anna Moser. She does not let anybody into
it, because it is old and the wood of it is not what it was when she was young.
"""
SALARIES = """# Salaries

The salary of the director of the mill was doubled by the owner in 1999. That is what the people
of the town have heard, and it is what they have told all of their children ever since.
"""


class Writer:
    """Asks for an answer with all other words of its sentence, and knows what it asked for."""

    def __init__(self) -> None:
        self.meant: dict[str, str] = {}

    def __call__(self, prompt: Prompt) -> str:
        assert not isinstance(prompt, str)
        text = prompt[-1].content.split(">\n", 1)[1].split("\n</passage>")[0]
        last = prompt[-1].content.splitlines()[-1].partition(": ")[2]
        if prompt[0].content != ASK:
            return f"Answer: {self.meant[last]}"
        asked = f"What number: {' '.join(text.rstrip('.').replace(last, ' ').split())}?"
        self.meant[asked] = last
        return f"Question: {asked}"


@pytest.fixture
def run(desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Types a command; gives exit status, stdout and stderr."""

    writer = Writer()

    class Writing(build.House):
        @cached_property
        def llm(self) -> FakeLLM:  # type: ignore[override]
            return FakeLLM(writer)

    monkeypatch.setattr(build, "House", Writing)
    (desk / "handbook" / "wheels.md").write_text(WHEELS)
    (desk / "handbook" / "salaries.md").write_text(SALARIES)
    commands = typer.main.get_command(cli.app)
    if "synthesize" not in commands.commands:  # type: ignore[attr-defined]
        cli.app.command()(synthesize.synthesize)

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["noria", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return typed


def test_questions_are_written_and_can_be_asked(run: Any, desk: Path) -> None:
    assert run("ingest", "handbook/wheels.md")[0] == 0
    code, out, err = run("synthesize", "-n", "2", "-o", "qa.jsonl", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"written": 2, "rejected": {}, "tried": 2, "ended": "enough"}
    lines = [json.loads(line) for line in (desk / "qa.jsonl").read_text().splitlines()]
    assert {line["answers"][0] for line in lines} <= {"1361", "Anna Moser"}
    assert {(line["origin"], line["documents"][0]) for line in lines} == {
        ("synthetic", "handbook/wheels.md")
    }
    code, out, _ = run("search", lines[0]["question"], "--json")
    assert lines[0]["passage"] in {c["id"] for c in json.loads(out)["candidates"]}

    code, out, _ = run("synthesize", "-n", "9", "-o", "qa.jsonl", "--append", "--json")
    again = json.loads(out)
    assert again["ended"] == "used up"
    assert again["rejected"]["near-duplicate"] == 2
    after = (desk / "qa.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in after[:2]] == lines
    assert len(after) == 2 + again["written"]


def test_restricted_documents_are_asked_about_by_their_readers_only(run: Any, desk: Path) -> None:
    run("ingest", "handbook/wheels.md")
    run("ingest", "handbook/salaries.md", "--groups", "hr")
    run("synthesize", "-n", "50", "-o", "all.jsonl")
    assert "salar" not in (desk / "all.jsonl").read_text()
    run("synthesize", "-n", "50", "-o", "hr.jsonl", "--groups", "hr")
    assert '"1999"' in (desk / "hr.jsonl").read_text()


def test_what_is_wrong_is_said_before_a_model_is_asked(
    run: Any, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: object, *args: object) -> None:
        raise AssertionError("a model was asked")

    monkeypatch.setattr(FakeLLM, "batch", forbidden)
    code, _, err = run("synthesize", "-o", "qa.jsonl")
    assert (code, err) == (1, "error: nothing was ingested yet; run: noria ingest PATH\n")
    run("ingest", "handbook/wheels.md")
    assert run("synthesize", "-n", "0", "-o", "qa.jsonl")[0] == 2
    code, _, err = run("synthesize", "-o", "nowhere/qa.jsonl")
    assert (code, "cannot be written: No such file" in err) == (2, True)
    (desk / "qa.jsonl").write_text("mine\n")
    code, _, err = run("synthesize", "-o", "qa.jsonl")
    assert (code, "--append" in err) == (2, True)
    assert (desk / "qa.jsonl").read_text() == "mine\n"


def test_a_model_that_writes_no_questions_leaves_no_file(
    run: Any, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ingest", "handbook/wheels.md")
    quoting = FakeLLM(lambda prompt: "I like wheels.")
    monkeypatch.setattr(build.House, "llm", quoting)
    code, out, err = run("synthesize", "-n", "1", "-o", "qa.jsonl")
    assert code == 1
    assert "no question was kept; qa.jsonl was not written" in out
    assert "no question" in out
    assert "0 of 1" in err
    assert not (desk / "qa.jsonl").exists()
