"""Which of a server's slots answers a prompt: the one where it is read soonest.

A slot reads again only what differs from the prompt that it read before. llama.cpp looks for that
among idle slots alone, so that eight who ask about one passage at once have it read eight times.
Here a prompt may also wait for a busy slot that has its beginning, if that takes less time than
reading it anew. (Schedulers of large servers do the same with their queues: Zheng et al., SGLang,
2024.) Knows no models: texts in, the numbers of slots out.
"""

import threading
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import mean

CHARACTERS = 4  # of a token, about
READS = 8  # tokens that are read in the time that one is written, about, on a CPU
RECENT = 32  # answers by which the next one's length is guessed
PATIENCE = 0.05  # seconds between two looks whether the one who waits is still wanted


@dataclass(eq=False)
class Slot:
    """One slot: what was read there last, by which weights, and who is in line."""

    place: int
    text: str = ""
    reader: Hashable = None
    line: deque[object] = field(default_factory=deque)
    used: int = 0


class Slots:
    """The slots of one server, each of which writes one answer at a time."""

    def __init__(self, count: int) -> None:
        self._slots = [Slot(place) for place in range(count)]
        self._changed = threading.Condition()
        self._taken = 0
        self._lengths: dict[Hashable, deque[int]] = {}

    @contextmanager
    def taken(
        self, text: str, reader: Hashable, most: int, stop: threading.Event
    ) -> Iterator[int | None]:
        """The slot for ``text``, for as long as the block runs; None where ``stop`` came first.

        ``reader``: by which weights it is read, since what others have read is of no use.
        ``most``: tokens that may be written, the guess as long as nothing is known.
        """
        ticket = object()
        with self._changed:
            slot = self._soonest(text, reader, most)
            slot.line.append(ticket)
            slot.text, slot.reader = text, reader
            self._taken += 1
            slot.used = self._taken
        try:
            yield slot.place if self._arrived(slot, ticket, stop) else None
        finally:
            with self._changed:
                slot.line.remove(ticket)
                self._changed.notify_all()

    def wrote(self, reader: Hashable, tokens: int) -> None:
        """Learn how long answers are."""
        with self._changed:
            self._lengths.setdefault(reader, deque(maxlen=RECENT)).append(tokens)

    def _arrived(self, slot: Slot, ticket: object, stop: threading.Event) -> bool:
        """Wait until ``ticket`` is the first in line; False where ``stop`` is set before."""
        with self._changed:
            while slot.line[0] is not ticket:
                if stop.is_set():
                    return False
                self._changed.wait(PATIENCE)
        return True

    def _soonest(self, text: str, reader: Hashable, most: int) -> Slot:
        """Where the fewest tokens are in the way; of equals, the one used longest ago."""
        known = self._lengths.get(reader)
        expected = mean(known) if known else most

        def in_the_way(slot: Slot) -> float:
            shared = common(text, slot.text) if slot.reader == reader else 0
            unread = (len(text) - shared) / CHARACTERS
            return unread + READS * expected * len(slot.line)

        return min(self._slots, key=lambda slot: (in_the_way(slot), slot.used))


def common(one: str, other: str) -> int:
    """Characters that both begin with.

    >>> common("the wheel", "the well"), common("a", "b"), common("", "a"), common("ab", "ab")
    (5, 0, 0, 2)
    """
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
