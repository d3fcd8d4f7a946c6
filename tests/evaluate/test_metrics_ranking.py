import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import published
from noria.evaluate.metrics.ranking import known, scores

NAMES = st.sampled_from([f"d{n}" for n in range(30)])


def test_by_hand():
    found = scores({"q": {"a": 1, "b": 1}}, {"q": ["x", "a"]}, known())
    assert {name: pytest.approx(float(values[0])) for name, values in found.items()} == {
        "ndcg@10": (1 / 1.5849625) / (1 + 1 / 1.5849625), "recall@10": 0.5, "recall@100": 0.5,
        "mrr@10": 0.5, "map": 0.25,
    }  # fmt: skip


@given(
    st.dictionaries(NAMES, st.integers(0, 3), min_size=1),
    st.dictionaries(NAMES, st.sampled_from([0.1, 0.2, 0.3])),  # many of them tied
)
def test_trec_evals_definitions_with_ties(grades, run):
    ranked = published.trec_ranking(run)
    found = scores({"q": grades}, {"q": ranked}, known())
    for name, value in published.trec(ranked, grades).items():
        assert found[name][0] == pytest.approx(value, abs=1e-6), name


@given(
    st.dictionaries(NAMES, st.integers(0, 3), min_size=1),
    st.dictionaries(NAMES, st.sampled_from([0.1, 0.2, 0.3]), min_size=1),
)
def test_the_second_definition_breaks_ties_as_trec_eval_does(grades, run):
    """Held against trec_eval itself, of which pytrec_eval is a build."""
    import pytrec_eval

    names = {"ndcg_cut_10": "ndcg@10", "recall_10": "recall@10", "map": "map"}
    judge = pytrec_eval.RelevanceEvaluator({"q": grades}, {"ndcg_cut", "recall", "map"})
    official = judge.evaluate({"q": run})["q"]
    expected = published.trec(published.trec_ranking(run), grades)
    for theirs, ours in names.items():
        assert official[theirs] == pytest.approx(expected[ours], abs=1e-6)


def test_questions_keep_their_order_and_one_without_a_ranking_counts_zero():
    names = [f"q{n}" for n in range(50)]
    random.Random(0).shuffle(names)
    judgements = {name: {"a": 1} for name in names}
    found = scores(judgements, {"q7": ["a"], "other": ["a"]}, ["mrr@10", "ndcg@10"])
    for values in found.values():
        assert [name for name, value in zip(names, values, strict=True) if value] == ["q7"]
