"""Data sets under the hash of their content, and their lines. Artifacts keep the files.

The same examples have the same id, in whatever order and under whatever ids of their own.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from noria.errors import UsageError
from noria.evaluate.readers.entries import Place
from noria.jobs import unheard
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


def lines(examples: Sequence[Example]) -> str:
    """The examples as JSON Lines, checked: each is read again as it was.

    Raises UsageError for one that no file could hold: a blank turn, half a character.
    """
    written = []
    for number, example in enumerate(examples, 1):
        made = entry(example)
        # unheard: what is kept has no notes
        again = example_of(made, Place(Path(NAME), number), number, unheard)
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
