"""Which of a server's slots answers a prompt: the one where it is read soonest.

A slot reads again only what differs from the prompt that it read before. llama.cpp looks for that
among idle slots alone, so that eight who ask about one passage at once have it read eight times.
Here a prompt may also wait for a busy slot that has its beginning, if that takes less time than
reading it anew. (Schedulers of large servers do the same with their queues: Zheng et al., SGLang,
2024.) Knows no models: texts in, the numbers of slots out.
"""

import math
import threading
from collections import deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import mean
from time import monotonic

CHARACTERS = 4  # of a token, about
READS = 5  # tokens that are read in the time that one is written; 4 to 6 were measured on a CPU
RECENT = 32  # answers by which the next one's length is guessed
LONGEST = 2.0  # times as long as was to be expected: then the guess was wrong
PATIENCE = 0.05  # seconds between two looks whether the one who waits is still wanted


@dataclass(eq=False)
class Ticket:
    """One prompt in line. ``reader``: by which weights; ``most``: tokens that it may write.

    ``until``: when whoever is before it should have been answered.
    """

    text: str
    reader: Hashable
    most: int
    until: float = math.inf


@dataclass(eq=False)
class Slot:
    """One slot, whose turn it was last, and who is in line; the first of them is being answered."""

    place: int
    last: Ticket | None = None
    line: deque[Ticket] = field(default_factory=deque)
    used: int = 0

    def unread(self, ticket: Ticket, ahead: int | None = None) -> float:
        """Tokens of a prompt that it would read after the first ``ahead`` in line, or all."""
        before = self.line[ahead - 1] if ahead else self.line[-1] if self.line else self.last
        alike = before is not None and before.reader == ticket.reader
        shared = common(ticket.text, before.text) if before and alike else 0
        return (len(ticket.text) - shared) / CHARACTERS


class Slots:
    """The slots of one server, each of which writes one answer at a time."""

    def __init__(self, count: int) -> None:
        self._slots = [Slot(place) for place in range(count)]
        self._changed = threading.Condition()
        self._taken = 0
        self._lengths: dict[Hashable, deque[int]] = {}
        self._seconds: deque[float] = deque(maxlen=RECENT)

    @contextmanager
    def taken(
        self, text: str, reader: Hashable, most: int, stop: threading.Event
    ) -> Iterator[int | None]:
        """The slot for ``text``, for as long as the block runs; None where ``stop`` came first.

        ``reader``: by which weights it is read, since what others have read is of no use.
        ``most``: tokens that may be written, the guess as long as nothing is known.
        """
        ticket = Ticket(text, reader, most)
        with self._changed:
            line = self._soonest(ticket).line
            if self._seconds:
                ticket.until = monotonic() + LONGEST * len(line) * mean(self._seconds)
            line.append(ticket)
        slot, began = None, 0.0
        try:
            slot, began = self._arrived(ticket, stop), monotonic()
            yield slot.place if slot else None
        finally:
            with self._changed:
                if slot is None:
                    self._slot_of(ticket).line.remove(ticket)
                else:
                    slot.line.remove(ticket)
                    slot.last = ticket
                    self._seconds.append(monotonic() - began)
                self._changed.notify_all()

    def wrote(self, reader: Hashable, tokens: int) -> None:
        """Learn how long answers are."""
        with self._changed:
            self._lengths.setdefault(reader, deque(maxlen=RECENT)).append(tokens)

    def _arrived(self, ticket: Ticket, stop: threading.Event) -> Slot | None:
        """Wait until ``ticket`` is the first in its line; None where ``stop`` is set before."""
        with self._changed:
            slot = self._slot_of(ticket)
            while slot.line[0] is not ticket:
                if stop.is_set():
                    return None
                self._changed.wait(PATIENCE)
                slot = self._better(ticket, slot)
            self._taken += 1
            slot.used = self._taken
        return slot

    def _slot_of(self, ticket: Ticket) -> Slot:
        return next(slot for slot in self._slots if ticket in slot.line)

    def _soonest(self, ticket: Ticket) -> Slot:
        """Where the fewest tokens are in the way; of equals, the one used longest ago."""
        written = READS * self._expected(ticket)
        return min(
            self._slots,
            key=lambda slot: (slot.unread(ticket) + written * len(slot.line), slot.used),
        )

    def _better(self, ticket: Ticket, slot: Slot) -> Slot:
        """An idle slot, once waiting in the line of ``slot`` takes longer; or that one."""
        ahead = slot.line.index(ticket)
        idle = [each for each in self._slots if not each.line]
        if not ahead or not idle:
            return slot
        best = min(idle, key=lambda each: (each.unread(ticket), each.used))
        left = slot.unread(ticket, ahead) + READS * self._expected(ticket) * ahead
        if best.unread(ticket) < left or monotonic() > ticket.until:
            slot.line.remove(ticket)
            best.line.append(ticket)
            return best
        return slot

    def _expected(self, ticket: Ticket) -> float:
        """Tokens that each of those in line will write, about."""
        known = self._lengths.get(ticket.reader)
        return mean(known) if known else ticket.most


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
