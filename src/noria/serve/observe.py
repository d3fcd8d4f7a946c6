"""What is counted: requests, answers by release, tokens, places, drift; in Prometheus' words.

No label is a text that a caller can choose. ``docs/monitoring.md`` lists all of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from noria.loop.assign import LIVE, Split
from noria.loop.drift import Drift
from noria.serve.course import Course
from noria.serve.route import BASE
from noria.serve.slots import Slots
from noria.types import Rollout

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
TENTHS = tuple(step / 10 for step in range(1, 11))
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ANSWER = ("full", "refused")  # ends of what was not let in: their HTTP status is counted


class Observed:
    """The figures of one process. ``rollout``: tells what answers."""

    def __init__(self, slots: Slots, rollout: Callable[[], Rollout]) -> None:
        registry = self.registry = CollectorRegistry()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(name, about, labels, registry=registry)

        def gauge(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(name, about, labels, registry=registry)

        def histogram(
            name: str, about: str, *labels: str, buckets: Sequence[float] = SECONDS
        ) -> Histogram:
            return Histogram(name, about, labels, buckets=buckets, registry=registry)

        self._requests = counter("noria_requests", "HTTP requests", "path", "method", "status")
        self._request_seconds = histogram(
            "noria_request_seconds", "From request to response", "path"
        )
        self._waits = histogram("noria_wait_seconds", "Waiting for a place")
        self._first = histogram(
            "noria_first_token_seconds", "From request to the first piece", "release"
        )
        self._answer_seconds = histogram(
            "noria_answer_seconds", "From request to the whole answer, waiting included", "release"
        )
        self._answers = counter("noria_answers", "Answers, by how they ended", "release", "outcome")
        self._tokens = counter("noria_tokens", "Tokens read and written", "release", "kind")
        self._cached = counter(
            "noria_cached_tokens", "Tokens of prompts that were not read again", "release"
        )
        self._grounded = histogram(
            "noria_grounded", "How far answers that say something rest on passages", "release",
            buckets=TENTHS,
        )  # fmt: skip
        self._stages = histogram("noria_stage_seconds", "Stages of an answer", "stage")
        self._judged = counter("noria_feedback", "Judgements", "release", "kind", "value")
        self.skipped = counter(
            "noria_shadows_skipped", "Shadow answers left out, for lack of a place"
        )
        self._psi = gauge("noria_drift_psi", "Population stability index", "what", "figure")
        self._alarm = gauge("noria_drift_alarm", "1 where that is more than chance", "what")
        gauge("noria_running", "Answers being written").set_function(lambda: slots.running)
        gauge("noria_waiting", "Requests that wait for a place").set_function(lambda: slots.waiting)
        gauge("noria_places", "Answers that can be written side by side").set(slots.places)
        gauge("noria_room", "Requests that may wait").set(slots.room)
        registry.register(Shares(rollout))

    def requested(self, path: str, method: str, status: int, seconds: float) -> None:
        """A request ended. ``path``: of the endpoint, never as it was sent."""
        known = method if method in METHODS else "other"
        self._requests.labels(path, known, str(status)).inc()
        self._request_seconds.labels(path).observe(seconds)

    def ended(self, course: Course) -> None:
        """A chat ended."""
        release = course.release
        if course.waited is not None:
            self._waits.observe(course.waited)
        if course.outcome not in NO_ANSWER:
            self._answers.labels(release, course.outcome).inc()
        if course.first is not None:
            self._first.labels(release).observe(course.first)
        if (answer := course.answer) is None:
            return
        self._answer_seconds.labels(release).observe(course.seconds)
        self._tokens.labels(release, "prompt").inc(answer.prompt_tokens)
        self._tokens.labels(release, "completion").inc(answer.completion_tokens)
        self._cached.labels(release).inc(answer.cached_tokens)
        if not answer.abstained and release != BASE:
            self._grounded.labels(release).observe(answer.grounded)
        for stage, seconds in answer.timings.items():
            self._stages.labels(stage).observe(seconds)

    def judged(self, release: str, kind: str, value: int | None) -> None:
        """An answer of ``release`` was judged."""
        self._judged.labels(release, kind, str(value or "")).inc()

    def drifted(self, found: Iterable[Drift]) -> None:
        """What was last seen of drift; what cannot be told any more is not told."""
        self._psi.clear()
        self._alarm.clear()
        for drift in found:
            if drift.shifts:
                self._alarm.labels(drift.what).set(drift.alarm)
            for shift in drift.shifts:
                self._psi.labels(drift.what, shift.figure).set(shift.psi)

    def told(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)


class Shares(Collector):
    """Which releases answer, read when somebody asks: one that is gone is told no more."""

    def __init__(self, rollout: Callable[[], Rollout]) -> None:
        self._rollout = rollout

    def collect(self) -> Iterator[Metric]:
        """The share of the traffic of each."""
        told = GaugeMetricFamily(
            "noria_release", "Share of the traffic that a release is to answer",
            labels=["release", "role"],
        )  # fmt: skip
        for release, role, share in shares(self._rollout()):
            told.add_metric([release, role], share)
        yield told


def shares(rollout: Rollout) -> tuple[tuple[str, str, float], ...]:
    """Each release with its role and its share; a shadow's answers reach nobody.

    >>> shares(Rollout("r2", previous="r1"))
    (('r2', 'live', 1.0), ('r1', 'previous', 0.0))
    """
    trial = rollout.trial
    split = Split(trial.steps if trial and trial.kind != "shadow" else ())
    found = [(rollout.live, LIVE, float(split.share(LIVE)))]
    if trial:
        found += [(each, trial.kind, split.share(each)) for each in trial.releases]
    if rollout.previous:
        found.append((rollout.previous, "previous", 0.0))
    return tuple(found)
