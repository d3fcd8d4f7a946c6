"""Texts with which forgetting is measured, found in others."""

import json
from pathlib import Path

from noria.tune.measured import Measured, measured_in
from noria.tune.said import Said
from noria.types import Message

STORY = "The wheel lifts water to the fields of the village every morning before sunrise. " * 4


def test_a_text_has_what_it_shares_thirteen_words_with(tmp_path: Path) -> None:
    general = tmp_path / "general"
    general.mkdir()
    asked = {"question": "What lifts water to fields?", "choices": ["a wheel", "a tax"]}
    (general / "wet.jsonl").write_text(json.dumps(asked | {"answer": 0}))
    (general / "stories.txt").write_text(STORY + "Nobody in the whole valley knows who built it.")
    measured = measured_in(general)
    clean = Said((Message("user", "Who digs wells in the hills?"),), "Somebody with a spade.")
    assert not measured.has(clean)
    question = "Answer this:\nQuestion: what lifts WATER to fields\nChoices: a wheel, a tax"
    assert measured.has(Said((Message("user", question),), "a wheel"))
    quoted = "It is told that nobody in the whole valley, knows who built it."
    assert not measured.has(Said((), quoted))  # ten words of a longer text are no copy
    longer = "every morning before sunrise. Nobody in the whole valley knows who built it"
    assert measured.has(Said(clean.chat, f"I read: {longer}!"))


def test_short_questions_are_found_as_a_whole_only() -> None:
    measured = Measured(["Why?", "Who built it?"])
    assert measured.has(Said((Message("user", "who built it"),), "Anna."))
    assert not measured.has(Said((Message("user", "Tell me who built it and when."),), "Anna."))
