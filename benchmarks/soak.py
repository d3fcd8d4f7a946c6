"""Whether the service fails or grows under hours of use, shortened to ``--minutes``.

Users of two tenants chat, whole and in pieces, search, embed, judge and click, with the default
models. Every minute a release is promoted, rolled back, and another one promoted whose adapter is
not loaded: each by ``noria releases``, as people do it. Of the four releases that take turns two
have the reading adapter and two have none, and what is not live or was before is given back: so
weights and adapters really are loaded and freed, twice a minute.

A request fails if its status is not 2xx, or its stream does not come to its end. Memory is the
server's resident set, looked at every five seconds: the last five minutes, compared with minutes 5
to 10. For some seconds after each change two fleets are loaded, so that three figures are compared:
the tenth, half and nine tenths of the looks, which are memory with one fleet, mixed, and with two.

    python benchmarks/soak.py --data DIR --minutes 30
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import _common
import _server
import _squad
from _client import Client, Reply
from _server import Server
from serving import Given, indexed

CHATTING = 3  # users that chat, one question after the other
THINKING = 1.0  # seconds between an answer and the next question
SEARCHES, EMBEDDINGS, CLICKS = 0.5, 0.5, 2.0  # a second, of each tenant
LOOKS = 5.0  # seconds between two looks at the memory
MINUTE = 60.0
SETTLED = (5, 10)  # minutes in which everything was loaded once
LAST = 5  # minutes
CHAT = "/v1/chat/completions"


@dataclass
class Seen:
    """What came of it."""

    requests: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)  # the first ones
    releases: Counter[str] = field(default_factory=Counter)  # answers by each
    memory: list[tuple[float, float]] = field(default_factory=list)  # seconds, MiB
    changes: Counter[str] = field(default_factory=Counter)

    def took(self, kind: str, went_well: bool, reply: Reply | None) -> None:
        """Count a request."""
        self.requests[kind] += 1
        if not went_well:
            self.failed[kind] += 1
            if len(self.faults) < 10:
                self.faults.append(f"{kind}: {reply and (reply.status, reply.body[-300:])}")


class Users:
    """What the users of one tenant do."""

    def __init__(self, client: Client, questions: Sequence[str], seen: Seen, seed: int) -> None:
        self._client, self._seen = client, seen
        self._rng = random.Random(seed)
        self._questions = cycle(self._rng.sample(questions, len(questions)))

    async def send(self, kind: str, path: str, body: dict[str, Any]) -> Reply | None:
        """Send one request, and count it."""
        try:
            reply = await self._client.post(path, body)
        except (OSError, EOFError):
            self._seen.took(kind, False, None)
            return None
        streamed = body.get("stream", False)
        good = 200 <= reply.status < 300 and (reply.done or not streamed)
        self._seen.took(kind, good, reply)
        return reply if good else None

    async def chat(self) -> None:
        """Ask the next question, half of the times in pieces."""
        streams = self._rng.random() < 0.5
        turns = [{"role": "user", "content": next(self._questions)}]
        user = f"u{self._rng.randrange(50)}"
        body = {"model": "noria", "user": user, "messages": turns, "stream": streams}
        reply = await self.send("stream" if streams else "chat", CHAT, body)
        if reply is not None:
            told = reply.events[-1] if streams else reply.json
            self._seen.releases[told["noria"]["release"]] += 1
            thumb = {"answer": told["id"], "kind": "thumb", "value": 1, "user": user}
            await self.send("judge", "/v1/feedback", thumb)

    async def search(self) -> None:
        """Find passages."""
        await self.send("search", "/v1/search", {"query": next(self._questions)})

    async def embed(self) -> None:
        """Have some texts encoded."""
        texts = [next(self._questions) for _ in range(3)]
        await self.send("embed", "/v1/embeddings", {"input": texts, "model": "noria"})

    async def click(self) -> None:
        """Tell of a click."""
        body = {"user": f"u{self._rng.randrange(50)}", "kind": "click", "item": "p1"}
        await self.send("click", "/v1/events", body)


async def chatting(users: Users, ends: float) -> None:
    """One user who reads each answer."""
    while time.monotonic() < ends:
        await users.chat()
        await asyncio.sleep(THINKING)


async def at_times(act: Callable[[], Awaitable[None]], rate: float, ends: float) -> None:
    """Do it ``rate`` times a second, whatever has been answered."""
    due = time.monotonic()
    async with asyncio.TaskGroup() as doing:
        while (due := due + 1 / rate) < ends:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            doing.create_task(act())


async def watched(server: Server, seen: Seen, began: float, ends: float) -> None:
    """Look at the memory."""
    while time.monotonic() < ends:
        seen.memory.append((time.monotonic() - began, server.cost().rss))
        await asyncio.sleep(LOOKS)


async def changing(home: Path, releases: Sequence[str], seen: Seen, ends: float) -> None:
    """Every minute: a promotion, its rollback, and a promotion that swaps the adapter."""
    plain, adapted = cycle(releases[:2]), cycle(releases[2:])
    while time.monotonic() + MINUTE <= ends:
        began = time.monotonic()
        steps = (
            ("promotion", ("releases", "promote", next(plain))),
            ("rollback", ("releases", "rollback")),
            ("swap", ("releases", "promote", next(adapted))),
        )
        for place, (kind, words) in enumerate(steps):
            await asyncio.sleep(max(0.0, began + place * MINUTE / 3 - time.monotonic()))
            await asyncio.to_thread(_server.run, home, *words)
            seen.changes[kind] += 1
        done, failed = seen.requests.total(), seen.failed.total()
        _common.tell(f"{done} requests, {failed} failed, {seen.memory[-1][1]:.0f} MiB")
        await asyncio.sleep(max(0.0, began + MINUTE - time.monotonic()))


async def soaked(home: Path, questions: Sequence[str], seen: Seen, minutes: float) -> None:
    """All of it at once."""
    releases, keys = frozen(home), [key(home, tenant) for tenant in ("acme", "globex")]
    with _server.noria(home) as server:
        began = time.monotonic()
        ends = began + minutes * MINUTE
        async with (
            Client(server.port, keys[0]) as first,
            Client(server.port, keys[1]) as second,
            asyncio.TaskGroup() as going,
        ):
            tenants = [Users(c, questions, seen, n) for n, c in enumerate((first, second))]
            going.create_task(watched(server, seen, began, ends))
            going.create_task(changing(home, releases, seen, ends))
            for n in range(CHATTING):
                going.create_task(chatting(tenants[n % 2], ends))
            for users in tenants:
                going.create_task(at_times(users.search, SEARCHES, ends))
                going.create_task(at_times(users.embed, EMBEDDINGS, ends))
                going.create_task(at_times(users.click, CLICKS, ends))


def frozen(home: Path) -> list[str]:
    """Four releases: two without an adapter, two with the reading adapter."""
    found = []
    usual = (home / "noria.toml").read_text("utf-8")
    try:
        for arm in ("rag", "reader"):
            for tokens in (120, 160):
                text = f"{usual}\n[answer]\nmax_tokens = {tokens}\n"
                (home / "noria.toml").write_text(text, encoding="utf-8")
                told = _server.run(home, "releases", "promote", arm, "--json")
                found.append(json.loads(told)["live"])
    finally:
        (home / "noria.toml").write_text(usual, encoding="utf-8")
    return found


def key(home: Path, tenant: str) -> str:
    """A new key."""
    return str(json.loads(_server.run(home, "keys", "add", tenant, "--json"))["key"])


def growth(memory: Sequence[tuple[float, float]], minutes: float) -> dict[str, float]:
    """How much larger the process is at the end than once it had settled."""
    low, high = (minute * MINUTE for minute in SETTLED)
    early = [mib for at, mib in memory if low <= at < high]
    late = [mib for at, mib in memory if at >= (minutes - LAST) * MINUTE]
    by_minute = {
        str(n): median(part)
        for n in range(int(minutes))
        if (part := [mib for at, mib in memory if n * MINUTE <= at < (n + 1) * MINUTE])
    }
    told: dict[str, Any] = {"largest_mib": max(mib for _, mib in memory), "by_minute": by_minute}
    if early and late and minutes >= SETTLED[1] + LAST:
        for share in (0.1, 0.5, 0.9):
            first, last = (_common.percentile(part, share) for part in (early, late))
            told[f"p{100 * share:.0f}"] = {
                "early_mib": first, "late_mib": last, "growth": last / first - 1,
            }  # fmt: skip
    return told


def more(parser: argparse.ArgumentParser) -> None:
    """The arguments of this benchmark."""
    parser.add_argument("--minutes", type=float, default=30.0)


def main() -> None:
    """Soak, and print; exit with 1 if a request failed."""
    parsed = _common.arguments(__doc__, more)
    at = parsed.home / "serving"
    index = indexed(Given(parsed.data, at, 0, 0))
    home = at / "soak"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(index / "state", home / "state")
    (home / "noria.toml").write_text("", encoding="utf-8")
    seen = Seen()
    asyncio.run(soaked(home, _squad.questions(parsed.data), seen, parsed.minutes))
    _common.show(
        {
            "minutes": parsed.minutes,
            "requests": dict(seen.requests),
            "failed": dict(seen.failed),
            "first_faults": seen.faults,
            "changes": dict(seen.changes),
            "answers_by_release": dict(seen.releases),
            "memory": growth(seen.memory, parsed.minutes),
        }
    )
    if seen.failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
