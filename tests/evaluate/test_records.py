"""Records as lines: what was written is read again, and anything else is told with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from noria.errors import DataError
from noria.evaluate.records import Cited, Record, from_json, read, written

FULL = Record(
    "q1",
    "What lifts water?",
    ("a wheel", "a noria"),
    "A wheel.",
    citations=(Cited("p1", None, 0, 8, "A wheel.", (0, 8)),),
    confidence=1,
    grounded=0.5,
    retrieved=("p1",),
    slice={"topic": "water"},
    task="choice",
    choices=("a wheel", "a tax"),
    found=True,
)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    records = (FULL, Record("q2", "Why?", (), "", error="no answer", seconds=1.5))
    path = tmp_path / "answers.rag.jsonl"
    path.write_text(written(records), encoding="utf-8")
    assert read(path) == records


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"answer": 7}, "'answer' is of another type: 7"),
        ({"answers": "a wheel"}, "'answers' is of another type"),
        ({"answers": ["a wheel", None]}, "'answers' is of another type: null"),
        ({"confidence": "high"}, "'confidence' is of another type"),
        ({"confidence": True}, "'confidence' is of another type"),
        ({"prompt_tokens": 1.5}, "'prompt_tokens' is of another type"),
        ({"abstained": 1}, "'abstained' is of another type"),
        ({"abstained": None}, "'abstained' is of another type"),
        ({"found": "yes"}, "'found' is of another type"),
        ({"task": "dance"}, "'task' is of another type"),
        ({"task": ["qa"]}, "'task' is of another type"),
        ({"slice": ["water"]}, "'slice' is of another type"),
        ({"slice": {"topic": 1}}, "'slice' is of another type"),
        ({"citations": {}}, "'citations' is of another type"),
        ({"citations": ["p1"]}, "'?citations'? is no object"),
        ({"citations": [{"id": "p1"}]}, "citations lacks 'document'"),
        ({"citations": [{**FULL.as_json()["citations"][0], "supports": [1]}]}, "'supports' is of"),
    ],
)
def test_a_line_of_other_types_is_told(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.rag.jsonl"
    path.write_text(written([FULL]) + "\n" + json.dumps(FULL.as_json() | fields) + "\n")
    with pytest.raises(DataError, match=reason) as error:
        read(path)
    assert error.value.line == 3


@pytest.mark.parametrize("line", ["[1, 2]", "7", "null", "{", '{"id": "q"}', "[" * 100_000, "\xff"])
def test_a_line_that_is_no_record_is_told(line: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.rag.jsonl"
    path.write_bytes(line.encode("latin-1"))
    with pytest.raises(DataError, match="not an answer as noria compare writes it") as error:
        read(path)
    assert error.value.line == 1


def test_what_a_line_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="the line lacks 'question'"):
        from_json({"id": "q"})
