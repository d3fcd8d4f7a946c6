"""What every long job shares: one at a time, and telling how far it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from noria.errors import BusyError


def silent(stage: str, done: int, total: int) -> None:
    """A progress that tells nobody."""


@contextmanager
def locked(path: Path, what: str, timeout: float = 0.0) -> Iterator[None]:
    """Hold the lock at ``path``; a process that dies lets it go.

    Raises BusyError when another process still holds it after ``timeout`` seconds (-1: wait).
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise BusyError(
            f"another process is {what} (lock {path}); wait for it to end, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()
