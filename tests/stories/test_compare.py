"""A user compares ways to answer, on a file of questions, as typed."""

import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from noria import cli
from noria.evaluate.arms.remember import Memory
from noria.models.fake import FakeLLM

SQUAD = {
    "version": "1.1",
    "data": [
        {
            "title": title,
            "paragraphs": [
                {
                    "context": text,
                    "qas": [
                        {"id": f"{title}-{i}", "question": q, "answers": [{"text": a}]}
                        for i, (q, a) in enumerate(asked)
                    ],
                }
            ],
        }
        for title, text, asked in [
            (
                "Wheels",
                "The wheel of Hama measures 21 metres. The wheel of Hama was built in 1361.",
                [("How large is the wheel of Hama?", "21 metres"),
                 ("When was the wheel of Hama built?", "1361")],
            ),
            (
                "Mills",
                "The mill of Bern grinds rye. The mill of Bern belongs to Anna Moser.",
                [("What does the mill of Bern grind?", "rye"),
                 ("Who owns the mill of Bern?", "Anna Moser")],
            ),
            (
                "Wells",
                "The well of Orvieto has 248 steps. The well of Orvieto was dug for a pope.",
                [("How many steps has the well of Orvieto?", "248"),
                 ("For whom was the well of Orvieto dug?", "a pope")],
            ),
        ]
    ],
}  # fmt: skip


@pytest.fixture
def file(desk: Path) -> Path:
    path = desk / "questions.json"
    path.write_text(json.dumps(SQUAD))
    return path


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def typed(monkeypatch, capsys, *words: str, code: int = 0) -> dict:
    monkeypatch.setattr(sys, "argv", ["noria", *words, "--json"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr()
    assert (end.value.code or 0) == code, said.err
    return json.loads(said.out) if code == 0 else {"error": said.err}


def test_four_arms_and_a_report_from_which_all_can_be_computed_again(
    file, desk, monkeypatch, capsys
) -> None:
    found = typed(monkeypatch, capsys, "compare", str(file))
    assert list(found["arms"]) == ["base", "rag", "rag-fewshot", "oracle"]
    assert len(found["differences"]) > 0
    assert found["advice"]
    oracle, base = (found["arms"][name]["metrics"]["f1"] for name in ("oracle", "base"))
    assert oracle["mean"] > base["mean"] == 0.0  # the fake can only quote what it is shown
    folder = Path(found["report"])
    assert {p.name for p in folder.iterdir()} == {
        "report.html", "metrics.json", "answers.base.jsonl", "answers.rag.jsonl",
        "answers.rag-fewshot.jsonl", "answers.oracle.jsonl",
    }  # fmt: skip
    lines = lines_of(folder / "answers.rag.jsonl")
    assert {line["id"] for line in lines} == {
        q["id"] for a in SQUAD["data"] for p in a["paragraphs"] for q in p["qas"]
    }
    assert all(line["found"] and line["retrieved"] and line["prompt_tokens"] for line in lines)
    before = (folder / "metrics.json").read_text()
    again = typed(monkeypatch, capsys, "evaluate", "report", str(folder))
    assert again["arms"] == json.loads(json.dumps(found["arms"]))
    assert (folder / "metrics.json").read_text() == before
    HTMLParser().feed((folder / "report.html").read_text())


def test_a_second_run_asks_no_question_twice_and_answers_the_same(
    file, desk, monkeypatch, capsys
) -> None:
    asked: list[object] = []
    batch = FakeLLM.batch

    def counting(self, prompts, sampling, done=None):
        asked.extend(prompts)
        return batch(self, prompts, sampling, done)

    monkeypatch.setattr(FakeLLM, "batch", counting)
    first = typed(monkeypatch, capsys, "compare", str(file))
    before = lines_of(Path(first["report"]) / "answers.rag.jsonl")
    count = len(asked)
    assert count == len({str(prompt) for prompt in asked}) > 0
    second = typed(monkeypatch, capsys, "compare", str(file))
    assert len(asked) == count
    after = lines_of(Path(second["report"]) / "answers.rag.jsonl")
    assert [line | {"seconds": 0} for line in before] == [line | {"seconds": 0} for line in after]


def test_worked_examples_are_never_of_the_questions_own_document(
    file, desk, monkeypatch, capsys
) -> None:
    prompts: list[object] = []
    batch = FakeLLM.batch

    def watching(self, asked, sampling, done=None):
        prompts.extend(asked)
        return batch(self, asked, sampling, done)

    monkeypatch.setattr(FakeLLM, "batch", watching)
    typed(monkeypatch, capsys, "compare", str(file), "--arms", "rag-fewshot")
    assert len(prompts) == 6
    for prompt in prompts:
        assert [turn.role for turn in prompt][1:] == ["user", "assistant"] * 3 + ["user"]
        question = prompt[-1].content.rpartition("Question: ")[2]
        subject = next(s for s in ("Hama", "Bern", "Orvieto") if s in question)
        assert not any(subject in turn.content for turn in prompt[1:-1])


def test_labels_are_learnt_from_the_nearest_examples(desk, monkeypatch, capsys) -> None:
    rows = [f"my card number {i} was lost,lost_card" for i in range(12)]
    rows += [f"send money number {i} abroad,transfer" for i in range(12)]
    path = desk / "intents.csv"
    path.write_text("text,category\n" + "\n".join(rows) + "\n")

    def nearest_label(self, prompts, sampling, done=None):
        labels = [[t.content for t in p if t.role == "assistant"] for p in prompts]
        said = FakeLLM([own[-1] if own else "no idea" for own in labels])
        return batch(said, prompts, sampling, done)

    batch = FakeLLM.batch
    monkeypatch.setattr(FakeLLM, "batch", nearest_label)
    found = typed(monkeypatch, capsys, "compare", str(path), "--arms", "base,rag,oracle")
    assert list(found["arms"]) == ["base", "rag"]
    assert "no question names its gold passage" in found["problems"][0]
    assert found["arms"]["rag"]["metrics"]["accuracy"]["mean"] == 1.0
    assert found["arms"]["base"]["metrics"]["accuracy"]["mean"] == 0.0
    assert found["arms"]["base"]["errors"] == {"format: empty, cut off, or no single choice": 24}


def test_a_budget_asks_all_arms_the_same_questions(file, desk, monkeypatch, capsys) -> None:
    found = typed(monkeypatch, capsys, "compare", str(file), "--arms", "base,rag",
                  "--max-questions", "3")  # fmt: skip
    folder = Path(found["report"])
    ids = [
        [line["id"] for line in lines_of(folder / f"answers.{arm}.jsonl")]
        for arm in ("base", "rag")
    ]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 3


def test_a_threshold_is_fitted_on_other_documents_than_it_is_measured_on(
    file, desk, monkeypatch, capsys
) -> None:
    found = typed(monkeypatch, capsys, "compare", str(file), "--arms", "base,rag", "--risk", "0.5")
    assert "abstain below, base" not in found["about"]  # closed book tells no confidence
    fitted = found["about"]["abstain below, rag"]
    assert fitted["stated"] == 0.5
    assert fitted["fitted"] + fitted["held_out"] == 6
    assert fitted["fitted"] % 2 == 0  # both questions of a document are on one side


def test_what_cannot_be_compared_is_refused(file, desk, monkeypatch, capsys) -> None:
    for words, said in [
        (["--arms", "base,rga"], "unknown arm 'rga'"),
        (["--arms", "tuned"], "needs a release tuned for sft"),
        (["--arms", "base,base"], "named twice"),
        (["--arms", ","], "no arms"),
    ]:
        assert said in typed(monkeypatch, capsys, "compare", str(file), *words, code=2)["error"]
    (desk / "empty.jsonl").write_text("")
    error = typed(monkeypatch, capsys, "compare", str(desk / "empty.jsonl"), code=2)["error"]
    assert "empty.jsonl" in error
    assert "no whole report" in typed(monkeypatch, capsys, "evaluate", "report", str(desk),
                                      code=2)["error"]  # fmt: skip


def test_what_is_remembered_survives_the_process(tmp_path) -> None:
    memory = Memory(tmp_path / "a.db")
    memory.put("k", {"x": 1})
    memory.put("k", {"x": 2})
    memory.close()
    assert Memory(tmp_path / "a.db").get("k") == {"x": 1}


def labelled(prompts) -> list[list[str]]:
    """The labels that each prompt shows."""
    return [[t.content for t in prompt if t.role == "assistant"] for prompt in prompts]


@pytest.fixture
def prompts(monkeypatch) -> list:
    seen: list = []
    batch = FakeLLM.batch

    def watching(self, asked, sampling, done=None):
        seen.extend(asked)
        return batch(self, asked, sampling, done)

    monkeypatch.setattr(FakeLLM, "batch", watching)
    return seen


def test_no_example_shares_words_or_context_with_its_question(
    desk, prompts, monkeypatch, capsys
) -> None:
    lines = [
        {"id": f"{i}-{j}", "question": f"What is {what} {i}?", "answers": [f"{what}-{i}"],
         "context": f"Here is {i}. It has a-{i} and b-{i}."}
        for i in range(5) for j, what in enumerate(("a", "b"))
    ]  # fmt: skip
    path = desk / "contexts.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    (desk / "handbook" / "all.md").write_text("\n\n".join(line["context"] for line in lines))
    typed(monkeypatch, capsys, "ingest", "handbook")
    typed(monkeypatch, capsys, "compare", str(path), "--arms", "rag-fewshot")
    assert len(prompts) == 10
    for prompt, shown in zip(prompts, labelled(prompts), strict=True):
        number = prompt[-1].content.rpartition("What is ")[2].split()[1].rstrip("?")
        assert not any(label.endswith(f"-{number}") for label in shown)


def test_punctuation_and_other_files_do_not_make_a_question_its_own_example(
    desk, prompts, monkeypatch, capsys
) -> None:
    rows = [f"lost card {i} ,lost" for i in range(6)] + [f"Lost card {i}?,lost" for i in range(6)]
    path = desk / "intents.csv"
    path.write_text("text,category\n" + "\n".join(rows) + "\nsend money,transfer\n")
    typed(monkeypatch, capsys, "compare", str(path), "--arms", "rag")
    for prompt in prompts:
        asked, *shown = [
            t.content.rpartition("Text: ")[2].casefold().strip("? ")
            for t in reversed(prompt)
            if t.role == "user"
        ]
        assert asked not in shown
    other = desk / "same.csv"
    other.write_text("text,category\n" + "\n".join(rows) + "\nwhere is it,transfer\n")
    found = typed(monkeypatch, capsys, "compare", str(path), "--arms", "rag", "--examples",
                  str(other))  # fmt: skip
    assert "12 worked examples are questions that are asked; left out" in found["problems"]


def test_a_translation_or_a_choice_may_say_i_do_not_know(desk, monkeypatch, capsys) -> None:
    lines = [
        {"id": str(i), "task": "translation", "question": f"Ich weiss nicht {i}",
         "answers": [f"I don't know where it is {i}."]}
        for i in range(4)
    ]  # fmt: skip
    path = desk / "translate.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))

    def right(self, asked, sampling, done=None):
        numbers = [prompt[-1].content.split()[-1] for prompt in asked]
        return batch(FakeLLM([f"I don't know where it is {n}." for n in numbers]), asked, sampling,
                     done)  # fmt: skip

    batch = FakeLLM.batch
    monkeypatch.setattr(FakeLLM, "batch", right)
    found = typed(monkeypatch, capsys, "compare", str(path), "--arms", "base")
    assert found["arms"]["base"]["metrics"]["chrf"]["mean"] == 100.0


def test_long_examples_are_left_out_rather_than_the_question(desk, monkeypatch, capsys) -> None:
    lines = [
        {"id": str(i), "task": "summarization", "question": f"{i} " + f"word{i} " * 400,
         "answers": [f"much of {i}"]}
        for i in range(10)
    ]  # fmt: skip
    path = desk / "long.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    found = typed(monkeypatch, capsys, "compare", str(path), "--arms", "rag")
    assert found["arms"]["rag"]["errors"].keys() <= {"answered wrongly", "passage not found"}
    assert found["problems"] == []


def test_gold_that_is_not_there_is_said(desk, monkeypatch, capsys) -> None:
    (desk / "handbook" / "wheel.md").write_text("The wheel lifts 300 litres.")
    typed(monkeypatch, capsys, "ingest", "handbook")
    path = desk / "named.jsonl"
    path.write_text(json.dumps({"id": "1", "question": "How much does the wheel lift?",
                                "answers": ["300 litres"], "documents": ["wheel.md"]}))  # fmt: skip
    found = typed(monkeypatch, capsys, "compare", str(path), "--arms", "oracle")
    assert "1 of 1 questions had no gold passage to read" in found["problems"][0]


def test_a_report_that_cannot_be_written_is_said_before_anything_is_asked(
    file, desk, prompts, monkeypatch, capsys
) -> None:
    (desk / "taken").write_text("")
    error = typed(monkeypatch, capsys, "compare", str(file), "--out", "taken", code=2)["error"]
    assert "no folder can be made" in error
    assert prompts == []


def test_names_of_arms_that_have_a_meaning_are_refused(file, desk, monkeypatch, capsys) -> None:
    (desk / "noria.toml").write_text('[arms.base]\npassages = "retrieved"\n')
    error = typed(monkeypatch, capsys, "compare", str(file), code=2)["error"]
    assert "arms.base" in error
    assert "choose another" in error
