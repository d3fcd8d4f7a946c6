from noria.answer.doubt import doubt
from noria.types import Candidate, Item

TEXT = (
    "The great wheel of Hama was built by Yusuf in 1361 and lifts water 21 m. "
    "The mill of Homs was built by Salim in 1532 and has 12 stones. "
    "A Russian traveller drew the mill."
)
FOUND = (Candidate(Item("p", TEXT), 1.0),)


def of(answer: str, question: str = "", text: str = TEXT, language: str = "en") -> float:
    return doubt(question, answer, (Candidate(Item("p", text), 1.0),), language)


def test_a_copy_has_no_doubt() -> None:
    assert of("The great wheel of Hama was built by Yusuf in 1361 and lifts water 21 m.") < 1e-9


def test_a_number_or_name_that_fits_another_place_is_doubted() -> None:
    right = of("Yusuf built the great wheel of Hama in 1361.")
    assert of("Salim built the great wheel of Hama in 1361.") > right + 0.2
    assert of("Yusuf built the great wheel of Hama in 1532.") > right + 0.2


def test_one_that_is_nowhere_is_doubted_more() -> None:
    elsewhere = of("Yusuf built the great wheel of Hama in 1532.")
    assert of("Yusuf built the great wheel of Hama in 1533.") > elsewhere + 1
    elsewhere = of("The great wheel of Hama was built by Salim.")
    assert of("The great wheel of Hama was built by Ibrahim.") > elsewhere + 1


def test_a_bare_answer_is_placed_by_the_question() -> None:
    asked = "When was the mill of Homs built?"
    assert of("1532", asked) < 0.1
    assert of("1361", asked) > 0.5


def test_words_that_stand_apart_are_doubted_more_than_those_together() -> None:
    assert of("The wheel lifts stones.") > of("The wheel lifts water.")


def test_a_name_that_is_derived_from_one_of_the_passages_is_half_believed() -> None:
    derived, foreign = of("The mill was drawn in Russia."), of("The mill was drawn in Persia.")
    assert derived < foreign


def test_small_numbers_in_words_may_count_what_is_listed() -> None:
    assert of("The text names two buildings.") < of("The text names 2 buildings.")


def test_a_long_answer_is_not_doubted_for_its_many_facts() -> None:
    short = "The mill has 13 stones."
    assert of(f"{TEXT} {short}") < of(short)


def test_headings_are_part_of_the_passage() -> None:
    bare = Candidate(Item("p", "It was built in 1361."), 1.0)
    headed = Candidate(Item("p", "It was built in 1361.", headings=("The Wheel of Hama",)), 1.0)
    answer = "The wheel of Hama was built in 1361."
    assert doubt("", answer, [headed], "en") < doubt("", answer, [bare], "en")


def test_an_answer_without_words_has_no_doubt() -> None:
    assert of("...") == 0.0
