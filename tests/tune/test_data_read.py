"""Training data in every form that people have."""

import csv
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import DataError
from noria.evaluate.questions import Question
from noria.evaluate.readers.entries import Place
from noria.tune.data.forms import example_of
from noria.tune.data.read import Examples, read
from noria.tune.data.store import lines
from noria.tune.examples import Example
from noria.types import Chat, Message

PUMP = "Ada dug the well in 1842."


def saved(path: Path, *records: object) -> Examples:
    """What is read of records, each on a line; texts stand there as they are."""
    rows = (r if isinstance(r, str) else json.dumps(r) for r in records)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return read(path)


def document(path: Path, value: object, indent: int | None = None) -> Examples:
    path.write_text(json.dumps(value, indent=indent), encoding="utf-8")
    return read(path)


def table(path: Path, *rows: list[str]) -> Examples:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return read(path)


def chat(*turns: str) -> Chat:
    """Turns of the user and the assistant, in turn."""
    return tuple(
        Message("assistant" if at % 2 else "user", turn) for at, turn in enumerate(turns)
    )  # fmt: skip


def of_chat(id: str, prompt: Chat, response: str, line: int | None = 1, **more: Any) -> Example:
    """A chat as it is read."""
    answers = (response,) if response else ()
    question = Question(id, prompt[-1].content, answers, task="chat")
    return Example(question, response, prompt, line=line, **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "train.jsonl"


# lines


def test_the_last_answer_of_a_chat_is_the_response(path: Path) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": [{"type": "text", "text": "Who "}, {"text": "dug it?"}]},
        {"role": "assistant", "content": "Ada"},
    ]
    found = saved(path, {"messages": turns, "origin": "interaction", "weight": 2, "intent": "who"})
    prompt = (Message("system", "Be brief."), *chat("Hello", "Hello!", "Who dug it?"))
    assert found == Examples(
        (of_chat("1", prompt, "Ada", origin="interaction", weight=2.0, intent="who"),)
    )


def test_what_follows_the_last_answer_is_left_out_and_told(path: Path) -> None:
    turns = [{"role": r, "content": r} for r in ("user", "assistant", "user")]
    found = saved(path, {"messages": turns})
    assert found.examples == (of_chat("1", chat("user"), "assistant"),)
    assert found.problems == (f"{path}:1: 1 turn after the last answer left out",)


def test_tools_are_left_out_and_told(path: Path) -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]
    found = saved(path, {"conversations": turns, "tools": "[]"},
                  {"conversations": turns, "tools": [{"name": "search"}]})  # fmt: skip
    assert [each.response for each in found.examples] == ["Ho", "Ho"]
    (problem,) = found.problems
    assert problem.startswith(f'{path}:2: "tools" are left out')


def test_prompts_and_responses(path: Path) -> None:
    found = saved(
        path,
        {"prompt": "Sing", "response": "La"},
        {"prompt": "Sing", "completion": "La", "system": "Be loud."},
        {"id": "s", "instruction": "Sing", "input": "of water", "output": "La"},
        {"instruction": "Sing", "input": "", "output": "La", "history": [["Hi", "Ho"]]},
        {"input": "Sing", "output": "La"},
        {"context": "Question: Who?\nAnswer:", "answer": "Ada", "aliases": ["Ada L."]},
        {"prompt": [{"role": "user", "content": "Sing"}],
         "completion": [{"role": "assistant", "content": "La"}]},
    )  # fmt: skip
    assert found.problems == ()
    assert found.examples == (
        of_chat("1", chat("Sing"), "La", 1),
        of_chat("2", (Message("system", "Be loud."), *chat("Sing")), "La", 2),
        of_chat("s", chat("Sing\n\nof water"), "La", 3),
        of_chat("4", chat("Hi", "Ho", "Sing"), "La", 4),
        of_chat("5", chat("Sing"), "La", 5),
        of_chat("6", chat("Question: Who?\nAnswer:"), "Ada", 6),
        of_chat("7", chat("Sing"), "La", 7),
    )


def test_a_prompt_with_a_context_is_a_question_that_the_objective_words(path: Path) -> None:
    found = saved(
        path,
        {"prompt": "Who dug it?", "response": "Ada", "context": PUMP, "document": "a.md"},
        {"instruction": "Who?", "context": PUMP, "response": "Ada", "category": "closed_qa"},
        {"prompt": "Wet?", "response": "yes", "choices": ["yes", "no"]},
        {"prompt": "Who dug Mars?", "response": "", "unanswerable": True, "context": PUMP},
    )
    assert [each.question for each in found.examples] == [
        Question("1", "Who dug it?", ("Ada",), ("a.md",), context=PUMP),
        Question("2", "Who?", ("Ada",), context=PUMP),
        Question("3", "Wet?", ("yes",), task="choice", choices=("yes", "no")),
    ]
    assert all(each.turns == () for each in found.examples)
    assert found.problems == (f"{path}:4: expected some words as \"response\", got ''",)


def test_preferences(path: Path) -> None:
    human = "\n\nHuman: Sing\n\nAssistant:"
    found = saved(
        path,
        {"prompt": "Sing", "chosen": "La", "rejected": "No"},
        {"prompt": "Sing", "chosen": "La", "rejected": ["No", "Never"]},
        {"prompt": "Sing", "responses": ["No", "La", "Lo"], "ranking": [1, 2, 0]},
        {"prompt": "Sing", "responses": ["La", "No"]},
        {"conversations": [{"from": "human", "value": "Sing"}],
         "chosen": {"from": "gpt", "value": "La"}, "rejected": {"from": "gpt", "value": "No"}},
        {"chosen": f"{human} La", "rejected": f"{human} No"},
        {"chosen": [{"role": "user", "content": "Sing"}, {"role": "assistant", "content": "La"}],
         "rejected": [{"role": "user", "content": "Sing"}, {"role": "assistant", "content": "No"}]},
    )  # fmt: skip
    assert found.problems == ()
    assert [each.rejected for each in found.examples] == [
        ("No",), ("No", "Never"), ("Lo", "No"), ("No",), ("No",), ("No",), ("No",),
    ]  # fmt: skip
    assert {(each.response, each.turns) for each in found.examples} == {("La", chat("Sing"))}


def test_a_thumb_down_makes_a_response_a_rejected_one(path: Path) -> None:
    turns = [{"role": "user", "content": "Sing"}, {"role": "assistant", "content": "No"}]
    found = saved(
        path,
        {"prompt": "Sing", "response": "La", "label": True},
        {"prompt": "Sing", "response": "No", "label": False},
        {"messages": turns, "label": False},
        {"prompt": "Sing", "response": "No", "label": 0},
    )
    liked, *others = found.examples
    assert (liked.response, liked.rejected) == ("La", ())
    for each in others:
        assert (each.response, each.rejected, each.question.answers) == ("", ("No",), ())
        assert not each.question.unanswerable


def test_questions_of_every_task(path: Path) -> None:
    found = saved(
        path,
        {"id": "a", "question": "Who?", "answers": ["Ada", "Ada L."], "documents": ["a.md"],
         "context": PUMP, "origin": "synthetic", "slice": {"year": 1842}},
        {"id": "b", "question": "Who dug Mars?", "unanswerable": True, "context": PUMP},
        {"text": "My tap drips", "label": "repair"},
        {"text": "My bill", "label": "bill"},
        {"prompt": "It drips", "label": "repair"},
        {"text": "It rains", "label": 3},
        {"dialogue": "A: Hi\nB: Ho", "summary": "They greet.", "fname": "x", "topic": "y"},
        {"question": "Who?", "response": "It was Ada.", "rejected": "Bob"},
        {"question": "Who?", "completion": "Ada"},
    )  # fmt: skip
    assert found.problems == ()
    labels: Any = {"task": "classification", "choices": ("3", "bill", "repair")}
    assert found.examples == (
        Example(Question("a", "Who?", ("Ada", "Ada L."), ("a.md",), context=PUMP,
                         slice={"year": "1842"}), "Ada", origin="synthetic", line=1),
        Example(Question("b", "Who dug Mars?", context=PUMP, unanswerable=True), "", line=2),
        Example(Question("3", "My tap drips", ("repair",), **labels), "repair", line=3),
        Example(Question("4", "My bill", ("bill",), **labels), "bill", line=4),
        Example(Question("5", "It drips", ("repair",), **labels), "repair", line=5),
        Example(Question("6", "It rains", ("3",), **labels), "3", line=6),
        Example(Question("7", "A: Hi\nB: Ho", ("They greet.",), task="summarization"),
                "They greet.", line=7),
        Example(Question("8", "Who?", ("It was Ada.",)), "It was Ada.", rejected=("Bob",), line=8),
        Example(Question("9", "Who?", ("Ada",)), "Ada", line=9),
    )  # fmt: skip


def test_squad_as_lines_of_hugging_face(path: Path) -> None:
    line: Any = {"title": "Wells", "context": PUMP, "question": "Who?"}
    found = saved(
        path,
        {**line, "id": "a", "answers": {"text": ["Ada", "Ada"], "answer_start": [0, 0]}},
        {**line, "id": "b", "answers": {"text": [], "answer_start": []}},
    )
    about: Any = {"context": PUMP, "slice": {"article": "Wells"}}
    assert found.examples == (
        Example(Question("a", "Who?", ("Ada",), **about), "Ada", line=1),
        Example(Question("b", "Who?", unanswerable=True, **about), "", line=2),
    )


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("no JSON", "not JSON: Expecting value"),
        ([1], "expected an object, got [1]"),
        ({}, "expected \"messages\", \"prompt\" and \"response\", \"question\", or another form of "
             "docs/training-data.md, got the keys of nothing"),
        ({"a": 1, "b": 2}, "got the keys 'a', 'b'"),
        ({"messages": []}, 'expected a list of turns as "messages", got []'),
        ({"messages": ["Hi"]}, "expected a turn with \"role\" and \"content\" as messages[0]"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "no turn of the assistant in"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "nothing stands before"),
        ({"messages": [{"role": "tool", "content": "{}"}]}, "unknown role 'tool' in messages[0]"),
        ({"messages": [{"content": "Hi"}]}, "unknown role None in messages[0]"),
        ({"messages": [{"role": "user", "content": None}]}, 'words as "messages[0]", got None'),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "more than text"),
        ({"prompt": "Sing"}, 'a prompt without "response"'),
        ({"prompt": "Sing", "response": " "}, "expected some words as \"response\", got ' '"),
        ({"prompt": "", "response": "La"}, "expected some words as \"prompt\", got ''"),
        ({"prompt": "\ud800", "response": "La"}, '"prompt" holds U+D800'),
        ({"prompt": "Sing", "response": 3}, 'expected some words as "response", got 3'),
        ({"prompt": "Sing", "response": "La", "label": "good"}, 'true or false as "label"'),
        ({"prompt": "Sing", "response": "La", "origin": "web"}, "unknown \"origin\" 'web'"),
        ({"prompt": "Sing", "response": "La", "weight": 0}, 'expected a "weight" above 0, got 0'),
        ({"prompt": "Sing", "response": "La", "weight": "2"}, 'a number as "weight", got \'2\''),
        ({"prompt": "Sing", "response": "La", "history": ["a"]}, 'pairs of texts as "history"'),
        ({"prompt": "Sing", "response": "La", "unanswerable": 1}, 'or false as "unanswerable"'),
        ({"prompt": "Sing", "chosen": "La"}, 'expected some words as "rejected", got None'),
        ({"prompt": "Sing", "chosen": "La", "rejected": "La"}, "chosen and rejected"),
        ({"chosen": "La", "rejected": "No"}, 'no prompt: neither in "prompt"'),
        ({"chosen": "\n\nHuman: Hi\n\nAssistant: a", "rejected": "\n\nHuman: Ho\n\nAssistant: b"},
         "differ before their last answer"),
        ({"chosen": "\n\nHuman: Hi", "rejected": "\n\nHuman: Hi"}, "does not end with an answer"),
        ({"prompt": "Sing", "responses": ["La"]}, 'two or more "responses"'),
        ({"prompt": "Sing", "responses": ["La", "La"]}, "the same text stands twice"),
        ({"prompt": "Sing", "responses": ["a", "b"], "ranking": [1, 2]}, "best first, from 0 to 1"),
        ({"prompt": "Sing", "responses": ["a", "b"], "ranking": [True, 0]}, "best first"),
        ({"question": "Who?", "answers": ["Ada"], "unanswerable": True}, "yet it has answers"),
        ({"id": "", "question": "Who?"}, "expected an object with an \"id\", got ''"),
        ({"id": "good", "prompt": "Sing", "response": "La"}, "\"id\" 'good' was there before"),
        ({"dialogue": "A: Hi", "summary": ""}, "expected some words as \"summary\", got ''"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_and_the_rest_goes_on(path: Path, record: Any, reason: str) -> None:
    good = {"id": "good", "prompt": "Sing", "response": "La"}
    found = saved(path, good, record, {**good, "id": "last"})
    assert [each.id for each in found.examples] == ["good", "last"]
    (problem,) = found.problems
    assert problem.startswith(f"{path}:2: ")
    assert reason in problem


def test_damaged_bytes_are_told(path: Path) -> None:
    good = json.dumps({"prompt": "Sing", "response": "La"}).encode()
    path.write_bytes(b"\xef\xbb\xbf" + good + b'\n{"prompt": "\xff"}\n\n' + good)
    found = read(path)
    assert [each.line for each in found.examples] == [1, 4]
    assert re.search(r":2: not JSON: 'utf-8' codec", found.problems[0])


@pytest.mark.parametrize("content", ["", "\n", "{}\n", "nothing at all\n", '{"a": [\n', "[]"])
def test_a_file_without_examples_is_refused(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError):
        read(path)


def test_nothing_is_left_says_what_was_expected_and_found(path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing to learn .*; the first: .*:1: a prompt without"):
        saved(path, {"prompt": "Sing"}, "{")


def test_problems_are_counted_beyond_a_thousand(path: Path) -> None:
    found = saved(path, {"prompt": "Sing", "response": "La"}, *["no"] * 1500)
    assert len(found.problems) == 1001
    assert found.problems[-1] == f"{path}: 500 more problems are not listed"


KEYS = [
    "id", "messages", "conversations", "prompt", "response", "chosen", "rejected", "responses",
    "ranking", "label", "instruction", "input", "output", "question", "answers", "text", "turns",
    "dialogue", "summary", "context", "documents", "choices", "slice", "unanswerable", "task",
    "system", "history", "origin", "weight", "intent", "tools", "title",
]  # fmt: skip
ANY: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats() | st.sampled_from(["", "qa"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["role", "content", "from", "value", "text", "user", "type"]), inner,
        max_size=3,
    )
    | st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": inner}),
    max_leaves=6,
)  # fmt: skip


GOOD: list[dict[str, Any]] = [
    {"prompt": "Sing", "response": "La"},
    {"prompt": "Sing", "chosen": "La", "rejected": "No"},
    {"prompt": "Sing", "responses": ["La", "No"]},
    {"question": "Who?", "answers": ["Ada"]},
    {"dialogue": "Hi", "summary": "Hi"},
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]},
    {},
]


@given(st.sampled_from(GOOD), st.dictionaries(st.sampled_from(KEYS), ANY, max_size=3))
def test_whatever_stands_there_is_an_example_or_a_problem(
    good: dict[str, Any], change: dict[str, Any]
) -> None:
    place = Place(Path("train.jsonl"), 3)
    with suppress(DataError):  # anything else is raised
        example = example_of({**good, **change}, place, 3, str)
        assert lines([example])  # what is read can be written, and read again as it was


# documents of JSON


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_examples(path: Path, indent: int | None) -> None:
    alpaca = {"instruction": "Sing", "input": "", "output": "La"}
    sharegpt = {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}],
                "system": "Be brief."}  # fmt: skip
    found = document(path, [alpaca, {"instruction": "Sing"}, sharegpt], indent)
    assert found.examples == (
        of_chat("0", chat("Sing"), "La", None),
        of_chat("2", (Message("system", "Be brief."), *chat("Hi")), "Ho", None),
    )
    (problem,) = found.problems
    assert problem.startswith(f'{path}: [1]: a prompt without "response"')


def test_squad_and_pubmedqa(path: Path) -> None:
    qas = [
        {"id": "a", "question": "Who?", "answers": [{"text": "Ada"}, {"text": "Ada L."}]},
        {"id": "b", "question": "Who dug Mars?", "answers": [], "is_impossible": True},
        {"id": "c", "question": None},
    ]
    squad = {"data": [{"title": "Wells", "paragraphs": [{"context": PUMP, "qas": qas}]}]}
    found = document(path, squad)
    about: Any = {"documents": ("Wells/0",), "context": PUMP, "slice": {"article": "Wells"}}
    assert found.examples == (
        Example(Question("a", "Who?", ("Ada", "Ada L."), **about), "Ada"),
        Example(Question("b", "Who dug Mars?", unanswerable=True, **about), ""),
    )
    assert "data[0].paragraphs[0].qas[2]: expected some words" in found.problems[0]
    record = {"QUESTION": "Wet?", "CONTEXTS": [PUMP], "YEAR": "1999", "final_decision": "yes"}
    (example,) = document(path, {"17": record}).examples
    assert (example.id, example.response, example.question.task) == ("17", "yes", "choice")


def test_one_example_over_several_lines(path: Path) -> None:
    assert document(path, {"prompt": "Sing", "response": "La"}, 2).examples[0].response == "La"


def test_a_document_of_another_form_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match="a JSON document of no known form"):
        document(path, {"rows": []}, 2)


def test_lines_whose_first_is_broken_are_still_lines(path: Path) -> None:
    found = saved(path, '{"prompt": ', {"prompt": "Sing", "response": "La"})
    assert [each.id for each in found.examples] == ["2"]
    assert found.problems[0].startswith(f"{path}:1: not JSON")


def test_a_folder_of_beir_has_questions_without_responses(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"_id": "d", "text": PUMP}) + "\n")
    (tmp_path / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "Who?"}) + "\n")
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    assert read(tmp_path).examples == (Example(Question("q", "Who?", documents=("d",)), ""),)


# tables


def test_a_table_of_labels(tmp_path: Path) -> None:
    found = table(
        tmp_path / "train.csv",
        ["text", "intent", "origin", "weight", "area"],
        ["My tap drips", "repair", "synthetic", "0.5", "a"],
        ["My bill", "bill", "", "", "b"],
        ["My bill", "bill", "", "much", "b"],
        ["My bill"],
    )
    labels: Any = {"task": "classification", "choices": ("bill", "repair")}
    tap = Question("2", "My tap drips", ("repair",), slice={"area": "a"}, **labels)
    bill = Question("3", "My bill", ("bill",), slice={"area": "b"}, **labels)
    assert found.examples == (
        Example(tap, "repair", origin="synthetic", weight=0.5, line=2),
        Example(bill, "bill", line=3),
    )
    path = tmp_path / "train.csv"
    assert found.problems == (
        f"{path}:4: expected a number as \"weight\", got 'much'",
        f"{path}:5: 1 cells; expected 5 as in the header",
    )


def test_a_table_of_questions_with_responses_and_intents(tmp_path: Path) -> None:
    found = table(
        tmp_path / "train.tsv",
        ["Question", "Answers", "Response", "Intent", "Context"],
        ["Who?", "Ada | Ada L.", "It was Ada.", "person", PUMP],
    )
    (example,) = found.examples
    assert example == Example(
        Question("2", "Who?", ("Ada", "Ada L."), context=PUMP), "It was Ada.", intent="person",
        line=2,
    )  # fmt: skip


def test_beside_a_response_a_label_is_a_slice(tmp_path: Path) -> None:
    found = table(
        tmp_path / "train.csv",
        ["question", "response", "category"],
        ["Who?", "It was Ada.", "people"],
        ["When?", "In 1842.", "years"],
    )
    assert found.examples[0] == Example(
        Question("2", "Who?", ("It was Ada.",), slice={"category": "people"}), "It was Ada.",
        line=2,
    )  # fmt: skip


def test_a_table_of_prompts(tmp_path: Path) -> None:
    found = table(
        tmp_path / "train.csv",
        ["instruction", "response", "label", "intent"],
        ["Sing", "La", "true", "song"],
        ["Sing", "No", "FALSE", ""],
        ["", "No", "", ""],
    )
    liked, other = found.examples
    assert (liked.response, liked.intent, liked.line) == ("La", "song", 2)
    assert (other.response, other.rejected) == ("", ("No",))
    assert [p.partition(": ")[0] for p in found.problems] == [f"{tmp_path / 'train.csv'}:4"]
    found = table(tmp_path / "pairs.csv", ["prompt", "chosen", "rejected"], ["Sing", "La", "No"])
    assert (found.examples[0].response, found.examples[0].rejected) == ("La", ("No",))


def test_a_table_without_such_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a header with a column question, text, prompt"):
        table(tmp_path / "train.csv", ["a", "b"], ["1", "2"])


# the documentation, and real files


def test_the_documentation_tells_the_truth(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "training-data.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    for block in blocks:
        path = tmp_path / "train.jsonl"
        path.write_text(block, encoding="utf-8")
        found = read(path)
        assert (len(found.examples), found.problems) == (len(block.splitlines()), ())


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "examples", "problems"),
    [
        ("sft/alpaca_en_demo.json", 999, 0),
        ("sft/banking77_train.csv", 9978, 0),
        ("sft/dialogsum.train.jsonl", 5000, 0),
        ("sft/dolly_hhrlhf_train_small.jsonl", 1000, 0),
        ("sft/glaive_toolcall_en_demo.json", 147, 191),  # 153 with calls of tools
        ("preferences/dpo_en_demo.json", 300, 0),
        ("preferences/kto_en_demo.json", 300, 0),
        ("preferences/hh_harmless_base.partA.jsonl", 1722, 5),  # empty turns, two prompts
        ("squad/dev-v1.1.partA.json", 6261, 0),
        ("squad/dev-v2.0.partA.json", 6662, 0),
        ("pubmedqa/pqal_dev.json", 500, 0),
        ("qa/quac.jsonl", 1000, 0),
        ("qa/triviaqa_sm_sub.jsonl", 3000, 0),
        ("scifact", 809, 0),
    ],
)
def test_real_files(name: str, examples: int, problems: int) -> None:
    found = read(Path(os.environ["NORIA_DATA"]) / name)
    assert (len(found.examples), len(found.problems)) == (examples, problems)
