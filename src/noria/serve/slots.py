"""Places to be answered in, given out fairly: callers take turns, whatever each has waiting.

A place that nobody needs may be borrowed, and goes back as soon as somebody does.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager


class FullError(Exception):
    """No place, and no room to wait. ``seconds``: when to come back."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"come back in {seconds:.0f} s")
        self.seconds = seconds


class Slots:
    """``places`` that run side by side, and ``waiting`` requests that may wait for one.

    Of one event loop. Those who wait are served in turn by caller, and each caller's in order.
    """

    def __init__(self, places: int, waiting: int) -> None:
        self.places, self.room = places, waiting
        self.running = 0
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._lent: list[Callable[[], object]] = []
        self._pace = 1.0  # seconds that a request takes, lately

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return sum(map(len, self._queues.values()))

    @asynccontextmanager
    async def place(self, caller: str, patience: float) -> AsyncIterator[float]:
        """A place for as long as the block runs; the seconds that were waited for it.

        Raises FullError where too many wait, or after ``patience`` seconds.
        """
        clock = asyncio.get_running_loop().time
        came = clock()
        await self._enter(caller, patience)
        began = clock()
        try:
            yield began - came
        finally:
            self._pace += (clock() - began - self._pace) / 8  # of the last eight or so
            self._leave()

    @contextmanager
    def borrowed(self, give_back: Callable[[], object]) -> Iterator[bool]:
        """Whether a place is free that nobody waits for; it is the block's until a request comes.

        Then ``give_back`` is called, and the request goes in at once: it never waits for a
        borrower.
        """
        free = self.running + len(self._lent) < self.places and not self._queues
        if free:
            self._lent.append(give_back)
        try:
            yield free
        finally:
            if give_back in self._lent:
                self._lent.remove(give_back)

    async def _enter(self, caller: str, patience: float) -> None:
        if self.running < self.places and not self._queues:
            self.running += 1
            if self.running + len(self._lent) > self.places:
                self._lent.pop()()  # the one that began last has the least to lose
            return
        if self.waiting >= self.room:
            self._make_room(caller)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(caller, deque()).append(turn)
        try:
            await asyncio.wait_for(asyncio.shield(turn), patience)
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                if turn.exception() is None:
                    self._leave()  # the place came at the same moment
            else:
                self._forget(caller, turn)
            if isinstance(error, TimeoutError):
                raise FullError(self.back()) from None
            raise

    def _make_room(self, caller: str) -> None:
        """Refuse the last request of whoever has most waiting, or else this one, by FullError."""
        most = max(self._queues.values(), key=len, default=None)
        if most is None or len(most) <= len(self._queues.get(caller, ())) + 1:
            raise FullError(self.back())
        turn = most.pop()
        if not turn.done():
            turn.set_exception(FullError(self.back()))

    def back(self) -> float:
        """Seconds after which a place may be free."""
        return max(1.0, self._pace * (1 + self.waiting) / self.places)

    def _leave(self) -> None:
        """Give the place to the next caller's first request, or set it free."""
        while self._queues:
            caller, queue = self._queues.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._queues[caller] = queue  # behind the other callers
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1

    def _forget(self, caller: str, turn: "asyncio.Future[None]") -> None:
        turn.cancel()
        queue = self._queues.get(caller)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[caller]
