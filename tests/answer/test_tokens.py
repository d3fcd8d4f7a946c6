import pytest

from noria.answer.reading import Token, canonical, read


def terms(text: str, kind: str | None = None, language: str = "en") -> list[str]:
    return [t.term for t in read(text, language) if kind in (None, t.kind)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("25 million", "#25000000"),
        ("25,000,000", "#25000000"),
        ("2.5 million", "#2500000"),
        ("twenty-five", "#25"),
        ("Twenty years", "#20"),
        ("seven thousand", "#7000"),
        ("the 10th", "#10"),
        ("the third", "#3"),
        ("3.50", "#3.5"),
        ("the 1990s", "#1990"),
    ],
)
def test_numbers_are_read_by_their_value(text: str, value: str) -> None:
    assert terms(text, "number") == [value]


def test_number_words_are_english() -> None:
    assert terms("elf Six five", "number", "de") == []


def test_one_and_first_claim_nothing_until_they_count_something() -> None:
    assert [t.claims for t in read("one of the first", "en")] == [False, False]
    [million] = read("one million", "en")
    assert million == Token("#1000000", "number", 0, True, in_words=True)


def test_names_are_told_by_capitals_inside_a_sentence() -> None:
    found = read("Ada met Mr. Byron in the US: Many came.", "en")
    kinds = {t.term: (t.kind, t.claims) for t in found}
    assert kinds["ada"] == ("first", True)
    assert kinds["byron"] == ("name", True)
    assert kinds["mr"] == ("name", False)
    assert kinds["us"] == ("name", True)
    assert "may" in terms("It was built in May.", "name")
    assert "may" not in terms("It may be.")


def test_what_a_list_is_numbered_with_is_no_number() -> None:
    assert terms("1. Water\n2. Salt", "number") == []


def test_money_and_percent_are_words() -> None:
    assert terms("$5 or 5 %") == ["dollar", "#5", "#5", "percent"]


def test_a_number_of_any_length_is_kept() -> None:
    assert canonical("9" * 5000) == "9" * 5000
    assert terms("9" * 5000 + " million", "number") == ["#" + "9" * 5000]
