"""A shadow answers once more: kept apart, shown to nobody, in nobody's way."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from test_chats import asked, post
from test_standing import change, until

from noria.config import ServeSettings
from noria.errors import ModelError
from noria.loop.deploy import shadowed
from noria.loop.feedback.shelf import kept_in
from noria.loop.lately import lately
from noria.serve.route import unit_of
from noria.store.journal import ANSWER, SHADOW
from noria.store.reviews import Reviews
from noria.types import Event, Prompt
from served import NOW, Served

Serving = Callable[..., Served]
CHATS = "/v1/chat/completions"


def beside(at: Served, share: float = 1.0) -> Served:
    """The service, once r2 shadows what is live."""
    change(at, shadowed(at.rows.now(), "r2", share, "x1", "salt", NOW))
    until(lambda: at.service.standing.rollout.trial is not None)
    return at


def chat(at: Served, *bodies: Any, key: str = "") -> list[httpx.Response]:
    """Ask one after the other, each when the shadow of the last one has answered."""

    async def run() -> list[httpx.Response]:
        told = []
        async with at.client(key) as client:
            for body in bodies:
                told.append(await client.post(CHATS, json=body))
                await left(at)
        return told

    return asyncio.run(run())


async def left(at: Served) -> None:
    """Wait until no shadow answers any more."""
    while at.service._shadows:
        await asyncio.sleep(0.01)


def unseen(at: Served) -> list[Event]:
    return list(at.journal.events(SHADOW))


def skipped(at: Served) -> float:
    return float(at.service.observed.skipped._value.get())


@pytest.mark.parametrize("stream", [False, True])
def test_it_is_kept_beside_the_answer_and_counts_nowhere(serving: Serving, stream: bool) -> None:
    at = beside(serving())
    (told,) = chat(at, asked(user="ada", stream=stream))
    assert '"r1"' in told.text
    assert "r2" not in told.text
    (answer,) = at.journal.events(ANSWER)
    (event,) = unseen(at)
    assert (event.release, event.user, event.query) == ("r2", "ada", answer.query)
    assert event.payload["answer"] == "Ada dug it, says r2."
    assert event.payload["shadows"] == answer.id
    assert event.payload["outcome"] == "ungrounded"
    assert event.payload.keys() - answer.payload.keys() == {"shadows", "outcome"}
    assert at.journal.exposed("x1") == ((), ())
    assert at.journal.answers("r2", 10) == []
    assert list(kept_in(at.journal, Reviews(at.rows._engine)).answers) == [answer.id]
    assert (
        b'noria_answers_total{outcome="ungrounded",release="r2"' not in at.service.observed.told()
    )
    thumb = {"answer": event.id, "kind": "thumb", "value": 1}
    assert post(at, thumb, "/v1/feedback").status_code == 404
    made_up = {"user": "ada", "kind": SHADOW}
    assert post(at, made_up, "/v1/events").status_code == 400


def test_who_is_forgotten_is_forgotten_in_the_shadow_too(serving: Serving) -> None:
    at = beside(serving())
    chat(at, asked(user="ada"))
    assert at.journal.forget("local", "ada", unit_of("local", "ada"))["events"] == 2
    assert unseen(at) == []


def test_the_same_users_are_shadowed_each_time_and_only_who_is_drawn(serving: Serving) -> None:
    at = beside(serving(), share=0.4)
    users = [f"u{n}" for n in range(12)]
    chat(at, *(asked(user=user) for user in users))
    first = Counter(event.user for event in unseen(at))
    assert 0 < len(first) < 12
    chat(at, *(asked(user=user) for user in users))
    assert Counter(event.user for event in unseen(at)) == first + first
    chat(at, *(asked(user=user, model="live") for user in users))
    assert len(unseen(at)) == 2 * len(first)  # who names a release is not drawn


def test_nobody_is_shown_it_by_an_alias(serving: Serving) -> None:
    assert post(beside(serving()), asked(model="canary")).status_code == 404


def test_it_reads_as_its_reader_and_no_more(serving: Serving) -> None:
    at = beside(serving(lambda release, prompt: "The bishop earns nine pounds."))
    hr, _ = at.keys.add("acme", frozenset({"hr"}), 0, NOW)
    public, _ = at.keys.add("other", frozenset(), 0, NOW)
    question = asked("What does the bishop earn?")
    chat(at, question, key=hr)
    chat(at, question, key=public)
    read = {e.tenant: {place["id"] for place in e.payload["passages"]} for e in unseen(at)}
    assert "p2" in read["acme"]
    assert "p2" not in read["other"]


def test_a_request_that_needs_the_place_gets_it_at_once(serving: Serving) -> None:
    gate, reading = threading.Event(), threading.Event()

    def slow(release: str, prompt: Prompt) -> str:
        if release == "r2" and "dug" in str(prompt):
            reading.set()
            gate.wait(20)
        return f"Ada dug it, says {release}."

    at = beside(serving(slow, places=1, settings=ServeSettings(queue=0)))

    async def run() -> None:
        async with at.client() as client:
            await client.post(CHATS, json=asked(user="ada"))
            while not reading.is_set():
                await asyncio.sleep(0.01)
            told = await client.post(CHATS, json=asked(user="ben", model="live"))
            assert told.json()["noria"]["release"] == "r1"
            gate.set()
            await left(at)

    asyncio.run(run())
    assert skipped(at) == 1
    assert unseen(at) == []


def test_it_does_not_begin_where_no_place_is_free(serving: Serving) -> None:
    one_waits, gate = threading.Event(), threading.Event()

    def slow(release: str, prompt: Prompt) -> str:
        if "Who dug" in str(prompt):
            one_waits.wait(20)
        if "Who built" in str(prompt):
            gate.wait(20)
        return "Ada dug it."

    at = beside(serving(slow, places=1))

    async def run() -> None:
        async with at.client() as client:
            first = asyncio.create_task(client.post(CHATS, json=asked(user="ada")))
            while not at.service.slots.running:
                await asyncio.sleep(0.01)
            other = asked("Who built the mill?", model="live")
            second = asyncio.create_task(client.post(CHATS, json=other))
            while not at.service.slots.waiting:
                await asyncio.sleep(0.01)
            one_waits.set()
            await first  # whose place the second one has now
            await left(at)
            gate.set()
            await second

    asyncio.run(run())
    assert skipped(at) == 1
    assert unseen(at) == []


def test_its_failures_are_kept_and_nobody_notices(serving: Serving) -> None:
    gate = threading.Event()

    def broken(release: str, prompt: Prompt) -> str:
        if release == "r2" and "dug" in str(prompt):
            if "Who" in str(prompt):
                raise ModelError("the model broke")
            gate.wait(20)
        return "Ada dug it."

    at = beside(serving(broken, settings=ServeSettings(max_seconds=2.5)))
    (told,) = chat(at, asked(user="ada"))
    assert told.status_code == 200

    async def run() -> None:
        async with at.client() as client:
            told = await client.post(CHATS, json=asked("When was the well dug?", user="ben"))
            assert told.status_code == 200
            await left(at)

    asyncio.run(run())
    gate.set()
    until(lambda: len(unseen(at)) == 2)
    assert {e.payload["outcome"] for e in unseen(at)} == {"error", "timeout"}
    (live, shadow) = lately(at.journal.events(ANSWER), (), unseen(at))
    assert (live.release, live.answers, live.shadow) == ("r1", 2, False)
    assert (shadow.release, shadow.answers, shadow.failed, shadow.same) == ("r2", 0, 2, None)


def test_shadows_leave_when_the_service_ends(serving: Serving) -> None:
    gate, reading = threading.Event(), threading.Event()

    def slow(release: str, prompt: Prompt) -> str:
        if release == "r2" and "dug" in str(prompt):
            reading.set()
            gate.wait(20)
        return "Ada dug it."

    at = beside(serving(slow))

    async def run() -> None:
        async with at.client() as client:
            await client.post(CHATS, json=asked(user="ada"))
            while not reading.is_set():
                await asyncio.sleep(0.01)
            at.service.drain()
            await left(at)
            gate.set()

    asyncio.run(run())
    at.service.close()
    assert unseen(at) == []
