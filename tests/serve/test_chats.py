"""A chat over HTTP: whole and in pieces, kept before it is told, refused in OpenAI's form."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from noria.config import ServeSettings
from noria.corpus.live import LivePassages
from noria.errors import ModelError
from noria.loop.deploy import promoted, tried
from noria.serve.auth import Caller
from noria.serve.conversation import Wanted
from noria.serve.course import Course
from noria.serve.door import Stamped
from noria.store.state import State
from noria.types import Answer, Message, Prompt
from served import NOW, Served

Serving = Callable[..., Served]
QUESTION = "Who dug the well?"


def from_the_passage(release: str, prompt: Prompt) -> str:
    return "Ada dug the well."


def asked(question: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], **more}


def post(
    at: Served,
    body: Any,
    path: str = "/v1/chat/completions",
    key: str = "",
    headers: dict[str, str] | None = None,
) -> Any:
    async def run() -> Any:
        async with at.client(key) as client:
            if isinstance(body, bytes):
                return await client.post(
                    path, content=body, headers={"Content-Type": "application/json"}
                )
            return await client.post(path, json=body, headers=headers)

    return asyncio.run(run())


def get(at: Served, path: str, **headers: str) -> Any:
    async def run() -> Any:
        async with at.client() as client:
            return await client.get(path, headers=headers)

    return asyncio.run(run())


def events_of(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_an_answer_has_its_citation_and_is_kept(serving: Serving) -> None:
    at = serving(from_the_passage)
    told = post(at, asked(user="ada")).json()
    assert told["choices"][0]["message"]["content"] == "Ada dug the well."
    assert told["choices"][0]["finish_reason"] == "stop"
    assert told["noria"]["citations"][0]["quote"] == "Ada dug the well in 1842."
    assert told["noria"]["release"] == "r1"
    assert told["usage"]["total_tokens"] > told["usage"]["completion_tokens"] > 0
    kept = at.journal.event(told["id"])
    assert kept is not None
    assert (kept.user, kept.query, kept.release) == ("ada", QUESTION, "r1")
    assert kept.payload["answer"] == "Ada dug the well."
    assert [place["id"] for place in kept.payload["passages"]] == ["p1"]


def test_a_stream_says_the_same_in_pieces(serving: Serving) -> None:
    at = serving(from_the_passage)
    body = asked(stream=True, stream_options={"include_usage": True})
    response = post(at, body)
    assert response.headers["content-type"].startswith("text/event-stream")
    *pieces, last, usage = events_of(response.text)
    text = "".join(piece["choices"][0]["delta"]["content"] for piece in pieces)
    assert text == "Ada dug the well."
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["noria"]["citations"][0]["document"] == "wells.md"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 4
    assert len({piece["id"] for piece in (*pieces, last, usage)}) == 1
    assert at.journal.event(last["id"]) is not None


def test_what_a_stream_cannot_unsay_it_takes_back(serving: Serving) -> None:
    at = serving(lambda release, prompt: "I don't know.")
    told = post(at, asked()).json()
    assert told["noria"]["abstained"]
    *pieces, last = events_of(post(at, asked(stream=True)).text)
    text = "".join(piece["choices"][0]["delta"]["content"] for piece in pieces)
    assert text == told["choices"][0]["message"]["content"]  # and no draft before it
    assert last["noria"]["abstained"]


def test_the_base_answers_without_documents(serving: Serving) -> None:
    told = post(serving(), asked(model="base")).json()
    assert told["choices"][0]["message"]["content"] == "base"
    assert told["noria"]["citations"] == []


def test_a_model_that_is_not_here_is_named_with_those_that_are(serving: Serving) -> None:
    response = post(serving(), asked(model="gpt-9"))
    assert response.status_code == 404
    error = response.json()["error"]
    assert error["code"] == "model_not_found"
    assert "there are: noria, base, live, r1" in error["message"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
        (asked("\ud800"), "messages"),
        (asked("a\0b"), "messages"),
        (asked(temperature=9), "temperature"),
        (asked(n=2), "n"),
        (asked(tools=[{"type": "function"}]), "tools"),
        (asked(noria={"gruops": []}), "noria.gruops"),
        (asked("x " * 200_000), "messages"),
        (asked("x " * 200_000, model="base"), "messages"),
        (b"{", ""),
        (b"\xff\xfe{}", ""),
        (b"[]", ""),
    ],
)
def test_what_is_wrong_is_said_where(serving: Serving, body: Any, place: str) -> None:
    if isinstance(body, dict):
        body = json.dumps(body).encode()  # a half character in escapes, as clients send it
    response = post(serving(), body)
    assert response.status_code == 400, response.text
    assert place in response.json()["error"]["message"]


def test_ten_thousand_turns_are_no_trouble(serving: Serving) -> None:
    turns = [{"role": role, "content": "hm"} for role in ("user", "assistant")] * 4999
    body = {"messages": [*turns, {"role": "user", "content": QUESTION}]}
    at = serving()
    assert post(at, body).status_code == 200
    assert post(at, {**body, "model": "base"}).status_code == 200


def test_a_body_that_is_too_large_is_not_read(serving: Serving) -> None:
    at = serving(settings=ServeSettings(max_body_kb=1))
    response = post(at, asked("x" * 2000))
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"

    async def dripping() -> Any:
        async def parts() -> Any:
            for _ in range(100):
                yield b" " * 100

        async with at.client() as client:
            return await client.post("/v1/chat/completions", content=parts())

    assert asyncio.run(dripping()).status_code == 413  # whose length was not told


def test_a_model_that_fails_is_told_and_kept_as_an_error(serving: Serving) -> None:
    def broken(release: str, prompt: Prompt) -> str:
        if "dug" in str(prompt):
            raise ModelError("the model broke")
        return "ready"

    response = post(serving(broken), asked())
    assert response.status_code == 502
    assert response.json()["error"]["message"] == "the model broke"


def test_too_many_are_told_when_to_come_back(serving: Serving) -> None:
    gate = threading.Event()

    def slow(release: str, prompt: Prompt) -> str:
        if "dug" in str(prompt):
            gate.wait(20)
        return "Ada dug it."

    at = serving(slow, settings=ServeSettings(queue=1), places=1)

    async def run() -> list[Any]:
        async with at.client() as client:
            send = [
                asyncio.create_task(client.post("/v1/chat/completions", json=asked()))
                for _ in range(3)
            ]
            done, _ = await asyncio.wait(send, return_when=asyncio.FIRST_COMPLETED)
            gate.set()
            await asyncio.wait(send)
            return [next(iter(done)).result(), *(task.result() for task in send)]

    refused, *all_ = asyncio.run(run())
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert sorted(each.status_code for each in all_) == [200, 200, 503]


def test_an_answer_that_takes_too_long_is_ended(serving: Serving) -> None:
    gate = threading.Event()

    def slow(release: str, prompt: Prompt) -> str:
        if "dug" in str(prompt):
            gate.wait(20)
        return "Ada dug it."

    at = serving(slow, settings=ServeSettings(max_seconds=0.2))
    response = post(at, asked())
    gate.set()
    assert response.status_code == 504
    assert at.service.slots.running == 0


def test_every_response_names_its_request(serving: Serving) -> None:
    response = get(serving(), "/v1/models", **{"X-Request-Id": "mine-1"})
    assert response.headers["x-request-id"] == "mine-1"
    assert response.json()["data"][0]["id"] == "noria"


def test_every_line_of_the_log_names_its_request(serving: Serving) -> None:
    at, seen = serving(), list[str]()

    def says(release: str, prompt: Prompt) -> str:
        logging.getLogger("noria.serve").warning("from the thread that answers")
        return "Ada dug it."

    at.yard.says = says
    handler = logging.StreamHandler()
    handler.addFilter(Stamped())
    handler.emit = lambda record: seen.append(  # type: ignore[method-assign]
        f"{record.request} {record.getMessage()}"  # type: ignore[attr-defined]
    )
    log = logging.getLogger("noria")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        for name in ("mine-1", "mine-2"):
            headers = {"X-Request-Id": name}
            assert post(at, asked(), headers=headers).status_code == 200
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
    seen = [line.partition(" 200 ")[0] for line in seen]
    assert seen == [
        line
        for name in ("mine-1", "mine-2")
        for line in (
            f"{name} from the thread that answers",
            f"{name} POST /v1/chat/completions",
        )
    ]


def test_a_place_is_free_when_all_is_written_however_slowly_it_is_read(serving: Serving) -> None:
    at = serving(lambda release, prompt: "Ada dug it. " * 50, places=1)

    async def run() -> None:
        caller = Caller("k1", "acme")
        wanted = Wanted((Message("user", QUESTION),))
        writing = at.service.answer(Course("a-1", "noria"), wanted, caller)
        await anext(writing)  # and reads no more for now
        for _ in range(200):
            if at.service.slots.running == 0:
                break
            await asyncio.sleep(0.02)
        assert at.service.slots.running == 0
        pieces = [piece async for piece in writing]
        assert isinstance(pieces[-1], Answer)

    asyncio.run(run())


def test_the_window_is_told_to_who_wants_more(serving: Serving) -> None:
    response = post(serving(), asked(model="base", max_tokens=1_000_000))
    assert response.status_code == 400
    assert "max_tokens: expected less than the window's" in response.json()["error"]["message"]


def test_nobody_is_told_by_what_users_are_drawn(serving: Serving) -> None:
    at = serving()
    before = at.rows.now()
    after = tried(before, {"r2": 0.5}, "x1", "s3cret", NOW, {"most": 9})
    at.rows.change(before, after, "canary", "r2", {}, NOW)
    at.service.standing.refresh()
    told = get(at, "/v1/releases")
    assert told.json()["rollout"]["trial"]["experiment"] == "x1"
    assert "s3cret" not in told.text


def test_without_passages_nothing_is_ready(serving: Serving, tmp_path: Path) -> None:
    assert get(serving(), "/readyz").json() == {"status": "ready"}
    at = serving()
    state = State(f"sqlite:///{tmp_path / 'none.db'}")
    at.yard.passages = LivePassages(
        tmp_path / "none", state, at.yard.encoder.fingerprint, at.yard.encoder.dimension
    )
    before = at.rows.now()
    at.rows.change(before, promoted(before, "r2"), "promote", "r2", {}, NOW)
    at.service.standing.refresh()
    assert get(at, "/readyz").status_code == 503
    response = post(at, asked())
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    state.close()


def test_every_model_that_is_listed_answers(serving: Serving) -> None:
    at = serving(from_the_passage)

    async def run() -> list[tuple[str, int]]:
        async with at.client() as client:
            listed = (await client.get("/v1/models")).json()["data"]
            found = []
            for each in listed:
                body = asked(model=each["id"])
                response = await client.post("/v1/chat/completions", json=body)
                found.append((each["id"], response.status_code))
            return found

    found = dict(asyncio.run(run()))
    assert {"noria", "base", "live", "r1"} <= found.keys()
    assert set(found.values()) == {200}


def test_many_who_ask_whether_all_is_ready_cause_one_look(serving: Serving) -> None:
    at, looks = serving(), list[int]()
    at.service.probe = lambda: looks.append(1)  # type: ignore[method-assign]

    async def run() -> set[int]:
        async with at.client() as client:
            found = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
            return {each.status_code for each in found}

    assert asyncio.run(run()) == {200}
    assert len(looks) == 1


def test_without_a_thread_a_chat_fails_at_once(serving: Serving) -> None:
    at = serving()
    at.service._threads.shutdown()
    assert post(at, asked()).status_code == 500
    assert at.service.slots.running == 0
