"""What is counted, and that no caller chooses a label."""

import asyncio
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from test_chats import asked, post
from test_people import FEEDBACK, put
from test_standing import change, until

from noria.config import ServeSettings
from noria.errors import ModelError
from noria.loop.deploy import tried
from noria.loop.drift import Drift, Shift
from noria.loop.lookout import Lookout
from noria.models.fake import FakeLLM
from noria.serve.watch import Watch
from noria.types import Completion, Prompt, Sampling
from served import NOW, Served

Serving = Callable[..., Served]


def figure(at: Served, name: str, **labels: str) -> float:
    """The sum of all samples of a name with some labels."""
    told = at.service.observed.told().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def labels(at: Served) -> set[str]:
    """All values of all labels."""
    told = at.service.observed.told().decode()
    return {
        value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        for value in sample.labels.values()
    }


def test_an_answer_is_counted_once_with_its_tokens_and_stages(serving: Serving) -> None:
    at = serving(lambda release, prompt: "Ada dug the well.")
    usage = post(at, asked()).json()["usage"]
    assert figure(at, "noria_answers_total", release="r1", outcome="ok") == 1
    assert figure(at, "noria_answers_total") == 1
    assert figure(at, "noria_tokens_total", kind="prompt") == usage["prompt_tokens"]
    assert figure(at, "noria_tokens_total", kind="completion") == 4
    assert figure(at, "noria_answer_seconds_count", release="r1") == 1
    assert figure(at, "noria_first_token_seconds_count", release="r1") == 1
    assert figure(at, "noria_wait_seconds_count") == 1
    assert figure(at, "noria_grounded_count", release="r1") == 1
    assert figure(at, "noria_stage_seconds_count", stage="search.retrieve") == 1
    assert figure(at, "noria_stage_seconds_count", stage="generate") == 1
    post(at, asked(stream=True))
    assert figure(at, "noria_answers_total", outcome="ok") == 2
    assert figure(at, "noria_first_token_seconds_count") == 2


def test_abstentions_and_failures_are_counted_by_release(serving: Serving) -> None:
    def says(release: str, prompt: Prompt) -> str:
        if "fail" in str(prompt):
            raise ModelError("it broke")
        return "I don't know."

    at = serving(says)
    post(at, asked())
    assert post(at, asked("Who dug to fail?")).status_code == 502
    assert "error" in post(at, asked("Who dug to fail?", stream=True)).text
    assert figure(at, "noria_answers_total", release="r1", outcome="abstained") == 1
    assert figure(at, "noria_answers_total", release="r1", outcome="error") == 2
    assert figure(at, "noria_answers_total") == 3
    assert figure(at, "noria_grounded_count") == 0  # who abstains rests on nothing


def test_who_is_not_let_in_is_no_answer(serving: Serving) -> None:
    at = serving()
    assert post(at, asked("word " * 5000)).status_code == 400
    assert post(at, asked(model="gpt-9")).status_code == 404
    assert figure(at, "noria_answers_total") == 0
    assert figure(at, "noria_requests_total", status="400") == 1


def test_an_answer_that_takes_too_long_is_a_timeout(serving: Serving) -> None:
    def slow(release: str, prompt: Prompt) -> str:
        time.sleep(0.5 if "dug" in str(prompt) else 0)
        return "Ada dug it."

    at = serving(slow, settings=ServeSettings(max_seconds=0.1))
    assert post(at, asked()).status_code == 504
    assert figure(at, "noria_answers_total", release="r1", outcome="timeout") == 1


class Caching(FakeLLM):
    """Remembers all but one token of each prompt."""

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        written = yield from super().stream(prompt, sampling)
        return replace(written, cached_tokens=written.prompt_tokens - 1)


def test_what_need_not_be_read_again_is_told_and_counted(serving: Serving) -> None:
    at = serving(lambda release, prompt: "Ada dug the well.")
    fleet = at.service.standing.fleets.now()
    answerer = fleet.answerers["r1"]
    cached = replace(answerer, llm=Caching(["Ada dug the well."]))
    object.__setattr__(fleet, "answerers", {"r1": cached})
    told = post(at, asked()).json()
    expected = told["usage"]["prompt_tokens"] - 1
    assert told["usage"]["prompt_tokens_details"] == {"cached_tokens": expected}
    assert figure(at, "noria_cached_tokens_total", release="r1") == expected
    kept = at.journal.event(told["id"])
    assert kept is not None
    assert kept.payload["cached_tokens"] == expected


def test_a_judgement_is_counted_under_the_release_that_it_judges(serving: Serving) -> None:
    at = serving()
    answer = post(at, asked(user="ada")).json()["id"]
    thumb = {"answer": answer, "kind": "thumb", "value": -1}
    for _ in range(2):
        assert put(at, FEEDBACK, thumb, "k1").status_code == 201
    assert figure(at, "noria_feedback_total", release="r1", kind="thumb", value="-1") == 1
    assert figure(at, "noria_feedback_total") == 1
    assert post(at, {"answer": "a-9", "kind": "copied"}, FEEDBACK).status_code == 404
    assert figure(at, "noria_feedback_total") == 1


def test_releases_are_told_with_their_shares(serving: Serving) -> None:
    at = serving()
    assert figure(at, "noria_release", release="r1", role="live") == 1.0
    change(at, tried(at.rows.now(), {"r2": 0.25}, "x1", "salt", NOW))
    until(lambda: at.service.standing.rollout.trial is not None)
    assert figure(at, "noria_release", release="r1", role="live") == 0.75
    assert figure(at, "noria_release", release="r2", role="canary") == 0.25


def test_no_caller_chooses_a_label(serving: Serving) -> None:
    at = serving()

    async def probe() -> None:
        async with at.client() as client:
            for method, path in (
                ("GET", "/v1/secret-path"),
                ("BREW", "/v1/models"),
                ("POST", "/v1/models/secret-path"),
                ("GET", "/v1/chat/completions?secret-path"),
            ):
                await client.request(method, path)

    asyncio.run(probe())
    post(at, asked("the secret-path question", model="secret-path", user="secret-path"))
    post(at, asked("the secret-path question", user="secret-path"))
    post(at, {"answer": "secret-path", "kind": "secret-path"}, FEEDBACK)
    assert not {each for each in labels(at) if "secret" in each or "BREW" in each}
    assert figure(at, "noria_requests_total", path="other") >= 2


def test_drift_is_told_until_it_cannot_be_told(serving: Serving) -> None:
    at = serving()
    moved = Drift("questions", "d1", 500, 400, (Shift("nearest", 0.5, 0.1),))
    at.service.observed.drifted([moved, Drift("scores", "its first answers", 40, 0)])
    assert figure(at, "noria_drift_psi", what="questions", figure="nearest") == 0.5
    assert figure(at, "noria_drift_alarm", what="questions") == 1.0
    assert "scores" not in labels(at)
    at.service.observed.drifted([])
    assert "questions" not in labels(at)


class Seen(Lookout):
    """Sees what it is given, with the encoder of what is live."""

    def look(self, encoder: Any) -> tuple[Drift, ...]:
        assert encoder().dimension
        return (Drift("scores", "its first answers", 500, 400, (Shift("confidence", 0.3, 0.1),)),)


def test_the_server_looks_beside_the_requests(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    at = serving()
    watch = Watch(Seen(at.rows, at.journal, lambda id: None), at.service, seconds=0.01)
    until(lambda: figure(at, "noria_drift_alarm", what="scores") == 1.0)
    watch.close()
    assert "scores are other than its first answers: confidence" in caplog.text
