"""General examples that may be rehearsed, as a file of chats, instructions or texts has them."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from noria.errors import DataError
from noria.evaluate.forgetting import suite
from noria.evaluate.questions import Question
from noria.evaluate.readers.entries import Place
from noria.evaluate.readers.files import first_line
from noria.jobs import unheard
from noria.tune.data.forms import example_of
from noria.tune.data.read import read
from noria.tune.examples import Example
from noria.types import Chat, Message

FEWEST = 16  # lessons that are rehearsed at least: a few would be learnt by heart


@dataclass(frozen=True, slots=True)
class Said:
    """What is rehearsed: a ``response`` after a chat, or a running text where there is no chat."""

    chat: Chat
    response: str
    weight: float = 1.0


def from_file(path: Path, seed: int = 0) -> tuple[list[Said], tuple[str, ...]]:
    """What a file of chats, instructions or texts holds, in an order drawn by ``seed``.

    Also what is wrong with it. Raises DataError where nothing can be used.
    """
    problems: Sequence[str]
    if is_text(path):
        problems = noted = list[str]()
        pieces = [p for p in suite.read_file(path, noted) if isinstance(p, suite.Piece)]
        said = [Said((), piece.before + piece.text) for piece in pieces]
    else:
        examples = read(path)
        problems = examples.problems
        usable = [each for each in examples.examples if each.response.strip()]
        said = [Said(chat_of(each), each.response, each.weight) for each in usable]
    if not said:
        raise DataError("no response in it that could be rehearsed", path)
    random.Random(seed).shuffle(said)
    return said, tuple(problems)


def is_text(path: Path) -> bool:
    """Whether a file holds running texts: ``.txt``, or objects with a ``text`` and nothing else."""
    if path.suffix == ".txt":
        return True
    try:
        record = json.loads(first_line(path))
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            return False
        example_of(record, Place(path, 1), 1, unheard)
    except DataError:
        return True
    except ValueError:
        return False
    return False


def chat_of(example: Example) -> Chat:
    """What stands before an example's response; a question with its context where it has one."""
    if example.turns:
        return example.turns
    asked: Question = example.question
    text = f"{asked.context}\n\n{asked.text}" if asked.context else asked.text
    return (Message("user", text),)


def digest(*texts: str) -> str:
    """A short name for some texts."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
