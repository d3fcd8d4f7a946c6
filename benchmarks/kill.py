"""Whether anything that the service acknowledged is lost, or kept twice, when it is killed.

Users send judgements and events, each under an Idempotency-Key, and send again what was not
answered; sometimes also what was. Meanwhile the server is ended by ``kill -9`` at a random moment
and begun again, ``--times`` times. In the end each key must have one row, with the id that every
answer told. With ``--cut`` it is the database's connections that are ended instead (PostgreSQL).

    python benchmarks/kill.py --times 50 [--store postgresql+psycopg://user@host/database] [--cut]

Some five minutes; without a model, which writes nothing here.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

import _common
import _server
from _client import Client
from noria.store.database import opened, shown, url_in
from noria.store.schema import events, feedback

USERS = 8
AGAIN = 0.1  # of what was acknowledged is sent once more
PAUSE = 0.1  # seconds before what failed is sent again
ALIVE = (0.1, 1.5)  # seconds between a beginning and the next kill
PATIENCE = 60.0  # seconds after the last kill in which everything must be acknowledged


@dataclass
class Told:
    """What the server said: ids by the key under which something was sent."""

    ids: dict[str, set[str]] = field(default_factory=dict)
    sent: int = 0
    unanswered: int = 0
    refused: dict[int, int] = field(default_factory=dict)  # by status
    over: bool = False


async def user(name: int, client: Client, run: str, answer: str, told: Told) -> None:
    """Send one thing after the other until the end is told; the last one until it is kept."""
    rng, place = random.Random(f"{run} {name}"), 0
    while not told.over:
        key = f"{run}-{name}-{place}"
        if place % 2:
            path, body = "/v1/events", {"user": f"u{name}", "kind": "click", "item": f"i{place}"}
        else:
            thumb = {"answer": answer, "kind": "thumb", "value": rng.choice((1, -1))}
            path, body = "/v1/feedback", {**thumb, "user": f"u{name}"}
        await kept(client, path, body, key, told)
        if rng.random() < AGAIN:
            await kept(client, path, body, key, told)
        place += 1


async def kept(client: Client, path: str, body: dict[str, Any], key: str, told: Told) -> None:
    """Send it until it is acknowledged."""
    while True:
        told.sent += 1
        try:
            reply = await client.post(path, body, Idempotency_Key=key)
        except (OSError, EOFError):
            told.unanswered += 1
        else:
            if reply.status == 201:
                told.ids.setdefault(key, set()).add(reply.json["id"])
                return
            told.refused[reply.status] = told.refused.get(reply.status, 0) + 1
        await asyncio.sleep(PAUSE)


async def attacked(home: Path, times: int, run: str, engine: Engine, cut: bool) -> Told:
    """The load, and the kills beside it."""
    told, rng = Told(), random.Random(run)
    server = await asyncio.to_thread(_server.instant, home, "--bare")
    try:
        async with Client(server.port) as client:
            body = {"messages": [{"role": "user", "content": "Who dug the well?"}]}
            answer = (await client.post("/v1/chat/completions", body)).json["id"]
            users = [asyncio.create_task(user(n, client, run, answer, told)) for n in range(USERS)]
            for n in range(times):
                await asyncio.sleep(rng.uniform(*ALIVE))
                if cut:
                    await asyncio.to_thread(cut_off, engine, run)
                else:
                    server.end(signal.SIGKILL)
                    again = server.port
                    server = await asyncio.to_thread(_server.instant, home, "--bare", port=again)
                _common.tell(f"killed {n + 1} of {times}; {len(told.ids)} acknowledged")
            told.over = True
            await asyncio.wait_for(asyncio.gather(*users), PATIENCE)
    finally:
        server.end()
    return told


def cut_off(engine: Engine, run: str) -> None:
    """End the server's connections to the database."""
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :run"
    with engine.begin() as connection:
        connection.execute(text(end), {"run": run})


def settings(store: str, run: str) -> str:
    """Settings whose connections to ``store`` can be told from others."""
    url = make_url(store).update_query_dict({"application_name": run}) if store else ""
    told = url.render_as_string(hide_password=False) if url else ""
    return f'[store]\nurl = "{told}"\n'


def judged(engine: Engine, run: str, told: Told) -> dict[str, Any]:
    """What is kept, compared with what was told."""
    rows: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for table in (events, feedback):
            query = table.select().where(table.c.key.like(f"{run}-%"))
            for row in connection.execute(query):
                rows.setdefault(row.key, []).append(row.id)
    return {
        "acknowledged": len(told.ids),
        "lost": sum(key not in rows for key in told.ids),
        "doubled": sum(len(ids) > 1 for ids in rows.values()),
        "told_otherwise": sum(ids != set(rows.get(key, ids)) for key, ids in told.ids.items()),
        "never_acknowledged": len(rows.keys() - told.ids.keys()),
        "sent": told.sent,
        "unanswered": told.unanswered,
        "refused": {str(status): times for status, times in told.refused.items()},
    }


def main() -> None:
    """Kill, compare and print; exit with 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--store", default="", help="URL of a database; default: SQLite")
    parser.add_argument("--cut", action="store_true", help="end connections, not the server")
    given = parser.parse_args()
    if given.cut and not given.store:
        parser.error("--cut needs the --store whose connections it ends")
    run, began = uuid4().hex[:12], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "noria.toml").write_text(settings(given.store, run), encoding="utf-8")
        engine = opened(url_in(home / "state", given.store))
        told = asyncio.run(attacked(home, given.times, run, engine, given.cut))
        found = judged(engine, run, told)
        store = shown(engine) if given.store else "SQLite"
        engine.dispose()
    spent = time.monotonic() - began
    _common.show({"killed": given.times, "store": store, **found, "seconds": spent})
    if found["lost"] or found["doubled"] or found["told_otherwise"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
