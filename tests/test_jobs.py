"""The lock, between two processes; working ahead."""

import subprocess
import sys
import threading
import time
from itertools import count

import pytest

from noria.errors import BusyError
from noria.jobs import Ahead, Closed, locked, silent, unheard

HOLD = """
import sys
from pathlib import Path
from noria.jobs import locked
with locked(Path(sys.argv[1]), "ingesting"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock until it is told to let go."""
    lock = tmp_path / "home" / "ingest.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == "held\n"
        yield lock, process
        process.kill()


def test_a_second_process_is_refused_and_told_why(holder) -> None:
    lock, process = holder
    began = time.monotonic()
    refused = pytest.raises(
        BusyError, match=r"another process is ingesting \(lock .*ingest\.lock\)"
    )
    with refused, locked(lock, "ingesting"):
        pytest.fail("two at once")
    assert time.monotonic() - began < 5
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.wait(10) == 0
    with locked(lock, "ingesting"):
        pass


def test_a_process_that_dies_lets_go(holder) -> None:
    lock, process = holder
    process.kill()
    process.wait(10)
    with locked(lock, "ingesting", timeout=5):
        pass


def test_waiting_takes_over(holder) -> None:
    lock, process = holder
    process.stdin.write("\n")
    process.stdin.flush()
    with locked(lock, "ingesting", timeout=-1):
        pass


def test_an_error_inside_lets_go(tmp_path) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(ValueError, match="inside"), locked(lock, "trying"):
        raise ValueError("inside")
    with locked(lock, "trying"):
        pass


def test_silence() -> None:
    assert silent("reading", 1, 2) is None
    assert unheard("a note") is None


def test_working_ahead_keeps_order_and_hands_on_errors() -> None:
    def three():
        yield from (1, 2, 3)
        raise ValueError("four")

    items = Ahead(three(), depth=2)
    assert [next(items), next(items), next(items)] == [1, 2, 3]
    with pytest.raises(ValueError, match="four"):
        next(items)


def test_working_ahead_is_bounded_and_ends_when_closed() -> None:
    made, closed = [], threading.Event()

    def endless():
        try:
            for number in count():
                made.append(number)
                yield number
        finally:
            closed.set()

    items = Ahead(endless(), depth=2)
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert closed.is_set()
    assert len(made) <= 6  # two taken, two that waited, one in hand, one being made


def test_who_waits_is_told_when_another_closes() -> None:
    release = threading.Event()

    def slow():
        yield 1
        release.wait(10)
        yield 2

    items = Ahead(slow())
    assert next(items) == 1
    told = []

    def wait() -> None:
        try:
            next(items)
        except Closed as error:
            told.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)
    threading.Timer(0.2, release.set).start()
    items.close()
    waiting.join(10)
    assert len(told) == 1
