import json
import random
from collections.abc import Generator
from pathlib import Path

import pytest
from sites import Handler, Site, in_turn, say

from noria.errors import ConfigError, ModelError
from noria.models.openai import OpenAICompatible, key_variable
from noria.types import Completion, Message, Sampling

CHAT = (Message("user", "Hello?"),)
KEY = "sk-very-secret"
USAGE = {"prompt_tokens": 5, "completion_tokens": 2}
ANSWER = {
    "choices": [{"message": {"content": "Good day"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def llm(
    site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> Generator[OpenAICompatible, None, None]:
    monkeypatch.setenv("TEST_KEY", KEY)
    made = OpenAICompatible(
        f"{site.url}/v1",
        "small",
        api_key_env="TEST_KEY",
        sleep=pauses.append,
        clock=lambda: 1_000_000_000.0,
        rng=random.Random(0),
    )
    yield made
    made.close()


def sse(*chunks: dict[str, object] | str) -> bytes:
    said = [c if isinstance(c, str) else json.dumps(c, ensure_ascii=False) for c in chunks]
    return "".join(f": ping\n\ndata: {c}\n\n" for c in said).encode()


def piece(text: str, finish: str | None = None) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish}]}


def drained(stream: Generator[str, None, Completion]) -> tuple[list[str], Completion]:
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


def test_a_chat_is_completed(site: Site, llm: OpenAICompatible) -> None:
    site.replies["/v1/chat/completions"] = say(ANSWER, "application/json")
    first, second = llm.batch([CHAT, CHAT], Sampling(stop=("x",), seed=3))
    assert first == second == Completion("Good day", "stop", 5, 2)
    body = json.loads(site.bodies[0])
    assert body["messages"] == [{"role": "user", "content": "Hello?"}]
    assert (body["model"], body["stop"], body["seed"]) == ("small", ["x"], 3)
    assert site.requests[0][1]["Authorization"] == f"Bearer {KEY}"


def test_a_string_is_continued(site: Site, llm: OpenAICompatible) -> None:
    answer = {"choices": [{"text": " Paris", "finish_reason": "length"}]}
    site.replies["/v1/completions"] = say(answer, "application/json")
    (got,) = llm.batch(["The capital is"], Sampling())
    assert (got.text, got.finish) == (" Paris", "length")
    assert got.prompt_tokens == llm.count("The capital is")


def test_a_stream_keeps_odd_characters_whole(site: Site, llm: OpenAICompatible) -> None:
    last = {"choices": [], "usage": USAGE}
    data = sse(piece("Gr\u2028üße "), piece("🦜"), piece("", "stop"), last, "[DONE]")
    site.replies["/v1/chat/completions"] = say(data, "text/event-stream")
    pieces, completion = drained(llm.stream(CHAT, Sampling()))
    assert pieces == ["Gr\u2028üße ", "🦜"]
    assert completion == Completion("Gr\u2028üße 🦜", "stop", 5, 2)


def test_a_busy_server_is_asked_again(
    site: Site, llm: OpenAICompatible, pauses: list[float]
) -> None:
    site.replies["/v1/chat/completions"] = in_turn(
        say("", status=500),
        say("", status=429, **{"Retry-After": "7"}),
        say("", status=503, **{"Retry-After": "Sun, 09 Sep 2001 01:46:45 GMT"}),
        say(ANSWER, "application/json"),
    )
    assert llm.batch([CHAT], Sampling())[0].text == "Good day"
    assert 0.25 <= pauses[0] <= 0.5
    assert pauses[1:] == [7.0, 5.0]


def test_a_server_cannot_make_it_wait_for_ever(
    site: Site, llm: OpenAICompatible, pauses: list[float]
) -> None:
    site.replies["/v1/chat/completions"] = say("", status=429, **{"Retry-After": "86400"})
    with pytest.raises(ModelError, match=r"4 attempts \(HTTP 429"):
        llm.batch([CHAT], Sampling())
    assert pauses == [30.0] * 3


def test_a_stream_that_breaks_is_not_started_again(site: Site, llm: OpenAICompatible) -> None:
    def broken(handler: Handler) -> None:
        handler.send(200, sse(piece("Half")), {"Content-Type": "text/event-stream"}, length=999)

    site.replies["/v1/chat/completions"] = broken
    stream = llm.stream(CHAT, Sampling())
    assert next(stream) == "Half"
    with pytest.raises(ModelError, match="broke off"):
        next(stream)
    assert len(site.requests) == 1


def test_a_stream_without_an_end_is_an_error(site: Site, llm: OpenAICompatible) -> None:
    site.replies["/v1/chat/completions"] = say(sse(piece("Half")), "text/event-stream")
    with pytest.raises(ModelError, match="broke off"):
        drained(llm.stream(CHAT, Sampling()))


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (say(f"bad key {KEY}", status=401), "TEST_KEY"),
        (say(f"no model, {KEY}", status=404), "endpoint_model"),
        (say(f"context length, {KEY}", status=400), "context length"),
        (say(f"<html>{KEY}"), "not an answer"),
        (say("[]"), "not an answer"),
        (say({"error": {"message": f"oh {KEY}"}}), "oh"),
    ],
)
def test_errors_say_what_to_do_and_never_the_key(
    site: Site, llm: OpenAICompatible, reply: object, message: str
) -> None:
    site.replies["/v1/chat/completions"] = reply  # type: ignore[assignment]
    with pytest.raises(ModelError, match=message) as error:
        llm.batch([CHAT], Sampling())
    assert KEY not in str(error.value) + repr(llm)
    assert len(site.requests) == 1


def test_a_server_that_is_down_is_named_without_credentials(cache: Path) -> None:
    llm = OpenAICompatible(
        "http://ada:hunter2@127.0.0.1:1/v1", "small", api_key_env="", sleep=lambda s: None
    )
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:1/v1: no answer in 4") as error:
        llm.batch([CHAT], Sampling())
    assert "hunter2" not in str(error.value)
    llm.close()


def test_the_fingerprint_is_of_url_and_model(cache: Path) -> None:
    prints = {
        OpenAICompatible(url, model).fingerprint
        for url in ("http://a/v1", "http://b/v1", "http://a/v1/")
        for model in ("m", "n")
    }
    assert len(prints) == 4


@pytest.mark.parametrize(("url", "model"), [("localhost:8000", "m"), ("http://a", "")])
def test_settings_are_checked_at_the_door(url: str, model: str) -> None:
    with pytest.raises(ConfigError, match=r"models\."):
        OpenAICompatible(url, model)


OWN = "https://api.example.com/v1"


@pytest.mark.parametrize(
    ("url", "own", "variable"),
    [
        (OWN, OWN, "KEY"),
        ("https://bob:pw@API.example.com:443/other", OWN, "KEY"),
        ("http://api.example.com/v1", OWN, "KEY_API_EXAMPLE_COM"),
        ("https://api.example.com:8443/v1", OWN, "KEY_API_EXAMPLE_COM_8443"),
        ("https://api.example.com.evil.org/v1", OWN, "KEY_API_EXAMPLE_COM_EVIL_ORG"),
        ("https://api.example.com@evil.org/v1", OWN, "KEY_EVIL_ORG"),
        ("https://evil.org/v1#https://api.example.com", OWN, "KEY_EVIL_ORG"),
        ("http://[::1]:8000/v1", OWN, "KEY___1_8000"),
        (OWN, "pypi:llm==1/model.gguf", "KEY_API_EXAMPLE_COM"),
        (OWN, "file:/models/api.example.com", "KEY_API_EXAMPLE_COM"),
    ],
)
def test_a_key_belongs_to_one_server(url: str, own: str, variable: str) -> None:
    assert key_variable(url, own, "KEY") == variable
    assert key_variable(url, own, "") == ""


@pytest.mark.parametrize("url", ["http://a:x/v1", "http://a:99999/v1", "http://[a/v1"])
def test_what_is_no_server_has_no_key(url: str) -> None:
    with pytest.raises(ConfigError, match=r"models\.generator"):
        key_variable(url, OWN, "KEY")
