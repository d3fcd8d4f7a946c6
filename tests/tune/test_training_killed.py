"""A training that is killed, by the system and without a word, loses the same when it goes on."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("killed_training.py")
UPDATES = 25


def run(*words: object) -> tuple[int, str]:
    """Train in a process of its own; its exit code, and what it said."""
    command = [sys.executable, str(PROGRAM), *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    return done.returncode, done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
def test_it_goes_on_to_the_same_losses(tiny_folder: Path, tmp_path: Path) -> None:
    whole = told(run(tiny_folder, tmp_path / "whole"))
    draw = random.Random()  # any moment will do: each run of this test tries another
    first = draw.randrange(1, UPDATES - 1)
    moments = [(at, draw.uniform(0, 0.03)) for at in (first, draw.randrange(first + 1, UPDATES))]
    for moment in moments:
        assert run(tiny_folder, tmp_path / "half", *moment)[0] == -signal.SIGKILL, moments
    curve = told(run(tiny_folder, tmp_path / "half"))
    assert len(curve["points"]) == len(whole["points"]) == UPDATES
    for kind in ("points", "looks"):
        losses, expected = ([each["loss"] for each in some[kind]] for some in (curve, whole))
        assert losses == pytest.approx(expected, abs=1e-4), moments


def told(ended: tuple[int, str]) -> Any:
    """The curve of a run that came to its end."""
    code, text = ended
    assert code == 0
    return json.loads(text)
