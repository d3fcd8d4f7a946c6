"""The query encoder learns which passages to find; the passages' vectors stay."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from noria.errors import ModelError, UsageError
from noria.models.encode import sentence_transformer
from noria.tune.asked import Asked, Exam, QueryRecipe
from noria.tune.retriever import divergence, embedded, teach
from noria.tune.teaching import balanced
from tiny_encoder import tiny_encoder

if TYPE_CHECKING:
    from noria.protocols import Matrix

PASSAGES = ["a wheel lifts water", "tax law", "rain is water", "snow is rain", "a law turns"]
QUESTIONS = ["what lifts water", "who pays tax", "where is rain", "what turns", "where is snow"]
WORDS = sorted({word for text in (*PASSAGES, *QUESTIONS) for word in text.split()})
RECIPE = QueryRecipe(learning_rate=5e-3, epochs=20, at_once=5, warmup=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("encoder"), WORDS)


@pytest.fixture(scope="module")
def table(folder: Path) -> "Matrix":
    found: Matrix = embedded(sentence_transformer(folder, "cpu"), PASSAGES).numpy()
    return found


def ranks(model: Any, asked: Sequence[Asked], table: "Matrix") -> list[int]:
    """The rank of each question's most trusted passage."""
    scores = embedded(model, [each.text for each in asked]) @ torch.tensor(table).T
    wanted = [max(each.trust, key=each.trust.__getitem__) for each in asked]
    return [int((row > row[own]).sum()) + 1 for row, own in zip(scores, wanted, strict=True)]


def worst(model: Any, table: "Matrix") -> list[int]:
    """For each question the passage that the encoder finds last."""
    return (embedded(model, QUESTIONS) @ torch.tensor(table).T).argmin(1).tolist()


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def test_a_step_moves_the_query_encoder_and_not_the_passages(folder: Path, table: "Matrix") -> None:
    model, passages = sentence_transformer(folder, "cpu"), sentence_transformer(folder, "cpu")
    before, given = weights(model), table.copy()
    teach(model, [Asked("who pays tax", {0: 1.0})], table, replace(RECIPE, epochs=1))
    moved = [n for n, w in weights(model).items() if not torch.equal(w, before[n])]
    assert any("attention" in name for name in moved)
    assert any("embeddings" in name for name in moved)
    assert table.tobytes() == given.tobytes()
    assert all(torch.equal(w, before[n]) for n, w in weights(passages).items())
    assert embedded(passages, PASSAGES).numpy().tobytes() == given.tobytes()


def test_contrast_lifts_the_marked_passage_to_rank_one(folder: Path, table: "Matrix") -> None:
    model = sentence_transformer(folder, "cpu")
    marked = [Asked(t, {p: 1.0}) for t, p in zip(QUESTIONS, worst(model, table), strict=True)]
    assert ranks(model, marked, table) == [len(PASSAGES)] * len(marked)
    taught = teach(model, marked, table, RECIPE)
    assert ranks(model, marked, table) == [1] * len(marked)
    assert taught.losses[-1] < 0.5 * taught.losses[0]


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_the_generator_lifts_the_helpful_passage_to_rank_one(
    folder: Path, table: "Matrix", direction: Any
) -> None:
    model = sentence_transformer(folder, "cpu")
    helped = [
        Asked(text, {p: 0.9 if p == best else 0.1 / (len(PASSAGES) - 1) for p in range(5)})
        for text, best in zip(QUESTIONS, worst(model, table), strict=True)
    ]
    teach(model, helped, table, replace(RECIPE, direction=direction))
    assert ranks(model, helped, table) == [1] * len(helped)


def test_both_directions_are_the_divergences_that_torch_knows() -> None:
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(1, 8), dim=1)
    table = torch.nn.functional.normalize(torch.randn(6, 8), dim=1)
    asked = [Asked("?", {4: 0.7, 1: 0.2, 2: 0.1})]
    teacher = torch.tensor([0.7, 0.2, 0.1])
    recipe = QueryRecipe(temperature=0.1)
    own = (vectors @ table[[4, 1, 2]].T / 0.1).log_softmax(1)[0]
    reverse = divergence(vectors, asked, table, replace(recipe, direction="reverse"))
    expected = torch.nn.functional.kl_div(teacher.log(), own, log_target=True, reduction="sum")
    assert float(reverse) == pytest.approx(float(expected), abs=1e-5)
    among_all = (vectors @ table.T / 0.1).log_softmax(1)[0][[4, 1, 2]]
    expected = torch.nn.functional.kl_div(among_all, teacher, reduction="sum")
    assert float(divergence(vectors, asked, table, recipe)) == pytest.approx(
        float(expected), abs=1e-5
    )


def test_only_the_hardest_negatives_count_where_a_number_is_given() -> None:
    table = torch.eye(4)
    vectors = torch.tensor([[0.1, 0.9, 0.4, 0.1]])
    asked = [Asked("?", {0: 1.0})]
    recipe = QueryRecipe(temperature=1.0, negatives=1)
    expected = -torch.tensor([0.1, 0.9]).log_softmax(0)[0]
    assert float(divergence(vectors, asked, table, recipe)) == pytest.approx(float(expected))


def test_the_same_seed_gives_the_same_weights(folder: Path, table: "Matrix") -> None:
    asked = [Asked(text, {row: 1.0}) for row, text in enumerate(QUESTIONS)]

    def trained(seed: int, noise: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(noise)  # what others drew before must not matter
        model = sentence_transformer(folder, "cpu")
        teach(model, asked, table, replace(RECIPE, epochs=2, at_once=2, seed=seed))
        return weights(model)

    one, again, other = trained(0, 1), trained(0, 2), trained(1, 1)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_the_best_epoch_is_kept(folder: Path, table: "Matrix") -> None:
    model = sentence_transformer(folder, "cpu")
    before = weights(model)
    lasts, firsts = worst(model, table), ranks_first(model, table)
    learnt = [Asked(t, {p: 1.0}) for t, p in zip(QUESTIONS, lasts, strict=True)]
    opposed = Exam([Asked(t, {p: 1.0}) for t, p in zip(QUESTIONS, firsts, strict=True)], table)
    taught = teach(model, learnt, table, RECIPE, opposed)
    assert taught.best == 0
    assert len(taught.sights) == RECIPE.epochs + 1
    assert taught.sights[0].mrr == taught.sights[0].recall == 1.0
    assert taught.sights[-1].mrr < 1.0
    assert all(torch.equal(w, before[n]) for n, w in weights(model).items())
    taught = teach(model, learnt, table, RECIPE, Exam(learnt, table))
    assert taught.sights[taught.best].mrr == max(sight.mrr for sight in taught.sights) == 1.0


def ranks_first(model: Any, table: "Matrix") -> list[int]:
    """For each question the passage that the encoder finds first."""
    return (embedded(model, QUESTIONS) @ torch.tensor(table).T).argmax(1).tolist()


def test_what_is_kept_stays_near_its_old_place(folder: Path, table: "Matrix") -> None:
    def nearness(keep: float) -> float:
        model = sentence_transformer(folder, "cpu")
        before = embedded(model, QUESTIONS)
        marked = [Asked(t, {p: 1.0}) for t, p in zip(QUESTIONS, worst(model, table), strict=True)]
        teach(model, marked, table, replace(RECIPE, keep=keep))
        return float((embedded(model, QUESTIONS) * before).sum(1).mean())

    assert nearness(50.0) > nearness(0.0) + 0.05


def test_what_is_kept_lies_between_the_weights_before_and_those_taught(
    folder: Path, table: "Matrix"
) -> None:
    asked = [Asked("who pays tax", {0: 1.0})]
    model = sentence_transformer(folder, "cpu")
    first, found = weights(model), {}
    for share in (0.0, 0.5, 1.0):
        model = sentence_transformer(folder, "cpu")
        teach(model, asked, table, replace(RECIPE, epochs=1, share=share))
        found[share] = weights(model)
    for name, weight in first.items():
        torch.testing.assert_close(found[0.0][name], weight)
        torch.testing.assert_close(found[0.5][name], (weight + found[1.0][name]) / 2)


def test_a_passage_that_draws_no_question_is_no_negative() -> None:
    asked = [
        Asked("a", {3: 0.7, 9: 0.3}),
        Asked("b", {9: 0.2, 4: 0.8}),
        Asked("c", {3: 0.5, 4: 0.5}),
    ]
    rows, kept = balanced(asked)
    assert rows == [3, 4]  # 9 is nobody's first
    assert [each.trust for each in kept] == [{0: 1.0}, {1: 1.0}, {0: 0.5, 1: 0.5}]


def test_questions_are_learnt_with_the_models_own_prompt(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "e", WORDS, {"query": "query: "})
    from noria.models.encode import SentenceEncoder

    expected = SentenceEncoder(folder).encode_queries(QUESTIONS)
    assert (
        np.abs(embedded(sentence_transformer(folder, "cpu"), QUESTIONS).numpy() - expected).max()
        < 1e-5
    )


def test_a_loss_that_is_no_number_is_said(folder: Path, table: "Matrix") -> None:
    damaged = table.copy()
    damaged[1, 0] = np.nan
    with pytest.raises(ModelError, match="no number"):
        teach(sentence_transformer(folder, "cpu"), [Asked("who pays", {0: 1.0})], damaged, RECIPE)


def test_nothing_to_learn_is_said(folder: Path, table: "Matrix") -> None:
    with pytest.raises(UsageError, match="no question has a passage"):
        teach(sentence_transformer(folder, "cpu"), [], table, RECIPE)
