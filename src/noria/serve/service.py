"""The asynchronous edge: waits for a place, has a thread answer, and passes on what it writes."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, closing, contextmanager, nullcontext
from contextvars import copy_context
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
from noria.serve.fleet import Fleet
from noria.serve.observe import Observed
from noria.serve.route import BASE, Drawn, drawn, shadow, unit_of
from noria.serve.slots import Slots
from noria.serve.standing import READY, Standing
from noria.serve.trace import Traces
from noria.store.journal import Journal
from noria.types import Answer, Query, Rollout

log = logging.getLogger("noria.serve")
MOMENT = 0.05  # seconds; a thread that takes longer gives back models that were replaced
BESIDE = 4  # searches and embeddings side by side, beside the answers


Pump = Callable[[Callable[[Any], None], "Stop"], None]


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

    async def heard(self) -> Any:
        """The next piece."""
        while not self._pieces:
            self._there.clear()
            self._waking = False
            if not self._pieces:  # else it came before the thread could see that nobody is woken
                await self._there.wait()
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
        unit = unit_for(caller, wanted)
        course.release = self._drawn(course.model, unit, self.standing.fleets.now()).release
        kept = Kept(self.journal, caller, self.now)
        pump = self._pump(course, unit, wanted, query, kept)
        place = self.slots.place(caller.key, self.settings.max_wait_seconds)
        try:
            async for piece in self._run(pump, self._threads, place, course.placed):
                course.told(piece)
                if isinstance(piece, Answer):
                    self._ended(course)
                yield piece
        except BaseException as error:
            if course.answer is None:
                course.failed(error)
                self._ended(course)
            raise

    def _pump(self, course: Course, unit: str, wanted: Wanted, query: Query, kept: Kept) -> Pump:
        """What a thread does to answer.

        Who answers is drawn only now: what was rolled back while it waited answers nobody.
        """

        def pump(tell: Callable[[Any], None], stop: Stop) -> None:
            with self._pinned() as (rollout, fleet):
                chosen = self._drawn(course.model, unit, fleet, rollout)
                course.release = chosen.release
                with closing(held(fleet, chosen, wanted, query, kept)) as writing:
                    passed_on(writing, tell if course.stream else briefly(tell), stop)

        return pump

    @contextmanager
    def _pinned(self) -> Iterator[tuple[Rollout, Fleet]]:
        """What answers, and a fleet that has its live release, for as long as the block runs.

        The rollout is read first: a later fleet still has what was live in it.
        """
        rollout = self.standing.rollout
        with self.standing.fleets.pinned() as fleet:
            yield rollout, fleet

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
        rollout, loaded = self.standing.rollout, self.standing.fleets.now().answerers
        release = shadow(model, unit_for(caller, wanted), rollout, loaded)
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
                    passed_on(writing, briefly(tell), stop)

        leave = asyncio.current_task().cancel  # type: ignore[union-attr]
        with self.slots.borrowed(leave) as free:
            try:
                if not free:
                    raise LeftError
                async for _ in self._run(pump, self._unseen, nullcontext(), lambda: None):
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

    def _drawn(self, model: str, unit: str, fleet: Fleet, rollout: Rollout | None = None) -> Drawn:
        """Who of ``fleet`` answers ``unit``, which asks for ``model``."""
        if model == BASE:
            return Drawn(BASE, BASE)
        return drawn(model, unit, rollout or self.standing.rollout, fleet.answerers)

    def probe(self) -> None:
        """Read the store, and search the passages; raises what a request would be refused for."""
        self.journal.release_of("")
        with self._pinned() as (rollout, fleet):
            fleet.answerers[rollout.live].funnel.search(READY)

    async def with_live(self, caller: Caller, work: Callable[[Answerer], Any]) -> Any:
        """What ``work`` makes with the live release, in a thread. Raises TookTooLongError."""

        def run() -> Any:
            with self._pinned() as (rollout, fleet):
                return work(fleet.answerers[rollout.live])

        async with self.quick.place(caller.key, self.settings.max_wait_seconds):
            doing = asyncio.get_running_loop().run_in_executor(
                self._threads, copy_context().run, run
            )
            try:
                return await asyncio.wait_for(doing, self.settings.max_seconds)
            except TimeoutError:
                raise self._too_long() from None

    async def _run(
        self,
        pump: Pump,
        threads: ThreadPoolExecutor,
        place: AbstractAsyncContextManager[object],
        placed: Callable[[], object],
    ) -> AsyncIterator[str | Answer]:
        """What a thread tells, which has a place; the last is an answer.

        The place is free when the thread has ended, however slowly somebody reads what it told, or
        when nobody waits for it any more.
        """
        told = Told(asyncio.get_running_loop())
        working = asyncio.create_task(self._work(pump, threads, place, placed, told))
        try:
            while True:
                piece = await told.heard()
                if isinstance(piece, BaseException):
                    raise piece
                if isinstance(piece, Answer):
                    await asyncio.wait({working}, timeout=MOMENT)  # the place is free by then
                    yield piece
                    return
                yield piece
        finally:
            working.cancel()

    async def _work(
        self,
        pump: Pump,
        threads: ThreadPoolExecutor,
        place: AbstractAsyncContextManager[object],
        placed: Callable[[], object],
        told: Told,
    ) -> None:
        """Have a thread answer, once there is a place; its time is bounded."""
        stop = Stop()

        def run() -> None:
            try:
                pump(told.tell, stop)
            except BaseException as error:  # carried over to the task that reads
                told.tell(error)

        try:
            async with place:
                placed()
                doing = asyncio.get_running_loop().run_in_executor(threads, copy_context().run, run)
                await asyncio.wait_for(asyncio.shield(doing), self.settings.max_seconds)
        except TimeoutError:
            stop.reason = self._too_long()
            told.tell(stop.reason)
        except asyncio.CancelledError:
            stop.reason = LeftError()  # nobody listens any more
            raise
        except Exception as error:  # no place, or no thread
            told.tell(error)

    def _too_long(self) -> TookTooLongError:
        return TookTooLongError(
            f"the answer was not ready in {self.settings.max_seconds:.0f} s; ask for less, or "
            "raise serve.max_seconds"
        )

    def close(self) -> None:
        """End what was begun, and give back what was loaded."""
        self._threads.shutdown(wait=True)
        self._unseen.shutdown(wait=True)
        self.standing.close()
        self.journal.close()
        if self._traces:
            self._traces.close()


def unit_for(caller: Caller, wanted: Wanted) -> str:
    """Whom an experiment keeps to one release: the user, or the conversation of one unnamed."""
    return unit_of(caller.tenant, wanted.user or f"{caller.key}\0{wanted.opening}")


def briefly(tell: Callable[[Any], None]) -> Callable[[Any], None]:
    """Tells the first piece, by which it is timed, and the answer.

    Who reads nothing else need not be woken for each token, which takes a core from the model.
    """
    first = True

    def told(piece: Any) -> None:
        nonlocal first
        if first or not isinstance(piece, str):
            first = False
            tell(piece)

    return told


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
