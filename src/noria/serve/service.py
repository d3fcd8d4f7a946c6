"""The asynchronous edge: waits for a place, has a thread answer, and passes on what it writes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from noria.answer.answerer import Answerer
from noria.config import ServeSettings
from noria.serve.auth import Caller, Keys, Rates
from noria.serve.conversation import Kept, LeftError, Wanted, checked, held, query_of
from noria.serve.observe import Observed
from noria.serve.route import BASE, Drawn, drawn, unit_of
from noria.serve.slots import Slots
from noria.serve.standing import Standing
from noria.store.journal import Journal
from noria.types import Answer

BESIDE = 4  # searches and embeddings side by side, beside the answers


class TookTooLongError(TimeoutError):
    """An answer was not ready in time."""


@dataclass
class Stop:
    """Why a thread shall stop writing; None while it shall go on."""

    reason: BaseException | None = None


class Told:
    """What a thread tells a task: one wake-up for all that comes before the task gets to run."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._pieces = loop, deque[Any]()
        self._there, self._waking = asyncio.Event(), False

    def tell(self, piece: Any) -> None:
        """From the thread."""
        self._pieces.append(piece)
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._there.set)

    async def heard(self, ends: float) -> Any:
        """The next piece; raises TimeoutError where there is none at the loop's time ``ends``."""
        while not self._pieces:
            self._there.clear()
            self._waking = False
            if not self._pieces:  # else it came before the thread could see that nobody is woken
                left = max(ends - self._loop.time(), 0.001)
                await asyncio.wait_for(self._there.wait(), left)
        return self._pieces.popleft()


class Service:
    """What all endpoints stand on. ``places``: answers written side by side."""

    def __init__(
        self,
        standing: Standing,
        journal: Journal,
        keys: Keys,
        rates: Rates,
        settings: ServeSettings,
        places: int,
        now: Callable[[], datetime],
    ) -> None:
        self.standing, self.journal, self.keys, self.rates = standing, journal, keys, rates
        self.settings, self.now = settings, now
        self.slots = Slots(places, settings.queue)
        self.quick = Slots(BESIDE, settings.queue)
        self.observed = Observed(self.slots)
        self.draining = False
        self._threads = ThreadPoolExecutor(2 * places + BESIDE, thread_name_prefix="noria-answer")

    async def answer(
        self, id: str, wanted: Wanted, model: str, caller: Caller
    ) -> AsyncIterator[str | Answer]:
        """Pieces of the answer, and the answer itself, checked and kept, as the last.

        Raises FullError, TookTooLongError, and what answering raises.
        """
        checked(wanted.messages)
        query = query_of(wanted, caller, id)
        unit = unit_of(caller.tenant, wanted.user or query.id)
        chosen = self.drawn(model, unit)
        patience = self.settings.max_wait_seconds
        async with self.slots.place(caller.key, patience) as waited:
            self.observed.waited(waited)
            kept = Kept(self.journal, caller, self.now)

            def pump(tell: Callable[[Any], None], stop: Stop) -> None:
                with self.standing.fleets.pinned() as fleet:
                    is_there = chosen.release == BASE or chosen.release in fleet.answerers
                    # a promotion may have come since: then what is live answers
                    actual = chosen if is_there else self.drawn(model, unit)
                    with closing(held(fleet, actual, wanted, query, kept)) as writing:
                        passed_on(writing, tell, stop)

            async for piece in self._run(pump):
                yield piece

    def drawn(self, model: str, unit: str) -> Drawn:
        """Who answers ``unit``, which asks for ``model``."""
        if model == BASE:
            return Drawn(BASE, BASE)
        loaded = self.standing.fleets.now().answerers
        return drawn(model, unit, self.standing.rollout, loaded)

    async def with_live(self, caller: Caller, work: Callable[[Answerer], Any]) -> Any:
        """What ``work`` makes with the live release, in a thread."""

        def run() -> Any:
            with self.standing.fleets.pinned() as fleet:
                return work(fleet.answerers[self.standing.rollout.live])

        async with self.quick.place(caller.key, self.settings.max_wait_seconds):
            return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def _run(
        self, pump: Callable[[Callable[[Any], None], Stop], None]
    ) -> AsyncIterator[str | Answer]:
        """What a thread tells, until it has told an answer; its time is bounded."""
        loop = asyncio.get_running_loop()
        told, stop = Told(loop), Stop()

        def run() -> None:
            try:
                pump(told.tell, stop)
            except BaseException as error:  # carried over to the task that reads
                told.tell(error)

        ends = loop.time() + self.settings.max_seconds
        self._threads.submit(run)
        stop_reason: BaseException = LeftError()
        try:
            while True:
                try:
                    piece = await told.heard(ends)
                except TimeoutError:
                    stop_reason = TookTooLongError(
                        f"the answer was not ready in {self.settings.max_seconds:.0f} s; ask for "
                        "less, or raise serve.max_seconds"
                    )
                    raise stop_reason from None
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
                if isinstance(piece, Answer):
                    return
        finally:
            stop.reason = stop_reason

    def close(self) -> None:
        """End what was begun, and give back what was loaded."""
        self._threads.shutdown(wait=True)
        self.standing.close()
        self.journal.close()


def passed_on(writing: Any, tell: Callable[[Any], None], stop: Stop) -> None:
    """Tell each piece, and at last what is returned; throw in the reason to stop, once there is."""
    while True:
        try:
            piece = writing.throw(stop.reason) if stop.reason else next(writing)
        except StopIteration as end:
            tell(end.value)
            return
        except (LeftError, TookTooLongError):
            return  # nobody listens any more, and what came of it is kept
        if stop.reason is None:
            tell(piece)
