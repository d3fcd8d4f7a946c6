"""A document is added, changed in who may read it, and removed, while the service answers."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _common
import _server
from _client import Client

QUESTION = "What colour is the seal of the town of Kvarnholm?"
FACT = "The seal of the town of Kvarnholm is vermilion."
EVERY = 0.05  # seconds between two questions
PATIENCE = 60.0
TURNS = 3


def changed(indexed: Path, home: Path) -> dict[str, Any]:
    """Seconds until an answer knows of each change, from the end of the command and its start.

    The state is a copy of ``indexed``; the model writes at once, and quotes what it read.
    """
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(indexed / "state", home / "state")
    shutil.copy(indexed / "noria.toml", home / "noria.toml")
    folder = home / "papers"
    folder.mkdir()
    paper, other = folder / "kvarnholm.md", folder / "other.md"
    other.write_text("Nothing of that town is told here.\n", encoding="utf-8")
    _server.run(home, "ingest", str(folder))
    with _server.instant(home) as server:
        turns = [asyncio.run(one_turn(server.port, home, paper)) for _ in range(TURNS)]
    return {
        name: {key: max(turn[name][key] for turn in turns) for key in turns[0][name]}
        for name in turns[0]
    }


async def one_turn(port: int, home: Path, paper: Path) -> dict[str, dict[str, float]]:
    """Each change once; at the end all is as before."""
    folder = str(paper.parent)
    async with Client(port) as client:
        paper.write_text(f"# Seal\n\n{FACT}\n", encoding="utf-8")
        added = await timed(client, home, [folder], True)
        hidden = await timed(client, home, [str(paper), "--groups", "council"], False)
        shown = await timed(client, home, [str(paper), "--public"], True)
        paper.unlink()
        removed = await timed(client, home, [folder, "--prune"], False)
    _common.tell(f"added {added}, removed {removed}")
    return {"added": added, "hidden": hidden, "shown": shown, "removed": removed}


async def timed(client: Client, home: Path, words: list[str], known: bool) -> dict[str, float]:
    """Seconds from the beginning and from the end of an ingestion until answers follow it."""
    command = [sys.executable, "-m", "noria.cli", "ingest", *words, *_server.at(home)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ended = asyncio.create_task(asyncio.to_thread(waited(process)))
    while await knows(client) is not known:
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError(f"noria ingest {' '.join(words)}: not true after {PATIENCE:.0f} s")
        await asyncio.sleep(EVERY)
    true = time.perf_counter()
    return {"from_start_s": true - began, "from_end_s": max(0.0, true - await ended)}


def waited(process: "subprocess.Popen[bytes]") -> Callable[[], float]:
    """Waits for a process, and gives the time of its end."""

    def wait() -> float:
        if process.wait():
            raise RuntimeError("the ingestion failed")
        return time.perf_counter()

    return wait


async def knows(client: Client) -> bool:
    """Whether an answer cites the paper."""
    body = {"model": "noria", "messages": [{"role": "user", "content": QUESTION}]}
    reply = await client.post("/v1/chat/completions", body)
    if reply.status != 200:
        raise RuntimeError(f"{reply.status}: {reply.body[:500]!r}")
    return any("Kvarnholm" in c["quote"] for c in reply.json["noria"]["citations"])
