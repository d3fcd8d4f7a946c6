"""The asynchronous edge: waits for a place, has a thread answer, and passes on what it writes."""

import asyncio
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
from noria.serve.course import Course
from noria.serve.observe import Observed
from noria.serve.route import BASE, Drawn, drawn, unit_of
from noria.serve.slots import Slots
from noria.serve.standing import Standing
from noria.serve.trace import Traces
from noria.store.journal import Journal
from noria.types import Answer, Query

BESIDE = 4  # searches and embeddings side by side, beside the answers


class TookTooLongError(TimeoutError):
    """An answer was not ready in time."""


@dataclass
class Stop:
    """Why a thread shall stop writing; None while it shall go on."""

    reason: BaseException | None = None


class Service:
    """What all endpoints stand on. ``places``: answers written side by side.

    ``traces``: where each chat is told to, if anywhere.
    """

    def __init__(
        self,
        standing: Standing,
        journal: Journal,
        keys: Keys,
        rates: Rates,
        settings: ServeSettings,
        places: int,
        now: Callable[[], datetime],
        traces: Traces | None = None,
    ) -> None:
        self.standing, self.journal, self.keys, self.rates = standing, journal, keys, rates
        self.settings, self.now, self._traces = settings, now, traces
        self.slots = Slots(places, settings.queue)
        self.quick = Slots(BESIDE, settings.queue)
        self.observed = Observed(self.slots, lambda: standing.rollout)
        self.draining = False
        self._threads = ThreadPoolExecutor(2 * places + BESIDE, thread_name_prefix="noria-answer")

    async def answer(
        self, course: Course, wanted: Wanted, caller: Caller
    ) -> AsyncIterator[str | Answer]:
        """Pieces of the answer, and the answer itself, checked and kept, as the last.

        ``course`` is written as it goes, and told before the last piece is. Raises FullError,
        TookTooLongError, and what answering raises.
        """
        checked(wanted.messages)
        query = query_of(wanted, caller, course.id)
        unit = unit_of(caller.tenant, wanted.user or query.id)

        def draw() -> Drawn:
            return self.drawn(course.model, unit)

        chosen = draw()
        course.release = chosen.release
        kept = Kept(self.journal, caller, self.now)
        pump = self._pump(chosen, draw, wanted, query, kept)
        try:
            async with self.slots.place(caller.key, self.settings.max_wait_seconds):
                course.placed()
                async for piece in self._run(pump):
                    course.told(piece)
                    if course.answer:
                        self._ended(course)
                    yield piece
        except BaseException as error:
            if course.answer is None:
                course.failed(error)
                self._ended(course)
            raise

    def _pump(
        self, chosen: Drawn, draw: Callable[[], Drawn], wanted: Wanted, query: Query, kept: Kept
    ) -> Callable[[Callable[[Any], None], Stop], None]:
        """What a thread does to answer. ``draw``: chooses again."""

        def pump(tell: Callable[[Any], None], stop: Stop) -> None:
            with self.standing.fleets.pinned() as fleet:
                is_there = chosen.release == BASE or chosen.release in fleet.answerers
                # a promotion may have come since: then what is live answers
                actual = chosen if is_there else draw()
                with closing(held(fleet, actual, wanted, query, kept)) as writing:
                    passed_on(writing, tell, stop)

        return pump

    def _ended(self, course: Course) -> None:
        """Count a chat that ended, and trace it."""
        self.observed.ended(course)
        if self._traces:
            self._traces.told(course)

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
        told: asyncio.Queue[Any] = asyncio.Queue()
        stop = Stop()

        def tell(piece: Any) -> None:
            loop.call_soon_threadsafe(told.put_nowait, piece)

        def run() -> None:
            try:
                pump(tell, stop)
            except BaseException as error:  # carried over to the task that reads
                tell(error)

        ends = loop.time() + self.settings.max_seconds
        self._threads.submit(run)
        stop_reason: BaseException = LeftError()
        try:
            while True:
                try:
                    piece = await asyncio.wait_for(told.get(), max(ends - loop.time(), 0.001))
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
        if self._traces:
            self._traces.close()


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
