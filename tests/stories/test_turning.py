"""A turn of the loop from the command line, with tiny models."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from noria.build import House
from noria.cli import app
from noria.config import load
from noria.errors import UsageError
from noria.loop.oversee import ramp_of
from noria.store.jobs import Jobs
from noria.store.journal import ANSWER, Journal
from noria.store.reviews import Reviews
from noria.types import Event, Feedback, Query
from noria.wheel import Wheel
from tiny_encoder import tiny_encoder
from tiny_llama import TURNS, gguf_file, hugging_face

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = "Ada Ben Cleo Dan Eva Finn Gil Hal Ida Jon Kim Leo".split()  # noqa: SIM905
THINGS = "well mill road barn dam forge gate inn jetty kiln loft moat".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny generator and a tiny encoder."""
    at = tmp_path_factory.mktemp("tiny")
    tiny_encoder(
        at / "encoder", ["who", "built", "the", *THINGS, *map(str.lower, NAMES)], window=256
    )
    folder = hugging_face(at / "model", template=TURNS, initializer_range=0.3)
    gguf_file(at / "tiny.gguf", folder, TURNS)
    return at


@pytest.fixture
def desk(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings, documents and questions; 12 answers were corrected."""
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    desk = tmp_path / "desk"
    (desk / "docs").mkdir(parents=True)
    monkeypatch.chdir(desk)
    Path("noria.toml").write_text(
        f'[models]\ngenerator = "file:{models / "tiny.gguf"}"\n'
        f'encoder = "file:{models / "encoder"}"\nreader = false\n'
        "context = 2048\nthreads = 1\nfast_copy = false\n"
        "[answer]\nprompt_tokens = 400\nmax_tokens = 8\n"
        '[turn]\nquestions = "held-out.jsonl"\nexamples = 10\nmost = 60\nreplay = 0.0\n'
        'general = "general"\n[canary]\njudged_a_day = 40\nleast = 200\n'
    )
    Path("general").mkdir()
    text = "The wheel lifts water out of the stream and pours it into the channel above. " * 4
    Path("general/wheel.txt").write_text("\n".join(f"{n} {text}" for n in range(9)))
    for thing, name in zip(THINGS, NAMES, strict=True):
        Path(f"docs/{thing}.md").write_text(f"{name} built the {thing}.\n")
    lines = [
        {"id": f"q{n}", "question": f"Was it {name} who has the {n}?", "answers": [name]}
        for n, name in enumerate(NAMES * 5)
    ]
    Path("held-out.jsonl").write_text("\n".join(map(json.dumps, lines)))
    said("ingest", "docs")
    corrected()
    return desk


def corrected() -> None:
    """Each thing was asked for once, answered badly, and corrected."""
    house = House(load(None, None))
    with closing(Journal(house.engine)) as journal:
        for n, (thing, name) in enumerate(zip(THINGS, NAMES, strict=True)):
            at = NOW + timedelta(minutes=n)
            answer, question = f"a-{n}", f"Who built the {thing}?"
            read = [each.item for each in house.funnel.search(Query("q", question)).candidates]
            journal.record(
                Event(
                    answer, at, "local", f"user-{n}", ANSWER, "r-old", question,
                    payload={
                        "history": [], "answer": "I like water.", "cited": [],
                        "passages": [{"id": item.id} for item in read],
                        "confidence": 0.5, "grounded": 0.5, "abstained": False, "groups": [],
                        "index_version": "", "prompt_tokens": 1, "completion_tokens": 1,
                        "seconds": 0.1, "timings": {},
                    },
                ),
                None,
            ).result()  # fmt: skip
            judged = Feedback(
                f"f-{n}",
                at,
                "local",
                f"user-{n}",
                answer,
                "correction",
                text=f"{name} built the {thing}.",
            )
            journal.judge(judged, None).result()
    house.close()


def said(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_what_answers_already_can_be_promoted_and_then_stays(desk: Path) -> None:
    usual = said("releases", "promote", "rag")["live"]
    settings = Path("noria.toml").read_text()
    Path("noria.toml").write_text(settings.replace("max_tokens = 8", "max_tokens = 9"))
    assert said("status")["rollout"]["live"] == usual


@pytest.mark.slow
def test_a_turn_is_taken_once_and_the_gate_says_why(desk: Path) -> None:
    foreseen = said("turn", "--dry-run")
    assert foreseen["would"] == "begin"
    assert foreseen["evidence"]["fresh"] == 12
    assert said("releases", "list")["releases"] == []  # a dry run writes nothing

    first = said("turn")
    verdict = first["verdict"]
    checks = {check["name"]: check for check in verdict["checks"]}
    assert {
        "questions", "task", "forgetting", "parity", "latency", "slices", "injection", "leaks",
    } <= checks.keys()  # fmt: skip
    assert checks["questions"]["measured"] == 60
    assert checks["parity"]["passed"]
    assert checks["leaks"]["measured"] == 0
    assert first["end"] == ("opened" if verdict["passed"] else "refused")
    assert Path(verdict["report"], "report.html").exists()
    seen = said("status")["turn"]
    assert (seen["state"], seen["sentence"]) == (first["end"], first["sentence"])
    assert said("releases", "show", first["release"])["objective"] == "serve"

    second = said("turn")
    assert second["end"] == "nothing"
    # one of the twelve was held out when it was tuned, so that none ever learns it
    expected = "is being tried" if verdict["passed"] else "0 new examples of 11"
    assert expected in second["sentence"]


def test_what_passed_is_tried_on_the_ramp_of_the_settings(desk: Path) -> None:
    house = House(load(None, None))
    own = replace(house.settings, answer=replace(house.settings.answer, max_tokens=9))
    with closing(Journal(house.engine)) as journal:
        wheel = Wheel(house, Jobs(house.engine), journal, Reviews(house.engine), lambda: NOW, print)
        live = wheel.live()
        other = replace(wheel, house=house.beside(own, None)).yard.freeze("rag", NOW).id
        assert wheel.opened("t-1") is None
        opened = wheel.open(other, {"gain": True, "passed": True}, "t-1")
        assert wheel.opened("t-1") == opened
        assert wheel.tried() == other
    assert opened["live"] == live
    assert opened["trial"]["steps"] == [[other, 0.5]]
    state = house.rollouts.now()
    assert state is not None
    assert state.trial is not None
    ramp = ramp_of(state.trial, other)
    assert (ramp.gain, ramp.least, ramp.shares) == (True, 200, (0.5,))
    assert house.rollouts.history(1)[0].reason["turn"] == "t-1"
    said("releases", "rollback")
    assert wheel.opened("t-1") == opened
    told = CliRunner().invoke(app, ["releases", "history"]).stdout.splitlines()
    assert told[0].endswith(f"rollback   {other}  by hand")
    assert told[1].endswith(f"canary     {other}  by a turn, t-1")
    assert told[-1].endswith("by the settings")
    assert (
        "nobody asked in the last 0.01 hours"
        in CliRunner().invoke(app, ["status", "--hours", "0.01"]).stdout
    )
    house.close()


def test_without_questions_nothing_begins(desk: Path) -> None:
    with pytest.raises(UsageError, match=r"turn.questions: .*gone.jsonl: no such file"):
        said("turn", "--questions", "gone.jsonl")
    toml = Path("noria.toml").read_text().replace('questions = "held-out.jsonl"\n', "")
    Path("noria.toml").write_text(toml)
    with pytest.raises(UsageError, match="a turn needs questions"):
        said("turn", "--dry-run")


def test_of_several_tenants_those_are_named_that_may_be_learnt_from(desk: Path) -> None:
    house = House(load(None, None))
    with closing(Journal(house.engine)) as journal:
        wheel = Wheel(house, Jobs(house.engine), journal, Reviews(house.engine), lambda: NOW, print)
        assert wheel.tenants() == ("local",)
        event = Event("a-x", NOW, "acme", "eva", "answer", "r1", "Who?", payload={})
        journal.record(event).result()
        journal.judge(Feedback("f-x", NOW, "acme", "eva", "a-x", "thumb", 1.0), None).result()
        with pytest.raises(UsageError, match=r"2 tenants have judged \(acme, local\)"):
            wheel.evidence()
        named = replace(house.settings.turn, tenants=("acme",))
        at = house.beside(replace(house.settings, turn=named), None)
        assert replace(wheel, house=at).tenants() == ("acme",)
    house.close()
