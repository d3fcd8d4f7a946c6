"""Tells an OpenTelemetry collector how each chat went, in the words of its GenAI conventions.

Spans are made when a chat has ended, of its ``Course``: nothing is done meanwhile, and nothing at
all where no collector is named. They hold ids and figures, and never a word of a question, a
passage or an answer. https://github.com/open-telemetry/semantic-conventions-genai, of 2026.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import noria
from noria.errors import UsageError
from noria.serve.course import Course

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

PATH = "/v1/traces"  # where OTLP over HTTP takes spans
VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
NANO = 1_000_000_000
PATIENCE = 2.0  # seconds for the last spans; the exporter itself would try for many
FOUND = "search"  # the first part of the names of retrieval's stages


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a chat, from and to seconds after it came, with the parts that it has."""

    name: str
    begins: float
    ends: float
    parts: "tuple[Stage, ...]" = ()


class Traces:
    """Sends spans to a collector, in a thread of its own; what cannot be sent is dropped."""

    def __init__(self, exporter: "SpanExporter") -> None:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._exporter = exporter
        own = Resource({"service.name": "noria", "service.version": noria.__version__})
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word
        self._provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("noria.serve", noria.__version__)
        self._parent = TraceContextTextMapPropagator().extract

    def told(self, course: Course) -> None:
        """Make the spans of a chat that ended."""
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        above = self._parent(course.parent)
        span = self._tracer.start_span(
            f"chat {course.model}", above, attributes=attributes(course), start_time=course.came
        )
        if course.error:
            span.set_status(Status(StatusCode.ERROR))
        within = set_span_in_context(span, above)
        for stage in stages(course):
            self._told(stage, within, course.came)
        span.end(at(course.came, course.seconds))

    def _told(self, stage: Stage, above: Any, came: int) -> None:
        from opentelemetry.trace import set_span_in_context

        begins = at(came, stage.begins)
        known = {"gen_ai.operation.name": "retrieval"} if stage.name == "retrieval" else {}
        span = self._tracer.start_span(stage.name, above, attributes=known, start_time=begins)
        within = set_span_in_context(span, above)
        for part in stage.parts:
            self._told(part, within, came)
        span.end(at(came, stage.ends))

    def close(self) -> None:
        """Send what waits; a collector that is away is not waited for long."""
        enough = threading.Timer(PATIENCE, self._exporter.shutdown)
        enough.start()
        self._provider.shutdown()
        enough.cancel()


def traces(collector: str, environ: Mapping[str, str] = os.environ) -> Traces | None:
    """What sends spans to ``collector``, or where OpenTelemetry's variables say; None for neither.

    Raises UsageError where a collector is named and OpenTelemetry is not installed.
    """
    by = "serve.traces" if collector else next((v for v in VARIABLES if environ.get(v)), "")
    if not by:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # without an endpoint it reads the variables itself, and headers and timeouts always
        return Traces(OTLPSpanExporter(endpoint(collector) if collector else None))
    except ImportError as error:
        raise UsageError(
            f"{by} names a collector of traces, and the package {error.name!r} is not installed; "
            f"run: pip install 'noria[trace]', or take {by} away"
        ) from None


def endpoint(collector: str) -> str:
    """Where a collector takes spans.

    >>> endpoint("http://localhost:4318/")
    'http://localhost:4318/v1/traces'
    """
    return collector.rstrip("/").removesuffix(PATH) + PATH


def at(came: int, seconds: float) -> int:
    """A moment in nanoseconds since 1970."""
    return came + round(seconds * NANO)


def attributes(course: Course) -> dict[str, Any]:
    """What is told of a chat: no content, no user, and nothing that is not known."""
    told: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "noria",
        "gen_ai.request.model": course.model,
        "gen_ai.request.stream": course.stream or None,
        "gen_ai.request.max_tokens": course.max_tokens,
        "gen_ai.request.temperature": course.temperature,
        "gen_ai.request.seed": course.seed,
        "gen_ai.response.time_to_first_chunk": course.first if course.stream else None,
        "noria.outcome": course.outcome,
        "noria.release": course.release,
        "error.type": course.error or None,
    }
    if answer := course.answer:
        told |= {
            "gen_ai.response.id": course.id,
            "gen_ai.response.model": answer.release,
            "gen_ai.response.finish_reasons": (answer.finish,),
            "gen_ai.usage.input_tokens": answer.prompt_tokens,
            "gen_ai.usage.output_tokens": answer.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": answer.cached_tokens,
            "noria.confidence": answer.confidence,
            "noria.grounded": answer.grounded,
            "noria.index_version": answer.index_version or None,
        }
    return {name: value for name, value in told.items() if value is not None}


def stages(course: Course) -> tuple[Stage, ...]:
    """The parts of a chat, laid end to end: how long each took is known, and their order.

    Between them lie some milliseconds in which a question is written down, or handed on.
    """
    if course.waited is None:
        return (Stage("queue", 0.0, course.seconds),)
    timings = course.answer.timings if course.answer else {}
    queue = Stage("queue", 0.0, course.waited)
    return (queue, *laid("", timings, course.waited))


def laid(above: str, timings: Mapping[str, float], begins: float) -> Iterator[Stage]:
    """The stages whose names begin with ``above``, one after the other.

    >>> took = {"search.retrieve": 2.0, "search.retrieve.encode": 0.5, "prompt": 1.0}
    >>> retrieval, prompt = laid("", took, 9.0)
    >>> retrieval.name, retrieval.begins, retrieval.ends, prompt.begins
    ('retrieval', 9.0, 11.0, 11.0)
    >>> [(part.name, [each.name for each in part.parts]) for part in retrieval.parts]
    [('retrieve', ['encode'])]
    """
    names = dict.fromkeys(
        name.removeprefix(above).split(".")[0] for name in timings if name.startswith(above)
    )
    for name in names:
        parts = tuple(laid(f"{above}{name}.", timings, begins))
        whole = timings.get(above + name)
        ends = parts[-1].ends if whole is None else begins + whole
        yield Stage("retrieval" if above + name == FOUND else name, begins, ends, parts)
        begins = ends
