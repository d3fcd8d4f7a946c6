"""Folders of general questions and texts, written here in every format that is read."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from noria.errors import DataError
from noria.evaluate.forgetting.suite import LEAST, PIECE, Choice, Piece, choice, pieces, read

WHEEL = {"question": "What lifts water?", "choices": ["a wheel", "a tax"], "answer": 0}
LETTERED = "Question: What lifts water?\n\nChoices:\nA. a tax\nB. a wheel"
STORY = " ".join(f"The wheel number {n} lifts water to the field." for n in range(60))


def folder_of(path: Path, **files: list[Any] | str) -> Path:
    """Writes ``name_jsonl=[…]`` and ``name_txt="…"`` as the files of a folder."""
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        if not isinstance(content, str):
            content = "\n".join(map(json.dumps, content))
        (path / name.replace("_jsonl", ".jsonl").replace("_txt", ".txt")).write_text(content)
    return path


def only(path: Path, *records: Any) -> tuple[Choice, ...]:
    return read(folder_of(path, some_jsonl=list(records))).sets["some"]


def test_the_right_choice_is_named_by_place_or_text(tmp_path: Path) -> None:
    by_place = only(tmp_path / "a", WHEEL)
    by_text = only(tmp_path / "b", {**WHEEL, "answer": "a wheel"})
    assert by_place == by_text == (choice("What lifts water?", ["a wheel", "a tax"], 0),)


@pytest.mark.parametrize(
    "tail", ["", "\nAnswer: ", "\nAnswer:\nChoices:\nA. A\nB. B\n"], ids=["none", "cue", "doubled"]
)
def test_letters_become_texts(tail: str, tmp_path: Path) -> None:
    (it,) = only(tmp_path, {"context": LETTERED + tail, "answer": "B"})
    assert (it.question, it.choices, it.right) == ("What lifts water?", ("a tax", "a wheel"), 1)


@pytest.mark.parametrize("options", ["a ) 4 \n b ) 5 \n c ) 6", "a ) a ) 4 \n b ) b ) 5 c ) c ) 6"])
def test_choices_in_one_line_become_texts(options: str, tmp_path: Path) -> None:
    query = f"Question: how much is 2 + 3 ?\nChoices: {options}\nAnswer:"
    (it,) = only(tmp_path, {"query": query, "choices": ["a", "b", "c"], "gold": 1})
    assert (it.question, it.choices, it.right) == ("how much is 2 + 3 ?", ("4", "5", "6"), 1)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({**WHEEL, "answer": 2}, "expected 0 to 1"),
        ({**WHEEL, "answer": True}, "expected 0 to 1"),
        ({**WHEEL, "answer": "a moon"}, "none of the choices"),
        ({**WHEEL, "choices": ["a wheel"]}, "two or more"),
        ({**WHEEL, "choices": ["a wheel", "a wheel "]}, "different"),
        ({**WHEEL, "choices": ["a wheel", " "]}, "none empty"),
        ({**WHEEL, "choices": "ab"}, "a list of strings"),
        ({**WHEEL, "question": " "}, "some words"),
        ({}, "a list of strings"),
        (["a"], "expected an object"),
        (WHEEL, "was there before"),
    ],
)
def test_a_bad_line_is_listed_with_its_place(record: Any, why: str, tmp_path: Path) -> None:
    found = read(folder_of(tmp_path, some_jsonl=[WHEEL, record]))
    assert len(found.sets["some"]) == 1
    (problem,) = found.problems
    assert "some.jsonl:2: " in problem
    assert why in problem


def test_a_letter_that_is_no_choice_is_listed(tmp_path: Path) -> None:
    good, bad = {"context": LETTERED, "answer": "A"}, {"context": LETTERED, "answer": "C"}
    (problem,) = read(folder_of(tmp_path, some_jsonl=[good, bad])).problems
    assert "some.jsonl:2: \"answer\" 'C' is none of ['A', 'B']" in problem


def test_a_file_of_another_kind_is_left_out_at_once(tmp_path: Path) -> None:
    sums = [{"context": f"{n} + 1", "answer": str(n + 1)} for n in range(9)]
    found = read(folder_of(tmp_path, some_jsonl=[WHEEL], sums_jsonl=sums))
    assert list(found.sets) == ["some"]
    (problem,) = found.problems
    assert "sums.jsonl: left out: its lines have 'context', 'answer'; expected" in problem


def test_nothing_to_ask_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read(tmp_path / "absent")
    with pytest.raises(DataError, match="no questions or texts in it"):
        read(tmp_path)
    folder_of(tmp_path, some_jsonl='{"question": ')
    with pytest.raises(DataError, match=r"the first: .*some\.jsonl"):
        read(tmp_path)


def test_two_files_of_one_name_are_not_mixed(tmp_path: Path) -> None:
    found = read(folder_of(tmp_path, some_jsonl=[WHEEL], some_txt=STORY))
    assert (list(found.sets), list(found.texts)) == (["some"], [])
    assert "some.txt: another file has the name 'some'" in found.problems[0]


def test_a_question_is_the_same_wherever_its_line_stands(tmp_path: Path) -> None:
    other = {**WHEEL, "question": "What lifts grain?"}
    there = {each.question: each.id for each in only(tmp_path / "a", WHEEL, other)}
    here = {each.question: each.id for each in only(tmp_path / "b", other, WHEEL)}
    assert there == here
    assert len(set(there.values())) == 2
    (changed,) = only(tmp_path / "c", {**WHEEL, "choices": ["a wheel", "a rate"]})
    assert changed.id not in there.values()


def test_pieces_are_the_text_again(tmp_path: Path) -> None:
    found = pieces(STORY)
    assert len(found) == 3
    assert " ".join(piece.before + piece.text for piece in found) == STORY
    assert all(PIECE <= len(p.before + p.text) < PIECE + 20 for p in found[:-1])
    assert {piece.document for piece in found} == {found[0].document}
    assert (found[0].before, found[0].text[:14]) == ("The", " wheel number ")


def test_what_is_too_short_or_has_no_spaces_has_no_pieces() -> None:
    assert pieces("a " * (LEAST // 2 - 1)) == []
    assert len(pieces("ab " * LEAST)) == 1
    assert pieces("水" * 5000) == []


def test_the_beginnings_of_all_texts_come_first(tmp_path: Path) -> None:
    other = STORY.replace("wheel", "horse")
    found = read(folder_of(tmp_path, two_txt=f"{STORY}\n{other}\n")).texts["two"]
    documents = [piece.document for piece in found]
    assert len(found) == 6
    assert documents == documents[:2] * 3
    lines = [{"text": STORY}, {"text": other}]
    assert read(folder_of(tmp_path, two_jsonl=lines)).sets == {}
    assert read(folder_of(tmp_path / "b", two_jsonl=lines)).texts["two"] == found
    assert isinstance(found[0], Piece)


@pytest.mark.shared
def test_the_shared_sets_are_read() -> None:
    found = read(Path(os.environ["NORIA_DATA"]) / "general")
    sizes = {name: {len(each.choices) for each in asked} for name, asked in found.sets.items()}
    assert sizes == {
        "arc_easy": {4}, "commonsense_qa": {4}, "copa": {2}, "math_qa": {5}, "openbook_qa": {4},
        "piqa": {2},
    }  # fmt: skip
    assert [len(found.sets[name]) for name in ("copa", "openbook_qa")] == [100, 500]
    bank = found.sets["commonsense_qa"][0]
    assert bank.choices == ("bank", "department store", "mall", "new york")
    assert sorted(found.texts) == ["c4_demo", "wiki_demo"]
    left_out = [problem for problem in found.problems if "left out" in problem]
    assert len(left_out) == 2  # svamp and jeopardy: there is nothing to choose from
