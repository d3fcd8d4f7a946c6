"""JSON Lines: an object a line, as ``noria.evaluate.readers.entries`` checks it."""

from collections.abc import Iterator
from pathlib import Path

from noria.errors import DataError
from noria.evaluate.questions import Questions
from noria.evaluate.readers.entries import Entry, Place, gathered
from noria.evaluate.readers.files import lines, parsed


def read(path: Path) -> Questions:
    """The questions of a file of lines."""
    return gathered(path, entries(path), 'lines {"id", "question"}')


def entries(path: Path) -> Iterator[Entry | DataError]:
    """What each line holds."""
    for number, line in lines(path):
        place = Place(path, number)
        try:
            yield place, parsed(line)
        except ValueError as error:  # UnicodeDecodeError is one, too
            yield place.wrong(f"not JSON: {error}")
