"""Writes of many threads, committed together."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import OperationalError

from noria.errors import BusyError, NoriaError
from noria.store.schema import runs
from noria.store.writer import Writer, failed


def adding(name: str) -> object:
    def work(at: Connection) -> str:
        at.execute(insert(runs).values(release=name, record="{}"))
        return name

    return work


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(runs)).scalar() or 0)


def test_what_many_threads_write_is_there_when_they_are_told(engine: Engine) -> None:
    writer = Writer(engine)
    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(lambda n: writer.write(adding(f"r{n}")), range(200)))
    assert told == [f"r{n}" for n in range(200)]
    assert count(engine) == 200
    writer.close()


def test_one_that_fails_undoes_its_own_alone(engine: Engine) -> None:
    writer, gate = Writer(engine), threading.Event()

    def broken(at: Connection) -> None:
        at.execute(insert(runs).values(release="half", record="{}"))
        raise ValueError("no")

    first = writer.submit(lambda at: gate.wait(10))  # so that the next three come together
    one, two, three = (writer.submit(w) for w in (adding("a"), broken, adding("b")))
    gate.set()
    assert (first.result(10), one.result(10), three.result(10)) == (True, "a", "b")
    with pytest.raises(ValueError, match="no"):
        two.result(10)
    assert count(engine) == 2
    writer.close()


def test_nobody_is_told_of_what_was_not_committed(engine: Engine) -> None:
    writer = Writer(engine)

    def lost(at: Connection) -> None:
        at.invalidate()

    with pytest.raises(NoriaError):
        writer.write(lost)
    assert writer.write(adding("after")) == "after"
    writer.close()


def test_a_database_that_was_away_is_asked_again() -> None:
    away = OperationalError("INSERT", {}, Exception("gone"), connection_invalidated=True)
    assert isinstance(failed(away), BusyError)  # 503, with Retry-After
    assert not isinstance(failed(OperationalError("INSERT", {}, Exception("full"))), BusyError)


def test_what_waits_is_written_before_the_end_and_nothing_after(engine: Engine) -> None:
    writer = Writer(engine)
    promises = [writer.submit(adding(f"r{n}")) for n in range(10)]
    writer.close()
    assert [promise.result(0) for promise in promises] == [f"r{n}" for n in range(10)]
    with pytest.raises(NoriaError, match="closed"):
        writer.submit(adding("late"))
    writer.close()


def test_who_stops_waiting_does_not_stop_the_writer(engine: Engine) -> None:
    writer, gate = Writer(engine), threading.Event()
    writer.submit(lambda at: gate.wait(20))
    left = writer.submit(adding("r1"))
    assert not left.cancel()
    gate.set()
    assert writer.write(adding("r2")) == "r2"
    assert count(engine) == 2
    writer.close()
