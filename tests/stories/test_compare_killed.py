"""A comparison that is killed, and started again until it ends."""

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter, sleep

SCRIPT = Path(__file__).with_name("killed_comparison.py")
KILLS = 3
PATIENCE = 60.0  # seconds in which the process must begin to ask


def start(home: Path, questions: Path, asked: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SCRIPT), str(home), str(questions), str(asked)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def answers(home: Path) -> dict[str, list[dict]]:
    return {
        arm: [
            {**json.loads(line), "seconds": 0}
            for line in (home / "report" / f"answers.{arm}.jsonl").read_text().splitlines()
        ]
        for arm in ("base", "rag")
    }


def test_killed_at_any_moment_it_ends_with_the_same_answers_and_asks_nothing_twice(tmp_path):
    rng = random.Random(4)
    paragraphs = [
        {"context": f"Wheel {i} lifts {7 * i} litres.",
         "qas": [{"id": str(i), "question": f"What lifts wheel {i}?",
                  "answers": [{"text": f"{7 * i} litres"}]}]}
        for i in range(60)
    ]  # fmt: skip
    questions = tmp_path / "questions.json"
    questions.write_text(json.dumps({"data": [{"title": "Wheels", "paragraphs": paragraphs}]}))
    asked = tmp_path / "asked.txt"
    for _ in range(KILLS):
        before = len(lines(asked))
        process = start(tmp_path / "home", questions, asked)
        began = perf_counter()
        while len(lines(asked)) == before and perf_counter() - began < PATIENCE:
            assert process.poll() is None
            sleep(0.005)
        sleep(rng.uniform(0, 0.5))
        process.kill()
        process.wait()
    assert start(tmp_path / "home", questions, asked).wait() == 0
    once = start(tmp_path / "undisturbed", questions, tmp_path / "other.txt")
    assert once.wait() == 0
    assert answers(tmp_path / "home") == answers(tmp_path / "undisturbed")
    twice = [prompt for prompt, times in Counter(lines(asked)).items() if times > 1]
    # What was being written down when the process died is asked again: one prompt a kill at most.
    assert len(twice) <= KILLS
    assert set(lines(asked)) == set(lines(tmp_path / "other.txt"))
