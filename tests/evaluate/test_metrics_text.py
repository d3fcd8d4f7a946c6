import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import published
from noria.evaluate.metrics import text

ANSWERS = (
    "The Seine", "Denver Broncos", "1,000", "a 24-day period", "$5.3 million", "the U.S. Army",
    "in 1361", "William \"Bill\" Clinton", "R\u00e9union", "carbon dioxide and water", "an A",
    "two-thirds", "St. Louis, Missouri", "7 to 9 percent", "\u6c34\u8eca", "The The",
)  # fmt: skip
WORDS = st.lists(st.sampled_from(["the", "wheel", "lifts", "water", "U.S.", "1,000", "It's"]))


def test_squad_scores_of_1000_changed_answers_are_the_official_ones():
    answers = published.changed(ANSWERS, 1000, seed=1)
    for at, answer in enumerate(answers):
        gold = ANSWERS[at % len(ANSWERS)]
        for golds in ([gold], [gold, ANSWERS[(at * 7) % len(ANSWERS)]], [gold, "the"], []):
            em, f1 = published.squad(answer, golds)
            assert text.exact(answer, golds) == pytest.approx(em, abs=1e-9)
            assert text.f1(answer, golds) == pytest.approx(f1, abs=1e-9)


def test_the_changes_reach_both_ends_and_much_between():
    answers = published.changed(ANSWERS, 1000, seed=1)
    scores = [text.f1(a, [ANSWERS[at % len(ANSWERS)]]) for at, a in enumerate(answers)]
    assert scores.count(1.0) > 200
    assert scores.count(0.0) > 50
    assert len(set(scores)) > 10


@given(st.text(), st.text())
def test_any_texts_score_as_squad_scores_them(answer, gold):
    assert (text.exact(answer, [gold]), text.f1(answer, [gold])) == published.squad(answer, [gold])


@pytest.mark.parametrize(
    ("answer", "em", "f1"),
    [("The Seine!", 1, 1), ("Seine river", 0, 2 / 3), ("Rhine", 0, 0), ("", 0, 0), ("THE", 0, 0)],
)
def test_squad_by_hand(answer, em, f1):
    assert text.exact(answer, ["the Seine"]) == em
    assert text.f1(answer, ["the Seine"]) == pytest.approx(f1)


@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL"])
@given(answer=WORDS, golds=st.lists(WORDS, min_size=1, max_size=3))
def test_rouge_is_that_of_rouge_score(name, answer, golds):
    from rouge_score import rouge_scorer

    said, right = " ".join(answer), [" ".join(gold) for gold in golds]
    expected = rouge_scorer.RougeScorer([name]).score_multi(right, said)[name].fmeasure
    ours = {
        "rouge1": lambda: text.rouge(said, right, 1),
        "rouge2": lambda: text.rouge(said, right, 2),
        "rougeL": lambda: text.rouge_l(said, right),
    }[name]()
    assert ours == pytest.approx(expected, abs=1e-12)


def test_rouge_sees_letters_that_are_not_ascii():
    assert text.rouge_l("водяное колесо", ["Водяное колесо."]) == 1.0
    assert text.rouge("水車だ", ["水車"], 1) == pytest.approx(0.8)


@given(st.text("ab", max_size=9), st.text("ab", max_size=9))
def test_the_longest_common_subsequence_is_the_one_of_the_table(one, other):
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
            )
    assert text.longest(one, other) == table[-1][-1]


def test_long_texts_have_long_subsequences():
    rng = random.Random(0)
    words = [str(rng.randrange(50)) for _ in range(1000)]
    assert text.longest(words, words) == 1000
    assert text.longest(words, words[::2]) == 500


@pytest.mark.parametrize(
    ("answer", "gold", "f1"),
    [
        ("Paris", "Paris", 1.0),
        ("Paris is the capital.", "Paris", 1.0),  # it comes first, but the right answer has it
        ("It is Paris.", "Paris", 1.0),
        ("Apple", "Apple Inc.", 2 / 3),
        ("It is London.", "Paris", 0.0),
        ("It is Paris in 1889.", "Paris", 2 / 3),
        ("1,000 men", "1000", 1.0),
        ("the river", "Paris", 0.0),
        ("Ada met Ada Byron", "Ada Byron", 0.8),  # twice where once is right
        ("", "Paris", 0.0),
    ],
)
def test_entity_f1_by_hand(answer, gold, f1):
    assert text.entity_f1(answer, [gold]) == pytest.approx(f1)


@pytest.mark.parametrize("plain", ["the river", "Water is lifted by wheels.", "The river", ""])
def test_texts_without_names_or_numbers(plain):
    assert not text.entities(plain)
