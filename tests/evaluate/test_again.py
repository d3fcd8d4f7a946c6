"""A report computed again: the same from a whole folder, one sentence from a damaged one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noria.errors import DataError
from noria.evaluate.again import again
from noria.evaluate.arms.arm import Arm
from noria.evaluate.compare import compare
from noria.evaluate.records import Record
from noria.evaluate.report.report import write

WORDS = ["wheel", "mill", "well", "canal"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What noria compare leaves behind of two arms."""
    records = {
        arm: [Record(f"q{i}", "What?", (word,), said(word)) for i, word in enumerate(WORDS)]
        for arm, said in [("base", lambda word: "a tax"), ("rag", lambda word: f"a {word}")]
    }
    arms = {"base": Arm("base", about="closed book"), "rag": Arm("rag", "retrieved")}
    found = compare(records, np.random.default_rng(3), {"seed": 3}, arms, ["one"])
    write(found, records, tmp_path)
    return tmp_path


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def changed(folder: Path, change: Callable[[Any], None]) -> Path:
    path = folder / "metrics.json"
    known = json.loads(path.read_bytes())
    change(known)
    path.write_text(json.dumps(known))
    return path


def test_a_whole_folder_gives_the_same_again(folder: Path) -> None:
    before = (folder / "metrics.json").read_bytes()
    found = again(folder)
    assert found.arms["rag"].metrics["f1"].mean > found.arms["base"].metrics["f1"].mean
    assert (found.arms["base"].about, found.arms["rag"].passages) == ("closed book", "retrieved")
    assert (folder / "metrics.json").read_bytes() == before


def test_answers_to_other_questions_are_no_pair(folder: Path) -> None:
    base, rag = folder / "answers.base.jsonl", folder / "answers.rag.jsonl"
    base.write_text("".join(lines_of(base)[:-1]))
    rag.write_text("\n" + "".join(lines_of(rag)[1:]))
    before = (folder / "metrics.json").read_bytes()
    with pytest.raises(
        DataError, match=r"the answer to 'q1', where answers\.base\.jsonl has 'q0'"
    ) as e:
        again(folder)
    assert (e.value.path, e.value.line) == (rag, 2)  # as an editor counts
    assert (folder / "metrics.json").read_bytes() == before


def test_answers_in_another_order_are_no_pair(folder: Path) -> None:
    path = folder / "answers.rag.jsonl"
    first, second, *rest = lines_of(path)
    path.write_text("".join([first, *rest, second]))
    with pytest.raises(DataError, match="the answer to 'q2'") as error:
        again(folder)
    assert error.value.line == 2


@pytest.mark.parametrize(("short", "long"), [("base", "rag"), ("rag", "base")])
def test_a_short_file_is_named(folder: Path, short: str, long: str) -> None:
    path = folder / f"answers.{short}.jsonl"
    path.write_text("".join(lines_of(path)[:-1]))
    with pytest.raises(DataError, match=f"end here, those of answers.{long}.jsonl go on") as error:
        again(folder)
    assert (error.value.path, error.value.line) == (path, 3)


def test_a_damaged_line_is_named(folder: Path) -> None:
    path = folder / "answers.rag.jsonl"
    path.write_text("".join([*lines_of(path)[:2], "[1]\n"]))
    with pytest.raises(DataError, match="no object") as error:
        again(folder)
    assert (error.value.path, error.value.line) == (path, 3)


def test_a_file_without_answers_or_none_at_all(folder: Path) -> None:
    path = folder / "answers.rag.jsonl"
    path.write_text("")
    with pytest.raises(DataError, match="there are no answers"):
        again(folder)
    path.unlink()
    with pytest.raises(DataError, match=r"answers\.rag\.jsonl: no whole report"):
        again(folder)


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "", "/etc/passwd", "a/b", "..\\x", "c:x", "a\0b", "\ud800", 7, None]
)
def test_no_file_outside_the_folder_is_read(folder: Path, name: object) -> None:
    (folder.parent / "x").write_text((folder / "answers.rag.jsonl").read_text())
    path = changed(folder, lambda known: known["files"].update(rag=name))
    with pytest.raises(DataError, match="in the same folder") as error:
        again(folder)
    assert error.value.path == path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda known: known.pop("about"), "'about' to be an object"),
        (lambda known: known.pop("files"), "'files' to be an object"),
        (lambda known: known.update(files={}), "names no answers"),
        (lambda known: known.update(files=["a"]), "'files' to be an object"),
        (lambda known: known.pop("arms"), "'arms' to be an object"),
        (lambda known: known["arms"].pop("rag"), "what arm 'rag' is about"),
        (lambda known: known["arms"].update(rag=[]), "what arm 'rag' is about"),
        (lambda known: known["arms"]["rag"].pop("about"), "what arm 'rag' is about"),
        (lambda known: known["arms"]["rag"].update(passages=1), "what arm 'rag' is about"),
        (lambda known: known.update(problems="none"), "'problems' to be a list"),
        (lambda known: known.update(problems=[1]), "a list of texts"),
        (lambda known: known["about"].update(seed="x"), "'seed' is 'x'"),
        (lambda known: known["about"].update(seed=-1), "'seed' is -1"),
    ],
)
def test_damaged_metrics_are_told_in_a_sentence(
    folder: Path, change: Callable[[Any], None], reason: str
) -> None:
    path = changed(folder, change)
    with pytest.raises(DataError, match=reason) as error:
        again(folder)
    assert error.value.path == path


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "\xff", "[" * 100_000])
def test_metrics_that_are_no_json_are_refused(folder: Path, text: str) -> None:
    (folder / "metrics.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"no whole report|expected an object"):
        again(folder)
