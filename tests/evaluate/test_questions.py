"""Questions as lines of JSON, and what is checked of every question."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from noria.errors import DataError
from noria.evaluate.questions import Question, Questions, Task, read, scorable
from noria.evaluate.readers import entries, files
from noria.evaluate.records import Record, written

ASKED = {"id": "1", "question": "Who dug it?"}


def lines(path: Path, *records: object) -> Questions:
    """What is read of records, each on a line; texts stand there as they are."""
    texts = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return read(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "asked.jsonl"


def test_a_line_of_each_task(path: Path) -> None:
    slice = {"area": "water", "year": 1900, "share": 0.5, "new": True, "gone": None, "none": ""}
    found = lines(
        path,
        {"id": 1, "question": "Who dug it?", "answers": ["Ada", "Ada", "", "the Adas"],
         "documents": ["a.md", "a.md"], "context": "Ada dug.", "slice": slice, "more": []},
        {"id": "2", "question": "My tap drips", "task": "classification", "answers": ["repair"]},
        {"id": "3", "question": "What is my bill?", "task": "classification", "answers": ["bill"]},
        {"id": "4", "question": "Long text", "task": "summarization", "answers": ["Text"]},
        {"id": "5", "question": "Wasser", "task": "translation", "answers": ["water"]},
        {"id": "6", "question": "Wet?", "choices": ["yes", "no"], "answers": ["yes"]},
        {"id": "7", "question": "Hello", "task": "chat"},
        {"id": "8", "question": "Who dug Mars?", "unanswerable": True},
    )  # fmt: skip
    labels = ("bill", "repair")
    assert found.problems == ()
    assert found.asked == (
        Question("1", "Who dug it?", ("Ada", "the Adas"), ("a.md",), context="Ada dug.",
                 slice={"area": "water", "year": "1900", "share": "0.5", "new": "true"}),
        Question("2", "My tap drips", ("repair",), task="classification", choices=labels),
        Question("3", "What is my bill?", ("bill",), task="classification", choices=labels),
        Question("4", "Long text", ("Text",), task="summarization"),
        Question("5", "Wasser", ("water",), task="translation"),
        Question("6", "Wet?", ("yes",), task="choice", choices=("yes", "no")),
        Question("7", "Hello", task="chat"),
        Question("8", "Who dug Mars?", unanswerable=True),
    )  # fmt: skip
    assert [scorable(q) for q in found.asked] == [True] * 6 + [False, True]


def test_the_documentation_tells_the_truth(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "questions.md").read_text(encoding="utf-8")
    for kind, asked in (("json", 7), ("csv", 2)):
        (example,) = re.findall(rf"^```{kind}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
        path = tmp_path / f"asked.{kind}"
        path.write_text(example, encoding="utf-8")
        found = read(path)
        assert (len(found.asked), found.problems) == (asked, ())
        if kind == "json":
            assert {question.task for question in found.asked} == {*get_args(Task)}


def test_one_answer_and_one_document_may_stand_alone(path: Path) -> None:
    found = lines(path, ASKED | {"answer": "Ada", "document": "a.md"})
    assert found.asked == (Question("1", "Who dug it?", ("Ada",), ("a.md",)),)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "expected an object with an \"id\", got None"),
        ({"id": " "}, "expected an object with an \"id\", got ' '"),
        ({"id": True}, "expected an object with an \"id\", got True"),
        ({"id": 1.5}, "expected an object with an \"id\", got 1.5"),
        ({"id": "x" * 501}, '501 characters of "id"; expected at most 500'),
        ({"question": " "}, "expected some words as \"question\", got ' '"),
        ({"question": ["Who?"]}, "expected some words as \"question\", got ['Who?']"),
        ({"question": "x" * 1_000_001}, "1,000,001 characters of \"question\""),
        ({"question": "a\0b"}, '"question" holds U+0000'),
        ({"context": ""}, "expected some words as \"context\", got ''"),
        ({"answers": "Ada"}, "expected a list of strings as \"answers\", got 'Ada'"),
        ({"answers": [42]}, 'expected a list of strings as "answers", got [42]'),
        ({"answers": ["Ada"], "answer": "Ada"}, 'either "answers" or "answer", got both'),
        ({"answers": ["x"] * 10_001}, '10,001 "answers"; expected at most 10,000'),
        ({"documents": {"a.md": 1}}, 'expected a list of strings as "documents"'),
        ({"task": "choise"}, "unknown \"task\" 'choise'; expected one of qa, classification"),
        ({"task": ["qa"]}, "unknown \"task\" ['qa']"),
        ({"task": "choice", "answers": ["yes"]}, 'a choice without "choices"'),
        ({"choices": ["yes", "no"]}, 'a choice without a right answer in "answers"'),
        ({"choices": ["yes", "yes"], "answers": ["yes"]}, 'two or more different "choices"'),
        ({"choices": ["yes"], "answers": ["yes"]}, 'two or more different "choices"'),
        ({"choices": ["yes", "no"], "answers": ["A"]}, "'A' is not among the choices"),
        ({"task": "classification", "choices": ["a", "b"], "answers": ["c"]}, "'c' is not among"),
        ({"task": "classification"}, 'a classification without a right answer in "answers"'),
        ({"task": "translation", "documents": ["a"]}, "a translation without a right answer"),
        ({"task": "summarization", "unanswerable": True}, "cannot be unanswerable"),
        ({"unanswerable": True, "answers": ["Ada"]}, "unanswerable, yet it has answers"),
        ({"unanswerable": "no"}, "expected true or false as \"unanswerable\", got 'no'"),
        ({"slice": "water"}, "expected an object of up to 50 names and values as \"slice\""),
        ({"slice": {"area": ["water"]}}, "\"slice\" 'area': expected a text or a number"),
        ({"slice": {str(n): n for n in range(51)}}, "up to 50 names"),
        ({"slice": {"area": "x" * 501}}, '501 characters of "slice"'),
    ],
)  # fmt: skip
def test_a_wrong_line_is_listed(path: Path, change: dict[str, Any], reason: str) -> None:
    found = lines(path, {"id": "0", "question": "Right?"}, ASKED | change)
    assert found.asked == (Question("0", "Right?"),)
    (problem,) = found.problems
    assert problem.startswith(f"{path}:2: ")
    assert reason in problem


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[" * 100_000, "not JSON: too deeply nested"),
        ('{"id": 1, "question": "?", "more": ' + "[" * 100_000 + "}", "too deeply nested"),
        ('{"id": NaN, "question": "?"}', "NaN is no number of JSON"),
        ('{"id": ' + "9" * 5000 + ', "question": "?"}', "not JSON: Exceeds the limit"),
        ('{"id": ' + "9" * 4000 + ', "question": "?"}', '4,000 characters of "id"'),
        ('{"id": 1, "question": "?", "slice": {"n": 1e999}}', "expected a text or a number, "
         "got inf"),
        ('{"id": 1, "question": "?", "slice": {"n": NaN}}', "NaN is no number"),
        (r'{"id": "\ud800", "question": "?"}', '"id" holds U+D800'),
        (r'{"id": 1, "question": "?", "answers": ["\udfff"]}', '"answers" holds U+DFFF'),
        (r'{"id": 1, "question": "?", "slice": {"\ud800": 1}}', '"slice" holds U+D800'),
        ('{"id": 1, "id": 2, "question": "?"}', "the key 'id' stands twice in one object"),
        ('{"id": 1, "question": "a\0"}', "not JSON: Invalid control character"),
        ("\0" * 100, "not JSON"),
        ('"question"', "expected an object"),
        ("{}", "expected an object with an \"id\", got nothing"),
        ('{"prompt": "?", "response": "!"}', "got the keys 'prompt', 'response'"),
    ],
)  # fmt: skip
def test_hostile_lines_are_listed(path: Path, line: str, reason: str) -> None:
    found = lines(path, ASKED, line)
    assert len(found.asked) == 1
    (problem,) = found.problems
    assert problem.startswith(f"{path}:2: ")
    assert reason in problem
    assert len(problem) < 1000
    problem.encode()  # it can be printed


def test_nesting_that_is_just_read_is_told_without_a_crash(path: Path) -> None:
    deep = [f'{{"id": 1, "question": {"[" * n}{"]" * n}}}' for n in range(900, 1000)]
    assert len(lines(path, ASKED, *deep).problems) == 100


def test_what_is_read_can_be_written(path: Path) -> None:
    pair = r'{"id": "\ud83d\udeb0", "question": "\ud83d\udeb0?", "slice": {"of": "\u2028"}}'
    (question,) = lines(path, pair).asked
    record = Record(question.id, question.text, (), "", slice=question.slice)
    assert json.loads(written([record]).encode())["question"] == "🚰?"


def test_a_line_of_ten_megabytes(path: Path) -> None:
    found = lines(path, ASKED | {"more": "x" * 10_000_000}, {"id": "2", "question": "y" * 10**7})
    assert [question.id for question in found.asked] == ["1"]
    assert found.problems == (
        f'{path}:2: 10,000,000 characters of "question"; expected at most 1,000,000',
    )


def test_the_second_of_two_ids_is_listed(path: Path) -> None:
    found = lines(path, ASKED, {"id": 1, "question": "Again?"})
    assert found.asked == (Question("1", "Who dug it?"),)
    assert found.problems == (f"{path}:2: \"id\" '1' was there before",)


def test_line_ends_blank_lines_and_marks_do_no_harm(path: Path) -> None:
    path.write_bytes(b'\r\n\xef\xbb\xbf{"id": 1, "question": "A?"}\r\n \r\n{"id": 2}\r\n')
    found = read(path)
    assert found.asked == (Question("1", "A?"),)
    assert [problem.split(":")[1] for problem in found.problems] == ["4"]


def test_bytes_that_are_not_utf8_are_listed(path: Path) -> None:
    path.write_bytes(b'{"id": 1, "question": "A?"}\n{"id": 2, "question": "caf\xe9"}\n')
    (problem,) = read(path).problems
    assert f"{path}:2: not JSON: 'utf-8'" in problem


def test_a_broken_first_line_is_listed_like_any_other(path: Path) -> None:
    found = lines(path, '{"id": 1, "quest', ASKED)
    assert len(found.asked) == 1
    assert f"{path}:1: not JSON" in found.problems[0]


def test_many_problems_are_counted(path: Path) -> None:
    found = lines(path, ASKED, *["nonsense"] * 1_234)
    assert len(found.problems) == entries.PROBLEMS + 1
    assert found.problems[-1] == f"{path}: 234 more problems are not listed"


def test_labels_that_are_no_labels(path: Path) -> None:
    asked = ({"id": n, "question": "?", "task": "classification", "answers": [f"label {n}"]}
             for n in range(1_001))  # fmt: skip
    with pytest.raises(DataError, match=r"1,001 different labels; expected at most 1,000"):
        lines(path, *asked)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", 'no questions in it; expected lines {"id", "question"}'),
        (b"\n \n", "no questions in it"),
        (b"nonsense\n", "asked.jsonl:1: not JSON: Expecting value"),
        (b'{"context": "?", "answer": "!"}\n', "the first:"),
        (b'[{"id": 1, "question": "?"}]', "a JSON list; expected JSON Lines"),
        (b'[\n{"id": 1, "question": "?"}\n]\n', "a JSON list; expected JSON Lines"),
        (b'{\n "id": 1,\n "question": "?"\n}\n', "a JSON document of no known form"),
        (b'{\n "id": 1,\n "question"\n}\n', "asked.jsonl:4: not JSON: Expecting ':' delimiter"),
        (b'{\n "id": 1,\n "question": "caf\xe9"\n}\n', "asked.jsonl:3: not UTF-8"),
        (b'{\n "id": ' + b"[" * 100_000, "too deeply nested"),
        (b"\xff\xfe{\0}\0\n\0", "not JSON: 'utf-8' codec"),
        (b"\x1f\x8b\x08\0", "not JSON: 'utf-8' codec"),
    ],
)
def test_files_without_questions(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError) as raised:
        read(path)
    assert reason in str(raised.value)
    assert raised.value.path == path


def test_files_that_cannot_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read(path)
    monkeypatch.setattr(files, "LARGEST", 10)
    with pytest.raises(DataError, match="expected at most 10: take a part"):
        lines(path, ASKED)
