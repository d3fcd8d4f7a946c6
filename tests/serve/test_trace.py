"""Spans of chats: their names, their places, and that they hold no words of anybody."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from test_chats import asked, post

from noria.config import ServeSettings, parse
from noria.errors import ConfigError, ModelError, UsageError
from noria.serve.course import Course
from noria.serve.trace import Traces, traces
from noria.types import Prompt
from served import Served

Serving = Callable[..., Served]
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def traced(serving: Serving) -> Callable[..., tuple[Served, Callable[[], Any]]]:
    """Makes a service that is traced, and what tells its spans, the outermost last."""

    def make(says: Any = lambda release, prompt: "Ada dug the well.", **more: Any) -> Any:
        exporter = InMemorySpanExporter()
        to = Traces(exporter)
        at = serving(says, traces=to, **more)

        def spans() -> Sequence[ReadableSpan]:
            to._provider.force_flush()
            return exporter.get_finished_spans()

        return at, spans

    return make


def test_a_chat_is_a_span_in_the_conventions_words(traced: Any) -> None:
    at, spans = traced()
    told = post(at, asked(max_tokens=50, temperature=0.0, seed=7)).json()
    chat = spans()[-1]
    known = dict(chat.attributes)
    assert chat.name == "chat noria"
    assert chat.kind == SpanKind.INTERNAL
    assert chat.status.status_code == StatusCode.UNSET
    assert known.pop("noria.confidence") == told["noria"]["confidence"]
    assert known.pop("noria.grounded") == told["noria"]["grounded"]
    assert known.pop("noria.index_version") == told["noria"]["index_version"]
    assert known == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "noria",
        "gen_ai.request.model": "noria",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.seed": 7,
        "gen_ai.response.id": told["id"],
        "gen_ai.response.model": "r1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": told["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "noria.outcome": "ok",
        "noria.release": "r1",
    }


def test_the_stages_lie_in_the_chat_one_after_the_other(traced: Any) -> None:
    at, spans = traced()
    post(at, asked(stream=True))
    by_name = {span.name: span for span in spans()}
    chat = by_name["chat noria"]
    assert chat.attributes["gen_ai.request.stream"] is True
    assert chat.attributes["gen_ai.response.time_to_first_chunk"] > 0
    inner = [s for s in spans() if s.parent and s.parent.span_id == chat.context.span_id]
    assert [span.name for span in inner] == ["queue", "retrieval", "prompt", "generate", "ground"]
    for one, next_ in pairwise(inner):
        assert one.end_time == next_.start_time
    assert inner[0].start_time == chat.start_time
    assert inner[-1].end_time <= chat.end_time
    retrieval = by_name["retrieval"]
    assert retrieval.attributes["gen_ai.operation.name"] == "retrieval"
    stages = [s.name for s in spans() if s.parent and s.parent.span_id == retrieval.context.span_id]
    assert stages == ["retrieve", "filter", "rank", "order"]
    assert by_name["lexical"].parent.span_id == by_name["retrieve"].context.span_id
    assert {span.context.trace_id for span in spans()} == {chat.context.trace_id}


def test_no_span_holds_a_word_of_anybody(traced: Any) -> None:
    at, spans = traced(lambda release, prompt: "Ada dug the well in 1842.")
    post(at, asked(user="ada-private"))
    post(at, asked("the secret word " * 5000))  # refused, in words of its own
    held = " ".join(span.to_json() for span in spans())
    for word in ("dug", "Ada", "1842", "wells.md", "ada-private", "secret"):
        assert word not in held


def test_the_callers_trace_goes_on(traced: Any) -> None:
    at, spans = traced()
    for parent in (PARENT, "nonsense"):
        with_parent(at, parent)
    first, second = [span for span in spans() if span.name == "chat noria"]
    assert f"{first.context.trace_id:032x}" == PARENT.split("-")[1]
    assert f"{first.parent.span_id:016x}" == PARENT.split("-")[2]
    assert second.parent is None


def with_parent(at: Served, parent: str) -> None:
    async def run() -> None:
        async with at.client() as client:
            body, headers = asked(), {"traceparent": parent}
            told = await client.post("/v1/chat/completions", json=body, headers=headers)
            assert told.status_code == 200

    asyncio.run(run())


def test_a_failure_has_its_kind_and_no_message(traced: Any) -> None:
    def says(release: str, prompt: Prompt) -> str:
        if "dug" in str(prompt):
            raise ModelError("a message with the caller's words")
        return "x"

    at, spans = traced(says)
    post(at, asked())
    chat = spans()[-1]
    assert chat.status.status_code == StatusCode.ERROR
    assert chat.status.description is None
    assert chat.attributes["error.type"] == "ModelError"
    assert chat.attributes["noria.outcome"] == "error"
    assert not chat.events
    assert [span.name for span in spans()] == ["queue", "chat noria"]


def test_a_model_that_is_not_here_names_no_span(traced: Any) -> None:
    at, spans = traced()
    assert post(at, asked(model="gpt-9")).status_code == 404
    assert spans() == ()


def test_nothing_is_traced_unless_somebody_asks() -> None:
    assert traces("", {}) is None
    assert traces("", {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None


def test_a_collector_is_named_by_the_setting_or_by_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:1")
    for found in (traces("http://localhost:1"), traces("")):
        assert found is not None
        found.close()


def test_without_the_packages_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(UsageError, match=r"serve\.traces names .* pip install 'noria\[trace\]'"):
        traces("http://localhost:4318", {})
    with pytest.raises(UsageError, match="OTEL_EXPORTER_OTLP_ENDPOINT names"):
        traces("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"})


def test_a_collector_is_a_url() -> None:
    assert parse({"serve": {"traces": "http://localhost:4318"}}).serve.traces
    assert ServeSettings().traces == ""
    with pytest.raises(ConfigError, match=r"serve\.traces: expected a URL"):
        parse({"serve": {"traces": "localhost:4318"}})


def test_spans_arrive_at_the_collector_and_one_that_is_away_is_not_waited_for() -> None:
    taken: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *told: Any) -> None:
            pass

    course = Course("a-1", "noria")
    course.failed(TimeoutError())
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        sent = traces(url)
        assert sent is not None
        sent.told(course)
        sent.close()
        server.shutdown()
    ((path, body),) = taken
    assert path == "/v1/traces"
    assert b"chat noria" in body
    lost, began = traces(url), time.monotonic()
    assert lost is not None
    lost.told(course)
    lost.close()
    assert time.monotonic() - began < 10  # two seconds and a bit; the exporter itself would take 15
