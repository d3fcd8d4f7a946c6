import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from noria.cli import quantize as command
from noria.errors import ModelError, UsageError
from noria.evaluate.questions import Question
from noria.models import int8
from noria.models.cache import digest_of
from noria.models.layout import Layout
from noria.models.llamacpp import LlamaCpp
from noria.models.parity import Parity
from noria.models.sources import fetch
from noria.models.whole import stored
from noria.store.artifacts import Artifacts
from noria.store.registry import Registry
from noria.store.releases import made
from noria.store.versions import newest, version
from noria.tune.cost import Change, Cost, chat_of, own, prepared
from noria.tune.data.store import write
from noria.tune.examples import Example
from noria.tune.quantize import Place, Quantized, held_out, quantize, warnings
from noria.types import Release, Sampling
from tiny_llama import Tiny, tiny_models

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CONTEXT = "A noria lifts water."
HELD_OUT = [
    Example(Question(f"q{i}", f"What lifts {i}?", ("water",), context=CONTEXT), "water")
    for i in range(3)
]

OPEN = [Example(Question(f"o{i}", f"Where is {i}?"), "") for i in range(4)]  # nobody knows


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return tiny_models(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def place(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    at = Registry(f"sqlite:///{home / 'state.db'}", Artifacts(home / "artifacts"))
    yield Place(at, fetch, tmp_path / "cache", home, threads=1)
    at.close()


def tuned(tiny: Tiny, place: Place) -> Release:
    """An adapter of a data set, some of whose examples were held out."""
    at = place.registry
    write(place.home / "held_out", HELD_OUT)
    kept = at.artifacts.put(place.home / "held_out")
    data = at.add(
        made("dataset", {"dataset": kept, "held_out": kept}, NOW, ["dataset", "held_out"])
    )
    parts = {"adapter": at.artifacts.put(tiny.adapters[0]), "base": digest_of(tiny.base)}
    recipe = {"objective": "radit", "base": f"file:{tiny.base}"}
    return at.add(made("adapter", parts, NOW, ["adapter"], [data.id], recipe))


def rounded(release: Release, to: str, place: Place, examples=HELD_OUT[:2], **more):
    return quantize(release, to, examples, place, NOW, np.random.default_rng(0), **more)


def test_an_adapter_becomes_a_base_in_fewer_bits_that_serves_what_it_served(
    tiny: Tiny, place: Place
) -> None:
    of = tuned(tiny, place)
    made_of = rounded(of, "q8_0", place)
    release, cost = made_of.release, made_of.cost
    assert (release.kind, release.made_from) == ("base", (of.id,))
    assert dict(release.recipe) == {"objective": "quantize", "to": "q8_0"}
    assert place.registry.get(release.id) == release
    assert cost.bytes_after == place.registry.artifacts.size(release.parts["weights"])
    assert cost.bytes_after < cost.bytes_full
    assert 0 < cost.apart.mean_kl < 0.02
    assert release.metrics["kl"] == cost.apart.mean_kl
    assert cost.change is not None
    assert (cost.change.metric, cost.change.questions) == ("f1", 2)
    assert release.metrics["metric_delta"] == cost.change.after - cost.change.before
    assert not list(place.home.glob("quantize-*"))
    ask = Sampling(max_tokens=4)
    path = fetch(
        f"release:{release.id}", place.cache, releases=lambda id: stored(place.registry, id)
    )
    with (
        LlamaCpp(path, context=128, parallel=1, threads=1) as served,
        LlamaCpp(tiny.base, context=128, threads=1, adapters=tiny.exported[:1]) as before,
    ):
        right = before.with_adapter(0).batch(["The wheel"], ask)[0].text
        assert served.batch(["The wheel"], ask)[0].text == right


def test_a_release_in_fewer_bits_asks_and_reads_as_it_did(tiny: Tiny, place: Place) -> None:
    adapter, at = tuned(tiny, place), place.registry
    tower = place.home / "queries.json"
    tower.write_text("{}")
    parts = {**adapter.parts, "queries": at.artifacts.put(tower), "encoder": "e5"}
    recipe = {**adapter.recipe, "manner": "in turn"}
    of = at.add(made("release", parts, NOW, ["adapter", "queries"], [adapter.id], recipe))
    found = rounded(of, "q8_0", place)
    assert (found.release.kind, found.weights.kind) == ("release", "base")
    answers = version(at, found.release.id)
    assert answers.manner == "in turn"
    assert answers.queries == at.artifacts.path(parts["queries"])
    assert answers.weights == at.artifacts.path(found.weights.parts["weights"])
    assert (answers.adapter, answers.base) == (None, "")
    assert found.release.parts["encoder"] == "e5"
    assert found.release.metrics == found.weights.metrics
    # nobody who asks for the newest gets fewer bits unasked
    assert newest(at, ["radit"]) == of
    again = rounded(found.release, "q8_0", place)
    assert again.release.parts["queries"] == parts["queries"]


def test_fewer_bits_cost_more_and_the_same_again_is_the_same_version(
    tiny: Tiny, place: Place
) -> None:
    of = tuned(tiny, place)
    eight, four = (rounded(of, to, place, examples=OPEN) for to in ("q8_0", "q4_1"))
    assert four.cost.apart.mean_kl > 2 * eight.cost.apart.mean_kl
    assert four.cost.apart.prompts == len(OPEN)
    assert (four.cost.change, "metric_delta" in four.release.metrics) == (None, False)
    again = rounded(eight.release, "q8_0", place, examples=OPEN)  # its weights lie in a file
    assert again.release.made_from == (eight.release.id,)
    assert rounded(of, "q8_0", place, examples=OPEN).release == eight.release


def test_without_questions_the_own_prompts_are_read(tiny: Tiny, place: Place) -> None:
    cost = rounded(tuned(tiny, place), "q8_0", place, examples=()).cost
    assert cost.apart.prompts + cost.left_out == len(own())  # bytes are tokens: few fit
    assert cost.apart.prompts > 5
    assert cost.change is None


def test_a_file_that_is_not_the_trained_model_is_not_registered(
    tiny: Tiny, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = tuned(tiny, place)
    monkeypatch.setattr(Layout, "turned", lambda self, name, weight: weight)
    with pytest.raises(ModelError, match="is not the trained one"):
        rounded(of, "q8_0", place)
    assert [each.kind for each in place.registry.list("base")] == []


def test_int8_is_refused_without_a_gpu_and_measured_like_the_others_with_one(
    tiny: Tiny, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = tuned(tiny, place)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="int8 is made and served on a GPU"):
        rounded(of, "int8", place)
    found = rounded(of, "int8", place, device="cpu")
    assert found.release.recipe["to"] == "int8"
    assert 0 < found.cost.apart.mean_kl < 0.05
    assert found.cost.bytes_after < found.cost.bytes_full
    assert found.cost.change is not None
    folder = place.registry.artifacts.path(found.release.parts["weights"])
    assert int8.Hosted(folder, "cpu").predict("The wheel").ids
    with pytest.raises(UsageError, match="a folder, which only transformers reads"):
        rounded(found.release, "q8_0", place)


def test_an_unknown_kind_is_told(tiny: Tiny, place: Place) -> None:
    with pytest.raises(UsageError, match="expected one of q8_0, q4_1, q4_0, int8"):
        rounded(tuned(tiny, place), "q2_k", place)


def cost(mean: float, after: int = 1, delta: float = 0.0) -> Cost:
    change = Change("f1", 0.5, 0.5 + delta, delta, delta - 0.01, delta + 0.01, 50)
    return Cost(10, 40, after, Parity(32, (), mean, 2 * mean, 0), change)


def test_what_people_should_know_is_said_in_words() -> None:
    assert warnings(cost(0.01), "q8_0") == ()
    (moved,) = warnings(cost(0.77), "q4_0")
    assert "0.77 nats" in moved
    assert moved.endswith("q8_0 or q4_1 costs less")
    (large,) = warnings(cost(0.01, after=12), "q8_0")
    assert "no smaller than the version that it was made of" in large
    (worse,) = warnings(cost(0.01, delta=-0.2), "q8_0")
    assert "f1 fell from 0.5 to 0.3, by more than chance" in worse
    assert warnings(cost(0.01, delta=-0.005), "q8_0") == ()


class Counting:
    """Counts words."""

    context = 200

    def count(self, text: str) -> int:
        return len(text.split())

    def batch(self, prompts, sampling, done=None):
        raise AssertionError("not asked")


def test_questions_are_asked_as_the_version_was_tuned_to_answer() -> None:
    example = HELD_OUT[0]
    assert CONTEXT in chat_of(example, Counting(), closed=False)[-1].content
    assert CONTEXT not in chat_of(example, Counting(), closed=True)[-1].content
    said = (*chat_of(example, Counting(), closed=True)[:1],)
    spoken = Example(example.question, "water", turns=said)
    assert chat_of(spoken, Counting(), closed=False) == said


def test_what_is_too_long_is_left_out_and_counted() -> None:
    base = made("base", {"base": "0f"}, NOW)
    long = Example(Question("long", "word " * 300, ("x",)), "x")
    asked, left_out = prepared(base, [long, *HELD_OUT], Counting())
    assert (sorted(each.question.id for each in asked), left_out) == (["q0", "q1", "q2"], 1)
    with pytest.raises(UsageError, match="all 1 prompts are longer"):
        prepared(base, [long], Counting())


def test_the_own_prompts_are_of_every_task_and_fit() -> None:
    found = [each.question for each in own()]
    assert len(found) >= 20
    assert {q.task for q in found} == {
        "qa", "choice", "classification", "summarization", "translation", "chat",
    }  # fmt: skip
    assert all(q.choices for q in found if q.task in ("choice", "classification"))
    assert max(len(q.text) + len(q.context or "") for q in found) < 1000
    assert not any("\n" in (q.context or "") for q in found)


def test_what_was_held_out_is_found_through_the_lineage(tiny: Tiny, place: Place) -> None:
    of = tuned(tiny, place)
    parts = {"adapter": of.parts["adapter"], "base": of.parts["base"]}
    release = place.registry.add(made("release", parts, NOW, ["adapter"], [of.id]))
    found = held_out(release, place.registry)
    assert {each.id for each in found} == {"q0", "q1", "q2"}
    assert held_out(place.registry.add(made("base", {"base": "0f"}, NOW)), place.registry) == ()


def test_the_command_prints_the_cost(
    tiny: Tiny, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    of = tuned(tiny, place)
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path / "noria"))
    monkeypatch.chdir(tmp_path)
    Path("noria.toml").write_text("[models]\nthreads = 1\n")
    app = Typer()
    app.command()(command.quantize)
    ask = [of.id[:8], "--to", "q8_0", "--home", str(place.home)]
    run = CliRunner().invoke(app, [*ask, "--json"], catch_exceptions=False)
    told = json.loads(run.stdout)
    assert {"release", "bytes_before", "bytes_after", "kl", "metric_delta"} <= told.keys()
    assert (told["made_from"], told["metric"]["questions"]) == (of.id, 3)
    assert place.registry.get(told["release"]).metrics["kl"] == told["kl"]


def test_people_are_told_sizes_nats_and_answers() -> None:
    release = made("base", {"weights": "0f"}, NOW, recipe={"to": "q8_0"})
    of = made("base", {"base": "0f"}, NOW)
    text = command.told(Quantized(release, release, cost(0.0084), ()), of)
    assert "0.0084 nats from float32" in text
    assert "f1          0.500, in float32 0.500; +0.000" in text
    assert f'models.generator = "release:{release.id}"' in text
    answers = made("release", {"weights": "0f"}, NOW, recipe={"to": "q8_0"})
    text = command.told(Quantized(answers, release, cost(0.0084), ()), of)
    assert f'release = "{answers.id}"' in text
    one = Change("f1", 0.5, 0.4, -0.1, math.nan, math.nan, 1)
    assert command.change_json(one)["low"] is None
