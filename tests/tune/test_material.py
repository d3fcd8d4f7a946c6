"""From a file to what is learnt and what is held out."""

import json
from pathlib import Path
from typing import Any

import pytest

from noria.errors import UsageError
from noria.tune.examples import Example
from noria.tune.material import answered, gathered


def line(number: int, document: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"q{number}",
        "question": f"What is said of thing number {number}?",
        "answers": [f"word{number}"],
        "documents": [f"d{document}"],
        "context": f"Document {document} says word{number} of much that matters, namely {number}.",
        **more,
    }


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return path


def ids(examples: tuple[Example, ...]) -> set[str]:
    return {each.id for each in examples}


def test_a_share_is_held_out_by_document(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", *(line(n, n // 4) for n in range(40)))
    found = gathered(file, None, 0.2, None, seed=1)
    learnt, apart = ids(found.train), ids(found.held_out)
    assert learnt | apart == {f"q{n}" for n in range(40)}
    assert 4 <= len(apart) <= 12
    document = {f"q{n}": n // 4 for n in range(40)}
    assert {document[id] for id in learnt}.isdisjoint({document[id] for id in apart})
    assert gathered(file, None, 0.2, None, seed=1) == found
    assert len(found.whole.examples) == 40
    assert len(found.texts) == 10


def test_what_is_held_out_in_a_file_of_its_own_is_not_learnt(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", *(line(n, n) for n in range(10)))
    other = written(tmp_path / "b.jsonl", line(3, 3), line(77, 77, id="q5"))
    found = gathered(file, other, 0.2, None, seed=0)
    assert ids(found.train) == {f"q{n}" for n in range(10)} - {"q3"}
    assert ids(found.held_out) == {"q3", "held out q5"}
    assert found.problems == (
        "1 examples are held out too (1 word for word); they are not learnt from",
    )


def test_at_most_so_many_are_learnt_from_with_whole_texts_first(tmp_path: Path) -> None:
    together = [line(n, n // 4) | {"context": f"One text {n // 4} for four."} for n in range(40)]
    file = written(tmp_path / "a.jsonl", *together)
    found = gathered(file, None, 0.1, 8, seed=0)
    assert len(found.train) == 8
    assert len({each.question.context for each in found.train}) == 2


def test_wrong_lines_are_told_and_the_others_learnt(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", *(line(n, n) for n in range(10)))
    with file.open("a") as more:
        more.write("{broken\n")
    found = gathered(file, None, 0.2, None, seed=0)
    assert len(found.whole.examples) == 10
    assert [problem.split(": ")[0] for problem in found.problems] == [f"{file}:11"]


def test_what_the_file_calls_a_test_is_not_learnt(tmp_path: Path) -> None:
    lines = [line(n, n, slice={"split": "test" if n < 3 else "train"}) for n in range(12)]
    found = gathered(written(tmp_path / "a.jsonl", *lines), None, 0.2, None, seed=0)
    assert ids(found.whole.examples) == {f"q{n}" for n in range(3, 12)}
    assert found.problems == ("3 examples are of another split than train; they are left out",)
    with pytest.raises(UsageError, match="3 examples are of another split"):
        gathered(written(tmp_path / "b.jsonl", *lines[:3]), None, 0.2, None, seed=0)


def test_one_document_cannot_be_parted(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", *(line(n, 0) for n in range(10)))
    with pytest.raises(UsageError, match="all hang together"):
        gathered(file, None, 0.2, None, seed=0)


def test_nothing_left_to_learn_is_an_error(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", line(1, 1))
    with pytest.raises(UsageError, match="0 examples to learn from and 1 held out"):
        gathered(file, file, 0.2, None, seed=0)


def test_contexts_of_one_document_are_all_there_to_be_found(tmp_path: Path) -> None:
    several = [line(n, n // 4) | {"context": f"Part {n} of document {n // 4}."} for n in range(12)]
    file = written(tmp_path / "a.jsonl", *several)
    found = gathered(file, None, 0.3, None, seed=0)
    assert len(found.texts) == 3
    text = "\n".join(each.text for each in found.texts)
    assert all(f"Part {n} of" in text for n in range(12))


def test_examples_that_only_say_what_is_wrong_teach_no_answer(tmp_path: Path) -> None:
    lines = [line(n, n) for n in range(20)]
    wrong = {**lines[7], "answers": [], "response": "", "rejected": ["word8"]}
    silent = {**lines[9], "answers": [], "unanswerable": True}
    file = written(tmp_path / "a.jsonl", *lines[:7], wrong, lines[8], silent, *lines[10:])
    found = gathered(file, None, 0.2, None, seed=0)
    kept = answered(found)
    assert ids(found.train) | ids(found.held_out) == {f"q{n}" for n in range(20)}
    assert ids(kept.train) | ids(kept.held_out) == {f"q{n}" for n in range(20)} - {"q7"}
    assert kept.whole == found.whole
    assert "1 examples only say which answer is wrong" in kept.problems[-1]
    assert answered(kept) is kept
