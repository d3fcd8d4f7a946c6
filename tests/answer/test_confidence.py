"""What raises and lowers the confidence, on sentences where a reader can count along."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.answer.confidence import (
    SHORTLIST,
    Signals,
    negates,
    signals,
    similarity,
    stated,
)
from noria.models.fake import FakeEncoder
from noria.types import Candidate, Item

HAMA = "The norias of Hama stand on the Orontes. The largest was built in 1361. It does not mill."
NEAR = Signals(similarity=0.7, words=0.8, strangers=0, denies=False)


class Counted(FakeEncoder):
    """A fake encoder that remembers which passages it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: list[str] = []

    def encode_passages(self, texts):
        self.passages += texts
        return super().encode_passages(texts)


def found(text: str, *headings: str, **scores: float) -> Candidate:
    return Candidate(Item("p", text, "d", headings=headings), 1.0, scores)


def told(question: str, *candidates: Candidate, language: str = "en") -> Signals:
    signs = signals(question, candidates or (found(HAMA),), FakeEncoder(), language)
    assert signs is not None
    return signs


def test_a_question_the_passage_answers_is_surer_than_one_it_does_not() -> None:
    answered = told("Which norias stand on the Orontes?")
    elsewhere = told("Who won the football world cup in 2014?")
    assert answered.probability() > 0.5 > 0.1 > elsewhere.probability()


@pytest.mark.parametrize(
    "worse",
    [
        {"similarity": 0.5},
        {"words": 0.4},
        {"strangers": 1},
        {"denies": True},
        {"grounded": 0.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_signal_counts_in_its_own_direction(worse) -> None:
    assert replace(NEAR, **worse).probability() < NEAR.probability()


@given(
    st.builds(
        Signals,
        similarity=st.floats(-1, 1),
        words=st.floats(0, 1),
        strangers=st.integers(0, 50),
        denies=st.booleans(),
        grounded=st.floats(0, 1),
    )
)
def test_it_is_a_probability(signs: Signals) -> None:
    assert 0 < signs.probability() < 1


def test_an_answer_that_nothing_supports_is_doubted_and_one_in_other_words_is_not() -> None:
    before = NEAR.probability()
    assert replace(NEAR, grounded=0.3).probability() == before
    assert replace(NEAR, grounded=0.05).probability() < before
    assert replace(NEAR, grounded=0.0).probability() < before / 1.5


def test_words_are_counted_in_the_best_single_sentence() -> None:
    # norias, Orontes, 1361: two of them stand in one sentence
    assert told("norias Orontes 1361").words == pytest.approx(2 / 3)


def test_a_number_must_stand_in_the_sentence_and_a_name_in_its_passage() -> None:
    assert told("When was the largest of Hama built, in 1361?").strangers == 0
    assert told("Was the largest of Hama built in 1362?").strangers == 1
    assert told("Was the largest of Paris built in 1361?").strangers == 1
    assert told("Do the norias of Hama stand on the Orontes since 1361?").strangers == 1


def test_a_name_in_a_heading_is_no_stranger() -> None:
    under = found("The largest was built in 1361.", "Wheels", "Aleppo")
    assert told("Was the largest of Aleppo built in 1361?", under).strangers == 0


def test_a_question_that_denies_what_the_sentence_says_is_doubted() -> None:
    assert told("Which norias don't stand on the Orontes?").denies
    assert not told("Which norias stand on the Orontes?").denies
    assert not told("What does not mill?").denies


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Was wurde nicht gebaut?", "de", True),
        ("Qu'est-ce qui n'a pas été construit ?", "fr", True),
        ("¿Qué no se construyó?", "es", True),
        ("O que não foi construído?", "pt", True),
        ("Was ist eine Note?", "de", False),
        ("not", "hu", False),  # no words for it are listed: it never counts
    ],
)
def test_other_languages_deny_with_words_of_their_own(text, language, expected) -> None:
    assert negates(text, language) is expected


def test_german_nouns_are_not_taken_for_names() -> None:
    german = found("Das Rad hebt das Wasser auf die Felder.")
    question = "Welches Rad hebt Wasser aus dem Brunnen?"
    assert told(question, german, language="de").strangers == 0
    assert told(question, german, language="en").strangers == 1  # Brunnen


def test_without_a_dense_leg_the_sentence_tells_alone() -> None:
    question = "Which norias stand on the Orontes?"
    alone, both = told(question, found(HAMA)), told(question, found(HAMA, dense=0.9))
    assert alone.words == both.words
    assert both.similarity > alone.similarity
    assert alone.probability() > 0.5
    assert similarity(0.6, [found(HAMA, dense=0.4), found(HAMA, dense=0.2)]) == pytest.approx(0.5)


def test_a_heading_is_no_sentence_unless_it_stands_alone() -> None:
    page = found("## Hama\n\nIts wheels are old.", "Hama")
    assert [s.text for s in stated(page, "en")] == ["Its wheels are old."]
    assert [s.text for s in stated(found("# Hama", "Hama"), "en")] == ["# Hama"]


def test_passages_without_a_sentence_tell_nothing() -> None:
    assert signals("What?", (), FakeEncoder(), "en") is None
    assert signals("What?", (found(" "),), FakeEncoder(), "en") is None


def test_a_question_of_stop_words_and_a_language_without_any_are_fine() -> None:
    assert told("Who is it?").words == 0
    assert told("水车在哪里?", found("水车在河上。"), language="zh").words > 0
    assert told("Hol van a kerék?", found("A kerék a folyón van."), language="").words > 0


def test_few_sentences_are_embedded_however_many_there_are() -> None:
    encoder = Counted()
    long = found(" ".join(f"Wheel {n} stands there." for n in range(50)))
    signals("Where does wheel 7 stand?", [long] * 4, encoder, "en")
    assert len(encoder.passages) == SHORTLIST
    assert "Wheel 7 stands there." in encoder.passages


def test_equal_sentences_are_taken_from_the_better_passage() -> None:
    first, second = found("It turns.", "Hama"), found("It turns.", "Aleppo")
    assert told("Does it turn in Hama?", first, second).strangers == 0
    assert told("Does it turn in Hama?", second, first).strangers == 1


def test_the_same_question_gets_the_same_confidence() -> None:
    once, again = (told("Which norias stand on the Orontes?") for _ in range(2))
    assert once == again
    assert np.isfinite(once.probability())
