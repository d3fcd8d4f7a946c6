"""From a file of examples to a release that answers: tuned, proven, registered, compared."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from noria.cli import app
from noria.errors import ModelError, UsageError
from noria.models.layout import Layout
from tiny_encoder import tiny_encoder
from tiny_llama import TURNS, gguf_file, hugging_face

STRONG = ("--epochs", "30", "--learning-rate", "0.01")  # a tiny model learns slowly


NAMES = "Ada Ben Cleo Dan Eva Finn Gil Hal Ida Jon Kim Leo".split()  # noqa: SIM905
THINGS = "well mill road barn dam forge gate inn jetty kiln loft moat".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny generator, whose template marks turns, and a tiny encoder."""
    at = tmp_path_factory.mktemp("tiny")
    words = ["who", "built", "the", "?", ".", "cat", "rose", *NAMES, *THINGS]
    tiny_encoder(at / "encoder", [*words, *map(str.lower, NAMES)], window=32)
    folder = hugging_face(
        at / "model", template=TURNS, initializer_range=0.3, intermediate_size=128
    )
    gguf_file(at / "tiny.gguf", folder, TURNS)
    return at


@pytest.fixture
def desk(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with settings and examples."""
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    desk = tmp_path / "desk"
    desk.mkdir()
    settings(desk, models / "tiny.gguf", models)
    written(desk / "train.jsonl", range(40))
    written(desk / "test.jsonl", range(100, 110))
    monkeypatch.chdir(desk)
    return desk


def settings(desk: Path, generator: Path, models: Path) -> None:
    (desk / "noria.toml").write_text(
        f'[models]\ngenerator = "file:{generator}"\nencoder = "file:{models / "encoder"}"\n'
        "context = 1024\nthreads = 1\nfast_copy = false\n[answer]\nprompt_tokens = 900\n"
    )


def written(path: Path, numbers: range) -> None:
    path.write_text("".join(json.dumps(labelled(n)) + "\n" for n in numbers), encoding="utf-8")


def labelled(number: int) -> dict[str, Any]:
    thing, kind = [("cat", "pet"), ("rose", "plant")][number % 2]
    return {
        "id": str(number),
        "question": f"{thing} {number * 7919 % 1000}",
        "answers": [kind],
        "task": "classification",
    }


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def said(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return found


def test_tune_then_compare(desk: Path) -> None:
    made = said("tune", "sft", "train.jsonl", *STRONG)
    metrics = made["metrics"]
    assert metrics["held_out_loss"] < 0.8 * metrics["held_out_loss_before"]
    assert metrics["parity_max_kl"] < 2e-5
    shown = said("releases", "show", made["release"])
    assert [each["kind"] for each in shown["lineage"]] == ["base", "dataset", "adapter"]
    assert shown["metrics"] == metrics
    found = said("compare", "test.jsonl", "--arms", "base,tuned", "--examples", "train.jsonl")
    base, tuned = (found["arms"][name]["metrics"]["accuracy"]["mean"] for name in ("base", "tuned"))
    assert base < 0.5 < tuned


def test_the_same_again_is_the_same_release_and_trains_nothing(desk: Path) -> None:
    first = said("tune", "sft", "train.jsonl")
    again = run("tune", "sft", "train.jsonl")
    assert f"{first['release']} (made before)" in again.stdout
    other = said("tune", "sft", "train.jsonl", "--seed", "1")
    assert other["release"] != first["release"]
    assert len(said("releases", "list", "--kind", "release")["releases"]) == 2
    assert list((desk / ".noria" / "training").glob("*/checkpoints")) == []


def test_the_same_inputs_give_the_same_release_elsewhere(desk: Path, tmp_path: Path) -> None:
    first = said("tune", "sft", "train.jsonl")
    second = said("tune", "sft", "train.jsonl", "--home", str(tmp_path / "elsewhere"))
    assert first["release"] == second["release"]


def test_questions_that_were_learnt_from_are_told(desk: Path) -> None:
    said("tune", "sft", "train.jsonl", "--examples", "8")
    found = run("compare", "train.jsonl", "--arms", "base,tuned", "--max-questions", "4")
    assert "arm 'tuned' learnt from 12 of these questions" in found.stderr


def test_what_is_not_served_as_it_was_trained_is_not_registered(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Layout, "turned", lambda self, name, weight: weight)  # q and k in disorder
    with pytest.raises(ModelError, match="next tokens differ"):
        run("tune", "sft", "train.jsonl", *STRONG)
    assert said("releases", "list")["releases"] == []
    monkeypatch.undo()


def test_a_preview_trains_nothing(desk: Path) -> None:
    shown = run("tune", "sft", "train.jsonl", "--preview").stdout
    assert "⟦pet</s>⟧" in shown or "⟦plant</s>⟧" in shown
    assert not (desk / ".noria" / "training").exists()
    found = said("tune", "sft", "train.jsonl", "--preview")
    assert found["estimate"]["memory"] > 0


def test_replay_joins_what_is_learnt(desk: Path) -> None:
    general = [{"prompt": f"Say {n}.", "response": f"It is {n}, as you said."} for n in range(40)]
    lines = "".join(json.dumps(each) + "\n" for each in general)
    (desk / "general.jsonl").write_text(lines, encoding="utf-8")
    words = ("--replay", "0.2", "--replay-from", "general.jsonl")
    made = said("tune", "sft", "train.jsonl", *words)
    recipe = said("releases", "show", made["adapter"])["recipe"]
    assert recipe["replay"] == pytest.approx(0.2, abs=0.02)
    with pytest.raises(UsageError, match="--replay-from without --replay"):
        run("tune", "sft", "train.jsonl", *words[2:])


def test_tuned_arms_need_a_release(desk: Path) -> None:
    with pytest.raises(UsageError, match="arm 'tuned' needs a release tuned for sft or radit"):
        run("compare", "test.jsonl", "--arms", "base,tuned")


def test_the_reader_is_refused_to_other_weights(desk: Path) -> None:
    with pytest.raises(UsageError, match="was tuned from other weights"):
        run("compare", "test.jsonl", "--arms", "base,reader")


def test_a_release_of_another_base_is_refused(desk: Path, tmp_path: Path, models: Path) -> None:
    made = said("tune", "sft", "train.jsonl", "--examples", "8")
    folder = hugging_face(tmp_path / "other", seed=9, template=TURNS)
    other = gguf_file(tmp_path / "other.gguf", folder, TURNS)
    settings(desk, other, models)
    with pytest.raises(UsageError, match=f"release {made['release']} was tuned from other weights"):
        run("compare", "test.jsonl", "--arms", "tuned")


def builders(path: Path) -> None:
    """Who built what: each in a document of its own."""
    folder = path.with_name("town")
    folder.mkdir()
    for name, thing in zip(NAMES, THINGS, strict=True):
        (folder / f"{thing}.md").write_text(f"{name} built the {thing} .", encoding="utf-8")
    run("ingest", "town")
    lines = [
        {
            "id": thing,
            "question": f"who built the {thing} ?",
            "answers": [name],
            "documents": [f"town/{thing}.md"],
            "context": f"{name} built the {thing} .",
        }
        for name, thing in zip(NAMES, THINGS, strict=True)
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")


def test_radit_moves_generator_and_retriever(desk: Path) -> None:
    builders(desk / "builders.jsonl")
    made = said("tune", "radit", "builders.jsonl", "--share", "0.3", "--learning-rate", "0.01")
    shown = said("releases", "show", made["release"])
    assert {"adapter", "queries", "base", "encoder", "template", "dataset"} <= shown["parts"].keys()
    assert [each["kind"] for each in shown["lineage"]] == ["base", "dataset", "adapter", "encoder"]
    assert {"held_out_loss", "recall@5", "mrr"} <= made["metrics"].keys()
    found = said("compare", "builders.jsonl", "--arms", "rag,tuned+rag", "--max-questions", "2")
    assert said("ask", "who built the well ?", "--arm", "tuned+rag")["release"] == made["release"]
    assert found["arms"].keys() == {"rag", "tuned+rag"}


def test_radit_on_labels_leaves_the_retriever_and_says_so(desk: Path) -> None:
    done = run("tune", "radit", "train.jsonl", "--examples", "8")
    assert "the retriever stays as it is" in done.stderr
    made = said("tune", "radit", "train.jsonl", "--examples", "8")
    assert made["encoder"] is None


def test_radit_keeps_its_generator_where_no_passage_has_the_answers(desk: Path) -> None:
    builders(desk / "builders.jsonl")
    told = (desk / "builders.jsonl").read_text().splitlines()
    lines = [json.loads(line) | {"answers": ["some mason"]} for line in told]
    (desk / "builders.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    done = run("tune", "radit", "builders.jsonl", "--share", "0.3")
    assert "the retriever stays as it is: no question finds a passage" in done.stderr
    made = said("tune", "radit", "builders.jsonl", "--share", "0.3")
    assert made["encoder"] is None
    assert made["adapter"]


def test_a_run_whose_registry_is_gone_is_made_again(desk: Path) -> None:
    first = said("tune", "sft", "train.jsonl", "--examples", "8")
    for file in (desk / ".noria").glob("state.db*"):
        file.unlink()
    again = run("tune", "sft", "train.jsonl", "--examples", "8").stdout
    assert again.startswith(f"{first['release']}\n")


def test_other_held_out_examples_are_another_run(desk: Path) -> None:
    written(desk / "apart.jsonl", range(40, 46))
    written(desk / "more.jsonl", range(40, 43))
    first = said("tune", "sft", "train.jsonl", "--held-out", "apart.jsonl")
    (desk / "apart.jsonl").write_text((desk / "more.jsonl").read_text())
    second = said("tune", "sft", "train.jsonl", "--held-out", "apart.jsonl")
    assert first["release"] != second["release"]


def test_the_retriever_alone(desk: Path) -> None:
    builders(desk / "builders.jsonl")
    made = said("tune", "retriever", "builders.jsonl", "--share", "0.3")
    assert made["adapter"] is None
    assert "learning_rate" not in said("releases", "show", made["encoder"])["recipe"]
    found = said("compare", "builders.jsonl", "--arms", "tuned+rag", "--max-questions", "2")
    assert found["arms"].keys() == {"tuned+rag"}
    assert made["metrics"]["mrr"] >= made["metrics"]["mrr_before"]
    assert {"queries", "encoder"} <= said("releases", "show", made["encoder"])["parts"].keys()


@pytest.mark.parametrize("method", ["full", "qlora"])
def test_other_methods_are_served_too(desk: Path, method: str) -> None:
    made = said("tune", "sft", "train.jsonl", "--method", method, *STRONG)
    assert made["metrics"]["held_out_loss"] < made["metrics"]["held_out_loss_before"]
    found = said("compare", "test.jsonl", "--arms", "tuned", "--examples", "train.jsonl")
    assert found["arms"]["tuned"]["metrics"]["accuracy"]["mean"] >= 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("stf", "train.jsonl"), "objective: expected one of sft, raft, radit, retriever"),
        (("sft", "train.jsonl", "--method", "dora"), "--method: expected one of lora, qlora, full"),
        (("sft", "train.jsonl", "--manner", "in-turn"), "sft does not teach it; radit does"),
        (("sft", "train.jsonl", "--precision", "half"), "--precision: expected one of float32"),
    ],
)
def test_wrong_words_are_told(desk: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run("tune", *words)
