"""Threads of OpenMP that nobody needs any more are let go, so that llama.cpp's need not sleep.

torch and llama.cpp share one libgomp in a process. Between two steps its threads spin, but only
while all of them together are no more than the cores; with more they sleep and are woken, some two
hundred times a token. torch's threads count while they wait for work that may never come: beside
them llama.cpp writes half as fast. Other implementations than libgomp are left alone.
"""

import ctypes
import os
import sys

SOFT = 1  # omp_pause_soft in omp.h: what the threads remember is kept


def let_threads_go() -> None:
    """End the threads that work for the calling one; its next parallel work makes new ones.

    OpenMP 5.0's ``omp_pause_resource_all``.
    """
    library = libgomp()
    if library is not None:
        library.omp_pause_resource_all(SOFT)


def libgomp() -> ctypes.CDLL | None:
    """GNU's OpenMP, if this process has it, and it is new enough to let threads go."""
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError:
        return None
    return library if hasattr(library, "omp_pause_resource_all") else None
