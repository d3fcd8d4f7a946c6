"""An ingestion may be killed, may find the disk full, may meet another one: nothing is ruined."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from interrupted import (
    compose,
    found_by_words,
    halves,
    ingest,
    kill_after,
    killed_again_and_again,
    passages,
    start,
    versions,
)

from noria.errors import BusyError, NoriaError

KILLS = 3  # benchmarks/crash.py kills fifty times


def test_killed_at_any_moment_the_next_run_completes_it(tmp_path):
    told = killed_again_and_again(tmp_path, KILLS, seed=3)
    assert told["halves_seen"] == []
    assert told["same_passages"]
    assert told["same_words_found"]
    assert told["passages"] > told["documents"] > 0


def test_the_second_of_two_ingestions_is_told_so(tmp_path):
    import random

    docs, home = tmp_path / "docs", tmp_path / "home"
    compose(docs, random.Random(1))
    first = start(home, docs, 60.0)
    try:
        while not (home / "passages").exists():  # it has the lock before it makes anything
            assert first.poll() is None
        with pytest.raises(BusyError, match="another process is ingesting"):
            ingest(home, docs)
    finally:
        kill_after(first, 0)
    assert ingest(home, docs).documents == len(list(docs.iterdir()))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount here to make a small disk with")
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"only root may make a small disk: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_ruins_nothing(tmp_path, small_disk):
    import random

    chance = random.Random(2)
    docs, home = tmp_path / "docs", small_disk / "home"
    compose(docs, chance)
    ingest(home, docs)
    before, words, known = passages(home), found_by_words(home), versions(docs, home)
    compose(docs, chance)
    ballast = small_disk / "ballast"
    fill(ballast)
    with pytest.raises(NoriaError, match="disk is full"):
        ingest(home, docs)
    ballast.unlink()
    assert halves(home, [known, versions(docs, home)]) == []
    assert before.keys() <= passages(home).keys()
    assert all(words[word] <= found for word, found in found_by_words(home).items())
    ingest(home, docs)
    ingest(tmp_path / "clean", docs)
    assert passages(home) == passages(tmp_path / "clean")


def fill(path: Path) -> None:
    """Take all the room that a disk has left."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    assert shutil.disk_usage(path).free < 4096


def test_ctrl_c_within_a_long_document_leaves_nothing_of_it(tmp_path):
    docs, home = tmp_path / "docs", tmp_path / "home"
    docs.mkdir()
    sentences = (f"The wheel number {i} lifts water out of the river." for i in range(4000))
    (docs / "long.txt").write_text("\n\n".join(sentences))
    for seconds in (0.7, 1.1):
        process = start(home, docs, 0.3)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
        assert errors.strip().endswith("KeyboardInterrupt")
        assert passages(home) == {}
    ingest(home, docs)
    ingest(tmp_path / "clean", docs)
    assert len(passages(home)) > 512
    assert passages(home) == passages(tmp_path / "clean")
