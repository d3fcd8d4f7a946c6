"""A whole turn of the loop under a simulated crowd: feedback, data set, tuning, gate, canary.

    python benchmarks/turn.py --data DIR                  # thumbs for short, cited answers
    python benchmarks/turn.py --data DIR --taste random   # thumbs by the toss of a coin

Articles of SQuAD are ingested, and the plain model answers ("rag"). A first crowd asks about some
articles and judges; ``noria turn`` learns from that, and the gate asks about the others. Then
20,000 users come, two requests of most of them, through the service's own code (routing,
exposures, feedback) and database, and the overseer decides. Models are the real ones, but what was
answered once is remembered: with temperature 0 it would be written again. Where the gate refuses,
the release meets the crowd all the same, as one in which no gain was found, to see what the
statistics would make of it.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

import httpx

from _common import SEED, arguments, show
from noria.build import House
from noria.config import (
    AnswerSettings,
    CanarySettings,
    FunnelsSettings,
    ServeSettings,
    Settings,
    Stage,
    TurnSettings,
)
from noria.evaluate.arms.remember import key_of, spelled
from noria.evaluate.questions import Question, read
from noria.loop.deploy import promoted
from noria.loop.oversee import overseen
from noria.loop.turn import TURN, turn
from noria.protocols import LLM
from noria.serve.app import create_app
from noria.serve.auth import Keys, Rates
from noria.serve.fleet import Fleet
from noria.serve.service import Service
from noria.serve.standing import Standing
from noria.shipyard import ReleaseYard, begun
from noria.store.jobs import Jobs
from noria.store.journal import Journal
from noria.store.reviews import Reviews
from noria.testing.crowd import Crowd
from noria.types import Completion, Prompt, Sampling
from noria.wheel import Wheel

PLACES = 4
LOOK = 500  # users between two looks of the overseer
ASKED = 100  # questions that the second crowd asks


class Notebook:
    """What was written, by what was asked; in a file, so that the next run knows it too."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._known = dict(json.loads(line) for line in lines)

    def get(self, key: str) -> Any:
        """What was written, or None."""
        return self._known.get(key)

    def put(self, key: str, value: Any) -> None:
        """Note what was written."""
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            self._known[key] = value
            file.write(json.dumps([key, value]) + "\n")


class Recalled:
    """A model that writes nothing twice."""

    def __init__(self, llm: LLM, memory: Notebook) -> None:
        self._llm, self._memory = llm, memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llm, name)

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """What was written then, or is written now."""
        key = key_of("benchmark", self._llm.fingerprint, spelled(prompt), repr(sampling))
        known = self._memory.get(key)
        if known is None:
            completion = yield from self._llm.stream(prompt, sampling)
            self._memory.put(key, asdict(completion))
            return completion
        yield known["text"]
        return Completion(**known)


@dataclass(frozen=True)
class RecallingYard:
    """Loads releases whose models write nothing twice."""

    yard: ReleaseYard
    memory: Notebook

    def fleet(self, releases: Sequence[str]) -> Fleet:
        """All of them."""
        fleet = self.yard.fleet(releases)
        answerers = {
            id: replace(answerer, llm=Recalled(answerer.llm, self.memory))
            for id, answerer in fleet.answerers.items()
        }
        return Fleet(answerers, fleet.base, fleet.close)


def main() -> None:
    """Turn once, and print what came of it."""
    given = arguments(__doc__ or "", options)
    asked, held_out = squad(given)
    house = House(settings(given), tell)
    docs = given.home / "turn-docs"
    house.ingestion.run([docs], now(), prune=True)
    yard, rows = ReleaseYard(house), house.rollouts
    before = begun(yard, rows, now())
    plain = yard.freeze("rag", now()).id
    if before.live != plain and before.trial is None:
        rows.change(before, promoted(before, plain), "promote", plain, {"by": "hand"}, now())
    seconds: dict[str, float] = {}
    journal = Journal(house.engine)
    wheel = Wheel(house, Jobs(house.engine), journal, Reviews(house.engine), now, complain)
    first: dict[str, Counter[str]] = {}
    if wheel.jobs.last(TURN) is None:  # else an earlier run was interrupted: the turn goes on
        first = timed(seconds, "first crowd", lambda: asyncio.run(
            come(house, given, journal, asked, range(len(asked)), overseer=False)
        ))  # fmt: skip
    evidence = wheel.evidence()
    done = timed(seconds, "turn", lambda: turn(wheel.jobs, wheel, "t-benchmark", 50, now))
    record = dict(done.record)
    if done.end == "refused":
        wheel.open(record["release"], {"gain": False}, "t-benchmark")
    people = range(1_000_000, 1_000_000 + given.users)
    second = timed(seconds, "second crowd", lambda: asyncio.run(
        come(house, given, journal, held_out[:ASKED], people, overseer=True)
    ))  # fmt: skip
    state = rows.now()
    assert state is not None
    show({
        "taste": given.taste,
        "first crowd": thumbs(first),
        "evidence": asdict(evidence),
        "turn": done.end,
        "sentence": done.sentence,
        "verdict": record.get("verdict"),
        "second crowd": thumbs(second),
        "decisions": [decision(each) for each in reversed(rows.history(200))],
        "live at the end": "the new one" if state.live == record.get("release") else "the old one",
        "superiority claimed": any(each.reason.get("better") for each in rows.history(200)),
        "seconds": {name: round(value) for name, value in seconds.items()},
    })  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("--taste", choices=["short", "random"], default="short")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--asked", type=int, default=240, help="questions of the first crowd")
    parser.add_argument("--held-out", type=int, default=300, help="questions of the gate")


def settings(given: argparse.Namespace) -> Settings:
    """Two passages a question, so that a turn takes minutes; a canary at half from the start."""
    funnel = Settings().funnel.answers
    return Settings(
        home=given.home / f"turn-{given.taste}",
        models=replace(Settings().models, reader=False, parallel=PLACES),
        answer=replace(AnswerSettings(), prompt_tokens=600, max_tokens=64),
        funnel=FunnelsSettings(replace(funnel, order=Stage("diverse", {"k": 2}))),
        canary=CanarySettings(judged_a_day=40),
        turn=TurnSettings(
            questions=str(given.home / "turn-held-out.jsonl"),
            general=str(given.data / "general"),
            most=given.held_out,
        ),
    )


def squad(given: argparse.Namespace) -> tuple[list[Question], list[Question]]:
    """What the crowds ask: the first about some articles, the second about others.

    The paragraphs are written into a folder, and the second's questions into a file for the gate.
    """
    found = read(given.data / "squad" / "dev-v1.1.partA.json")
    titles = sorted({q.slice.get("article", "") for q in found.asked})
    articles = {title: place for place, title in enumerate(titles)}
    asked: list[Question] = []
    held_out: list[Question] = []
    per = Counter[str]()
    for question in found.asked:
        place = articles[question.slice.get("article", "")]
        side, most = (held_out, given.held_out) if place % 3 == 0 else (asked, given.asked)
        if per[question.slice.get("article", "")] < 30 and len(side) < most:
            per[question.slice.get("article", "")] += 1
            side.append(question)
    docs = given.home / "turn-docs"
    docs.mkdir(parents=True, exist_ok=True)
    for question in (*asked, *held_out):
        name = f"{abs(hash_of(question.context or '')):08x}.txt"
        (docs / name).write_text(question.context or "", encoding="utf-8")
    lines = [
        json.dumps({"id": q.id, "question": q.text, "answers": list(q.answers)}) for q in held_out
    ]
    (given.home / "turn-held-out.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return asked, held_out


def hash_of(text: str) -> int:
    """A number for a text, the same in every run."""
    import zlib

    return zlib.crc32(text.encode())


async def come(
    house: House,
    given: argparse.Namespace,
    journal: Journal,
    questions: Sequence[Question],
    people: Sequence[int],
    overseer: bool,
) -> dict[str, Counter[str]]:
    """Let a crowd come to a service, over which the overseer looks every ``LOOK`` users."""
    memory = Notebook(given.home / f"turn-answers-{given.taste}.jsonl")
    rows = house.rollouts
    first = rows.now()
    assert first is not None
    standing = Standing(rows, RecallingYard(ReleaseYard(house), memory), first)
    service = Service(
        standing, Borrowed(journal), Keys(house.engine, monotonic), Rates(monotonic),
        ServeSettings(queue=1000), PLACES, now,
    )  # fmt: skip
    ended = asyncio.Event()

    def look(done: int) -> None:
        tell("users", done, len(people))
        if overseer and done % LOOK == 0 and not ended.is_set():
            found = overseen(rows, journal, now())
            if found is None:
                ended.set()
            else:
                print(f"{done}: {found[0].kind}: {found[0].sentence}", file=sys.stderr)

    transport = httpx.ASGITransport(app=create_app(service))
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://noria", timeout=600
        ) as client:
            crowd = Crowd(client, questions, given.taste, SEED)
            found: dict[str, Counter[str]] = {}
            for start in range(0, len(people), LOOK):
                if ended.is_set():
                    break
                some = await crowd.come(people[start : start + LOOK], 8)
                for release, thoughts in some.items():
                    found.setdefault(release, Counter()).update(thoughts)
                look(start + LOOK)
            return found
    finally:
        await asyncio.to_thread(service.close)


class Borrowed:
    """The journal, which a service may not close."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def close(self) -> None:
        """It is needed yet."""


def thumbs(found: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    """What people thought, by release."""
    return {release: dict(thoughts) for release, thoughts in found.items()}


def decision(change: Any) -> dict[str, Any]:
    """One line of the history, without the numbers of every check."""
    reason = change.reason
    kept = {name: reason[name] for name in ("units", "better", "sentence") if name in reason}
    return {"action": change.action, "release": change.release, **kept}


def timed(seconds: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """What ``work`` gives, its seconds noted."""
    began = monotonic()
    try:
        return work()
    finally:
        seconds[name] = monotonic() - began


def now() -> datetime:
    """Now."""
    return datetime.now(UTC)


def tell(stage: str, done: int, total: int) -> None:
    """Say how far it is, now and then."""
    if done == total or done % max(1, total // 20) == 0:
        print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)


def complain(message: object) -> None:
    """Say what a turn says."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
