"""What every long job shares: one at a time, telling how far it is, working ahead."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, Literal, TypeVar

from noria.errors import BusyError

PATIENCE = 0.1  # seconds after which a thread that waits looks whether it is still wanted
T = TypeVar("T")


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


def ahead(items: Iterable[T], depth: int = 1) -> Generator[T, None, None]:
    """``items``, made in a thread of their own while the last ones are still being used.

    At most ``depth`` wait to be asked for. What they raise is raised here. Closing this iterator
    ends them as soon as the one that is being made is done.
    """
    made: Queue[tuple[Literal["item", "error", "end"], Any]] = Queue(depth)
    stopped = Event()

    def put(kind: Literal["item", "error", "end"], value: Any) -> None:
        while not stopped.is_set():
            with suppress(Full):
                return made.put((kind, value), timeout=PATIENCE)

    def make() -> None:
        try:
            for item in items:
                put("item", item)
                if stopped.is_set():
                    break
            put("end", None)
        except BaseException as error:
            put("error", error)
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = Thread(target=make, daemon=True)
    thread.start()
    try:
        while (got := made.get())[0] == "item":
            yield got[1]
        if got[0] == "error":
            raise got[1]
    finally:
        stopped.set()
        thread.join()
