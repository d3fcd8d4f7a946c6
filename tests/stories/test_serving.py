"""Served by a process of its own: asked by OpenAI's client, judged, promoted, killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from noria.cli import app
from noria.errors import UsageError
from tiny_encoder import tiny_encoder
from tiny_llama import TURNS, gguf_file, hugging_face

QUESTION = [{"role": "user", "content": "who dug the well"}]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny generator and a tiny encoder."""
    at = tmp_path_factory.mktemp("tiny")
    tiny_encoder(at / "encoder", ["who", "dug", "the", "well", "ada"], window=32)
    folder = hugging_face(at / "model", template=TURNS, initializer_range=0.3)
    gguf_file(at / "tiny.gguf", folder, TURNS)
    return at


@pytest.fixture
def desk(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings and a document."""
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    settings(models, 8)
    Path("wells.md").write_text("Ada dug the well.\n", encoding="utf-8")
    said("ingest", "wells.md")
    return tmp_path


def settings(models: Path, max_tokens: int) -> None:
    Path("noria.toml").write_text(
        f'[models]\ngenerator = "file:{models / "tiny.gguf"}"\n'
        f'encoder = "file:{models / "encoder"}"\nreader = false\n'
        "context = 1024\nthreads = 1\nfast_copy = false\n"
        f"[answer]\nprompt_tokens = 800\nmax_tokens = {max_tokens}\nabstain_below = 0.0\n"
    )


def said(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


class Serving:
    """A server in a process of its own."""

    def __init__(self, desk: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        words = [sys.executable, "-m", "noria.cli", "serve", "--port", str(self.port)]
        self.log = (desk / "serve.log").open("a")
        self.process = subprocess.Popen(words, cwd=desk, stderr=self.log, stdout=self.log)
        self.url = f"http://127.0.0.1:{self.port}"
        self.until(lambda: httpx.get(f"{self.url}/readyz").status_code == 200)

    def until(self, true: Any, seconds: float = 90.0) -> None:
        ends = time.monotonic() + seconds
        while True:
            try:
                if true():
                    return
            except httpx.TransportError:
                assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < ends, "it did not come true in time"
            time.sleep(0.05)

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.log.close()
        return code


@pytest.fixture
def server(desk: Path) -> Iterator[Serving]:
    serving = Serving(desk)
    yield serving
    if serving.process.poll() is None:
        serving.end(signal.SIGKILL)


def release_of(server: Serving, user: str = "ada") -> str:
    body = {"model": "noria", "messages": QUESTION, "user": user}
    told = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=60)
    return str(told.raise_for_status().json()["noria"]["release"])


def test_openai_client_asks_and_people_judge(desk: Path, server: Serving) -> None:
    from openai import NotFoundError, OpenAI

    client = OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    whole = client.chat.completions.create(model="noria", messages=QUESTION, user="ada")
    assert whole.usage.total_tokens > 0
    assert whole.choices[0].finish_reason in ("stop", "length")
    pieces = list(client.chat.completions.create(model="noria", messages=QUESTION, stream=True))
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert text.strip() == whole.choices[0].message.content.strip()
    assert pieces[-1].noria["release"] == whole.noria["release"]
    assert whole.noria["release"] in {model.id for model in client.models.list()}
    assert len(client.embeddings.create(model="noria", input="the well").data[0].embedding) == 32
    with pytest.raises(NotFoundError, match="no model 'gpt-9'"):
        client.chat.completions.create(model="gpt-9", messages=QUESTION)
    thumb = {"answer": whole.id, "kind": "thumb", "value": 1, "user": "ada"}
    assert httpx.post(f"{server.url}/v1/feedback", json=thumb).status_code == 201
    status = said("status", "--drift")
    (row,) = status["lately"]
    assert (row["answers"], row["up"], row["down"]) == (2, 1, 0)
    assert {what: told["alarm"] for what, told in status["drift"].items()} == {
        "questions": None,
        "scores": None,
    }
    again = client.chat.completions.create(model="noria", messages=QUESTION)
    assert 0 < again.usage.prompt_tokens_details.cached_tokens < again.usage.prompt_tokens
    told = httpx.get(f"{server.url}/metrics").text
    assert f'noria_feedback_total{{kind="thumb",release="{row["release"]}",value="1"}} 1.0' in told
    assert f'noria_release{{release="{row["release"]}",role="live"}} 1.0' in told


def test_promoted_and_rolled_back_within_a_second_or_so(
    desk: Path, models: Path, server: Serving
) -> None:
    first = release_of(server)
    settings(models, 4)  # other settings are another release
    second = said("releases", "promote", "rag")["live"]
    assert second != first
    server.until(lambda: release_of(server) == second)
    began = time.monotonic()
    said("releases", "rollback")
    server.until(lambda: release_of(server) == first)
    assert time.monotonic() - began < 30  # it is a second; a busy machine may take longer
    said("releases", "canary", second, "--share", "1.0")
    server.until(lambda: release_of(server) == second)
    assert [each["action"] for each in said("releases", "history")["changes"]] == [
        "canary", "rollback", "promote", "promote",
    ]  # fmt: skip


def test_a_shadow_and_then_several_arms(desk: Path, models: Path, server: Serving) -> None:
    first = release_of(server)
    settings(models, 4)
    second = said("releases", "shadow", "rag", "--share", "1.0")["trial"]["steps"][0][0]

    def row(release: str) -> dict[str, Any]:
        rows = {each["release"]: each for each in said("status")["lately"]}
        found: dict[str, Any] = rows.get(release, {"answers": 0})
        return found

    def unseen() -> bool:
        assert release_of(server) == first
        return bool(row(second)["answers"])

    server.until(unseen)
    assert (row(second)["shadow"], row(second)["failed"]) == (True, 0)
    assert row(second)["same"] is not None
    assert not row(first)["shadow"]
    told = CliRunner().invoke(app, ["status"]).stdout
    assert f"shadow    {second} 100.0%" in told
    assert "said the same" in told
    for words in (("canary", second, "--share", "0.1"), ("ab", first, second, "--share", "0.2")):
        refused = CliRunner().invoke(app, ["releases", *words])
        assert isinstance(refused.exception, UsageError)
        assert "is a shadow; end that first" in str(refused.exception)
    said("releases", "rollback")
    settings(models, 6)
    both = said("releases", "ab", second, "rag", "--share", "0.3")["trial"]
    assert both["kind"] == "ab"
    assert both["plan"]["rivals"] == 2
    met = {release_of(server, f"u{n}") for n in range(3)}
    server.until(lambda: met.update(release_of(server, f"u{n}") for n in range(9)) or len(met) == 3)
    assert met == {first, *(release for release, _ in both["steps"])}


def test_what_was_acknowledged_outlives_the_process(desk: Path, server: Serving) -> None:
    told: list[str] = []
    for turn in range(3):
        for n in range(20):
            body = {"user": "ada", "kind": "click", "item": f"p{n}"}
            key = {"Idempotency-Key": f"{turn}-{n}"}
            told.append(httpx.post(f"{server.url}/v1/events", json=body, headers=key).json()["id"])
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
        server = Serving(desk)
        again = httpx.post(f"{server.url}/v1/events", json=body, headers=key).json()["id"]
        assert again == told[-1]
    assert server.end(signal.SIGTERM) == 0
    import sqlite3

    with sqlite3.connect(desk / ".noria" / "state.db") as database:
        kept = [id for (id,) in database.execute("SELECT id FROM events ORDER BY at, id")]
    database.close()
    assert sorted(kept) == sorted(told)


def test_an_open_port_needs_a_key(desk: Path) -> None:
    words = [sys.executable, "-m", "noria.cli", "serve", "--host", "0.0.0.0", "--port", "1"]
    ended = subprocess.run(words, cwd=desk, capture_output=True, text=True, timeout=90)
    assert ended.returncode == 2
    assert "noria keys add" in ended.stderr
    key = said("keys", "add", "acme", "--groups", "hr")
    assert key["key"].startswith("nk-")
    assert os.fsencode(key["key"]) not in (desk / ".noria" / "state.db").read_bytes()
    (row,) = said("keys", "list")["keys"]
    assert (row["tenant"], row["groups"]) == ("acme", ["hr"])


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(desk: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with pytest.raises(UsageError, match=f"port {port}: .*choose another with --port"):
            CliRunner().invoke(app, ["serve", "--port", port], catch_exceptions=False)
