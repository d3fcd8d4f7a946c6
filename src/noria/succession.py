"""Something in use that can be replaced while it is used.

The new one is made and warmed beside the old, then takes every use that begins. Uses that run end
with what they began with; when the last has ended, the old one is closed.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """Holds something that must be given back."""

    @property
    def close(self) -> Callable[[], object]:
        """Gives it back."""
        ...


T = TypeVar("T", bound=Closable)


@dataclass(frozen=True, slots=True)
class Replaced:
    """Seconds to make and warm the new one, and to switch to it."""

    warming: float
    switching: float


class ClosedError(Exception):
    """A use was begun of what is closed for good."""


class _Tenure(Generic[T]):
    """The time of one holder: how many uses it has, and whether others come."""

    def __init__(self, holder: T) -> None:
        self.holder = holder
        self.running, self.over, self.closing = 0, False, False
        self.closed = threading.Event()

    def close(self) -> None:
        """Close the holder; whoever waits is told, also of one that failed to."""
        try:
            self.holder.close()
        finally:
            self.closed.set()


class Succession(Generic[T]):
    """A holder, and those that come after it. Safe to use from several threads."""

    def __init__(self, first: T) -> None:
        self._tenure: _Tenure[T] | None = _Tenure(first)
        self._lock = threading.Lock()
        self._replacing = threading.Lock()  # one after the other: the last one asked for stays

    def now(self) -> T:
        """The holder whose time it is. Raises ClosedError where there is none any more."""
        return self._now().holder

    @contextmanager
    def pinned(self) -> Iterator[T]:
        """The holder whose time it is, which stays open to the end of the block."""
        with self._lock:
            tenure = self._now()
            tenure.running += 1
        try:
            yield tenure.holder
        finally:
            with self._lock:
                tenure.running -= 1
            self._settle(tenure)

    def replace(
        self, make: Callable[[], T], warm: Callable[[T], object], seconds: float | None = None
    ) -> Replaced:
        """Make the next holder, ``warm`` it, and switch to it.

        Waits at most ``seconds`` for the old one's last use (0: not at all, None: to its end); it
        is closed when that ends, whether somebody waits or not. If making or warming fails, the
        error is raised and the old one goes on.
        """
        with self._replacing:
            self._now()  # for a closed one nothing is made
            start = time.perf_counter()
            new = make()
            try:
                warm(new)
                warmed = time.perf_counter()
                old = self._switch(_Tenure(new))
            except BaseException:
                new.close()
                raise
            switched = time.perf_counter()
        self._settle(old)
        old.closed.wait(seconds)
        return Replaced(warmed - start, switched - warmed)

    def close(self) -> None:
        """Let no more uses begin; the holder is closed when the last has ended. Twice is fine."""
        with self._replacing:
            if self._tenure is not None:
                self._settle(self._switch(None))

    def _switch(self, new: _Tenure[T] | None) -> _Tenure[T]:
        """Let ``new`` take the uses that begin from now on; the one that took them before."""
        with self._lock:
            old, self._tenure = self._now(), new
            old.over = True
            return old

    def _settle(self, tenure: _Tenure[T]) -> None:
        """Close a holder whose time is over and that has no use, once."""
        with self._lock:
            last = tenure.over and tenure.running == 0 and not tenure.closing
            tenure.closing |= last
        if last:
            tenure.close()

    def _now(self) -> _Tenure[T]:
        tenure = self._tenure
        if tenure is None:
            raise ClosedError
        return tenure
