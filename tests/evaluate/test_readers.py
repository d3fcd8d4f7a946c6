"""SQuAD, PubMedQA, BEIR folders and tables as questions."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.errors import DataError
from noria.evaluate.questions import Question, Questions, read
from noria.evaluate.records import Record, written
from noria.types import Document, Heading

PUMP = "Ada dug the well in 1842. It was 21 metres deep."


def squad(*articles: object, version: str = "1.1") -> dict[str, object]:
    return {"version": version, "data": list(articles)}


def article(title: object, *paragraphs: object) -> dict[str, object]:
    return {"title": title, "paragraphs": list(paragraphs)}


def paragraph(context: object, *qas: object) -> dict[str, object]:
    return {"context": context, "qas": list(qas)}


def qa(id: object, *answers: str, question: object = "Who?", **more: object) -> dict[str, object]:
    found = [{"text": answer, "answer_start": 0} for answer in answers]
    return {"id": id, "question": question, "answers": found, **more}


def saved(path: Path, document: object, indent: int | None = None) -> Path:
    path.write_text(json.dumps(document, indent=indent), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "asked.json"


# SQuAD


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_squad_is_questions_and_paragraphs(path: Path, indent: int | None) -> None:
    document = squad(
        article(
            "Old_wells",
            paragraph(PUMP, qa("a", "Ada", "Ada", "Ada L.")),
            paragraph("They dry up.", qa("b", is_impossible=False), qa("c", is_impossible=True,
                      plausible_answers=[{"text": "They", "answer_start": 0}])),
        ),
        article("Pumps", paragraph("It pumps.", qa("d", "It"))),
    )  # fmt: skip
    found = read(saved(path, document, indent))
    assert found.problems == ()
    assert found.passages == (
        Document("Old_wells/0", "Old_wells/0", f"Old wells\n\n{PUMP}", "text/plain",
                 headings=(Heading(0, 1, "Old wells"),)),
        Document("Old_wells/1", "Old_wells/1", "Old wells\n\nThey dry up.", "text/plain",
                 headings=(Heading(0, 1, "Old wells"),)),
        Document("Pumps/0", "Pumps/0", "Pumps\n\nIt pumps.", "text/plain",
                 headings=(Heading(0, 1, "Pumps"),)),
    )  # fmt: skip
    wells = {"article": "Old_wells"}
    second: Any = {"documents": ("Old_wells/1",), "context": "They dry up.", "slice": wells}
    assert found.asked == (
        Question("a", "Who?", ("Ada", "Ada L."), ("Old_wells/0",), context=PUMP, slice=wells),
        Question("b", "Who?", **second),
        Question("c", "Who?", unanswerable=True, **second),
        Question("d", "Who?", ("It",), ("Pumps/0",), context="It pumps.",
                 slice={"article": "Pumps"}),
    )  # fmt: skip


def test_articles_of_one_title_or_none_stay_apart(path: Path) -> None:
    one = paragraph(PUMP, qa("a", "Ada"))
    articles = [article("A", one), article("A", one), article("A (2)", one), {"paragraphs": [one]}]
    found = read(saved(path, squad(*articles)))
    assert [passage.id for passage in found.passages] == [
        "A/0", "A (2)/0", "A (2) (2)/0", "article 3/0",
    ]  # fmt: skip
    assert [problem.partition(": ")[2] for problem in found.problems] == [
        f"data[{n}].paragraphs[0].qas[0]: \"id\" 'a' was there before" for n in (1, 2, 3)
    ]


def test_what_is_wrong_in_squad_is_told_with_its_place(path: Path) -> None:
    document = squad(
        "nothing",
        {"title": "No paragraphs"},
        article(7, paragraph(PUMP, qa("x"))),
        article("x" * 451),
        article(
            "A",
            paragraph(PUMP, qa("a", "Ada"), "no question", qa(None), qa("b", question=None),
                      {"id": "c", "question": "?", "answers": "Ada"},
                      {"id": "d", "question": "?", "answers": [{"answer": "Ada"}]},
                      qa("e", "Ada", is_impossible=True), {"id": "f"}),
            paragraph(None, qa("g", "Ada")),
            paragraph("\ud800", qa("h", "Ada")),
            {"context": PUMP},
        ),
    )  # fmt: skip
    found = read(saved(path, document))
    assert [question.id for question in found.asked] == ["a"]
    assert [passage.id for passage in found.passages] == ["A/0"]
    expected = [
        ("data[0]", "expected an object with a list \"paragraphs\", got 'nothing'"),
        ("data[1]", 'expected an object with a list "paragraphs"'),
        ("data[2]", 'expected a string as "title", got 7'),
        ("data[3]", '451 characters of "title"'),
        ("data[4].paragraphs[0].qas[1]", "expected an object, got 'no question'"),
        ("data[4].paragraphs[0].qas[2]", 'expected an object with an "id", got None'),
        ("data[4].paragraphs[0].qas[3]", 'expected some words as "question", got None'),
        ("data[4].paragraphs[0].qas[4]", 'expected a list of strings as "answers"'),
        ("data[4].paragraphs[0].qas[5]", "got [{'answer': 'Ada'}]"),
        ("data[4].paragraphs[0].qas[6]", "unanswerable, yet it has answers"),
        ("data[4].paragraphs[0].qas[7]", 'expected some words as "question", got None'),
        ("data[4].paragraphs[1]", 'expected some words as "context", got None'),
        ("data[4].paragraphs[2]", '"context" holds U+D800'),
        ("data[4].paragraphs[3]", 'expected an object with a list "qas"'),
    ]
    assert len(found.problems) == len(expected)
    for problem, (place, reason) in zip(found.problems, expected, strict=True):
        assert problem.startswith(f"{path}: {place}: ")
        assert reason in problem


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"data": []}', "no questions in it; expected data[..].paragraphs[..].qas[..]"),
        ('{"data": [{"title": "A"}]}', "the first: {path}: data[0]: expected an object"),
        ('{"data": {}}', 'expected an object with an "id"'),  # one line of JSON Lines
        ('{"data": [\n{"title": "A",\n "paragraphs": [}\n', "{path}:3: not JSON: Expecting value"),
        ('{"data": [],\n "data": []}', "the key 'data' stands twice"),
        ('{"data": [NaN]}\n{"data": []}', "{path}: not JSON: NaN is no number"),
    ],
)
def test_squad_without_questions(path: Path, content: str, reason: str) -> None:
    path.write_text(content)
    with pytest.raises(DataError) as raised:
        read(path)
    assert reason.replace("{path}", str(path)) in str(raised.value)


# PubMedQA


def abstract(**change: object) -> dict[str, object]:
    return {
        "QUESTION": "Is water wet?",
        "CONTEXTS": ["We looked.", "It dripped."],
        "LABELS": ["METHODS", "RESULTS"],
        "YEAR": "2001",
        "final_decision": "yes",
        "LONG_ANSWER": "Water is wet.",
    } | change


@pytest.mark.parametrize("indent", [None, 2])
def test_pubmedqa_is_choices_and_abstracts(path: Path, indent: int | None) -> None:
    found = read(saved(path, {"7": abstract(), "8": abstract(YEAR=None)}, indent))
    seen = "We looked.\n\nIt dripped."
    assert found == Questions(
        (
            Question("7", "Is water wet?", ("yes",), ("7",), "choice", seen,
                     ("yes", "no", "maybe"), {"answer": "yes", "year": "2001"}),
            Question("8", "Is water wet?", ("yes",), ("8",), "choice", seen,
                     ("yes", "no", "maybe"), {"answer": "yes"}),
        ),
        (),
        (Document("7", "7", seen, "text/plain"), Document("8", "8", seen, "text/plain")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("nothing", "expected an object, got 'nothing'"),
        (abstract(final_decision="perhaps"), 'yes, no or maybe as "final_decision"'),
        ({"QUESTION": "?"}, 'expected a list of texts as "CONTEXTS", got none'),
        (abstract(CONTEXTS=[7]), 'expected a list of strings as "CONTEXTS", got [7]'),
        (abstract(QUESTION=""), 'expected some words as "question"'),
        (abstract(CONTEXTS=["\ud800"]), '"CONTEXTS" holds U+D800'),
        (abstract(YEAR=[2001]), "\"slice\" 'year': expected a text or a number"),
    ],
)
def test_what_is_wrong_in_pubmedqa_is_told(path: Path, record: object, reason: str) -> None:
    found = read(saved(path, {"7": abstract(), "\ud800": abstract(), "9": record}))
    assert [question.id for question in found.asked] == ["7"]
    assert [passage.id for passage in found.passages] == ["7"]
    assert found.problems[0] == (
        f"{path}: '\\ud800': \"id\" holds U+D800, which is no character of a text"
    )
    assert found.problems[1].startswith(f"{path}: '9': ")
    assert reason in found.problems[1]


def test_an_id_that_stands_twice_in_pubmedqa_is_refused(path: Path) -> None:
    one = json.dumps(abstract())
    path.write_text(f'{{"7": {one}, "7": {one}}}')
    with pytest.raises(DataError, match="the key '7' stands twice"):
        read(path)


# BEIR


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "wheel", "title": "Wheel", "text": "It lifts water."}\n'
        '{"_id": "moon", "text": "It is far."}\n'
    )
    (tmp_path / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "what lifts"}\n{"_id": "q2", "text": "what is far"}\n'
        '{"_id": "q3", "text": " "}\n{"_id": "q4", "text": "never judged"}\n'
    )
    (tmp_path / "qrels").mkdir()
    judged = "q1\twheel\t2\nq1\tmoon\t0\nq2\twheel\t0\nq3\tmoon\t1\n"
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    (tmp_path / "qrels" / "dev.tsv").write_text("q2\tmoon\t1\n")
    return tmp_path


def test_a_beir_folder_is_questions_with_documents(folder: Path) -> None:
    found = read(folder)
    assert found.asked == (Question("q1", "what lifts", documents=("wheel",)),)
    assert found.problems == (
        f"{folder}: question 'q2': no document is graded above 0 in test.tsv",
        f"{folder}: question 'q3': expected some words as \"question\", got ' '",
    )
    assert [passage.text for passage in found.passages] == ["Wheel\n\nIt lifts water.",
                                                            "It is far."]  # fmt: skip
    assert read(folder, "dev").asked == (Question("q2", "what is far", documents=("moon",)),)


def test_folders_that_are_no_collection(folder: Path) -> None:
    with pytest.raises(DataError, match="splits that are here: dev, test"):
        read(folder, "train")
    with pytest.raises(DataError, match=r"a folder without corpus\.jsonl and queries\.jsonl"):
        read(folder / "qrels")
    (folder / "corpus.jsonl").write_text('{"_id": "wheel", "text": "\\ud800"}\n'
                                         '{"_id": "moon", "text": ""}\n')  # fmt: skip
    with pytest.raises(DataError, match="document 'wheel' cannot be stored"):
        read(folder)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="not a regular file"):
        read(tmp_path / "pipe")


# tables


def table(folder: Path, text: str | bytes, name: str = "asked.csv") -> Questions:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(path)


def test_a_table_of_labels_is_a_classification(tmp_path: Path) -> None:
    found = table(tmp_path, 'text,category\n"My tap, it drips", repair \nBill?,bill\nTap!,repair\n')
    labels = ("bill", "repair")
    assert found.asked == (
        Question("2", "My tap, it drips", ("repair",), task="classification", choices=labels),
        Question("3", "Bill?", ("bill",), task="classification", choices=labels),
        Question("4", "Tap!", ("repair",), task="classification", choices=labels),
    )


@pytest.mark.parametrize("between", [",", "\t", ";"])
@pytest.mark.parametrize("name", ["asked.csv", "asked.tsv", "asked"])
def test_the_header_tells_what_stands_between(tmp_path: Path, between: str, name: str) -> None:
    rows = ["Question", "Answer"], ["Who?", "Ada"]
    found = table(tmp_path, "".join(between.join(row) + "\n" for row in rows), name)
    assert found == Questions((Question("2", "Who?", ("Ada",)),))


def test_all_columns(tmp_path: Path) -> None:
    found = table(
        tmp_path,
        "\ufeffid,query,answers,context,choices,documents,task,unanswerable,area\r\n"
        '7,Wet?,yes,"It drips.\r\nYes.",yes|no,a.md | b.md,,false,water\r\n'
        '\r\n8,Dry?,"[""no | not""]","",,,qa,FALSE,land\r\n'
        "9,Mars?,,,,,,true,\r\n",
    )
    assert found == Questions(
        (
            Question("7", "Wet?", ("yes",), ("a.md", "b.md"), "choice", "It drips.\r\nYes.",
                     ("yes", "no"), {"area": "water"}),
            Question("8", "Dry?", ("no | not",), slice={"area": "land"}),
            Question("9", "Mars?", unanswerable=True),
        )
    )  # fmt: skip


def test_a_label_beside_answers_is_a_slice(tmp_path: Path) -> None:
    found = table(tmp_path, "question,answer,category\nWho?,Ada,people\nWhen?,1842,dates\n")
    assert [(q.task, q.answers, q.slice) for q in found.asked] == [
        ("qa", ("Ada",), {"category": "people"}),
        ("qa", ("1842",), {"category": "dates"}),
    ]


def test_columns_of_too_many_or_too_few_values_are_no_slices(tmp_path: Path) -> None:
    header = ",question,note,same,half\n"
    rows = "".join(f"{n},Who?,note {n},x,{n % 2}\n" for n in range(51))
    asked = table(tmp_path, header + rows).asked
    assert [q.slice for q in asked] == [{"half": str(n % 2)} for n in range(51)]


def test_a_cell_may_not_be_longer_because_another_reader_raised_the_limit(tmp_path: Path) -> None:
    before = csv.field_size_limit(10_000_000)
    try:
        found = table(tmp_path, "question,answers\nWho?," + "x" * 200_000 + "\nRight?,yes\n")
    finally:
        csv.field_size_limit(before)
    assert [q.text for q in found.asked] == ["Right?"]
    assert "field larger" in found.problems[0]


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        (["Who?", "Who?,Ada,1842"], ["2: 1 cells; expected 2", "3: 3 cells; expected 2"]),
        ([",Ada"], ["2: expected some words as \"question\", got None"]),
        (['"A"b,c', 'Who?,"[""x"'],
         ["2: no row of a table, up to line 2: ',' expected", '3: "answers" begins like a list']),
        (['"Who?,Ada', 'When?,"1842"'], ["2: no row of a table, up to line 3: ',' expected"]),
        (["a\rb,c"], ["2: no row of a table, up to line 2: new-line character"]),
        (["Who?," + "x" * 200_000], ["2: no row of a table, up to line 2: field larger"]),
        (["Who?,a\0b"], ["2: \"answers\" holds U+0000"]),
    ],
)  # fmt: skip
def test_wrong_rows_are_listed(tmp_path: Path, rows: list[str], problems: list[str]) -> None:
    found = table(tmp_path, "\n".join(["question,answers", *rows, "Right?,yes"]))
    assert [q.text for q in found.asked] == ["Right?"]
    assert len(found.problems) == len(problems)
    for problem, expected in zip(found.problems, problems, strict=True):
        assert f"asked.csv:{expected}" in problem


def test_an_open_quotation_mark_does_not_swallow_rows_unseen(tmp_path: Path) -> None:
    found = table(tmp_path, 'question,answer\nRight?,yes\n"Who?,Ada\nWhen?,1842\n')
    assert [q.text for q in found.asked] == ["Right?"]
    (problem,) = found.problems
    assert "asked.csv:3: no row of a table, up to line 4: unexpected end of data" in problem


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", ":1: expected a header in UTF-8 with a column question or text or query"),
        (b"name,city\nAda,London\n", ":1: expected a header"),
        (b"question,text\nWho?,Ada\n", ":1: the columns question and text could mean the same"),
        (b"text,label,intent\nWho?,a,b\n", ":1: the columns label and intent could mean the same"),
        (b"question,Answer,answer\nWho?,a,b\n", ":1: two columns of one name"),
        (b"question,answer\n", "no questions in it; expected rows below the header"),
        (b"question,answer\nWho?,Ada\nCaf\xe9?,yes\n", ":3: not UTF-8"),
        ("question,answer\nWho?,Ada\n".encode("utf-16"), ":1: expected a header in UTF-8"),
        (b"text,label\nWho?,\n", "without a right answer"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(DataError) as raised:
        table(tmp_path, content)
    assert reason in str(raised.value)


# whatever stands there

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "text", "QUESTION", "data"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def replaced(value: object, draw: st.DrawFn) -> object:
    """``value`` with something in it replaced, or gone."""
    if draw(st.integers(0, 4)) == 0:
        return draw(VALUES)
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        rest = {k: v for k, v in value.items() if k != key}
        return rest if draw(st.booleans()) else rest | {key: replaced(value[key], draw)}
    if isinstance(value, list) and value:
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], replaced(value[at], draw), *value[at + 1 :]]
    return draw(VALUES)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    one = {"id": "1", "question": "?", "answers": ["yes"], "choices": ["yes", "no"],
           "slice": {"of": 1}, "documents": ["a"], "task": "choice"}  # fmt: skip
    whole: list[object] = [squad(article("A", paragraph(PUMP, qa("a", "Ada"), qa("b", "well")))),
                           {"7": abstract(), "8": abstract()}, one]  # fmt: skip
    value = draw(st.sampled_from(whole))
    for _ in range(draw(st.integers(1, 4))):
        value = replaced(value, draw)
    return json.dumps(value, indent=draw(st.sampled_from([None, 1])))


@given(damaged())
def test_damaged_documents_are_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    readable(tmp_path_factory.getbasetemp() / "damaged.json", text.encode())


HEADERS = st.sampled_from([b"", b"question,answer\n", b"text;label;x\n", b"{", b'{"data": ['])


@given(HEADERS, st.binary() | st.text(alphabet='",;\n\r|[]{}a\0', max_size=30).map(str.encode))
def test_any_bytes_are_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, header: bytes, content: bytes
) -> None:
    readable(tmp_path_factory.getbasetemp() / "any.csv", header + content)


def readable(path: Path, content: bytes) -> None:
    """Nothing but DataError is raised, and what is read can be written."""
    path.write_bytes(content)
    try:
        found = read(path)
    except DataError as error:
        str(error).encode()
        return
    records = [Record(q.id, q.text, q.answers, "", slice=q.slice, choices=q.choices)
               for q in found.asked]  # fmt: skip
    written(records).encode()
    "".join([*found.problems, *(p.id + p.text for p in found.passages)]).encode()


# the real ones


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "asked", "passages", "unanswerable"),
    [
        ("squad/dev-v1.1.partA.json", 6261, 1181, 0),
        ("squad/dev-v2.0.partA.json", 6662, 642, 3380),
        ("pubmedqa/pqal_dev.json", 500, 500, 0),
        ("scifact", 300, 5183, 0),
        ("sft/banking77_train.csv", 9978, 0, 0),
        ("chunking_evaluation/questions_df.csv", 229, 0, 0),
    ],
)
def test_real_files(name: str, asked: int, passages: int, unanswerable: int) -> None:
    found = read(Path(os.environ["NORIA_DATA"]) / name)
    assert found.problems == ()
    assert (len(found.asked), len(found.passages)) == (asked, passages)
    assert sum(question.unanswerable for question in found.asked) == unanswerable
    ids = {passage.id for passage in found.passages}
    assert len(ids) == passages
    named: set[Any] = {id for question in found.asked for id in question.documents}
    assert named <= ids


@pytest.mark.shared
@pytest.mark.parametrize("name", ["qa/triviaqa_sm_sub.jsonl", "general/arc_easy.jsonl"])
def test_real_files_of_other_formats_say_what_they_hold(name: str) -> None:
    with pytest.raises(DataError, match=r"1: expected an object with an \"id\", got the keys 'con"):
        read(Path(os.environ["NORIA_DATA"]) / name)
