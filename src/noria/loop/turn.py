"""One turn of the loop: build the dataset, tune, register, validate, open a canary.

What a step made is kept before the next one begins, so that a turn that was interrupted goes on
where it stopped. Knows no models: ``Steps`` does the work.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Protocol

from noria.store.jobs import RUNNING, Job, Jobs

TURN = "turn"  # the kind of its job
End = Literal["opened", "refused", "nothing"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What people said. ``examples``: those that say what is right; ``fresh``: new ones of them.

    ``origins`` counts also those that only say what is wrong.
    """

    examples: int
    fresh: int
    origins: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)


class Steps(Protocol):
    """What a turn does, step by step; each may be asked again where it was interrupted."""

    def evidence(self) -> Evidence:
        """What there is to learn from; nothing is written."""
        ...

    def tried(self) -> str | None:
        """The release that is being tried now, if one is."""
        ...

    def live(self) -> str:
        """The release that answers now."""
        ...

    def build(self) -> str:
        """The id of the data set."""
        ...

    def tune(self, dataset: str) -> str:
        """The id of what was tuned on it."""
        ...

    def register(self, tuned: str) -> str:
        """The id of the release as it would be served."""
        ...

    def validate(self, release: str, live: str) -> Mapping[str, Any]:
        """The gate's verdict, as JSON: with ``passed``, ``gain``, ``sentence`` and ``checks``."""
        ...

    def opened(self, turn: str) -> Mapping[str, Any] | None:
        """What answered when this turn opened its canary, as JSON; None where it did not yet."""
        ...

    def open(self, release: str, verdict: Mapping[str, Any], turn: str) -> Mapping[str, Any]:
        """Try it on some users; what answers now, as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Turned:
    """What came of a turn. ``sentence`` says why it ended as it did."""

    end: End
    sentence: str
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """A turn that is under way: its job, and where that is kept."""

    job: Job
    jobs: Jobs
    now: Callable[[], datetime]

    def record(self, step: str, made: Any) -> "Turn":
        """Keep what a step made."""
        job = replace(self.job, step=step, record={**self.job.record, step: made})
        return replace(self, job=self.jobs.keep(job, self.now()))

    def ended(self, end: End, sentence: str) -> Turned:
        """Keep how it ended."""
        job = replace(self.job, state=end, record={**self.job.record, "sentence": sentence})
        self.jobs.keep(job, self.now())
        return Turned(end, sentence, job.record)


def turn(jobs: Jobs, steps: Steps, id: str, least: int, now: Callable[[], datetime]) -> Turned:
    """Take a turn, or go on with the one that was interrupted.

    Does nothing, and says why, where less than ``least`` new examples came in, or while a release
    is being tried. ``id``: of the turn, if a new one begins.
    """
    waiting = jobs.last(TURN, RUNNING)
    tried = steps.tried()
    if waiting is not None and tried not in (None, waiting.record.get("release")):
        return Turned("nothing", f"{tried} is being tried; {waiting.id} goes on after that")
    if waiting is None:
        if reason := idle(steps, least):
            return Turned("nothing", reason)
        waiting = jobs.begin(id, TURN, now())
    return gone_on(Turn(waiting, jobs, now), steps)


def idle(steps: Steps, least: int) -> str | None:
    """Why no turn is to be taken now; None where one is."""
    if release := steps.tried():
        return f"{release} is being tried; a turn begins when that is decided. Nothing was done"
    found = steps.evidence()
    if found.fresh < least:
        return (
            f"not enough evidence: {found.fresh} new examples of {found.examples}; expected "
            f"{least} new ones (turn.examples). Nothing was done"
        )
    return None


def gone_on(at: Turn, steps: Steps) -> Turned:
    """The steps that are left of a turn."""
    done = at.job.record
    if "dataset" not in done:
        at = at.record("dataset", steps.build())
    if "tuned" not in done:
        at = at.record("tuned", steps.tune(at.job.record["dataset"]))
    if "release" not in done:
        at = at.record("release", steps.register(at.job.record["tuned"]))
    release, live = at.job.record["release"], steps.live()
    if deployed := steps.opened(at.job.id):  # it was interrupted after that
        at = at.record("deployment", deployed)
        return at.ended("opened", f"{release} was tried; noria status says what came of it")
    if release == live:
        return at.ended("nothing", f"{release} answers already: what was learnt is the same again")
    if done.get("verdict", {}).get("live") != live:  # it was held against another one, or none
        at = at.record("verdict", {**steps.validate(release, live), "live": live})
    verdict = at.job.record["verdict"]
    if not verdict["passed"]:
        return at.ended("refused", verdict["sentence"])
    at = at.record("deployment", steps.open(release, verdict, at.job.id))
    return at.ended("opened", f"{release} is tried beside {live}. {verdict['sentence']}")
