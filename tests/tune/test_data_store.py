"""Data sets under the hash of what they hold."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.errors import DataError, UsageError
from noria.evaluate.questions import Question
from noria.tune.data.read import read
from noria.tune.data.store import dataset, lines, write
from noria.tune.examples import Example
from noria.types import Message

WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
).filter(str.strip)  # fmt: skip
MANY = st.lists(WORDS, max_size=3, unique=True).map(tuple)
TURNS = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), WORDS),
                 max_size=3).map(tuple)  # fmt: skip
QUESTIONS = st.builds(
    Question, id=st.just("q"), text=WORDS, answers=MANY, documents=MANY,
    task=st.sampled_from(["qa", "chat"]), context=st.none() | WORDS,
    slice=st.dictionaries(WORDS, WORDS, max_size=2),
) | st.builds(Question, id=st.just("q"), text=WORDS, unanswerable=st.just(True))  # fmt: skip
EXAMPLES = st.builds(
    Example, question=QUESTIONS, response=st.just("") | WORDS, turns=TURNS, rejected=MANY,
    intent=st.none() | WORDS, origin=st.sampled_from(["annotated", "synthetic", "interaction"]),
    weight=st.floats(0.01, 100), line=st.none() | st.integers(1, 9),
)  # fmt: skip


def numbered(examples: list[Example]) -> list[Example]:
    return [
        replace(each, question=replace(each.question, id=str(at)))
        for at, each in enumerate(examples)
    ]


LISTS = st.lists(EXAMPLES, min_size=1, max_size=4).map(numbered)
ONE = Example(Question("1", "Sing", ("La",), task="chat"), "La")


@given(LISTS, st.randoms(use_true_random=False))
def test_the_id_is_that_of_the_content_in_any_order(examples: list[Example], random: Any) -> None:
    made = dataset(examples)
    mixed = list(examples)
    random.shuffle(mixed)
    assert dataset(mixed) == made
    renamed = [replace(e, question=replace(e.question, id=f"x{e.id}"), line=7) for e in examples]
    assert dataset(renamed).id == made.id
    twice = [*examples, replace(examples[0], question=replace(examples[0].question, id="more"))]
    assert dataset(twice).id != made.id


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, response="Lo"),
        replace(ONE, origin="synthetic"),
        replace(ONE, weight=0.5),
        replace(ONE, intent="song"),
        replace(ONE, rejected=("No",)),
        replace(ONE, turns=(Message("user", "Sing"),)),
        replace(ONE, question=replace(ONE.question, text="Sing!")),
        replace(ONE, question=replace(ONE.question, context="A song")),
        replace(ONE, question=replace(ONE.question, documents=("a.md",))),
        replace(ONE, question=replace(ONE.question, slice={"a": "b"})),
        replace(ONE, question=replace(ONE.question, task="qa")),
    ],
)
def test_whatever_is_learnt_changes_the_id(other: Example) -> None:
    assert dataset([other]).id != dataset([ONE]).id


def test_the_id_stays_what_it_is_from_version_to_version() -> None:
    assert dataset([ONE]).id == "e250e2c788116fe506db62655712953b"


def test_examples_are_written_as_lines(tmp_path: Path) -> None:
    write(tmp_path / "out.jsonl", [ONE])
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == lines([ONE])
    assert json.loads(lines([ONE])) == {
        "id": "1", "question": "Sing", "answers": ["La"], "response": "La", "task": "chat",
        "origin": "annotated",
    }  # fmt: skip
    with pytest.raises(DataError, match="cannot be written"):
        write(tmp_path / "no" / "out.jsonl", [ONE])
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


@given(LISTS)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_again(tmp_path: Path, examples: list[Example]) -> None:
    made = dataset(examples)
    path = tmp_path / f"{made.id}.jsonl"
    write(path, made.examples)
    found = read(path)
    assert found.problems == ()
    assert dataset(found.examples) == made


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(UsageError, match="no examples"):
        dataset([])
    with pytest.raises(UsageError, match="2 examples with 1 ids"):
        dataset([ONE, ONE])
    blank = replace(ONE, question=replace(ONE.question, answers=("La", "La")))
    with pytest.raises(UsageError, match="would be read again as another one"):
        lines([blank])
