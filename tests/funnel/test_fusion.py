"""Fusion by numbers that a reader can check by hand."""

import numpy as np
import pytest

from noria.errors import ConfigError
from noria.funnel.fuse import convex, reciprocal_rank, standard
from noria.funnel.retrieve import Dense, Hybrid, Lexical
from noria.types import Item, Query


def test_rrf_adds_one_over_sixty_plus_rank() -> None:
    lexical, dense = np.array([1, 2, 0]), np.array([3, 0, 1])
    fused = reciprocal_rank([lexical, dense], [1.0, 1.0])
    assert fused == pytest.approx([1 / 61 + 1 / 63, 1 / 62, 1 / 61])


def test_rrf_weights_a_leg() -> None:
    ranks = [np.array([1, 2]), np.array([2, 1])]
    assert reciprocal_rank(ranks, [1.0, 0.0]) == pytest.approx([1 / 61, 1 / 62])
    assert reciprocal_rank(ranks, [0.2, 0.8]).argmax() == 1


def test_standard_scores_have_mean_0_and_deviation_1() -> None:
    assert standard(np.array([1.0, 3.0])).tolist() == [-1.0, 1.0]
    assert standard(np.array([0.0, 0.0, 3.0])) == pytest.approx([-(0.5**0.5), -(0.5**0.5), 2**0.5])


def test_a_leg_whose_scores_are_alike_says_nothing() -> None:
    assert standard(np.array([7.0, 7.0])).tolist() == [0.0, 0.0]
    assert convex([np.array([7.0, 7.0]), np.array([1.0, 3.0])], [1, 1]).tolist() == [-0.5, 0.5]


def test_convex_does_not_depend_on_a_legs_scale_nor_on_the_sum_of_the_weights() -> None:
    bm25, cosines = np.array([20.0, 10.0, 0.0]), np.array([0.1, 0.3, 0.2])
    fused = convex([bm25, cosines], [0.4, 0.6])
    assert convex([bm25 * 50 + 3, cosines / 9], [2, 3]) == pytest.approx(fused)


def test_convex_of_nothing_and_without_weights() -> None:
    assert convex([np.zeros(0), np.zeros(0)], [1, 1]).tolist() == []
    assert convex([np.array([1.0, 2.0])] * 2, [0, 0]).tolist() == [0, 0]


def passage(name: str, text: str) -> Item:
    return Item(name, text, document=name)


@pytest.fixture(scope="module")
def corpus(index_of):
    return index_of(
        [
            passage("wheel", "the water wheel lifts buckets"),
            passage("mill", "a mill grinds grain with water"),
            passage("tax", "taxes are due in April"),
            passage("moon", "the moon pulls the tides"),
        ]
    )


def ids(found) -> list[str]:
    return [c.item.id for c in found.candidates]


def test_what_both_legs_find_comes_first(corpus, encoder) -> None:
    query = Query("q", "water wheel")
    found = Hybrid(corpus, encoder).retrieve(query, 4)
    assert ids(found)[:2] == ["wheel", "mill"]
    best = found.candidates[0].scores
    assert best["dense"] == pytest.approx(
        Dense(corpus, encoder).retrieve(query, 1).candidates[0].score
    )
    assert best["lexical"] == pytest.approx(Lexical(corpus).retrieve(query, 1).candidates[0].score)


def test_words_that_are_nowhere_leave_the_dense_order(corpus, encoder) -> None:
    # trigrams are shared ("tidal" and "tides"), words are not: the lexical leg finds nothing
    query = Query("q", "tidal moonlight")
    assert ids(Lexical(corpus).retrieve(query, 4)) == []
    assert ids(Hybrid(corpus, encoder).retrieve(query, 4)) == ids(
        Dense(corpus, encoder).retrieve(query, 4)
    )


def test_a_word_the_best_hit_lacks_counts_against_the_lexical_leg(corpus, encoder) -> None:
    # one of six content words is in a passage: coverage 1/6, squared 1/36
    asked = "April blossom festival parade garden picnic"
    hybrid = Hybrid(corpus, encoder)
    seen = {}
    weights = Hybrid._weights

    class Watched(Hybrid):
        def _weights(self, meant, pool):
            seen["weights"] = weights(self, meant, pool)
            return seen["weights"]

    Watched(corpus, encoder).retrieve(Query("q", asked), 4)
    assert seen["weights"][0] == pytest.approx((1 / 6) ** 2)
    assert ids(hybrid.retrieve(Query("q", "taxes April"), 1)) == ["tax"]


@pytest.mark.parametrize(("alpha", "leg"), [(1.0, "dense"), (0.0, "lexical")])
def test_alpha_gives_all_to_one_leg(alpha, leg, corpus, encoder) -> None:
    found = Hybrid(corpus, encoder, alpha=alpha).retrieve(Query("q", "water grain"), 4)
    scores = [c.scores[leg] for c in found.candidates]
    assert scores == sorted(scores, reverse=True)


def test_rrf_of_the_index_is_the_formula(corpus, encoder) -> None:
    query = Query("q", "water wheel")
    dense = ids(Dense(corpus, encoder).retrieve(query, 4))
    lexical = ids(Lexical(corpus).retrieve(query, 4))
    for c in Hybrid(corpus, encoder, fusion="rrf").retrieve(query, 4).candidates:
        name = c.item.id
        legs = [leg.index(name) + 1 for leg in (dense, lexical) if name in leg]
        assert c.score == pytest.approx(sum(1 / (60 + rank) for rank in legs))


def test_nothing_visible_is_nothing_found(corpus, encoder) -> None:
    query = Query("q", "water", fields={"lang": "de"})
    for retriever in (Dense(corpus, encoder), Lexical(corpus), Hybrid(corpus, encoder)):
        assert retriever.retrieve(query, 5).candidates == ()


@pytest.mark.parametrize("text", ["", "?!", "the", "it's", '"', "a AND (b", "x" * 5000, "\x00"])
def test_any_text_may_be_asked(text, corpus, encoder) -> None:
    for retriever in (Dense(corpus, encoder), Lexical(corpus), Hybrid(corpus, encoder)):
        retriever.retrieve(Query("q", text), 5)


@pytest.mark.parametrize("wrong", [{"fusion": "sum"}, {"alpha": 1.5}, {"alpha": -0.1}])
def test_wrong_options_are_refused(wrong, corpus, encoder) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Hybrid(corpus, encoder, **wrong)
