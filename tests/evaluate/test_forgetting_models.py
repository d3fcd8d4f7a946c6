"""What the models behind arms forgot: asked once, remembered, judged, and shown in a report."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noria.errors import DataError
from noria.evaluate.again import again
from noria.evaluate.arms.arm import Arm
from noria.evaluate.arms.remember import Memory
from noria.evaluate.compare import compare
from noria.evaluate.forgetting import suite
from noria.evaluate.forgetting.models import General, Speaker, forgetting, gate, heard
from noria.evaluate.records import Record
from noria.evaluate.report.forgot import sentences, short, told
from noria.evaluate.report.report import write
from noria.evaluate.results import Change, Comparison, Forgetting
from noria.models.fake import FakeScorer
from noria.types import Likelihood, Prompt

WORDS = ("wheel", "river", "field", "grain", "stone", "bucket", "axle", "rope", "mill", "spring")


class Model(FakeScorer):
    """Forgets: finds wrong what it found right, or texts less likely. Counts what it is asked."""

    def __init__(self, forgets: str = "", by: float = 1.0) -> None:
        self.asked, self.made = 0, 0
        self._forgets, self._by = forgets, by

    def score(
        self,
        prompts: Sequence[Prompt],
        continuations: Sequence[str],
        done: Callable[[int, Likelihood], None] | None = None,
    ) -> list[Likelihood]:
        self.asked += len(prompts)
        found = []
        for place, it in enumerate(super().score(prompts, continuations)):
            is_question = str(prompts[place]).startswith("Question")
            if is_question and self._forgets == "questions":
                it = Likelihood(1 / it.logprob, it.tokens)
            if not is_question and self._forgets == "texts":
                it = Likelihood(it.logprob - self._by * it.tokens, it.tokens)
            found.append(it)
            if done:
                done(place, it)
        return found

    def speaker(self, fingerprint: str) -> Speaker:
        def make() -> "Model":
            self.made += 1
            return self

        return Speaker(fingerprint, make)


def question(word: str, number: int) -> dict[str, Any]:
    """Its answer stands in it, as ``FakeScorer`` likes it."""
    other = WORDS[(WORDS.index(word) + 1) % len(WORDS)]
    return {"question": f"Is {word} {number} a {word}?", "choices": [other, word], "answer": word}


@pytest.fixture
def data(tmp_path: Path) -> suite.Suite:
    """A set that is known, one that is not, and twelve texts."""
    folder = tmp_path / "general"
    folder.mkdir()
    known = [question(word, number) for number in range(6) for word in WORDS]
    unknown = [{**each, "answer": n % 2} for n, each in enumerate(known)]
    stories = [f"{word} and {word} lift water to fields. " * 12 for word in (*WORDS, "sun", "moon")]
    for name, records in {"known": known, "unknown": unknown}.items():
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)))
    (folder / "stories.txt").write_text("\n".join(stories))
    return suite.read(folder)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "answers.db")


def clock() -> float:
    return 0.0


def measured(
    data: suite.Suite, memory: Memory, base: Model, arms: dict[str, Speaker], per_set: int = 400
) -> Forgetting:
    return forgetting(heard(General(data, base.speaker("b"), arms, memory, per_set), clock))


def test_each_model_is_asked_once_and_never_again(data: suite.Suite, memory: Memory) -> None:
    base, other = Model(), Model()
    tuned = other.speaker("t")
    arms = {"base": base.speaker("b"), "tuned": tuned, "rag": base.speaker("b"), "tuned+rag": tuned}
    found = measured(data, memory, base, arms)
    assert [each.arms for each in found.models] == [("tuned", "tuned+rag")]
    assert (base.asked, base.made) == (120 + 12, 1)  # both sets ask the same
    assert (other.asked, other.made) == (120 + 12, 1)  # not the set on which the base guesses
    assert found.dropped == ("unknown",)
    assert measured(data, memory, base, arms) == found
    assert (base.asked, base.made, other.made) == (120 + 12, 1, 1)  # not even loaded


def test_a_larger_run_asks_what_is_new(data: suite.Suite, memory: Memory) -> None:
    base = Model()
    small = measured(data, memory, base, {}, per_set=20)
    assert (base.asked, small.asked, small.planned) == (40 + 12, 52, 52)
    assert measured(data, memory, base, {}, per_set=5).asked == 15  # of the texts, too
    assert base.asked == 40 + 12
    large = measured(data, memory, base, {})
    assert (base.asked, large.asked) == (120 + 12, 132)
    assert (small.models, large.models) == ((), ())


def test_what_a_model_was_asked_before_it_failed_is_known(
    data: suite.Suite, memory: Memory
) -> None:
    class Failing(Model):
        def score(
            self,
            prompts: Sequence[Prompt],
            continuations: Sequence[str],
            done: Callable[[int, Likelihood], None] | None = None,
        ) -> list[Likelihood]:
            super().score(prompts[:3], continuations[:3], done)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(data, memory, Failing(), {})
    base = Model()
    measured(data, memory, base, {})
    assert base.asked == 120 + 12 - 3


@pytest.mark.parametrize(
    ("forgets", "by", "passes", "why"),
    [
        ("", 0.0, True, "less than 0.05 nats a token lost, no set lower beyond chance"),
        ("texts", 0.04, True, "less than 0.05 nats"),
        ("texts", 0.06, False, "general text costs +0.060 nats a token, 0.05 at most"),
        ("questions", 0.0, False, "known is lower beyond chance"),
    ],
)
def test_the_gate(
    data: suite.Suite, memory: Memory, forgets: str, by: float, passes: bool, why: str
) -> None:
    other = Model(forgets, by)
    (found,) = measured(data, memory, Model(), {"tuned": other.speaker("t")}).models
    assert (found.passes, why in found.why) == (passes, True)
    assert found.text is not None
    assert found.text.difference == pytest.approx(by)
    assert found.sets["known"].worse == (forgets == "questions")


def test_without_texts_nothing_passes() -> None:
    same = Change(0.5, 0.5, 0.0, -0.1, 0.1, 50, 1.0)
    assert gate({"known": same}, None)[0] is None
    assert gate({"known": replace(same, worse=True)}, None)[0] is False
    assert gate({}, replace(same, n=5)) == (
        True,
        "less than 0.05 nats a token lost; no set counted",
    )
    assert gate({}, replace(same, difference=0.05))[0] is False  # less than that is wanted


def written(tmp_path: Path, data: suite.Suite, memory: Memory, *models: Model) -> Path:
    """A report's folder: the base, and tuned arms of ``models``."""
    names = ["base", *(f"tuned{n}" for n in range(len(models)))]
    speakers = {f"tuned{n}": model.speaker(f"t{n}") for n, model in enumerate(models)}
    records = {
        name: [Record(f"q{i}", "What?", (word,), f"a {word}") for i, word in enumerate(WORDS * 3)]
        for name in names
    }
    arms = {name: Arm(name) for name in names}
    found = heard(General(data, Model().speaker("b"), speakers, memory), clock)
    comparison = compare(
        records, np.random.default_rng(3), {"seed": 3}, arms, forgetting=forgetting(found)
    )
    folder = tmp_path / "report"
    write(comparison, records, folder, {each.file: each.outcomes for each in found})
    return folder


def test_a_report_tells_it_and_computes_it_again(
    tmp_path: Path, data: suite.Suite, memory: Memory
) -> None:
    folder = written(tmp_path, data, memory, Model(), Model("questions"))
    metrics = json.loads((folder / "metrics.json").read_text())
    good, bad = metrics["forgetting"]["models"]
    assert (good["passes"], bad["passes"]) == (True, False)
    assert bad["sets"]["known"].keys() >= {"before", "after", "difference", "low", "high", "n", "p"}
    assert metrics["forgetting"]["sets"]["known"]["mean"] == 1.0
    assert "tuned1 forgot too much (known is lower beyond chance)" in metrics["advice"]
    page = (folder / "report.html").read_text()
    assert '<section id="forgetting">' in page
    assert "<strong>tuned0</strong> passes" in page
    assert '<span class="warn">tuned1 fails</span>: known is lower beyond chance' in page
    assert "The base only guesses on unknown" in page
    files = ["general.base.jsonl", "general.tuned0.jsonl", "general.tuned1.jsonl"]
    assert sorted(path.name for path in folder.glob("general.*")) == files
    assert all(file in page for file in files)
    before = (folder / "metrics.json").read_bytes()
    assert again(folder).forgetting is not None
    assert (folder / "metrics.json").read_bytes() == before
    assert (folder / "report.html").read_text() == page


def test_without_tuned_arms_the_base_alone_is_told(
    tmp_path: Path, data: suite.Suite, memory: Memory
) -> None:
    folder = written(tmp_path, data, memory)
    page = (folder / "report.html").read_text()
    assert "All arms are written by the base: nothing was forgotten." in page
    assert json.loads((folder / "metrics.json").read_text())["forgetting"]["models"] == []


@pytest.mark.parametrize(
    "wrong", [{}, [], {"base": "b", "file": "../x", "planned": 1, "models": []}]
)
def test_damaged_forgetting_is_told_in_a_sentence(
    tmp_path: Path, data: suite.Suite, memory: Memory, wrong: object
) -> None:
    folder = written(tmp_path, data, memory)
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps({**metrics, "forgetting": wrong}))
    with pytest.raises(DataError, match="'forgetting' is not what noria compare wrote"):
        again(folder)


def test_in_words(tmp_path: Path, data: suite.Suite, memory: Memory) -> None:
    arms = {"tuned": Model("texts", 0.06).speaker("t"), "plain": Model().speaker("p")}
    found = measured(data, memory, Model(), arms)
    assert short(found, "base") == "-"
    assert short(found, "tuned") == "+0.060 nat, fails"
    assert short(found, "plain") == "0.000 nat, passes"
    assert told(found)[0].startswith("forgetting of tuned: fails: general text costs +0.060 nats")
    (advice,) = sentences(Comparison({}, (), "f1", "", forgetting=found))
    assert "--replay 0.1" in advice
