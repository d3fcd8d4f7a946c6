import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.answer.grounding import (
    LONGEST,
    MOST,
    ground,
    has_names,
    has_numbers,
    names,
    numbers,
)
from noria.models.fake import FakeEncoder
from noria.types import Candidate, Item

ENCODER = FakeEncoder()
WHEEL = Item("p1", "A noria lifts water. The wheel in Hama was built in 1361. It is 20 m high.")
TAX = Item("p2", "The tax was 20 francs a year. Nobody paid it gladly.")
FOUND = (Candidate(WHEEL, 2.0), Candidate(TAX, 1.0))


def test_a_supported_sentence_cites_the_sentence_that_supports_it() -> None:
    grounding = ground("When was it built?", "The wheel in Hama was built in 1361.", FOUND, ENCODER)
    assert grounding.share == 1.0
    [citation] = grounding.citations
    assert citation.item == WHEEL
    assert citation.quote == "The wheel in Hama was built in 1361."
    assert WHEEL.text[citation.start : citation.end] == citation.quote


def test_each_sentence_has_its_own_quote_and_unsupported_ones_have_none() -> None:
    answer = "A noria lifts water. The moon is made of cheese. The tax was 20 francs."
    grounding = ground("What?", answer, FOUND, ENCODER)
    supported = [answer[slice(*c.supports)] for c in grounding.citations]
    assert supported == ["A noria lifts water.", "The tax was 20 francs."]
    assert [c.item.id for c in grounding.citations] == ["p1", "p2"]
    whole = ground("What?", "A noria lifts water. The tax was 20 francs.", FOUND, ENCODER)
    assert grounding.share < whole.share


@pytest.mark.parametrize(
    "altered",
    ["The wheel in Hama was built in 1362.", "The wheel in Homs was built in 1361."],
)
def test_an_altered_number_or_name_is_not_supported(altered: str) -> None:
    assert ground("When?", altered, FOUND, ENCODER).citations == ()


def test_a_short_answer_is_placed_by_the_words_of_the_question() -> None:
    grounding = ground("How much was the tax a year?", "20", FOUND, ENCODER)
    assert [c.item.id for c in grounding.citations] == ["p2"]


def share(answer: str, question: str = "What?") -> float:
    return ground(question, answer, FOUND, ENCODER).share


@pytest.mark.parametrize(
    ("altered", "what"),
    [
        ("The wheel in Hama was built in 1499.", "a number that is nowhere"),
        ("The wheel in Hama was built in 20.", "a number of another passage"),
        ("The wheel in Homs was built in 1361.", "a name that is nowhere"),
        ("Bees make honey out of flowers.", "words that are nowhere"),
    ],
)
def test_what_speaks_against_the_passages_lowers_the_share(altered: str, what: str) -> None:
    faithful = share("The wheel in Hama was built in 1361.")
    assert share(altered) < 0.6 * faithful, what


def test_a_paraphrase_lies_between_a_copy_and_an_alteration() -> None:
    paraphrase = share("In 1361 they constructed the wheel in Hama.")
    assert share("The wheel in Hama was built in 1361.") > paraphrase
    assert paraphrase > share("In 1499 they constructed the wheel in Hama.")


def test_the_share_is_graded_where_no_sentence_is_cited() -> None:
    near = share("Hama's wheel, it seems, is from 1361, says a guide to the town.")
    assert near > share("Homs's wheel, it seems, is from 1499, says a guide to the town.") > 0


def test_all_of_a_long_answer_counts_towards_the_share_but_not_every_sentence_is_cited() -> None:
    answer = "A noria lifts water. " * (MOST + 5)
    grounding = ground("What?", answer, FOUND, ENCODER)
    assert len(grounding.citations) == MOST
    assert grounding.share == 1.0


@pytest.mark.parametrize(
    "text",
    ["." * 200_000, "Dr. " * 50_000, "1," * 100_000 + "1a", "A" + "-" * 200_000, ". " * 100_000],
    ids=["dots", "abbreviations", "digits", "hyphens", "empty sentences"],
)
def test_a_long_text_of_signs_is_read_to_its_end(text: str) -> None:
    assert 0 <= ground("What?", text, FOUND, ENCODER).share <= 1
    hostile = (Candidate(Item("p", text), 1.0),)
    assert 0 <= ground("What?", "The tax was 20 francs.", hostile, ENCODER).share <= 1


def test_an_empty_answer_has_nothing_to_support() -> None:
    grounding = ground("What?", "", FOUND, ENCODER)
    assert (grounding.share, grounding.citations) == (0.0, ())


def test_no_passages_support_nothing() -> None:
    assert ground("What?", "A noria lifts water.", (), ENCODER).share == 0.0


def test_a_long_sentence_is_quoted_in_part() -> None:
    text = " ".join(f"word{i}" for i in range(300)) + " the pump costs 77 euro " + "filler " * 100
    found = [Candidate(Item("p", text), 1.0)]
    [citation] = ground("What costs it?", "The pump costs 77 euro", found, ENCODER).citations
    assert "77" in citation.quote
    assert len(citation.quote.split()) <= LONGEST


@given(st.text(max_size=200), st.text(max_size=200))
def test_quotes_are_exact_spans_whatever_the_text(answer: str, passage: str) -> None:
    found = [Candidate(Item("p", passage), 1.0)]
    grounding = ground("q", answer, found, ENCODER)
    assert 0 <= grounding.share <= 1
    for citation in grounding.citations:
        assert passage[citation.start : citation.end] == citation.quote
        assert answer[slice(*citation.supports)].strip()


def test_facts() -> None:
    assert numbers("1,000 and 2.5") == {"1000", "2.5"}
    assert names("He met Ada in Paris.") == ["Ada", "Paris"]
    assert has_names("He met Ada.", "Ada was met.")
    assert not has_names("He met Ada.", "Eva was met.")
    assert not has_numbers("He met 2.", "He met 3.")


def test_a_name_may_be_inflected_but_not_a_stop_word() -> None:
    assert has_names("Es ist des Flusses.", "Die Flüsse.", {"fluss"}, "de")
    assert not has_names("Es ist des Baches.", "Die Flüsse.", {"fluss"}, "de")
    assert not has_names("It was built in May.", "It was built.", {"built"}, "en")


def test_words_of_the_question_may_stand_elsewhere_in_the_passage() -> None:
    item = Item("p", "The great mill stands in Hama. It was built in 1361 by monks.")
    answer = "The great mill was built in 1361."
    [citation] = ground(
        "When was the great mill built?", answer, [Candidate(item, 1)], ENCODER
    ).citations
    assert citation.quote == "It was built in 1361 by monks."
