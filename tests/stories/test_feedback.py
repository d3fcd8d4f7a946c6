"""From a served answer over people's judgements to a data set, and to a person who is forgotten."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from noria import build
from noria.build import House
from noria.cli import app
from noria.config import load
from noria.errors import UsageError
from noria.models.fake import FakeEncoder
from served import NOW, Served, served

Said = dict[str, Any]


@pytest.fixture
def at(desk: Path, url: str, engine: Engine, encoder: FakeEncoder) -> Iterator[Served]:
    """A service over an ingested handbook, whose database the commands find."""
    (desk / "noria.toml").write_text(f"[store]\nurl = {json.dumps(url)}\n", encoding="utf-8")
    (desk / "handbook" / "wells.md").write_text("Ada dug the well in 1842.", encoding="utf-8")
    (desk / "handbook" / "mills.md").write_text("Ben built the mill.", encoding="utf-8")
    (desk / "pay").mkdir()
    (desk / "pay" / "pay.md").write_text("The bishop earns nine pounds.", encoding="utf-8")
    house: House = build.House(load(None, None))
    house.ingestion.run([Path("handbook")], NOW)
    house.ingestion.run([Path("pay")], NOW, groups=frozenset({"hr"}))
    told = {"well": "Ada dug the well in 1842.", "mill": "Cleo built the mill.", "bishop": "Nine."}

    def says(release: str, prompt: Any) -> str:
        question = prompt[-1].content.rpartition("Question: ")[2]
        return next((text for word, text in told.items() if word in question), "Hello!")

    service = served(engine, house.passages, encoder, says)
    yield service
    service.service.close()
    house.close()


def said(*words: str, typed: str = "") -> Said:
    result = CliRunner().invoke(app, [*words, "--json"], input=typed, catch_exceptions=False)
    found: Said = json.loads(result.stdout)
    return found


def post(at: Served, path: str, body: Said, key: str) -> Said:
    async def run() -> Said:
        async with at.client(key) as client:
            found: Said = (await client.post(path, json=body)).json()
            return found

    return asyncio.run(run())


def ask(at: Served, question: str, user: str, key: str) -> str:
    messages = [{"role": "user", "content": question}]
    body = {"model": "live", "messages": messages, "user": user}
    return str(post(at, "/v1/chat/completions", body, key)["id"])


def judge(at: Served, key: str, **body: Any) -> None:
    assert "id" in post(at, "/v1/feedback", body, key)


def test_judgements_become_a_data_set_that_can_be_checked_and_forgotten(
    at: Served, desk: Path
) -> None:
    key, _ = at.keys.add("acme", frozenset({"hr"}), 0, NOW)
    well, mill, pay = (
        ask(at, question, "ada", key)
        for question in ("Who dug the well?", "Who built the mill?", "What does the bishop earn?")
    )
    for answer in (well, pay):
        judge(at, key, answer=answer, kind="thumb", value=1, user="ben")
    judge(at, key, answer=mill, kind="thumb", value=-1, user="cleo")
    judge(at, key, answer=mill, kind="correction", text="Ben built the mill.", user="cleo")
    restricted = said("data", "build")
    assert restricted["dropped"] == {"restricted": 1}  # what only hr may read is not learnt

    exported = said("feedback", "export", "tasks.json")
    assert exported["tasks"] == 1  # the mill
    (task,) = json.loads((desk / "tasks.json").read_text(encoding="utf-8"))
    assert (desk / "tasks.xml").exists()
    result = [
        {"from_name": "verdict", "value": {"choices": ["wrong"]}},
        {"from_name": "correct", "value": {"text": ["Ben did."]}},
    ]
    annotated = [{**task, "annotations": [{"completed_by": 1, "result": result}]}]
    (desk / "annotated.json").write_text(json.dumps(annotated), encoding="utf-8")
    assert said("feedback", "import", "annotated.json")["reviews"] == 1
    assert said("feedback", "import", "annotated.json")["known"] == 1

    built = said("data", "build", "-o", "train.jsonl")
    assert built["examples"] == {"annotated": 1, "interaction": 1}
    assert built["dropped"] == {"overruled": 2, "restricted": 1}
    assert said("data", "build")["dataset"] == built["dataset"]
    checked = said("data", "check", "train.jsonl")
    assert (checked["examples"], checked["problems"]) == (2, [])
    lines = [json.loads(line) for line in (desk / "train.jsonl").read_text().splitlines()]
    assert {line["response"]: line.get("rejected") for line in lines} == {
        "Ada dug the well in 1842.": None,
        "Ben did.": ["Cleo built the mill."],
    }
    assert "nine" not in (desk / "train.jsonl").read_text().lower()

    erased = said("forget", "--user", "ben")
    assert erased["erased"] == {"exposures": 0, "reviews": 0, "feedback": 2, "events": 0}
    assert built["dataset"] in erased["datasets"]
    assert said("data", "build")["examples"] == {"annotated": 1}
    with pytest.raises(UsageError, match="nothing is kept"):
        said("forget", "--user", "ben")
    assert said("forget", "--user", "ada")["erased"]["events"] == 3
    assert said("data", "build") == {"dataset": None, "examples": {}, "dropped": {}}


def test_a_reviewer_goes_through_what_waits_and_may_stop(at: Served) -> None:
    for question in ("Who dug the well?", "Who built the mill?"):
        judge(at, "", answer=ask(at, question, "ada", ""), kind="thumb", value=-1, user="ben")
    found = said("feedback", "review", "--reviewer", "eva", typed="r\n\n\nq\n")
    assert found == {"reviewed": 1, "waiting": 1}
    found = said("feedback", "review", "--reviewer", "eva", typed="wrong\nBen did.\nhistory\n\n")
    assert found == {"reviewed": 1, "waiting": 0}
    assert said("feedback", "review")["waiting"] == 0
    assert said("data", "build")["examples"] == {"annotated": 2}
    assert said("data", "build", "--weights", "annotated=2")["examples"] == {"annotated": 2}
    with pytest.raises(UsageError, match="--weights"):
        said("data", "build", "--weights", "users=2")
