"""The file of synthetic questions: what it holds already, and what is added to it, whole or not.

Knows nothing of how they are written.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from noria.errors import DataError, UsageError
from noria.evaluate.questions import Question
from noria.evaluate.readers import jsonlines
from noria.evaluate.synthesis.inquiry import Inquiry


def entry(inquiry: Inquiry) -> dict[str, object]:
    """A question as a line of JSON Lines has it; ``docs/synthesize.md`` says what the keys are."""
    item, span = inquiry.item, inquiry.span
    digest = hashlib.sha256(f"{item.id}\0{inquiry.question}".encode()).hexdigest()
    return {
        "id": f"synthetic-{digest[:12]}",
        "question": inquiry.question,
        "answers": [inquiry.answer],
        "documents": [item.document or item.id],
        "context": item.text,
        "passage": item.id,
        "start": span.start,
        "end": span.end,
        "origin": "synthetic",
    }


def door(path: Path, append: bool) -> tuple[Question, ...]:
    """The questions that a file holds already; none where there is no file.

    Raises UsageError for a file that is there and is not to be appended to, DataError for one that
    holds anything but questions, or cannot be written.
    """
    if os.path.lexists(path) and not append:
        raise UsageError(
            f"{path}: exists; name another file, or add to its questions with --append"
        )
    held: tuple[Question, ...] = ()
    if path.exists() and not (path.is_file() and path.stat().st_size == 0):
        found = jsonlines.read(path)
        if found.problems:
            raise UsageError(f"{found.problems[0]}; put that right before you append")
        held = found.asked
    with replacing(path):
        pass
    return held


def write(path: Path, kept: Sequence[Inquiry]) -> None:
    """Add a line for each question to ``path``; a crash leaves it as it was, or whole.

    Raises DataError if it cannot be written.
    """
    with replacing(path) as part:
        before = path.read_bytes() if path.exists() else b""
        lines = [json.dumps(entry(each), ensure_ascii=False) for each in kept]
        seam = b"\n" if before and not before.endswith(b"\n") else b""
        with part.open("wb") as file:
            file.write(before + seam + "".join(f"{line}\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside ``path``, to be renamed to it; it is removed if it is left."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.touch()
        yield part
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}; name another file", path) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
