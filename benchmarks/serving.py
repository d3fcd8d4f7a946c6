"""What the HTTP service costs, beside what it serves: overhead, throughput, freshness.

The server is a process of its own, as ``noria serve`` starts it, this one generates the load, and
the CPU seconds of both are told. ``routing``, ``protocol`` and ``retrieval`` have a model that
writes at once; requests are due at a steady rate, and their latency counts from when they were due.
``chats`` and ``first-token`` compare with llama.cpp's own server on the same weights, in turns.
``documents`` changes what is known while the server is asked.

    python benchmarks/serving.py --data DIR [--what protocol retrieval …]

Some 25 minutes on two cores, of which the first run takes some for an index of SQuAD's paragraphs.
"""

import argparse
import asyncio
import gc
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import _common
import _documents
import _engine
import _server
import _squad
from _client import Client, steadily
from _server import Server
from noria.build import House
from noria.config import load
from noria.loop.deploy import tried
from noria.serve.route import drawn, unit_of
from noria.shipyard import ReleaseYard, begun
from noria.types import Rollout, Trial

WARMING = 3.0  # seconds of load that do not count
RATES = {"protocol": (100.0, 300.0), "retrieval": (20.0,)}
USERS = 100_000
Send = Callable[[int], Any]


@dataclass(frozen=True)
class Given:
    """Where the data are, where state is kept, and how long to measure."""

    data: Path
    home: Path
    seconds: float
    rounds: int


def routing(given: Given) -> dict[str, Any]:
    """How long it takes to decide who answers a user: three releases are tried beside one."""
    steps = (("r2", 0.1), ("r3", 0.1), ("r4", 0.1))
    trial = Trial("x1", "ab", steps, "salt", datetime.now(UTC))
    rollout, loaded = Rollout("r1", "r0", trial), {"r0", "r1", "r2", "r3", "r4"}
    spent = []
    for n in range(USERS):
        began = time.perf_counter()
        drawn("noria", unit_of("acme", f"user {n}"), rollout, loaded)
        spent.append(1000 * (time.perf_counter() - began))
    return {f"p{share}_ms": _common.percentile(spent, share / 100) for share in (50, 99)}


def protocol(given: Given) -> dict[str, Any]:
    """A canary on half of the users, so that who was drawn to what is written before each answer.

    One passage, which is in memory; what is written is not checked.
    """
    home = given.home / "protocol"
    shutil.rmtree(home, ignore_errors=True)
    settings(home)
    canary(home)
    return {"canary": "on half of the users", **loaded(home, given, "protocol", ["?"], "--bare")}


def retrieval(given: Given) -> dict[str, Any]:
    """Distinct questions over SQuAD's paragraphs; the answer is checked, as always."""
    home = indexed(given)
    questions = _squad.questions(given.data)
    return {"passages": _squad.KEPT, **loaded(home, given, "retrieval", questions)}


def loaded(
    home: Path, given: Given, what: str, questions: Sequence[str], *more: str
) -> dict[str, Any]:
    """The latencies at each rate, with what both processes used."""
    _common.tell(f"{what}: the server begins ...")
    with _server.instant(home, *more) as server:
        return asyncio.run(at_rates(server, RATES[what], given.seconds, questions))


async def at_rates(
    server: Server, rates: Sequence[float], seconds: float, questions: Sequence[str]
) -> dict[str, Any]:
    """Chats at each rate; no question is asked twice before all were asked."""
    asked, found = count(), {}
    async with Client(server.port) as client:

        async def send(place: int) -> bool:
            question = questions[next(asked) % len(questions)]
            reply = await client.post("/v1/chat/completions", chat(question, f"user {place}"))
            return reply.status == 200

        await steadily(send, rates[0] / 2, WARMING)
        for rate in rates:
            _common.tell(f"at {rate:.0f} a second ...")
            found[f"at {rate:.0f} a second"] = await costed(server, send, rate, seconds)
    return found


async def costed(server: Server, send: Send, rate: float, seconds: float) -> dict[str, float]:
    """Latencies at a rate, and CPU seconds."""
    gc.collect()
    gc.disable()  # a pause of this process is no latency of the other's
    own, its = _server.own_cpu(), server.cost().cpu
    timed = await steadily(send, rate, seconds)
    used = {"generator_cpu_s": _server.own_cpu() - own, "server_cpu_s": server.cost().cpu - its}
    gc.enable()
    return {**timed.told(), **used, "seconds": seconds}


def chat(question: str, user: str) -> dict[str, Any]:
    """A request's body."""
    messages = [{"role": "user", "content": question}]
    return {"model": "noria", "user": user, "messages": messages}


def settings(home: Path, text: str = "") -> None:
    """A folder with these settings."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "noria.toml").write_text(text, encoding="utf-8")


def canary(home: Path) -> None:
    """Try another release on half of the users, by hand."""
    now = datetime.now(UTC)
    with closing(House(load(home / "noria.toml", home / "state"))) as house:
        yard = ReleaseYard(house)
        before = begun(yard, house.rollouts, now)
        other = yard.freeze("rag", now).id
        after = tried(before, {other: 0.5}, "x-benchmark", "salt", now)
        house.rollouts.change(before, after, "canary", other, {"by": "hand"}, now)


def indexed(given: Given) -> Path:
    """The folder whose state knows SQuAD's paragraphs; they are ingested once."""
    home = given.home / "squad"
    settings(home, f"[models]\nparallel = {_engine.CHATS}\n")
    if not (home / "state" / "complete").exists():
        _common.tell("ingesting SQuAD's paragraphs ...")
        _squad.write(given.data, home / "documents")
        _server.run(home, "ingest", str(home / "documents"))
        (home / "state" / "complete").touch()
    return home


PARTS: dict[str, Callable[[Given], dict[str, Any]]] = {
    "routing": routing,
    "protocol": protocol,
    "retrieval": retrieval,
    "chats": lambda given: _engine.chats(indexed(given), given.data, given.rounds),
    "first-token": lambda given: _engine.first_token(indexed(given), given.data, given.rounds),
    "documents": lambda given: _documents.changed(indexed(given), given.home / "changing"),
}


def more(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--what", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seconds", type=float, default=30.0, help="of load at each rate")
    parser.add_argument("--rounds", type=int, default=5, help="of each server, in turns")


def main() -> None:
    """Measure and print."""
    parsed = _common.arguments(__doc__, more)
    given = Given(parsed.data, parsed.home / "serving", parsed.seconds, parsed.rounds)
    found = {}
    for name in parsed.what:
        _common.tell(f"{name} ...")
        found[name] = PARTS[name](given)
        _common.tell(f"{name}: {_common.rounded(found[name])}")
    _common.show(found)


if __name__ == "__main__":
    main()
