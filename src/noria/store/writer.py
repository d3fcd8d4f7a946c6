"""Writes of many threads, committed together: one flush to the disk for all that wait.

What its future gives back is on the disk. Knows nothing of what is written.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from noria.errors import BusyError, NoriaError

TOGETHER = 256  # writes of one transaction: more would keep the first of them waiting
T = TypeVar("T")
Work = Callable[[Connection], Any]
Waiting = tuple[Work, "Future[Any]"]
Result = tuple[Any, BaseException | None]


class Writer:
    """One thread that writes to ``engine``. Raises NoriaError for work that comes after ``close``.

    Work that fails undoes what it wrote, and nothing else. It may be done twice, the first time
    in a transaction that is rolled back: it does nothing but read and write by its connection.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()
        self._gate, self._open = threading.Lock(), True
        self._thread = threading.Thread(target=self._run, name="noria-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Do ``work`` soon. The future has its result once it is durable, or what it raised."""
        promise: Future[T] = Future()
        promise.set_running_or_notify_cancel()  # whoever stops waiting does not stop the write
        with self._gate:
            if not self._open:
                raise NoriaError("the store was closed; nothing more is written")
            self._waiting.put((work, promise))
        return promise

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do ``work``, and wait until it is durable."""
        return self.submit(work).result()

    def close(self) -> None:
        """Write what waits, and end. Twice is fine."""
        with self._gate:
            if self._open:
                self._open = False
                self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        """Commit what has come together since the last commit, until the end is told."""
        going = True
        while going:
            taken = [self._waiting.get()]
            while len(taken) < TOGETHER and taken[-1] is not None:
                try:
                    taken.append(self._waiting.get_nowait())
                except Empty:
                    break
            going = taken[-1] is not None
            if waiting := [each for each in taken if each is not None]:
                self._commit(waiting)

    def _commit(self, waiting: list[Waiting]) -> None:
        """All of it in one transaction; nobody is told before it is durable."""
        try:
            with self._engine.connect() as connection:
                results = done(connection, waiting)
                connection.commit()
        except SQLAlchemyError as error:
            lost = failed(error)
            for _, promise in waiting:
                promise.set_exception(lost)
            return
        for (_, promise), (result, problem) in zip(waiting, results, strict=True):
            if problem is None:
                promise.set_result(result)
            else:
                promise.set_exception(problem)


def done(connection: Connection, waiting: list[Waiting]) -> list[Result]:
    """What each work gives back or raises, in a transaction that is begun.

    Most batches succeed whole, and a savepoint costs more than what is written: only where one
    fails, all are done again, each in a savepoint of its own.
    """
    begin(connection)
    try:
        return [(work(connection), None) for work, _ in waiting]
    except Exception:  # whose it is shows in what follows
        connection.rollback()
    begin(connection)
    return [tried(connection, work) for work, _ in waiting]


def begin(connection: Connection) -> None:
    """Begin a transaction that writes."""
    connection.begin()
    if connection.dialect.name == "sqlite":
        # else the first savepoint were a transaction, and committed on its own
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def tried(connection: Connection, work: Work) -> Result:
    """What ``work`` gives back, or what it raised: then nothing of it is written.

    Raises what means that the transaction is lost.
    """
    savepoint = connection.begin_nested()
    try:
        result = work(connection)
    except Exception as problem:
        savepoint.rollback()
        return None, problem
    savepoint.commit()
    return result, None


def failed(error: SQLAlchemyError) -> NoriaError:
    """What nobody could be told was written, as Noria's error."""
    reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
    if "locked" in reason:
        return BusyError("the database is held by another process; nothing was written: try again")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return BusyError("the database was away for a moment; send it again under the same key")
    return NoriaError(f"the database did not take it: {reason}; nothing was written: try again")
