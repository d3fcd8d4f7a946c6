"""Keeps transformers from writing to the terminal, which belongs to the command line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_LOCK = RLock()  # what is set is the whole process's


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no warnings from transformers within the block."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else a fork makes it warn
    from transformers.utils import logging

    with _LOCK:
        bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()
