"""The numbers and names of a sentence, and whether a text has them: the yes or no of a citation.

`answer/reading.py` reads numbers by their value, for the graded measure; here they are compared
as they are written, since a reader who follows a citation looks for them.
"""

import re
from collections.abc import Collection

from noria.words import UNKNOWN, stems, words

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NAME = re.compile(r"[A-Z][\w'-]*[A-Za-z0-9]|[A-Z]{2,}")


def has_numbers(sentence: str, text: str) -> bool:
    """Whether every number of ``sentence`` is in ``text``.

    >>> has_numbers("It cost 25 francs.", "It was 20 francs.")
    False
    """
    return numbers(sentence) <= numbers(text)


def has_names(
    sentence: str, text: str, context: Collection[str] = (), language: str = UNKNOWN
) -> bool:
    """Whether every name of ``sentence`` is in ``text``, or its stem among ``context``.

    ``context``: the terms of ``text``. In German every noun looks like a name, and is inflected.

    >>> has_names("It stands in Paris.", "Paris has it.")
    True
    """
    there, known = text.lower(), frozenset(context)
    return all(
        name.lower() in there or known.issuperset(stems(words(name), language))
        for name in dict.fromkeys(names(sentence))
    )


def numbers(text: str) -> set[str]:
    """The numbers of a text, written alike.

    >>> sorted(numbers("1,000 of 3.50"))
    ['1000', '3.50']
    """
    return {n.replace(",", "") for n in NUMBER.findall(text)}


def names(sentence: str) -> list[str]:
    """Capitalised words, the first of the sentence excepted: any word begins with a capital.

    >>> names("The Seine runs through Paris")
    ['Seine', 'Paris']
    """
    return [m.group() for m in NAME.finditer(sentence) if m.start() > 0]
