"""What is rehearsed beside the lessons: from a file, or in the model's own voice."""

import json
from pathlib import Path

import pytest
from byte_tokenizer import CHATML, MARKS, byte_tokenizer
from voice import Voice

from noria.errors import DataError, UsageError
from noria.tune.measured import Measured
from noria.tune.render import Lesson, Renderer
from noria.tune.replay import OWN, Replay, beside, learnt, rehearsed
from noria.tune.said import Said
from noria.types import Message

STORY = "The wheel lifts water to the fields of the village every morning before sunrise. " * 4


def lesson(number: int, tokens: int = 5, weight: float = 1.0) -> Lesson:
    return Lesson(str(number), (1, 2), (3,) * tokens, weight)


def said(number: int) -> Said:
    return Said((Message("user", f"What is thing {number}?"),), "x" * 40)


def by_length(each: Said) -> Lesson:
    return Lesson(f"replay/{each.response}", (1,), (9,) * len(each.response), each.weight)


@pytest.mark.parametrize(("share", "fewest"), [(0.1, 1), (0.1, 32), (0.5, 1)])
def test_the_share_is_of_what_is_learnt_and_exact(share: float, fewest: int) -> None:
    lessons = [lesson(n, 3 + n % 4, weight=0.5 if n % 2 else 1.0) for n in range(400)]
    found = rehearsed(lessons, share, map(said, range(1000)), by_length, fewest=fewest)
    whole = learnt(lessons) + learnt(found.lessons)
    assert learnt(found.lessons) / whole == pytest.approx(share)
    assert len(found.lessons) >= fewest
    if fewest == 1:  # no more than are needed
        assert learnt(found.lessons[:-1]) / whole < share
    assert found.problems == ()


def test_a_source_that_is_small_counts_more_and_says_so() -> None:
    lessons = [lesson(n) for n in range(400)]
    found = rehearsed(lessons, 0.5, map(said, range(10)), by_length, source="general.jsonl")
    assert len(found.lessons) == 10
    assert learnt(found.lessons) == pytest.approx(learnt(lessons))
    assert "each token of it counts 5.0 times" in found.problems[0]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 10.0])
def test_a_share_is_between_0_and_1(share: float) -> None:
    with pytest.raises(UsageError, match="expected a share between 0 and 1"):
        rehearsed([lesson(1)], share, [said(1)], by_length)


def test_what_is_measured_is_never_rehearsed() -> None:
    question = "Question: What lifts water to fields?\nChoices: a wheel, a tax"
    measured = Measured([question, STORY])
    asked = Said((Message("user", f"Answer this:\n{question}"),), "a wheel")
    clean = Said((Message("user", "Who digs wells in the hills?"),), "Somebody with a spade.")
    copies = [asked, clean, Said((), STORY)]
    found = rehearsed([lesson(1)], 0.5, copies, by_length, measured, "mine.jsonl")
    assert [each.id for each in found.lessons] == ["replay/Somebody with a spade."]
    assert "mine.jsonl: 2 texts are left out" in found.problems[0]
    with pytest.raises(DataError, match=r"nothing in it can be rehearsed.*2 texts are left out"):
        rehearsed([lesson(1)], 0.5, [asked, Said((), STORY)], by_length, measured, "mine.jsonl")


def test_all_of_it_together(tmp_path: Path) -> None:
    reader = byte_tokenizer(CHATML, MARKS)
    renderer, lessons = Renderer(reader, 400), [lesson(n, 500) for n in range(100)]
    general = tmp_path / "general"
    general.mkdir()
    asked = {"question": "How do I paint 0 wheels wheel number 0?", "choices": ["a", "b"]}
    (general / "painting.jsonl").write_text(json.dumps(asked | {"answer": 0}))

    def mixed(file: Path | None = None) -> Replay:
        return beside(lessons, 0.1, renderer, reader, 400, Voice, tmp_path, file, general, seed=0)

    found = mixed()
    assert learnt(found.lessons) / (learnt(lessons) + learnt(found.lessons)) == pytest.approx(0.1)
    assert found.source == OWN
    assert "the model's own voice: 1 text is left out" in found.problems[0]
    text = reader.decode(found.lessons[0].before + found.lessons[0].after)
    assert text.startswith("<|user|>\nHow do I paint 1 ")
    assert text.endswith("<|end|>")
    assert len(list((tmp_path / "replay").glob("*.json"))) == 1
    assert mixed() == found
    path = tmp_path / "mine.jsonl"
    path.write_text('{"prompt": "Who?", "response": "Anna."}\n{"prompt": "Broken"}\n')
    mine = mixed(path)
    assert [reader.decode(each.after) for each in mine.lessons] == ["Anna.<|end|>"]
    assert 'without "response"' in mine.problems[0]
    assert "each token of it counts" in mine.problems[1]
