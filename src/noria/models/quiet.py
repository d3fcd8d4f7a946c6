"""Keeps transformers from writing to the terminal, which belongs to the command line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger
from threading import RLock

_LOCK = RLock()  # what is set is the whole process's


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no warnings from transformers, and those it brings, in the block."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else a fork makes it warn
    from transformers.utils import logging

    # imported, it warns that it will not fetch a faster kernel
    fewer_bits = getLogger("bitsandbytes")
    with _LOCK:
        bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
        others = fewer_bits.level
        fewer_bits.setLevel(ERROR)
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            fewer_bits.setLevel(others)
            if bars:
                logging.enable_progress_bar()
