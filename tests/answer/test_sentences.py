from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.answer.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It runs. It stops.", ["It runs.", "It stops."]),
        ("Version 3.5 of e.g. Python is out.", ["Version 3.5 of e.g. Python is out."]),
        ("Mr. J. Smith left. He ran.", ["Mr. J. Smith left.", "He ran."]),
        ("One\n\nTwo", ["One", "Two"]),
        ("Take:\n- water\n- salt", ["Take:", "- water", "- salt"]),
        ('He said "Stop!" Then he ran.', ['He said "Stop!"', "Then he ran."]),
        ("", []),
        ("   ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@given(st.text(alphabet="aB1.!? \n-\"'", max_size=80))
def test_every_letter_is_in_one_sentence(text: str) -> None:
    spans = sentences(text)
    assert all(a < b for a, b in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    covered = {i for a, b in spans for i in range(a, b)}
    assert all(i in covered for i, letter in enumerate(text) if not letter.isspace())
