import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.evaluate.metrics.labels import label_of, macro_f1

INTENTS = ("card_arrival", "card_linking", "card_arrival_fee", "top_up", "Refund_not_showing_up")
MAYBE = ("yes", "no", "maybe")


@pytest.mark.parametrize(
    ("answer", "choices", "label"),
    [
        ("yes", MAYBE, "yes"),
        (" Yes.\n", MAYBE, "yes"),
        ("**No**", MAYBE, "no"),
        ("The answer is: maybe", MAYBE, "maybe"),
        ("yesterday", MAYBE, None),  # not a whole word
        ("Nobody knows", MAYBE, None),
        ("yes and no", MAYBE, None),
        ("yes, yes!", MAYBE, "yes"),
        ("", MAYBE, None),
        ("...", MAYBE, None),
        ("card_arrival", INTENTS, "card_arrival"),
        ("Intent: card arrival", INTENTS, "card_arrival"),
        ("It is card-arrival fee, I think", INTENTS, "card_arrival_fee"),
        ("card_arrival or card_arrival_fee", INTENTS, None),
        ("refund not showing up", INTENTS, "Refund_not_showing_up"),
        ("C++", ("C", "C++"), "C++"),  # equal but for punctuation: the exact one wins
        ("c", ("C", "C++"), "C"),
        ("in C", ("C", "C++"), None),  # which of the two cannot be told
        ("+", ("+", "-"), "+"),
        ("答えは東京です", ("東京", "大阪"), "東京"),
        ("l'école", ("cole", "école"), "école"),
        ("anything", (), None),
        ("Polish", ("Polish", "polish"), "Polish"),  # equal as it stands: nothing to guess
        ("polish", ("Polish", "polish"), "polish"),
        ("POLISH", ("Polish", "polish"), None),
        ("#\n", ("#", "b"), "#"),
        ("C</s>", ("C</s>", "c</s>", "b"), "C</s>"),
        ("C-S", ("C-S", "C S", "c-s"), "C-S"),
    ],
)
def test_the_label_that_an_answer_names(answer, choices, label):
    assert label_of(answer, choices) == label


@given(st.sampled_from(INTENTS))
def test_each_label_names_itself(label):
    assert label_of(label, INTENTS) == label
    assert label_of(f"I would say {label.upper()}.", INTENTS) == label


LABELS = st.sampled_from(["a", "b", "c", None])


@given(st.lists(st.tuples(st.sampled_from("abc"), LABELS, st.integers(0, 3)), min_size=1))
def test_macro_f1_is_that_of_scikit_learn(rows):
    from sklearn import metrics

    golds, given, counts = (list(column) for column in zip(*rows, strict=True))
    drawn = [(g, p) for g, p, count in rows for _ in range(count)]
    (ours,) = macro_f1(golds, given).figure(np.array([counts], dtype=float))
    if not drawn:
        assert np.isnan(ours)
        return
    used = sorted({label for pair in drawn for label in pair if label is not None})
    expected = metrics.f1_score(
        [g for g, _ in drawn], [p or "none" for _, p in drawn], labels=used, average="macro",
        zero_division=0,
    )  # fmt: skip
    assert ours == pytest.approx(expected, abs=1e-12)


def test_macro_f1_counts_a_label_that_is_only_ever_given():
    (value,) = macro_f1(["a", "a"], ["a", "b"]).figure(np.ones((1, 2)))
    assert value == pytest.approx((2 / 3 + 0) / 2)
