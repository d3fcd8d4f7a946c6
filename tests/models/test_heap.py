"""What was freed in pieces goes back to the system."""

import os
import subprocess
import sys

import pytest

from noria.models.heap import glibc

PIECES = """
import ctypes, os
from noria.models.heap import give_back, glibc, share_arenas

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

libc = glibc()
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
share_arenas()
places = [libc.malloc(50_000) for _ in range(4000)]  # each below what is mapped alone
for place in places:
    ctypes.memset(place, 1, 50_000)
for place in places[:-1]:  # the last one keeps the end of the heap in use
    libc.free(place)
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(glibc() is None, reason="another C library than glibc")
def test_what_lies_free_between_is_given_back() -> None:
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC")}
    told = subprocess.run(
        [sys.executable, "-c", PIECES], env=quiet, capture_output=True, text=True, check=True
    )
    assert int(told.stdout) > 100_000_000
