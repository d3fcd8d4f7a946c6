"""Says in words that the disk is full, whichever library has met it."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noria.errors import IndexStoreError

FULL = {errno.ENOSPC, errno.EDQUOT}
# Lance raises RuntimeError, SQLAlchemy errors of its own: only their words tell.
FULL_IN_WORDS = re.compile(
    r"No space left on device|os error (?:28|122)\b|disk quota exceeded|disk is full", re.I
)


@contextmanager
def told_when_full(folder: Path) -> Iterator[None]:
    """Raise IndexStoreError where something below found no room on the disk of ``folder``.

    >>> with told_when_full(Path("home")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    noria.errors.IndexStoreError: the disk of home is full; free some space and run again: \
what was stored before stays
    """
    try:
        yield
    except IndexStoreError:
        raise
    except Exception as error:
        if not is_full(error):
            raise
        raise IndexStoreError(
            f"the disk of {folder} is full; free some space and run again: "
            "what was stored before stays"
        ) from error


def is_full(error: BaseException) -> bool:
    """Whether ``error`` means that a disk has no room left."""
    number = error.errno if isinstance(error, OSError) else None
    return number in FULL or bool(FULL_IN_WORDS.search(str(error)))
