import json
from dataclasses import replace
from pathlib import Path

import pytest

from noria.errors import DataError
from noria.evaluate import beir
from noria.types import Heading

CORPUS = [
    {"_id": "wheel", "title": "Wheel", "text": "It lifts water."},
    {"_id": "moon", "title": "", "text": "It is far."},
]
QUERIES = [{"_id": "q1", "text": "what lifts water"}, {"_id": "q2", "text": "what is far"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\twheel\t2\nq1\tmoon\t0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_lines(tmp_path / "corpus.jsonl", CORPUS)
    write_lines(tmp_path / "queries.jsonl", QUERIES)
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(QRELS)
    return tmp_path


def write_lines(path: Path, records) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")


def test_documents_have_their_title_as_a_heading(folder):
    wheel, moon = beir.read(folder).documents
    assert wheel.text == "Wheel\n\nIt lifts water."
    assert wheel.headings == (Heading(0, 1, "Wheel"),)
    assert (moon.text, moon.headings) == ("It is far.", ())


def test_only_judged_questions_are_asked(folder):
    collection = beir.read(folder)
    assert collection.questions == {"q1": "what lifts water"}
    assert collection.judgements == {"q1": {"wheel": 2, "moon": 0}}


def test_a_header_may_be_missing(folder):
    with_header = beir.read(folder).judgements
    (folder / "qrels" / "test.tsv").write_text("q1\twheel\t2\nq1\tmoon\t0\n")
    assert beir.read(folder).judgements == with_header


def test_splits_share_the_digest_of_the_documents(folder):
    (folder / "qrels" / "train.tsv").write_text("q2\tmoon\t1\n")
    test, train = beir.read(folder), beir.read(folder, "train")
    assert test.digest == train.digest
    write_lines(folder / "corpus.jsonl", CORPUS[::-1])
    assert beir.read(folder).digest != test.digest


def test_a_change_of_groups_changes_the_digest(folder):
    """An index in which everybody may read a document must not be found for one of a group."""
    public = beir.read(folder)
    wheel, moon = public.documents
    for_hr = replace(public, documents=(wheel, replace(moon, groups=frozenset({"hr"}))))
    assert for_hr.digest != public.digest


def test_blank_lines_marks_and_windows_line_ends_do_no_harm(folder):
    lines = [json.dumps(r).encode() for r in CORPUS]
    (folder / "corpus.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\r\n\r\n".join(lines))
    (folder / "qrels" / "test.tsv").write_bytes(QRELS.replace("\n", "\r\n").encode())
    collection = beir.read(folder)
    assert [d.id for d in collection.documents] == ["wheel", "moon"]
    assert collection.judgements["q1"]["wheel"] == 2


def test_ids_may_be_numbers(folder):
    write_lines(folder / "corpus.jsonl", [{"_id": 7, "text": "It lifts water."}])
    (folder / "qrels" / "test.tsv").write_text("q1\t7\t1\n")
    assert beir.read(folder).judgements == {"q1": {"7": 1}}


@pytest.mark.parametrize(
    ("name", "content", "where", "says"),
    [
        ("corpus.jsonl", '{"_id": "wheel", "text": "a"}\n{"_id"', "corpus.jsonl:2", "not JSON"),
        ("corpus.jsonl", '["wheel"]\n', "corpus.jsonl:1", "_id"),
        ("corpus.jsonl", '{"text": "a"}\n', "corpus.jsonl:1", "_id"),
        ("corpus.jsonl", '{"_id": "wheel"}\n', "corpus.jsonl:1", '"text"'),
        ("corpus.jsonl", '{"_id": "wheel", "text": 5}\n', "corpus.jsonl:1", "got 5"),
        ("corpus.jsonl", '{"_id": "a", "text": ""}\n' * 2, "corpus.jsonl:2", "line 1"),
        ("corpus.jsonl", "", "corpus.jsonl", "no documents"),
        ("queries.jsonl", '{"_id": "q1"}\n', "queries.jsonl:1", '"text"'),
        ("qrels/test.tsv", "q1\twheel\n", "test.tsv:1", "tabs"),
        ("qrels/test.tsv", "q1 wheel 1\n", "test.tsv:1", "tabs"),
        ("qrels/test.tsv", "q1\twheel\thigh\n", "test.tsv:1", "'q1\\twheel\\thigh'"),
        ("qrels/test.tsv", QRELS + "q1\twheel\t1\n", "test.tsv:4", "otherwise"),
        ("qrels/test.tsv", QRELS + "q9\twheel\t1\n", "test.tsv:4", "'q9' is not in queries"),
        ("qrels/test.tsv", QRELS + "q1\ttax\t1\n", "test.tsv:4", "'tax' is not in corpus"),
        ("qrels/test.tsv", QRELS[:25], "test.tsv", "no judgements"),
    ],
)
def test_a_wrong_line_is_named(folder, name, content, where, says):
    (folder / name).write_text(content)
    with pytest.raises(DataError) as raised:
        beir.read(folder)
    assert where in str(raised.value)
    assert says in str(raised.value)


def test_bytes_that_are_not_utf8_are_named(folder):
    good = json.dumps(CORPUS[0]).encode()
    (folder / "corpus.jsonl").write_bytes(good + b'\n{"_id": "x", "text": "caf\xe9"}\n')
    with pytest.raises(DataError, match=r"corpus\.jsonl:2: not UTF-8"):
        beir.read(folder)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match="no such file") as raised:
        beir.read(folder)
    assert raised.value.path == folder / name


def test_an_unknown_split_is_told_the_ones_there_are(folder):
    with pytest.raises(DataError, match=r"splits that are here: test$"):
        beir.read(folder, "dev")


def test_a_missing_folder_is_told_what_was_expected(tmp_path):
    with pytest.raises(DataError, match=r"corpus\.jsonl, queries\.jsonl and qrels/"):
        beir.read(tmp_path / "nowhere")
