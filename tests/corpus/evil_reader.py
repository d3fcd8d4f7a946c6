"""A reader that also knows formats which do what hostile files make parsers do.

Started by the tests in the place of ``noria.corpus.reader``.
"""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from noria.corpus import load, reader
from noria.corpus.formats.extract import Extract

poisoned = False


def hang(data: bytes) -> Extract:
    time.sleep(1e6)
    raise AssertionError


def spin(data: bytes) -> Extract:
    while True:
        pass


def segfault(data: bytes) -> Extract:
    ctypes.string_at(0)
    raise AssertionError


def eat(data: bytes) -> Extract:
    kept = []
    while True:
        kept.append(bytearray(10_000_000))


def burst(data: bytes) -> Extract:
    """As Rust does it."""
    os.write(2, b"memory allocation of 88080384 bytes failed\n")
    os.abort()


def overflow(data: bytes) -> Extract:
    os.write(2, b"thread '<unnamed>' has overflowed its stack\n")
    os.abort()


def leave(data: bytes) -> Extract:
    os.write(2, b"one thing\nand another\n")
    os._exit(3)


def panic(data: bytes) -> Extract:
    raise BaseException("as pyo3 panics")


def bug(data: bytes) -> Extract:
    raise KeyError("width")


def recurse(data: bytes) -> Extract:
    return Extract(str(json.loads("[" * 100_000)))


def chatter(data: bytes) -> Extract:
    print("a parser talks", flush=True)  # noqa: T201 - so may a library
    os.write(1, b"and its C library\n")
    os.write(2, b"and complains\n")
    assert not os.read(0, 10)
    return Extract("said " + data.decode())


def poison(data: bytes) -> Extract:
    global poisoned
    poisoned = True
    return Extract("sweet")


def drink(data: bytes) -> Extract:
    if poisoned:
        segfault(data)
    return Extract("water")


def brood(data: bytes) -> Extract:
    """Starts a process, tells its id, and hangs."""
    child = subprocess.Popen(["sleep", "1000"])
    Path(data.decode().strip()).write_text(str(child.pid))
    return hang(data)


def halves(data: bytes) -> Extract:
    return Extract("a \ud83d half")


def who(data: bytes) -> Extract:
    return Extract(str(os.getpid()))


def crowd(data: bytes) -> Extract:
    """Waits for company."""
    present = Path(data.decode())
    (present / str(os.getpid())).touch()
    while len(list(present.iterdir())) < 2:
        time.sleep(0.01)
    return who(data)


EXTRACTORS: tuple[Callable[[bytes], Extract], ...] = (
    hang, spin, segfault, eat, burst, overflow, leave, panic, bug, recurse, chatter, poison, drink,
    brood, halves, who, crowd,
)  # fmt: skip

if __name__ == "__main__":
    if os.environ.get("NORIA_TEST_BROKEN"):
        sys.exit("no reader today")
    known = dict(load.FORMATS)
    known |= {f".{f.__name__}": load.Format("text/plain", f) for f in EXTRACTORS}
    load.FORMATS = known
    reader.main(int(sys.argv[1]))
