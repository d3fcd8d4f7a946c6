"""A turn goes on where it was interrupted, and does nothing where there is nothing to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from noria.loop.turn import TURN, Evidence, Turned, turn
from noria.store.jobs import RUNNING, Jobs

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
STEPS = ("build", "tune", "register", "validate", "open")


class CutError(Exception):
    """The power went."""


@dataclass
class FakeSteps:
    """Notes what it was asked; ``cut``: the step in which the power goes."""

    fresh: int = 100
    passed: bool = True
    trial: str | None = None
    answers: str = "r-live"
    cut: str = ""
    was_opened: Mapping[str, Any] | None = None
    asked: list[str] = field(default_factory=list)

    def done(self, step: str) -> None:
        self.asked.append(step)
        if step == self.cut:
            raise CutError

    def evidence(self) -> Evidence:
        return Evidence(120, self.fresh)

    def tried(self) -> str | None:
        return self.trial

    def live(self) -> str:
        return self.answers

    def build(self) -> str:
        self.done("build")
        return "d1"

    def tune(self, dataset: str) -> str:
        assert dataset == "d1"
        self.done("tune")
        return "r-tuned"

    def register(self, tuned: str) -> str:
        assert tuned == "r-tuned"
        self.done("register")
        return "r-new"

    def validate(self, release: str, live: str) -> Mapping[str, Any]:
        assert (release, live) == ("r-new", self.answers)
        self.done("validate")
        return {"passed": self.passed, "gain": True, "sentence": "Passed.", "checks": []}

    def opened(self, turn: str) -> Mapping[str, Any] | None:
        return self.was_opened

    def open(self, release: str, verdict: Mapping[str, Any], turn: str) -> Mapping[str, Any]:
        assert verdict["passed"]
        self.done("open")
        return {"live": self.answers, "trial": release, "turn": turn}


def taken(engine: Engine, steps: FakeSteps, id: str = "t-1") -> Turned:
    return turn(Jobs(engine), steps, id, 100, lambda: NOON)


def test_a_turn_ends_with_a_release_that_is_tried(engine: Engine) -> None:
    steps = FakeSteps()
    found = taken(engine, steps)
    assert (found.end, steps.asked) == ("opened", list(STEPS))
    assert found.record["dataset"] == "d1"
    assert found.record["release"] == "r-new"
    assert found.record["deployment"]["turn"] == "t-1"
    job = Jobs(engine).last(TURN)
    assert job is not None
    assert (job.state, job.step) == ("opened", "deployment")


@pytest.mark.parametrize("step", STEPS)
def test_it_goes_on_where_the_power_went(engine: Engine, step: str) -> None:
    with pytest.raises(CutError):
        taken(engine, FakeSteps(cut=step))
    again = FakeSteps(fresh=0)  # what is under way asks for no new evidence
    found = taken(engine, again, "t-2")
    assert again.asked == list(STEPS[STEPS.index(step) :])
    assert (found.end, found.record["deployment"]["turn"]) == ("opened", "t-1")
    assert len(Jobs(engine).list(TURN)) == 1


def test_nothing_is_done_without_evidence(engine: Engine) -> None:
    steps = FakeSteps(fresh=99)
    found = taken(engine, steps)
    assert (found.end, steps.asked) == ("nothing", [])
    assert "99 new examples of 120; expected 100" in found.sentence
    assert Jobs(engine).last(TURN) is None


def test_nothing_is_done_while_a_release_is_tried(engine: Engine) -> None:
    found = taken(engine, FakeSteps(trial="r-other"))
    assert (found.end, found.sentence.split()[0]) == ("nothing", "r-other")


def test_what_the_gate_refuses_meets_nobody(engine: Engine) -> None:
    steps = FakeSteps(passed=False)
    assert taken(engine, steps).end == "refused"
    assert "open" not in steps.asked
    assert Jobs(engine).last(TURN, RUNNING) is None


def test_another_live_release_is_compared_with_anew(engine: Engine) -> None:
    with pytest.raises(CutError):
        taken(engine, FakeSteps(cut="open"))
    again = FakeSteps(answers="r-promoted-meanwhile")
    assert taken(engine, again).record["verdict"]["live"] == "r-promoted-meanwhile"
    assert again.asked == ["validate", "open"]


def test_the_same_again_is_not_tried_beside_itself(engine: Engine) -> None:
    assert taken(engine, FakeSteps(answers="r-new")).end == "nothing"


def test_an_interrupted_turn_waits_while_another_release_is_tried(engine: Engine) -> None:
    with pytest.raises(CutError):
        taken(engine, FakeSteps(cut="tune"))
    steps = FakeSteps(trial="r-other")
    done = taken(engine, steps, "t-2")
    assert (done.end, steps.asked) == ("nothing", [])
    assert done.sentence == "r-other is being tried; t-1 goes on after that"
    assert taken(engine, FakeSteps()).end == "opened"


@pytest.mark.parametrize("live", ["r-live", "r-new"])
def test_what_was_opened_before_the_power_went_is_not_opened_again(
    engine: Engine, live: str
) -> None:
    with pytest.raises(CutError):
        taken(engine, FakeSteps(cut="open"))
    steps = FakeSteps(answers=live, was_opened={"live": "r-live"})  # what came of it is no matter
    done = taken(engine, steps)
    assert (done.end, steps.asked) == ("opened", [])
    assert done.record["deployment"] == {"live": "r-live"}
