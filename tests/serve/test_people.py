"""Judgements, events and keys over HTTP."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from test_chats import asked, get, post

from noria.config import ServeSettings
from noria.errors import UsageError
from served import NOW, Served

Serving = Callable[..., Served]
FEEDBACK, EVENTS = "/v1/feedback", "/v1/events"


def put(at: Served, path: str, body: Any, key: str, api_key: str = "") -> Any:
    async def run() -> Any:
        async with at.client(api_key) as client:
            return await client.post(path, json=body, headers={"Idempotency-Key": key})

    return asyncio.run(run())


def test_a_thumb_is_kept_once_however_often_it_comes(serving: Serving) -> None:
    at = serving()
    answer = post(at, asked(user="ada")).json()["id"]
    thumb = {"answer": answer, "kind": "thumb", "value": 1, "user": "ada"}
    first, again = (put(at, FEEDBACK, thumb, "k1") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = put(at, FEEDBACK, {**thumb, "value": -1}, "k1")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_used")
    (kept,) = at.journal.feedback()
    assert (kept.answer, kept.value, kept.release, kept.at) == (answer, 1.0, "r1", NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "thumb"},
        {"kind": "thumb", "value": 2},
        {"kind": "correction", "text": " "},
        {"kind": "ranking", "ranking": ["a"]},
        {"kind": "ranking", "ranking": ["a", "a"]},
        {"kind": "praise"},
    ],
)
def test_a_judgement_that_says_nothing_is_refused(serving: Serving, wrong: Any) -> None:
    at = serving()
    assert post(at, {"answer": "a-1", **wrong}, FEEDBACK).status_code == 400


def test_what_was_not_answered_cannot_be_judged(serving: Serving) -> None:
    response = post(serving(), {"answer": "a-1", "kind": "thumb", "value": 1}, FEEDBACK)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "answer_not_found")


def test_events_are_kept(serving: Serving) -> None:
    at = serving()
    body = {"user": "ada", "kind": "click", "item": "p1", "at": "2026-11-28T10:00:00+02:00"}
    id = put(at, EVENTS, body, "k").json()["id"]
    assert put(at, EVENTS, body, "k").json()["id"] == id
    kept = at.journal.event(id)
    assert kept is not None
    assert (kept.user, kept.kind, kept.item) == ("ada", "click", "p1")
    assert kept.at.isoformat() == "2026-11-28T08:00:00+00:00"
    for wrong in ({"at": "0001-01-01T00:00:00"}, {"kind": "answer"}, {"kind": "a b"}):
        assert post(at, {**body, **wrong}, EVENTS).status_code == 400


def test_a_key_opens_its_groups_and_no_others(serving: Serving) -> None:
    at = serving(lambda release, prompt: "The bishop earns nine pounds.")
    hr, _ = at.keys.add("acme", frozenset({"hr"}), 0, NOW)
    public, caller = at.keys.add("acme", frozenset(), 0, NOW)
    body = {"query": "What does the bishop earn?"}

    def found(key: str, **more: Any) -> list[str]:
        response = post(at, {**body, **more}, "/v1/search", key)
        return [each["id"] for each in response.json()["candidates"]]

    assert "p2" in found(hr)
    assert "p2" not in found(public)
    assert "p2" not in found(hr, noria={"groups": []})
    assert "p2" not in found(public, noria={"groups": ["hr"]})
    told = post(at, asked("What does the bishop earn?"), key=public).json()
    assert all(each["id"] != "p2" for each in told["noria"]["citations"])
    for wrong in ("", "nk-wrong", "nk-\u00e9"):
        response = post(at, body, "/v1/search", wrong) if wrong.isascii() else None
        assert response is None or response.status_code == 401
    at.keys.revoke(caller.key, NOW)
    at.clock.seconds += 1.5
    assert post(at, body, "/v1/search", public).status_code == 401


def test_figures_are_for_who_has_a_key_where_there_are_keys(serving: Serving) -> None:
    at = serving()

    def told(key: str = "") -> int:
        async def run() -> int:
            async with at.client(key) as client:
                return (await client.get("/metrics")).status_code

        return asyncio.run(run())

    assert told() == 200
    key, _ = at.keys.add("acme", frozenset(), 0, NOW)
    at.clock.seconds += 1.5
    assert (told(), told(key)) == (401, 200)


def test_an_answer_of_another_tenant_cannot_be_judged(serving: Serving) -> None:
    at = serving()
    mine, _ = at.keys.add("mine", frozenset(), 0, NOW)
    yours, _ = at.keys.add("yours", frozenset(), 0, NOW)
    answer = post(at, asked(), key=mine).json()["id"]
    thumb = {"answer": answer, "kind": "thumb", "value": 1}
    assert post(at, thumb, FEEDBACK, yours).status_code == 404
    assert post(at, thumb, FEEDBACK, mine).status_code == 201


def test_who_asks_too_often_is_told_when_to_come_back(serving: Serving) -> None:
    at = serving(settings=ServeSettings(rate=2))
    codes = [post(at, {"query": "well"}, "/v1/search").status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    at.clock.seconds += 30  # a minute has room for two
    response = post(at, {"query": "well"}, "/v1/search")
    assert response.status_code == 200
    assert post(at, {"query": "well"}, "/v1/search").headers["retry-after"] == "30"


def test_vectors_are_those_of_the_encoder(serving: Serving) -> None:
    at = serving()
    told = post(at, {"input": ["a well", "a wheel"]}, "/v1/embeddings").json()
    assert [each["index"] for each in told["data"]] == [0, 1]
    vector = at.yard.encoder.encode_passages(["a well"])[0]
    assert told["data"][0]["embedding"] == pytest.approx(vector.tolist())


def test_the_first_key_shuts_the_door_after_a_second(serving: Serving) -> None:
    at = serving()
    body = {"query": "well"}
    assert post(at, body, "/v1/search").status_code == 200
    key, _ = at.keys.add("acme", frozenset(), 0, NOW)
    assert post(at, body, "/v1/search", "nk-wrong").status_code == 401
    assert post(at, body, "/v1/search", key).status_code == 200
    at.clock.seconds += 1.5
    assert post(at, body, "/v1/search").status_code == 401
    assert post(at, body, "/v1/search", key).status_code == 200


def test_less_than_one_a_minute_is_a_rate_too(serving: Serving) -> None:
    at = serving()
    key, _ = at.keys.add("acme", frozenset(), 0.5, NOW)
    codes = []
    for _ in range(3):
        codes.append(post(at, {"query": "well"}, "/v1/search", key).status_code)
        at.clock.seconds += 60
    assert codes == [200, 429, 200]


def test_a_tenants_name_has_its_length() -> None:
    from noria.serve.auth import Keys

    with pytest.raises(UsageError, match="expected 200 at most"):
        Keys(None, lambda: 0.0).add("t" * 201, frozenset(), 0, NOW)  # type: ignore[arg-type]


def test_a_judgement_that_is_kept_is_told_so_whatever_comes_after(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = serving()
    answer = post(at, asked()).json()["id"]

    def away(answer: str) -> str:
        raise OperationalError("SELECT secret", {}, Exception("connection refused"))

    monkeypatch.setattr(at.journal, "release_of", away)
    assert post(at, {"answer": answer, "kind": "thumb", "value": 1}, FEEDBACK).status_code == 201


def test_a_store_that_is_away_is_told_in_no_words_of_its_own(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = serving()

    def away(*of: object) -> None:
        raise OperationalError("SELECT secret", {"of": "ada"}, Exception("connection refused"))

    monkeypatch.setattr(at.keys, "admitted", away)
    monkeypatch.setattr(at.journal, "release_of", away)
    response = post(at, {"query": "well"}, "/v1/search")
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert "secret" not in response.text
    assert get(at, "/readyz").status_code == 503
    assert get(at, "/healthz").status_code == 200
