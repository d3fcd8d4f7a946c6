"""The asynchronous edge: waits for a place, has a thread answer, and passes on what it writes."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from noria.answer.answerer import Answerer
from noria.config import ServeSettings
from noria.errors import NoriaError
from noria.serve.auth import Caller, Keys, Rates
from noria.serve.conversation import Kept, LeftError, Wanted, checked, held, query_of, shadowed
from noria.serve.course import Course
from noria.serve.observe import Observed
from noria.serve.route import BASE, Drawn, drawn, shadow, unit_of
from noria.serve.slots import Slots
from noria.serve.standing import Standing
from noria.serve.trace import Traces
from noria.store.journal import Journal
from noria.types import Answer, Query

log = logging.getLogger("noria.serve")
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
        self._shadows: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(2 * places + BESIDE, thread_name_prefix="noria-answer")
        # of their own: one that was told to leave, and reads still, keeps no answer from a thread
        self._unseen = ThreadPoolExecutor(places, thread_name_prefix="noria-shadow")

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
            last: str | Answer = ""
            async with self.slots.place(caller.key, self.settings.max_wait_seconds):
                course.placed()
                async for last in self._run(pump, self._threads):
                    course.told(last)
                    if not isinstance(last, Answer):
                        yield last
            self._ended(course)
            yield last  # and the place is free
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

    async def shadow(self, wanted: Wanted, model: str, caller: Caller, shown: Answer) -> None:
        """Begin to let a shadow answer what ``shown`` has answered, if there is one.

        It runs beside, and only where nobody needs the place.
        """
        if self.draining:
            return
        unit = unit_of(caller.tenant, wanted.user or shown.id)
        loaded = self.standing.fleets.now().answerers
        release = shadow(model, unit, self.standing.rollout, loaded)
        if release is not None:
            answering = asyncio.create_task(self._shadow(release, wanted, caller, shown.id))
            self._shadows.add(answering)
            answering.add_done_callback(self._shadows.discard)

    async def _shadow(self, release: str, wanted: Wanted, caller: Caller, of: str) -> None:
        """One shadow's answer; nobody hears how it went."""
        query = query_of(wanted, caller, f"s-{uuid4().hex}")
        kept = Kept(self.journal, caller, self.now)

        def pump(tell: Callable[[Any], None], stop: Stop) -> None:
            with self.standing.fleets.pinned() as fleet:
                if release not in fleet.answerers:  # it has ended since
                    raise LeftError
                with closing(shadowed(fleet, release, wanted, query, kept, of)) as writing:
                    passed_on(writing, tell, stop)

        leave = asyncio.current_task().cancel  # type: ignore[union-attr]
        with self.slots.borrowed(leave) as free:
            try:
                if not free:
                    raise LeftError
                async for _ in self._run(pump, self._unseen):
                    pass
            except (LeftError, asyncio.CancelledError):
                self.observed.skipped.inc()
            except TookTooLongError:
                pass  # which is kept as its outcome
            except NoriaError as error:
                log.warning("what a shadow answered was not kept: %s", error)

    def drain(self) -> None:
        """Take nothing more; shadows leave."""
        self.draining = True
        for answering in self._shadows:
            answering.cancel()

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
        self, pump: Callable[[Callable[[Any], None], Stop], None], threads: ThreadPoolExecutor
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
        threads.submit(run)
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
        self._unseen.shutdown(wait=True)
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
