"""Noria's service beside llama.cpp's own server: the same weights, slots, threads and prompts.

Both run all the time, and are asked in turns: whichever is not asked costs nothing. What a release
asks of its model is written down beforehand, and sent to the bare server as it is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import _common
import _server
import _squad
from _client import Client, Reply
from noria.answer.answerer import Answerer
from noria.build import PARAGRAPH_END, House
from noria.config import load
from noria.models.llama_server import messages
from noria.shipyard import ReleaseYard, begun
from noria.types import Chat, Completion, Query

CHATS = 8  # side by side
ROUND = 16  # questions of one round
WRITTEN = 64  # tokens that the base writes
LONGEST = 160  # tokens that a release writes
PAIRS = 20  # first tokens of each server, for each round
WARMING = 4  # prompts
PATH = "/v1/chat/completions"
Ask = Callable[[str], Awaitable[int]]  # the tokens that a question's answer has


@dataclass(frozen=True, slots=True)
class Planned:
    """What a release asks its model for each question: one prompt after the other."""

    prompts: dict[str, list[list[dict[str, str]]]]
    adapted: bool


def planned(home: Path, questions: Sequence[str]) -> Planned:
    """The prompts of the live release, as it makes them here and now."""
    now = datetime.now(UTC)
    with closing(House(load(home / "noria.toml", home / "state"))) as house:
        yard = ReleaseYard(house)
        live = begun(yard, house.rollouts, now).live
        fleet = yard.fleet([live])
        try:
            answerer = fleet.answerers[live]
            told = _common.Told()
            prompts = {}
            for place, question in enumerate(questions):
                prompts[question] = [messages(each) for each in asked(answerer, question)]
                told("what the release asks its model", place + 1, len(questions))
            return Planned(prompts, answerer.llm is not fleet.base)
        finally:
            fleet.close()


def asked(answerer: Answerer, question: str) -> list[Chat]:
    """Each prompt that it takes to answer ``question``."""
    found, turn = [], answerer.prepare(Query("q", question))
    while turn is not None and turn.chat is not None:
        found.append(turn.chat)
        turn = answerer.following(turn, written(answerer, turn.chat))
    return found


def written(answerer: Answerer, chat: Chat) -> Completion:
    """What the model writes."""
    return answerer.llm.batch([chat], answerer.sampling)[0]


def chats(home: Path, data: Path, rounds: int) -> dict[str, Any]:
    """Tokens a second of eight chats side by side, with Noria and without."""
    count = ROUND * (rounds + 1)
    apart, shared = _squad.questions(data)[:count], _squad.together(data)[:count]
    plan = planned(home, [*apart, *shared])
    with _server.noria(home) as served, _server.bare(home) as bare:
        found = asyncio.run(of_both(served.port, bare.port, plan, apart, shared, rounds))
    per_question = [len(plan.prompts[question]) for question in apart]
    return {**found, "prompts_per_question": sum(per_question) / len(apart)}


async def of_both(
    served: int,
    bare: int,
    plan: Planned,
    apart: Sequence[str],
    shared: Sequence[str],
    rounds: int,
) -> dict[str, Any]:
    """Each comparison, one after the other."""
    async with Client(served) as noria, Client(bare) as engine:
        base = partial(of_noria, noria, "base"), partial(of_engine, engine)
        live = partial(of_noria, noria, "noria"), partial(of_plan, engine, plan)
        return {
            "the base, no documents": await compared(*base, apart, rounds),
            "the live release": await compared(*live, apart, rounds),
            "the live release, shared passages": await compared(*live, shared, rounds),
        }


async def compared(
    noria: Ask, engine: Ask, questions: Sequence[str], rounds: int
) -> dict[str, Any]:
    """Rounds of both in turns; the first one of each only warms it up."""
    speeds: dict[str, list[float]] = {"noria": [], "engine": []}
    for n in range(rounds + 1):
        part = questions[n * ROUND : (n + 1) * ROUND]
        pair = [("noria", noria), ("engine", engine)]
        for name, ask in pair if n % 2 else reversed(pair):
            speed = await side_by_side(ask, part)
            if n:
                speeds[name].append(speed)
            _common.tell(f"round {n} of {rounds}, {name}: {speed:.1f} tokens/s")
    ratios = [a / b for a, b in zip(speeds["noria"], speeds["engine"], strict=True)]
    return {
        "noria_tokens_per_s": median(speeds["noria"]),
        "engine_tokens_per_s": median(speeds["engine"]),
        "ratio_of_medians": median(speeds["noria"]) / median(speeds["engine"]),
        "ratios": sorted(ratios),
    }


async def side_by_side(ask: Ask, questions: Sequence[str]) -> float:
    """Tokens a second of ``CHATS`` users, each of whom asks the next question when answered."""
    waiting, began = iter(questions), time.perf_counter()

    async def user() -> int:
        return sum([await ask(question) for question in waiting])

    tokens = sum(await asyncio.gather(*(user() for _ in range(CHATS))))
    return tokens / (time.perf_counter() - began)


def body(prompt: object, limit: int, **more: Any) -> dict[str, Any]:
    """What both servers understand."""
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    return {"messages": turns, "max_tokens": limit, "temperature": 0, "seed": 0, **more}


async def of_noria(client: Client, model: str, question: str) -> int:
    """Tokens that Noria wrote."""
    limit = WRITTEN if model == "base" else LONGEST
    return tokens(await client.post(PATH, body(question, limit, model=model)))


async def of_engine(client: Client, question: str) -> int:
    """Tokens that the bare server wrote."""
    return tokens(await client.post(PATH, body(question, WRITTEN, **choice(0.0))))


async def of_plan(client: Client, plan: Planned, question: str) -> int:
    """Tokens that the bare server wrote to what the release would ask its model."""
    stop, chosen = list(PARAGRAPH_END), choice(float(plan.adapted))
    return sum(
        [
            tokens(await client.post(PATH, body(prompt, LONGEST, stop=stop, **chosen)))
            for prompt in plan.prompts[question]
        ]
    )


def choice(scale: float) -> dict[str, Any]:
    """The adapter, on or off."""
    return {"lora": [{"id": 0, "scale": scale}]}


def tokens(reply: Reply) -> int:
    """The tokens that a reply tells of."""
    if reply.status != 200:
        raise RuntimeError(f"{reply.status}: {reply.body[:500]!r}")
    return int(reply.json["usage"]["completion_tokens"])


def first_token(home: Path, data: Path, rounds: int) -> dict[str, Any]:
    """Milliseconds to the first piece of the base's answer: the same prompt, in turns, alone.

    Each prompt is new to both servers.
    """
    prompts = [f"{q} Explain it in two sentences." for q in _squad.questions(data)]
    with _server.noria(home) as served, _server.bare(home) as bare:
        pairs = asyncio.run(paired(served.port, bare.port, prompts[: PAIRS * rounds + WARMING]))
    differences = [1000 * (ours - theirs) for ours, theirs in pairs]
    return {
        "noria_median_ms": 1000 * median(ours for ours, _ in pairs),
        "engine_median_ms": 1000 * median(theirs for _, theirs in pairs),
        "difference_median_ms": median(differences),
        "difference_p90_ms": _common.percentile(differences, 0.9),
        "prompts": len(pairs),
    }


async def paired(served: int, bare: int, prompts: Sequence[str]) -> list[tuple[float, float]]:
    """Seconds of Noria and of the bare server to each prompt; the first ones do not count."""
    pairs = []
    async with Client(served) as noria, Client(bare) as engine:
        both = [(noria, {"model": "base"}), (engine, choice(0.0))]
        for n, prompt in enumerate(prompts):
            spent = {}
            for client, more in both if n % 2 else reversed(both):
                spent[client] = await until_first(client, body(prompt, 16, **more))
            pairs.append((spent[noria], spent[engine]))
    return pairs[WARMING:]


async def until_first(client: Client, wanted: dict[str, Any]) -> float:
    """Seconds until the first piece of text came."""
    began, first = time.perf_counter(), []

    def heard(part: bytes) -> None:
        if not first and told(part):
            first.append(time.perf_counter() - began)

    reply = await client.post(PATH, {**wanted, "stream": True}, heard)
    if reply.status != 200 or not first:
        raise RuntimeError(f"{reply.status}: {reply.body[:500]!r}")
    return first[0]


def told(part: bytes) -> bool:
    """Whether an event holds some text."""
    events = Reply(200, part).events
    return any((c.get("delta") or {}).get("content") for e in events for c in e["choices"])
