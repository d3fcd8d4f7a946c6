"""What is wrong with one example, or one text, whatever the others are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal

from noria.answer.prompt import FORGED
from noria.errors import MissingExtraError
from noria.tune.data.clean import texts_of
from noria.tune.examples import Example
from noria.types import Chat

Kind = Literal[
    "empty", "encoding", "template", "turns", "duplicate", "near-duplicate", "contradiction",
    "leak", "near-leak", "shared document", "balance", "too long", "personal data",
]  # fmt: skip
LOST = "\ufffd"  # stands where a decoder gave up
# what no keyboard types; of the newer ones, U+0085 and others are mojibake of their own
CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# headings that another model's template leaves in the text
FOREIGN = re.compile(
    r"^(?:### (?:Instruction|Response|Input|Human|Assistant):|USER:|ASSISTANT:)"
    r"|(?:\A|\n\n)(?:Human|Assistant):",
    re.MULTILINE,
)
AROUND = 12  # characters shown on each side of what is wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at; ``id`` and ``line`` say in which example, if in one alone."""

    kind: Kind
    what: str
    id: str | None = None
    line: int | None = None


def of_example(example: Example) -> Iterator[Finding]:
    """What is wrong with one example, each kind once."""
    known: set[Kind] = set()
    told = [pair for text in texts_of(example) for pair in of_text(text)]
    for kind, what in (*of_shape(example), *told):
        if kind not in known:
            known.add(kind)
            yield Finding(kind, what, example.id, example.line)


def of_shape(example: Example) -> Iterator[tuple[Kind, str]]:
    """What is wrong with the parts of an example."""
    if not (example.response or example.rejected or example.question.unanswerable):
        yield "empty", "no response: only a retriever can learn from it, if it names a document"
    if wrong := disorder(example.turns):
        yield "turns", wrong


def disorder(turns: Chat) -> str:
    """Why a chat template would refuse the turns before a response; empty if it would not."""
    roles = [turn.role for turn in turns]
    if "system" in roles[1:]:
        return "a turn of the system that is not the first; most templates refuse that"
    said = roles[1:] if roles[:1] == ["system"] else roles
    if turns and (not said or said[-1] != "user"):
        return "the turn before the response is not the user's"
    if said[:1] == ["assistant"]:
        return "the chat begins with the assistant; expected the user"
    if any(one == other for one, other in pairwise(said)):
        return "two turns in a row of the same role; join them, or add what lies between"
    return ""


@cache
def damage() -> Any:
    """What tells mojibake; imported when first needed."""
    try:
        from ftfy import fix_encoding
        from ftfy.badness import is_bad
    except ImportError:
        raise MissingExtraError("ftfy", "tune") from None

    return is_bad, fix_encoding


def of_text(text: str) -> Iterator[tuple[Kind, str]]:
    """What is wrong with a text: damaged by an encoding, or pretending to be a template."""
    if LOST in text:
        yield "encoding", f"U+FFFD stands for a lost character: {around(text, text.index(LOST))}"
    is_bad, fix = damage()
    if not text.isascii() and is_bad(text) and fix(text) != text:
        at = first_difference(text, fix(text))
        yield "encoding", f"read in a wrong encoding once: {around(text, at)}"
    if match := CONTROL.search(text):
        yield (
            "encoding",
            f"U+{ord(match[0]):04X} is no character of a text: " + around(text, match.start()),
        )
    if match := FORGED.search(text) or FOREIGN.search(text):
        yield "template", f"{match[0]!r} is a mark of a chat template, and will be read as words"


def first_difference(one: str, other: str) -> int:
    """Where two texts part."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def around(text: str, at: int) -> str:
    """A few characters around a place."""
    return repr(text[max(0, at - AROUND) : at + AROUND])
