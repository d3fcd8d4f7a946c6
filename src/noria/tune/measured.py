"""The texts with which forgetting is measured, found in others: those are not rehearsed."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from noria.evaluate.forgetting import suite
from noria.tune.data.alike import said_in
from noria.tune.said import Said

WINDOW = 13  # words; of two texts that share thirteen in a row, one has the other
SHORTEST = 5  # words of a measured text that are looked for inside others

Words = tuple[str, ...]


class Measured:
    """The texts with which forgetting is measured, to be found in others.

    A text has one of them if both share thirteen words in a row, or all of it where it is shorter;
    capitals, punctuation and space do not count.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        parts: set[Words] = set()
        for text in texts:
            words = tuple(said_in(text))
            parts.update(windows(words, WINDOW) if len(words) > WINDOW else (words,))
        self._inside = {part for part in parts if len(part) >= SHORTEST}
        self._whole = parts - self._inside
        self._sizes = sorted({len(part) for part in self._inside})

    def has(self, said: Said) -> bool:
        """Whether one of them is in what was said, before or in the response."""
        return any(self._in(text) for text in (said.response, *(t.content for t in said.chat)))

    def _in(self, text: str) -> bool:
        words = tuple(said_in(text))
        return words in self._whole or any(
            part in self._inside for size in self._sizes for part in windows(words, size)
        )


def measured_in(folder: Path) -> Measured:
    """The questions and texts of a folder of general questions; raises DataError."""
    found = suite.read(folder)
    questions = (each.question for several in found.sets.values() for each in several)
    every = (each for several in found.texts.values() for each in several)
    texts = (each.before + each.text for each in every if isinstance(each, suite.Piece))
    return Measured([*questions, *texts])


def windows(words: Words, size: int) -> Iterator[Words]:
    """Each ``size`` words in a row.

    >>> list(windows(("a", "b", "c"), 2))
    [('a', 'b'), ('b', 'c')]
    """
    return (words[at : at + size] for at in range(len(words) - size + 1))
