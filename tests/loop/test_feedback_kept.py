"""Judgements that come from files, data sets on the shelf, and persons who are forgotten."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from told import NOW, WELL, among, judged, thumb

from noria.errors import UsageError
from noria.loop.feedback import shelf
from noria.loop.feedback.erasure import forgotten, tenant_of
from noria.loop.feedback.harvest import Harvest, Policy, harvested
from noria.loop.feedback.intake import Desk, Taken
from noria.store.artifacts import Artifacts
from noria.store.journal import Journal
from noria.store.registry import Registry
from noria.store.releases import made
from noria.store.reviews import Reviews
from noria.tune.data.read import read
from noria.tune.data.store import write
from noria.types import Event, Release

PAYLOAD = {"answer": "Ada dug it.", "passages": [{"id": "p1"}], "cited": ["p1"], "grounded": 0.9}
ANSWER = Event("a-1", NOW, "acme", "ada", "answer", "r1", "Who dug the well?", payload=PAYLOAD)
MILL = replace(
    ANSWER, id="a-2", user="ben", query="Who built the mill?", payload={"answer": "Ben did."}
)


@dataclass
class At:
    """A database with two answers, and a folder."""

    journal: Journal
    reviews: Reviews
    registry: Registry
    folder: Path

    def take(self, name: str, text: str) -> Taken:
        (self.folder / name).write_text(text, encoding="utf-8")
        answers = shelf.kept_in(self.journal, self.reviews).answers
        return Desk(self.journal, self.reviews, answers, NOW).take(self.folder / name)

    def harvest(self) -> Harvest:
        return harvested(shelf.kept_in(self.journal, self.reviews), among(WELL))

    def shelved(self) -> Release:
        return shelf.shelved(self.harvest(), self.registry, Policy(), self.folder, NOW)


@pytest.fixture
def at(engine: Engine, url: str, tmp_path: Path) -> Iterator[At]:
    journal = Journal(engine)
    for event in (ANSWER, MILL):
        journal.record(event).result(10)
    registry = Registry(url, Artifacts(tmp_path / "artifacts"))
    yield At(journal, Reviews(engine), registry, tmp_path)
    journal.close()
    registry.close()


def test_a_file_of_judgements_is_taken_once(at: At) -> None:
    lines = [
        {"answer": "a-1", "kind": "thumb", "value": 1, "user": "x", "at": "2026-11-28T10:00:00Z"},
        {"answer": "a-1", "kind": "correction", "text": "Ada Moser.", "key": "k1"},
        {"answer": "a-2", "kind": "ranking", "ranking": ["a-2", "a-1"]},
    ]
    text = "\n".join(map(json.dumps, lines))
    assert at.take("said.jsonl", text) == Taken(judgements=3)
    assert at.take("said.jsonl", text) == Taken(known=3)
    first, *_ = at.journal.feedback()
    assert (first.user, first.value, first.release) == ("x", 1.0, "r1")
    assert first.at.isoformat() == "2026-11-28T10:00:00+00:00"
    assert len(list(at.journal.feedback())) == 3


WRONG: list[tuple[Any, str]] = [
    ({"answer": "a-9", "kind": "thumb", "value": 1}, "no answer"),
    ({"answer": "a-1", "kind": "thumb"}, "a thumb is 1 or -1"),
    ({"answer": "a-1", "kind": "thumb", "value": True}, "expected 1 or -1"),
    ({"answer": "a-1", "kind": "praise"}, "expected one of thumb"),
    ({"answer": "a-1", "kind": "comment", "text": "\ud800"}, "expected a text"),
    ({"answer": "a-1", "kind": "comment", "text": "a\u0000"}, "expected a text"),
    ({"answer": "a-1", "kind": "comment", "txt": "a"}, "unknown key 'txt'"),
    ({"answer": "a-1", "kind": "copied", "at": "today"}, "expected a time"),
    ({"answer": "a-1", "kind": "ranking", "ranking": ["a-1", "a-9"]}, "no answer 'a-9'"),
    ([], "expected an object"),
]


@pytest.mark.parametrize(("wrong", "reason"), WRONG)
def test_a_wrong_line_is_told_and_loses_no_other(at: At, wrong: Any, reason: str) -> None:
    good = json.dumps({"answer": "a-1", "kind": "thumb", "value": -1})
    taken = at.take("said.jsonl", f"{good}\n{json.dumps(wrong)}\nno json")
    assert (taken.judgements, len(taken.problems)) == (1, 2)
    assert "said.jsonl:2: " in taken.problems[0]
    assert reason in taken.problems[0]
    assert "said.jsonl:3: not JSON" in taken.problems[1]


def test_label_studios_export_is_taken_once(at: At) -> None:
    verdict = {"from_name": "verdict", "value": {"choices": ["right"]}}
    tasks = [
        {"data": {"answer_id": "a-1"}, "annotations": [{"completed_by": 1, "result": [verdict]}]},
        {"data": {"answer_id": "a-9"}, "annotations": []},
    ]
    taken = at.take("export.json", json.dumps(tasks))
    assert taken.reviews == 1
    assert "export.json: [1]: no answer 'a-9'" in taken.problems[0]
    assert at.take("export.json", json.dumps(tasks)).known == 1
    assert [r.verdict for r in at.reviews] == ["right"]


def test_the_same_judgements_make_the_same_data_set(at: At) -> None:
    at.journal.judge(thumb("a-1", "x")).result(10)
    first, again = at.shelved(), at.shelved()
    assert first == again
    assert first.recipe["origins"] == {"interaction": 1}
    assert "asker" not in json.dumps(dict(first.recipe))
    examples = read(at.registry.artifacts.path(first.parts["dataset"])).examples
    assert [(e.id, e.response) for e in examples] == [("a-1", "Ada dug it.")]
    at.journal.judge(thumb("a-2", "x")).result(10)
    assert at.shelved().id != first.id


def test_what_a_release_was_judged_by_is_held_out(at: At) -> None:
    at.journal.judge(thumb("a-1", "x")).result(10)
    write(at.folder / "held_out", at.harvest().examples)
    digest = at.registry.artifacts.put(at.folder / "held_out")
    at.registry.add(made("dataset", {"dataset": digest, "held_out": digest}, NOW, ["dataset"]))
    assert [each.id for each in shelf.held_out(at.registry)] == ["a-1"]


def tuned(at: At, dataset: Release) -> Release:
    """A release of a data set that was read from a file of the same examples, as tuning does."""
    path = at.registry.artifacts.path(dataset.parts["dataset"])
    examples = read(path).examples
    write(at.folder / "train", [replace(each, weight=2.0) for each in examples])
    parts = {"dataset": at.registry.artifacts.put(at.folder / "train")}
    own = at.registry.add(made("dataset", parts, NOW, parts))
    return at.registry.add(made("release", parts, NOW, parts, [own.id]))


def test_whoever_is_forgotten_is_named_where_they_were_learnt(at: At) -> None:
    cleo = judged("a-2", "cleo", "correction", text="Ada did.")
    for each in (thumb("a-1", "x"), cleo):
        at.journal.judge(each).result(10)
    dataset = at.shelved()
    release = tuned(at, dataset)
    other = at.registry.add(made("base", {"base": "0f"}, NOW))
    erased = forgotten(at.journal, at.registry, "acme", "cleo")
    assert erased.rows == {"exposures": 0, "reviews": 0, "feedback": 1, "events": 0}
    assert {r.id for r in erased.touched.datasets} == {dataset.id, release.made_from[0]}
    assert erased.touched.releases == (release,)
    assert other not in erased.touched.releases
    assert [each.user for each in at.journal.feedback()] == ["x"]
    assert [each.id for each in at.harvest().examples] == ["a-1"]


def test_who_was_never_learnt_touches_nothing(at: At) -> None:
    at.journal.judge(thumb("a-1", "x")).result(10)
    at.shelved()
    assert forgotten(at.journal, at.registry, "acme", "ben").touched == shelf.Touched()


def test_two_persons_of_one_name_are_not_confused(at: At) -> None:
    at.journal.record(replace(ANSWER, id="a-3", tenant="other")).result(10)
    with pytest.raises(UsageError, match="acme, other"):
        tenant_of(at.journal, "ada")
    assert tenant_of(at.journal, "ada", "other") == "other"
    assert tenant_of(at.journal, "ben") == "acme"
    with pytest.raises(UsageError, match="nothing is kept"):
        tenant_of(at.journal, "nobody")
