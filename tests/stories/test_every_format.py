"""Every format that is read is found by a phrase of it, as a user types the search."""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from noria import cli
from noria.corpus.index import open_folder, table_names
from phrases import PHRASES

# What is said in many files, or split between two lines, is asked for in other words of the file.
ASKED = PHRASES | {
    "r2r/pdf.pdf": "Dummy PDF file",
    "r2r/test.txt": "this is a test text",
}


def typed(monkeypatch, capsys, *words: str) -> dict:
    monkeypatch.setattr(sys, "argv", ["noria", *words, "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    return json.loads(capsys.readouterr().out)


def texts_by_document(folder: Path) -> dict[str, set[str]]:
    """The passages of each document that is indexed."""
    (table,) = table_names(folder)
    found: dict[str, set[str]] = defaultdict(set)
    for row in open_folder(folder).open_table(table).to_arrow().to_pylist():
        found[row["document"]].add(row["text"])
    return found


@pytest.mark.shared
def test_a_phrase_of_every_real_file_is_found(desk, monkeypatch, capsys) -> None:
    docs = Path(os.environ["NORIA_DATA"]) / "docs"
    files = [str(docs / name) for name in PHRASES]
    report = typed(monkeypatch, capsys, "ingest", *files)
    assert report["failed"] == []
    assert report["documents"] == len(files)
    texts = texts_by_document(desk / ".noria" / "passages")
    missed = []
    for name, phrase in ASKED.items():
        slate = typed(monkeypatch, capsys, "search", phrase, "-k", "10")
        # Not by its name: a text of two files is shown once, as the one's whose path sorts so.
        if texts[str(docs / name)].isdisjoint(c["text"] for c in slate["candidates"]):
            missed.append((name, [Path(c["document"]).name for c in slate["candidates"]]))
    assert missed == []
