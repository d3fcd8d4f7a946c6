"""Every format that is read is found by a phrase of it, as a user types the search."""

import json
import os
import sys
from pathlib import Path

import pytest

from noria import cli
from phrases import PHRASES

# What is said in many files, or split between two lines, is asked for in other words of the file.
ASKED = PHRASES | {
    "r2r/pdf.pdf": "Dummy PDF file",
    "r2r/test.txt": "this is a test text",
}

TWINS = {"r2r/rtf.rtf": "r2r/odt.odt"}  # the same text: a slate shows a text once


def typed(monkeypatch, capsys, *words: str) -> dict:
    monkeypatch.setattr(sys, "argv", ["noria", *words, "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    return json.loads(capsys.readouterr().out)


@pytest.mark.shared
def test_a_phrase_of_every_real_file_is_found(desk, monkeypatch, capsys) -> None:
    if "NORIA_DATA" not in os.environ:
        pytest.skip("set NORIA_DATA to the folder with the real data sets")
    docs = Path(os.environ["NORIA_DATA"]) / "docs"
    files = [str(docs / name) for name in PHRASES]
    report = typed(monkeypatch, capsys, "ingest", *files)
    assert report["failed"] == []
    assert report["documents"] == len(files)
    missed = []
    for name, phrase in ASKED.items():
        slate = typed(monkeypatch, capsys, "search", phrase, "-k", "10")
        if str(docs / TWINS.get(name, name)) not in {c["document"] for c in slate["candidates"]}:
            missed.append((name, [Path(c["document"]).name for c in slate["candidates"]]))
    assert missed == []
