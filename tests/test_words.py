from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.words import SNOWBALL, content_words, coverage, stem, stemmers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("The of and", []),
        ("Wheels, wheel's WHEEL", ["wheel", "wheel", "wheel"]),
        ("It's what it doesn\u2019t lift", ["lift"]),
        ("version 2.13 of HTTP/2", ["version", "2", "13", "http", "2"]),
        ("snake_case_name", ["snake", "case", "name"]),
        (
            "M\u00fchle, \u03c4\u03c1\u03bf\u03c7\u03cc\u03c2",
            ["m\u00fchle", "\u03c4\u03c1\u03bf\u03c7\u03cc\u03c2"],
        ),
    ],
)
def test_content_words(text, words) -> None:
    assert content_words(text) == words


def test_other_languages_have_stems_of_their_own() -> None:
    assert content_words("H\u00e4user", "de") == content_words("Haus", "de") == ["haus"]
    assert content_words("roues", "fr") == content_words("roue", "fr")
    assert content_words("wheels", "xx") == ["wheels"]  # no stemmer: the word itself


@pytest.mark.parametrize("language", SNOWBALL)
def test_every_language_named_has_a_stemmer(language) -> None:
    assert stemmers(language) is not None


@given(st.text(max_size=60), st.sampled_from(["en", "de", "ru", "xx"]))
def test_words_have_no_white_space_and_repeat(text, language) -> None:
    words = content_words(text, language)
    assert all(word == "".join(word.split()) for word in words)
    assert content_words(text, language) == words


def test_stems_are_the_same_from_many_threads() -> None:
    words = [f"{start}{end}" for start in ("lift", "turn", "walk", "work", "paint")
             for end in ("ing", "ed", "s", "er", "ings")] * 8  # fmt: skip
    stem.cache_clear()
    alone = [stem(word, "en") for word in words]
    stem.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda word: stem(word, "en"), words))
    assert together == alone


def test_coverage() -> None:
    assert coverage(set(), {"a"}) == 0
    assert coverage({"a"}, set()) == 0
    assert coverage({"a", "b", "c"}, {"a", "c", "d"}) == pytest.approx(2 / 3)
    assert coverage({"a"}, {"a"}) == 1
