"""Tasks that go to Label Studio, and annotations that come back as it exports them."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from told import NOW, everything, given, judged, kept, thumb

from noria.errors import DataError
from noria.evaluate.readers.entries import Place
from noria.loop.feedback.label_studio import LABELS, option, reviews_of, task
from noria.loop.feedback.queue import waiting
from noria.types import PUBLIC, Item, Review

PLACE = Place(Path("export.json"), "[0]")
ANSWER = given("a-1", "Ada dug it, says ada@example.org.", release="r1")
RESULT = [
    {
        "id": "x1",
        "from_name": "verdict",
        "to_name": "answer",
        "type": "choices",
        "value": {"choices": ["wrong"]},
    },
    {
        "id": "x2",
        "from_name": "correct",
        "to_name": "answer",
        "type": "textarea",
        "value": {"text": ["Ada Moser."]},
    },
    {
        "id": "x3",
        "from_name": "intent",
        "to_name": "question",
        "type": "textarea",
        "value": {"text": ["history"]},
    },
    {
        "id": "x4",
        "from_name": "passages",
        "to_name": "answer",
        "type": "choices",
        "value": {"choices": ["p1"]},
    },
]


def sent() -> dict[str, Any]:
    said = [thumb("a-1", "x", -1.0), judged("a-1", "y", "comment", text="Call +41 44 668 18 00")]
    (each,) = waiting(kept([ANSWER], said), everything, PUBLIC)
    return json.loads(json.dumps(task(each)))  # type: ignore[no-any-return]


def back(**more: Any) -> dict[str, Any]:
    """The task as Label Studio exports it."""
    annotation = {
        "id": 7,
        "completed_by": 3,
        "result": deepcopy(RESULT),
        "was_cancelled": False,
        "created_at": "2026-11-29T11:00:00.000000Z",
        "updated_at": "2026-11-29T12:00:00.000000Z",
    }
    return {"id": 1, **sent(), "annotations": [{**annotation, **more}]}


def reviews(record: dict[str, Any]) -> list[Review]:
    return list(reviews_of(record, {"a-1": ANSWER}, PLACE, datetime(2026, 12, 1, tzinfo=UTC)))


def test_a_task_shows_what_was_asked_without_personal_data() -> None:
    made = sent()
    assert made["data"]["answer"] == "Ada dug it, says [email]."
    assert made["data"]["said"] == "thumb down\ncomment: Call [phone]"
    assert made["data"]["why"] == "thumb down, comment"
    (predicted,) = made["predictions"]
    assert (predicted["model_version"], predicted["score"]) == ("r1", 0.9)
    assert predicted["result"][0]["value"] == {"choices": ["p1"]}


def test_passages_are_no_html() -> None:
    item = Item("p1", "<script>alert(1)</script>", "a&b.md")
    assert option(item)["html"] == "<b>a&amp;b.md</b><br/>&lt;script&gt;alert(1)&lt;/script&gt;"


def test_the_configuration_fits_the_tasks() -> None:
    view = ElementTree.fromstring(LABELS)
    names = {tag.get("name") for tag in view if tag.get("name")}
    read = {str(tag.get("value"))[1:] for tag in view if str(tag.get("value")).startswith("$")}
    assert read <= sent()["data"].keys()
    assert {tag.get("toName") for tag in view if tag.get("toName")} <= names
    for result in RESULT:
        tag = next(tag for tag in view if tag.get("name") == result["from_name"])
        assert (tag.get("toName"), tag.tag.lower()) == (result["to_name"], result["type"])


def test_an_annotation_comes_back_as_a_review() -> None:
    assert reviews(back()) == [
        Review("a-1", NOW, "acme", "label-studio:3", "wrong", "Ada Moser.", "history", ("p1",))
    ]
    named = back(completed_by={"id": 3, "email": "eva@x.org"})
    assert reviews(named)[0].reviewer == "label-studio:eva@x.org"


def test_what_was_skipped_says_nothing() -> None:
    assert reviews(back(was_cancelled=True)) == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"result": []}, "no verdict"),
        ({"result": [{**RESULT[0], "value": {"choices": ["good"]}}]}, "expected right, wrong"),
        ({"result": [RESULT[0], {**RESULT[3], "value": {"choices": ["p9"]}}]}, "'p9'"),
        ({"result": None}, "cannot be read"),
        ({"updated_at": "yesterday"}, "cannot be read"),
    ],
)
def test_a_wrong_annotation_is_told_with_its_place(wrong: Any, reason: str) -> None:
    with pytest.raises(DataError, match=r"export.json: \[0\]: annotations\[0\]: ") as error:
        reviews(back(**wrong))
    assert reason in str(error.value)


def test_a_task_of_somebody_else_is_told() -> None:
    with pytest.raises(DataError, match="no answer"):
        reviews({"data": {"text": "Hi"}, "annotations": []})
    with pytest.raises(DataError, match="JSON-MIN"):
        reviews(sent())
