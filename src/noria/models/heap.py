"""Memory that was freed goes back to the system, where the C library would keep it.

glibc has an arena for each thread that allocates beside others, and gives back of each only what
lies at its end. A server whose models come and go on many threads would hold more every hour,
though nothing of it is in use. Elsewhere than with glibc nothing is done.
"""

import ctypes
import os
import sys

ARENAS = 2  # that all threads share
ARENA_MAX = -8  # M_ARENA_MAX in malloc.h


def share_arenas() -> None:
    """Let all threads share a few arenas: before anything is loaded.

    Whoever set MALLOC_ARENA_MAX is left alone.
    """
    libc = glibc()
    if libc is not None and "MALLOC_ARENA_MAX" not in os.environ:
        libc.mallopt(ARENA_MAX, ARENAS)


def give_back() -> None:
    """Give back what lies free between what is in use."""
    libc = glibc()
    if libc is not None:
        libc.malloc_trim(0)


def glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") else None
