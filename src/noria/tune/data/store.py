"""Keeps examples as data sets, each in a folder that is named by what it holds.

A data set's id is the hash of its content: the same examples have the same id, in whatever order
and under whatever ids of their own. A folder is filled under another name and renamed when the
manifest, written last, is on disk.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from noria.errors import DataError, UsageError
from noria.evaluate.readers import jsonlines
from noria.evaluate.readers.entries import Place
from noria.tune.data.forms import example_of
from noria.tune.examples import Dataset, Example

NAME = "examples.jsonl"
VERSION = "examples 1"  # raise whenever the same content would be written otherwise
ID = 32  # hexadecimal digits of an id


def dataset(examples: Sequence[Example]) -> Dataset:
    """The examples under the hash of their content, in an order that it decides.

    Content is all but ids and lines: texts, labels, documents, slices, origins, weights; an example
    that is there twice counts twice. Raises UsageError for no examples, or two with one id.
    """
    if not examples:
        raise UsageError("no examples; a data set needs one at least")
    ids = {each.id for each in examples}
    if len(ids) < len(examples):
        raise UsageError(f"{len(examples)} examples with {len(ids)} ids; expected one id for each")
    marked = sorted(((digest(each), each.id, each) for each in examples), key=lambda m: m[:2])
    whole = "\n".join([VERSION, *(mark for mark, _, _ in marked)])
    id = hashlib.sha256(whole.encode()).hexdigest()[:ID]
    return Dataset(id, tuple(replace(each, line=None) for _, _, each in marked))


def digest(example: Example) -> str:
    """Digest of what an example says, without its id."""
    content = {key: value for key, value in entry(example).items() if key != "id"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def entry(example: Example) -> dict[str, object]:
    """An example as a line of JSON has it; ``noria.tune.data.read`` reads the same again."""
    question = example.question
    optional: dict[str, object] = {
        "documents": list(question.documents),
        "context": question.context,
        "choices": list(question.choices),
        "slice": dict(question.slice),
        "unanswerable": question.unanswerable,
        "turns": [{"role": turn.role, "content": turn.content} for turn in example.turns],
        "rejected": list(example.rejected),
        "intent": example.intent,
        "weight": None if example.weight == 1 else example.weight,
    }
    return {
        "id": question.id,
        "question": question.text,
        "answers": list(question.answers),
        "response": example.response,
        "task": question.task,
        "origin": example.origin,
    } | {key: value for key, value in optional.items() if value}


def silent(note: str) -> None:
    """Listens to no note: what is kept has none."""


def lines(examples: Sequence[Example]) -> str:
    """The examples as JSON Lines, checked: each is read again as it was.

    Raises UsageError for one that no file could hold: a blank turn, half a character.
    """
    written = []
    for number, example in enumerate(examples, 1):
        made = entry(example)
        again = example_of(made, Place(Path(NAME), number), number, silent)
        if again != replace(example, line=None):
            raise UsageError(f"example {example.id!r:.60}: would be read again as another one; "
                             "expected what noria.tune.data.read makes")  # fmt: skip
        written.append(json.dumps(made, ensure_ascii=False) + "\n")
    return "".join(written)


def write(path: Path, examples: Sequence[Example]) -> None:
    """Write examples as JSON Lines; a crash leaves no part of a file.

    Raises DataError if it cannot be written.
    """
    from noria.evaluate.synthesis.synthetic import replacing

    text = lines(examples)
    with replacing(path) as part:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def store(kept: Dataset, folder: Path) -> Path:
    """Write a data set below ``folder``, unless it is there; returns its own folder."""
    from noria.models.cache import kept as made_once

    def write(place: Path) -> Path:
        path = place / NAME
        path.write_text(lines(kept.examples), encoding="utf-8")
        return path

    made_once(folder / kept.id, f"dataset {kept.id}", "storing a data set", write)
    return folder / kept.id


def load(folder: Path, id: str) -> Dataset:
    """The data set that ``store`` wrote below ``folder``.

    Raises DataError where it is not there, or is not any more what its id says.
    """
    from noria.models.cache import FILES, read_manifest

    if read_manifest(folder / id) is None:
        held = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        raise DataError(
            f"no whole data set {id!r:.60} in this folder; expected one of {held[:10]}", folder
        )
    path = folder / id / FILES / NAME
    examples = []
    for number, each in enumerate(jsonlines.entries(path), 1):
        if isinstance(each, DataError):
            raise each
        examples.append(example_of(each[1], each[0], number, silent))
    found = dataset(examples)
    if found.id != id:
        raise DataError(
            f"damaged: its content is that of {found.id}, not of {id}; make it again", path
        )
    return found
