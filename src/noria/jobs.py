"""What every long job shares: one at a time, telling how far it is, working ahead."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, Literal, TypeVar

from noria.errors import BusyError

PATIENCE = 0.1  # seconds after which a thread that waits looks whether it is still wanted
T = TypeVar("T")


def silent(stage: str, done: int, total: int) -> None:
    """A progress that tells nobody."""


def unheard(told: object) -> None:
    """A listener who does not listen, to notes, counts and pieces alike."""


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


class Ahead(Generic[T]):
    """``items``, made in a thread of their own while the last ones are still being used.

    At most ``depth`` wait to be asked for. What they raise is raised here. Not a generator: it may
    be closed by one thread while another waits for the next item, which then gets Closed. Closing
    waits for the item that is being made.
    """

    def __init__(self, items: Iterable[T], depth: int = 1) -> None:
        self._items = items
        self._made: Queue[tuple[Literal["item", "error", "end"], Any]] = Queue(depth)
        self._stopped = Event()
        self._thread = Thread(target=self._make, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while True:
            if self._stopped.is_set():
                raise Closed("nobody asks for more")
            with suppress(Empty):
                kind, value = self._made.get(timeout=PATIENCE)
                break
        if kind == "item":
            item: T = value
            return item
        self._put(kind, value)  # whoever asks again is told the same
        raise value if kind == "error" else StopIteration

    def close(self) -> None:
        """Make no more."""
        self._stopped.set()
        self._thread.join()

    def _make(self) -> None:
        try:
            for item in self._items:
                self._put("item", item)
                if self._stopped.is_set():
                    return
            self._put("end", None)
        except BaseException as error:
            self._put("error", error)
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()

    def _put(self, kind: Literal["item", "error", "end"], value: Any) -> None:
        while not self._stopped.is_set():
            with suppress(Full):
                return self._made.put((kind, value), timeout=PATIENCE)


class Closed(Exception):
    """Items were asked for of what had been closed."""
