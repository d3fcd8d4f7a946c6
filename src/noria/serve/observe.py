"""What is counted: requests, answers by release, tokens, places; in Prometheus' words."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from noria.serve.slots import Slots
from noria.types import Answer

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Observed:
    """The figures of one process."""

    def __init__(self, slots: Slots) -> None:
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "noria_requests", "HTTP requests", ["path", "method", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "noria_request_seconds",
            "From request to response",
            ["path"],
            buckets=SECONDS,
            registry=registry,
        )
        self.first = Histogram(
            "noria_first_token_seconds", "From request to the first piece", ["release"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.waits = Histogram(
            "noria_wait_seconds", "Waiting for a place", buckets=SECONDS, registry=registry
        )
        self.answers = Counter(
            "noria_answers", "Answers, by how they ended", ["release", "outcome"], registry=registry
        )
        self.tokens = Counter(
            "noria_tokens", "Tokens read and written", ["release", "kind"], registry=registry
        )
        self.grounded = Histogram(
            "noria_grounded", "How far answers rest on passages", ["release"],
            buckets=tuple(step / 10 for step in range(1, 11)), registry=registry,
        )  # fmt: skip
        self.stages = Histogram(
            "noria_stage_seconds",
            "Stages of an answer",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self.judged = Counter("noria_feedback", "Judgements", ["kind", "value"], registry=registry)
        self.skipped = Counter(
            "noria_shadows_skipped", "Shadow answers left out, for lack of a place",
            registry=registry,
        )  # fmt: skip
        running = Gauge("noria_running", "Answers being written", registry=registry)
        running.set_function(lambda: slots.running)
        waiting = Gauge("noria_waiting", "Requests that wait for a place", registry=registry)
        waiting.set_function(lambda: slots.waiting)

    def waited(self, seconds: float) -> None:
        """A request got its place."""
        self.waits.observe(seconds)

    def answered(self, answer: Answer, outcome: str, first: float | None) -> None:
        """An answer was given; ``first``: seconds to its first piece."""
        self.answers.labels(answer.release, outcome).inc()
        self.tokens.labels(answer.release, "prompt").inc(answer.prompt_tokens)
        self.tokens.labels(answer.release, "completion").inc(answer.completion_tokens)
        self.grounded.labels(answer.release).observe(answer.grounded)
        for stage, seconds in answer.timings.items():
            self.stages.labels(stage).observe(seconds)
        if first is not None:
            self.first.labels(answer.release).observe(first)

    def told(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
