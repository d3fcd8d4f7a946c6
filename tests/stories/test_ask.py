"""From a folder of files to a cited answer, as a user types it; the models are fakes."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from noria import cli

LEAVE = """# Handbook

## Leave

Everybody has 28 days of leave. Leave is asked for two weeks ahead.

## Notice

The notice period is three months.
"""
SALARIES = "# Salaries\n\nThe director earns 9000 euro a month.\n"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Types a command; gives exit status, stdout and stderr."""

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


@pytest.fixture
def handbook(desk: Path) -> Path:
    folder = desk / "handbook"
    (folder / "leave.md").write_text(LEAVE)
    (folder / "salaries.md").write_text(SALARIES)
    return folder


def test_ask_a_folder(handbook: Path, run: Any) -> None:
    code, out, _ = run("ingest", "handbook", "--json")
    report = json.loads(out)
    assert code == 0
    assert set(report) == {
        "documents", "added", "updated", "removed", "unchanged", "failed", "passages",
        "index_version", "seconds",
    }  # fmt: skip
    assert (report["documents"], report["added"], report["failed"]) == (2, 2, [])

    code, out, _ = run("ask", "How many days of leave has everybody?", "--json")
    answer = json.loads(out)
    assert code == 0
    assert set(answer) == {
        "id", "answer", "citations", "confidence", "grounded", "abstained", "release",
        "index_version", "timings",
    }  # fmt: skip
    assert answer["answer"] == "Everybody has 28 days of leave."
    [citation] = answer["citations"]
    assert citation["document"] == "handbook/leave.md"
    assert citation["quote"] == "Everybody has 28 days of leave."
    assert answer["index_version"] == report["index_version"]

    code, out, _ = run("search", "leave", "-k", "1", "--json")
    [candidate] = json.loads(out)["candidates"]
    assert set(candidate) == {"id", "document", "start", "end", "score", "scores", "text"}
    text = LEAVE[candidate["start"] : candidate["end"]]
    assert candidate["text"] == text


def test_the_terminal_shows_the_answer_and_its_source(handbook: Path, run: Any) -> None:
    run("ingest", "handbook")
    code, out, err = run("ask", "How many days of leave has everybody?")
    assert code == 0
    assert err == ""
    assert "Everybody has 28 days of leave. [1]" in out
    assert "[1] handbook/leave.md" in out


def test_a_second_time_nothing_is_done(handbook: Path, run: Any) -> None:
    run("ingest", "handbook")
    _, out, _ = run("ingest", "./handbook/", "--json")
    report = json.loads(out)
    assert (report["unchanged"], report["added"], report["updated"]) == (2, 0, 0)


def test_restricted_text_is_hidden_until_the_reader_has_the_group(handbook: Path, run: Any) -> None:
    run("ingest", "handbook/leave.md")
    run("ingest", "handbook/salaries.md", "--groups", "hr")
    for words in (["What does the director earn?"], ["director", "--groups", "sales"]):
        _, out, _ = run("search", *words, "--json")
        assert "9000 euro" not in out
        _, out, _ = run("ask", *words, "--json")
        assert "9000 euro" not in out
        assert "salaries" not in out
    _, out, _ = run("ask", "What does the director earn a month?", "--groups", "hr", "--json")
    assert "9000" in json.loads(out)["answer"]
    run("ingest", "handbook/salaries.md", "--json")  # without --groups: stays restricted
    _, out, _ = run("search", "director", "--json")
    assert "9000 euro" not in out
    run("ingest", "handbook/salaries.md", "--public")
    _, out, _ = run("search", "director", "--json")
    assert "9000 euro" in out


def test_pruned_text_is_gone(handbook: Path, run: Any) -> None:
    run("ingest", "handbook")
    (handbook / "salaries.md").unlink()
    _, out, _ = run("search", "director", "--json")
    assert "9000 euro" in out
    _, out, _ = run("ingest", "handbook", "--prune", "--json")
    assert json.loads(out)["removed"] == 1
    _, out, _ = run("search", "director", "--json")
    assert "9000 euro" not in out


def test_bad_files_are_listed_and_the_rest_goes_on(handbook: Path, run: Any) -> None:
    (handbook / "broken.pdf").write_bytes(b"%PDF-1.4 nonsense")
    (handbook / "empty.md").write_text("")
    (handbook / "photo.xyz").write_bytes(b"\x00\x01")
    code, out, _ = run("ingest", "handbook", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["added"] == 2
    bad = {"handbook/broken.pdf", "handbook/empty.md", "handbook/photo.xyz"}
    assert {f["path"] for f in report["failed"]} == bad
    assert all(f["error"] for f in report["failed"])


def test_changing_the_splitter_builds_beside_and_swaps(handbook: Path, run: Any) -> None:
    run("ingest", "handbook")
    _, before, _ = run("search", "leave", "--json")
    Path("noria.toml").write_text("[corpus]\npassage_tokens = 40\n")
    _, during, _ = run("search", "leave", "--json")
    assert json.loads(during)["index_version"] == json.loads(before)["index_version"]
    _, out, _ = run("ingest", "--json")
    assert json.loads(out)["documents"] == 2
    _, after, _ = run("search", "leave", "--json")
    table = json.loads(before)["index_version"].partition("@")[0]
    assert not json.loads(after)["index_version"].startswith(table)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["ask", "Anything?"], 1, "noria ingest"),
        (["ask", "  "], 2, "empty"),
        (["ingest", "nowhere"], 2, "no such file"),
        (["ingest", ".", "--groups", "a", "--public"], 2, "--public"),
        (["ingest", ".", "--field", "novalue"], 2, "key=value"),
        (["search", "x", "--config", "none.toml"], 2, "noria init"),
        (["models", "pull", "ranker"], 2, "generator"),
        (["evaluate", "retrieval", "nowhere"], 2, "nowhere"),
        (["search"], 2, "Missing argument"),
        (["serch"], 2, "serch"),
    ],
)
def test_errors_are_one_sentence(
    desk: Path, run: Any, words: list[str], code: int, says: str
) -> None:
    got, out, err = run(*words)
    assert got == code
    assert says in err
    assert "Traceback" not in err
    assert out == ""


def test_a_misspelt_setting_is_refused_with_a_suggestion(desk: Path, run: Any) -> None:
    Path("noria.toml").write_text("[corpus]\npasage_tokens = 100\n")
    code, _, err = run("search", "x")
    assert code == 2
    assert "noria.toml" in err
    assert "passage_tokens" in err


def test_init_writes_settings_that_load(desk: Path, run: Any) -> None:
    assert run("init")[0] == 0
    code, _, err = run("init")
    assert code == 2
    assert "exists" in err
    assert run("models", "list", "--json")[0] == 0


def test_the_template_names_every_setting_with_its_default(desk: Path) -> None:
    import tomllib

    from noria.cli.template import TEMPLATE
    from noria.config import Settings, parse

    lines = []
    for line in TEMPLATE.splitlines():
        shown = line.removeprefix("# ")
        is_setting = line.startswith("# ") and " = " in shown and "…" not in shown
        lines.append(shown if is_setting else line)
    table = tomllib.loads("\n".join(lines))
    assert parse(table) == Settings()


def test_demo_tells_the_whole_story(desk: Path, run: Any) -> None:
    code, out, _ = run("demo")
    assert code == 0
    assert "noria ingest PATH" in out
    assert "[1]" in out
    code, out, _ = run("demo", "--json")
    told = json.loads(out)
    assert told["ingestion"]["added"] == 0
    assert len(told["answers"]) == 5


def test_asked_as_an_arm(handbook: Path, run: Any) -> None:
    run("ingest", "handbook")
    question = ("ask", "How many days of leave has everybody?", "--json")
    base, rag, default = (
        json.loads(run(*question, *arm)[1]) for arm in (["--arm", "base"], ["--arm", "rag"], [])
    )
    assert "28" not in base["answer"]
    assert (base["citations"], base["index_version"]) == ([], "")
    assert "28" in rag["answer"]
    assert default["answer"] == rag["answer"]
    code, _, error = run(*question, "--arm", "oracle")
    assert code == 2
    assert "needs a file of questions" in error
