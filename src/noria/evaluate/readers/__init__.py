"""Tells by its content what format a file of questions has, and reads it."""

from pathlib import Path

from noria.errors import DataError
from noria.evaluate.questions import Questions
from noria.evaluate.readers import folder, jsonlines, pubmedqa, squad, table
from noria.evaluate.readers.files import first_line, lines, parsed, whole

TABLES = frozenset({".csv", ".tsv"})


def read(path: Path, split: str = "test") -> Questions:
    """The questions of ``path``; see ``noria.evaluate.questions.read``."""
    if path.is_dir():
        return folder.read(path, split)
    first = first_line(path)
    if first[:1] in (b"{", b"["):
        return of_json(path, first)
    # a broken header is told as such; without a suffix, lines are taken for JSON
    if table.delimiter(first) or path.suffix.lower() in TABLES:
        return table.read(path)
    return jsonlines.read(path)


def of_json(path: Path, first: bytes) -> Questions:
    """Of one JSON document, or of JSON Lines, which begin with ``first``."""
    try:
        start = parsed(first)
    except ValueError:
        start = None  # the first line of a long document, or a broken one
    if start is not None and not squad.fits(start) and not pubmedqa.fits(start):
        if isinstance(start, list) and sum(1 for _ in lines(path)) == 1:
            raise a_list(path)
        return jsonlines.read(path)
    try:
        return of_document(whole(path), path)
    except DataError as error:
        if start is not None or not looks_like_lines(path):
            raise
        broken = error
    try:
        return jsonlines.read(path)
    except DataError:
        raise broken from None  # neither: what the document lacks says more


def of_document(document: object, path: Path) -> Questions:
    """Of one JSON document; raises DataError if it has none of the known forms."""
    if squad.fits(document):
        return squad.read(document, path)
    if pubmedqa.fits(document):
        return pubmedqa.read(document, path)
    if isinstance(document, list):
        raise a_list(path)
    raise DataError(
        'a JSON document of no known form; expected SQuAD ({"data": [..]}), PubMedQA '
        '({"<id>": {"QUESTION": ..}}), or JSON Lines, with one whole object on each line',
        path,
    )


def a_list(path: Path) -> DataError:
    """A list says nowhere what its entries are; one tool turns it into lines."""
    return DataError(
        'a JSON list; expected JSON Lines, one object a line without commas between: '
        "jq -c '.[]' turns the one into the other",
        path,
    )  # fmt: skip


def looks_like_lines(path: Path) -> bool:
    """Whether the second line begins an object, as it does below a broken line of JSON Lines."""
    starts = (line[:1] for _, line in lines(path))
    return next(starts, b"") == b"{" and next(starts, b"") == b"{"
