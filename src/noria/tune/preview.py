"""Shows examples as the model reads them, with what is learnt marked.

What is shown is decoded from the very tokens of a lesson, special ones among them, so that a wrong
template, a missing end of turn or a question that was cut off can be seen. What is learnt stands
between marks as well as in colour: it can be told in a pipe, and without seeing colours. Data are
not trusted: what a terminal would obey is written out.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from noria.tune.render import Lesson

if TYPE_CHECKING:
    from rich.text import Text

Kind = Literal["read", "learnt", "special", "learnt special", "left out"]

OPEN, CLOSE = "⟦", "⟧"  # around what is learnt; in the data they are written out
HEAD, TAIL = 120, 200  # tokens of a long prompt that are shown: its end holds the question
STYLES: dict[Kind, str] = {
    "read": "",
    "learnt": "bold green",
    "special": "dim cyan",
    "learnt special": "bold cyan",
    "left out": "dim italic",
}
# U+202A to U+202E and U+2066 to U+2069 turn the direction of writing: text then reads otherwise
# than it stands
TURNING = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))


@dataclass(frozen=True, slots=True)
class Segment:
    """Text of one kind, and the number of its tokens. Of what is left out, a note says how many."""

    kind: Kind
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Shown:
    """An example as the model reads it. ``read`` and ``learnt`` count tokens."""

    id: str
    read: int
    learnt: int
    weight: float
    segments: tuple[Segment, ...]


def preview(
    lessons: Sequence[Lesson], tokenizer: Any, count: int = 3, head: int = HEAD, tail: int = TAIL
) -> tuple[Shown, ...]:
    """The first ``count`` lessons; of a longer prompt its first ``head`` and last ``tail`` tokens.

    ``tokenizer``: the one of transformers that made the lessons.
    """
    return tuple(shown(lesson, tokenizer, head, tail) for lesson in lessons[:count])


def shown(lesson: Lesson, tokenizer: Any, head: int = HEAD, tail: int = TAIL) -> Shown:
    """One lesson in segments."""
    special = frozenset(tokenizer.all_special_ids)
    before, after = lesson.before, lesson.after
    left = len(before) - head - tail
    if left > 0:
        end = before[len(before) - tail :]
        prompt = [
            *decoded(before[:head], "read", special, tokenizer),
            Segment("left out", f"\n[… {left:,} tokens are read here, and not shown …]\n", left),
            *decoded(end, "read", special, tokenizer, before[-tail - 1 : -tail]),
        ]
    else:
        prompt = [*decoded(before, "read", special, tokenizer)]
    learnt = decoded(after, "learnt", special, tokenizer, before[-1:])
    return Shown(lesson.id, len(before), len(after), lesson.weight, (*prompt, *learnt))


def decoded(
    ids: Sequence[int],
    kind: Literal["read", "learnt"],
    special: frozenset[int],
    tokenizer: Any,
    last: Sequence[int] = (),
) -> Iterator[Segment]:
    """Runs of special and of other tokens, as text. ``last``: the token before, if any.

    A run is decoded together, since a letter may be of several tokens.
    """
    for marked, group in groupby(ids, special.__contains__):
        run = tuple(group)
        name: Kind = kind
        if marked:
            name = "special" if kind == "read" else "learnt special"
        yield Segment(name, harmless(text(run, last, tokenizer)), len(run))
        last = run[-1:]


def text(run: Sequence[int], last: Sequence[int], tokenizer: Any) -> str:
    """What ``run`` adds to the text when it follows ``last``.

    Some tokenizers drop a space where decoding begins, so decoding begins one token earlier.
    """
    begun, whole = written(last, tokenizer), written((*last, *run), tokenizer)
    return whole.removeprefix(begun) if whole.startswith(begun) else written(run, tokenizer)


def written(ids: Sequence[int], tokenizer: Any) -> str:
    """Tokens as text, special ones with it."""
    decoding: str = tokenizer.decode(
        list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return decoding


def harmless(text: str) -> str:
    r"""``text`` with what a terminal would obey, and the marks of learning, written out.

    Line ends and tabs stay.

    >>> print(harmless("red: \x1b[31m, right to left: \u202e, a mark: ⟦"))
    red: \x1b[31m, right to left: \u202e, a mark: \u27e6
    """
    return "".join(map(seen, text))


def seen(letter: str) -> str:
    """A character, or how it is written in code."""
    if letter in "\n\t":
        return letter
    if letter in (OPEN, CLOSE) or letter in TURNING or unruly(letter):
        return letter.encode("unicode_escape").decode("ascii")
    return letter


def unruly(letter: str) -> bool:
    """Whether it is a control, a line end of Unicode, or half a character."""
    return unicodedata.category(letter) in {"Cc", "Zl", "Zp", "Cs"}


def coloured(previews: Iterable[Shown]) -> "Text":
    """The previews for a console of rich, which leaves the colours out where there are none."""
    from rich.text import Text

    whole = Text()
    for each in previews:
        whole.append(f"{title(each)}\n", style="bold")
        for learnt, group in groupby(each.segments, lambda segment: "learnt" in segment.kind):
            whole.append(OPEN if learnt else "", style="bold green")
            for segment in group:
                whole.append(segment.text, style=STYLES[segment.kind])
            whole.append(CLOSE if learnt else "", style="bold green")
        whole.append("\n\n")
    return whole


def title(each: Shown) -> str:
    """What stands above an example."""
    weight = "" if each.weight == 1.0 else f", weight {each.weight:g}"
    counts = f"{each.read:,} tokens read, {each.learnt:,} learnt, between {OPEN} and {CLOSE}"
    return f"{harmless(' '.join(each.id.split()))}: {counts}{weight}"


def as_json(previews: Iterable[Shown]) -> list[dict[str, Any]]:
    """The previews for ``--json``."""
    return [asdict(each) for each in previews]
