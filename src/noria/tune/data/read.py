"""Reads training data, whatever the form: the content tells it. ``docs/training-data.md``."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from noria.errors import DataError
from noria.evaluate.questions import Question
from noria.evaluate.readers import folder, jsonlines, looks_like_lines, pubmedqa, squad, table
from noria.evaluate.readers.entries import PROBLEMS, Entry, Place, labelled
from noria.evaluate.readers.files import first_line, lines, parsed, whole
from noria.tune.data.forms import example_of
from noria.tune.examples import Example

TABLES = frozenset({".csv", ".tsv"})
HEADERS = frozenset({"prompt", "instruction", "dialogue", "article", "input"})
# columns that say something of an example, and so are no slices
OF_EXAMPLE = ("response", "rejected", "origin", "weight")
EXPECTED = "examples in one of the forms of docs/training-data.md"


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of a file, and what is wrong with the places that hold none, or only a part."""

    examples: tuple[Example, ...]
    problems: tuple[str, ...] = ()


def read(path: Path, split: str = "train") -> Examples:
    """The examples of a file, or of a BEIR folder, whose ``split`` says what should be found.

    What is wrong is listed, with file and line, and left out. Raises DataError for a file that
    cannot be read, or in which no example is left.
    """
    if path.is_dir():
        found = folder.read(path, split)
        return Examples(tuple(Example(q, "") for q in found.asked), found.problems)
    return gathered(path, entries(path))


def gathered(path: Path, entries: Iterable[Entry | DataError]) -> Examples:
    """The examples among ``entries``, in their order; what is none is listed."""
    found: dict[str, Example] = {}
    problems: list[str] = []
    for number, entry in enumerate(entries):  # of a list, from 0, as its places are told
        try:
            if isinstance(entry, DataError):
                raise entry
            place, record = entry
            line = place.at if isinstance(place.at, int) else None
            notes: list[str] = []
            made = example_of(record, place, number if line is None else line, notes.append)
            if made.id in found:
                raise place.wrong(f'"id" {made.id!r} was there before')
            problems += [str(place.wrong(note)) for note in notes]
            found[made.id] = replace(made, line=line)
        except DataError as error:
            problems.append(str(error))
    if not found:
        first = f"; the first: {problems[0]}" if problems else ""
        raise DataError(f"nothing to learn from in it; expected {EXPECTED}{first}", path)
    if (more := len(problems) - PROBLEMS) > 0:
        problems[PROBLEMS:] = [f"{path}: {more:,} more problems are not listed"]
    return Examples(with_choices(tuple(found.values()), path), tuple(problems))


def with_choices(examples: Sequence[Example], path: Path) -> tuple[Example, ...]:
    """Classifications that do not say what to choose from may choose from the labels of all."""
    questions: Iterable[Question] = labelled((each.question for each in examples), path)
    return tuple(
        replace(each, question=question) for each, question in zip(examples, questions, strict=True)
    )


def entries(path: Path) -> Iterable[Entry | DataError]:
    """What a file holds, each with its place."""
    start = first_line(path)
    if start[:1] in (b"{", b"["):
        return of_json(path, start)
    # a broken header is told as such; without a suffix, lines are taken for JSON
    if delimiter(start) or path.suffix.lower() in TABLES:
        return of_table(path, start)
    return jsonlines.entries(path)


def of_json(path: Path, start: bytes) -> Iterable[Entry | DataError]:
    """What one JSON document holds, or the lines that begin with ``start``."""
    try:
        value = parsed(start)
    except ValueError:
        value = None  # the first line of a long document, or a broken one
    if isinstance(value, dict) and not squad.fits(value) and not pubmedqa.fits(value):
        return jsonlines.entries(path)
    try:
        return of_document(whole(path), path)
    except DataError:
        if looks_like_lines(path):
            return jsonlines.entries(path)
        raise


def of_document(document: object, path: Path) -> Iterable[Entry | DataError]:
    """The entries of a JSON document; raises DataError if it has none of the known forms."""
    if squad.fits(document):
        found = squad.paragraphs(document, path)
        return (
            entry
            for p in found
            for entry in ([p] if isinstance(p, DataError) else squad.entries(p))
        )
    if pubmedqa.fits(document):
        return pubmedqa.entries(document, path)
    if isinstance(document, list):
        return ((Place(path, f"[{at}]"), record) for at, record in enumerate(document))
    if isinstance(document, dict) and len(document) > 1:  # one example over several lines
        return [(Place(path, 1), document)]
    raise DataError(
        "a JSON document of no known form; expected SQuAD, PubMedQA, a list of examples, or JSON "
        "Lines, with one whole object on each line", path,
    )  # fmt: skip


def of_table(path: Path, start: bytes) -> Iterator[Entry | DataError]:
    """The rows of a table, as lines of JSON would hold them."""
    between = delimiter(start)
    top, *below = table.rows(path, between or table.DELIMITERS[0])
    if isinstance(top, DataError):
        raise top
    names = [name.lower() for name in top.cells]
    if not between:
        raise DataError(
            f"expected a header with a column question, text, prompt or instruction, got {names}",
            path, top.line,
        )  # fmt: skip
    rows = [table.of_width(row, len(names), path) for row in below]
    if table.delimiter(start):
        yield from of_questions(rows, top.cells, path)
        return
    for row in rows:
        if isinstance(row, DataError):
            yield row
        else:
            cells = {name: cell for name, cell in zip(names, row.cells, strict=True) if cell}
            yield typed(cells, Place(path, row.line))


def of_questions(
    rows: Sequence[table.Row | DataError], names: Sequence[str], path: Path
) -> Iterator[Entry | DataError]:
    """The rows of a table of questions, with what they say of an example."""
    top = next(lines(path))[0]
    keys = table.roles(names, Place(path, top))
    if "response" in (name.lower() for name in names):
        keys.pop("label", None)  # what is learnt is the response; the label parts the examples
    at = {name.lower(): place for place, name in enumerate(names)}
    own = {name: at[name] for name in (*OF_EXAMPLE, "intent") if name in at}
    if keys.get("label") == own.get("intent"):
        own.pop("intent", None)
    others = ["" if place in own.values() else name for place, name in enumerate(names)]
    sliced = table.sliced_by(others, keys, [row for row in rows if isinstance(row, table.Row)])
    for row in rows:
        if isinstance(row, DataError):
            yield row
            continue
        place = Place(path, row.line)
        made = table.entry(row, keys, sliced, place)
        cells = {name: row.cells[column] for name, column in own.items() if row.cells[column]}
        extra = typed(cells, place)
        if isinstance(made, DataError) or isinstance(extra, DataError):
            yield made if isinstance(made, DataError) else extra
            continue
        assert isinstance(made[1], dict)
        yield place, made[1] | extra[1]


def typed(cells: dict[str, str], place: Place) -> tuple[Place, dict[str, object]] | DataError:
    """A row whose numbers and truths are such; what is neither stays, so that it is told."""
    record: dict[str, object] = {**cells}
    if "weight" in cells:
        try:
            record["weight"] = float(cells["weight"])
        except ValueError:
            return place.wrong(f'expected a number as "weight", got {cells["weight"]!r:.60}')
    for name in ("unanswerable", "label"):
        if (said := cells.get(name, "").lower()) in table.TRUTHS:
            record[name] = table.TRUTHS[said]
    for name in ("rejected",):
        if name in cells:
            record[name] = [cells[name]]
    return place, record


def delimiter(header: bytes) -> str:
    """What stands between the columns of a header; empty if it names no column of examples."""
    if found := table.delimiter(header):
        return found
    try:
        text = header.decode("utf-8")
        split = {
            d: next(csv.reader([text], delimiter=d, strict=True), []) for d in table.DELIMITERS
        }
    except (UnicodeDecodeError, csv.Error):
        return ""
    named = (d for d, names in split.items() if any(n.strip().lower() in HEADERS for n in names))
    return next(named, "")
