"""General lessons beside those of an order, so that what a model could do before is not unlearnt.

They come from a file, or from the model itself. An adapter learns of them what its base expects,
token by token, and not what they say: to learn a text again sharpens what was left open, and that
is forgetting too. Nothing is rehearsed with which forgetting is measured.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noria.errors import DataError, NoriaError, UsageError
from noria.evaluate.forgetting import suite
from noria.jobs import silent
from noria.protocols import LLM, Progress
from noria.tune.measured import Measured, measured_in
from noria.tune.own_voice import OwnVoice, opening
from noria.tune.render import Lesson, Renderer
from noria.tune.said import FEWEST, Said, digest, from_file

OWN = "the model's own voice"  # the name of a source that is no file
ORIGIN = "replay"  # how the id of a rehearsed lesson begins


@dataclass(frozen=True, slots=True)
class Replay:
    """Lessons that are ``share`` of all that is learnt, and what was wrong with their source."""

    lessons: tuple[Lesson, ...]
    share: float
    source: str
    problems: tuple[str, ...] = ()


def beside(
    lessons: Sequence[Lesson],
    share: float,
    renderer: Renderer,
    tokenizer: Any,
    longest: int,
    llm: Callable[[], LLM],
    home: Path,
    file: Path | None = None,
    general: Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Replay:
    """What is rehearsed beside ``lessons``: from ``file``, or in the voice of ``llm``, the base.

    ``llm`` is asked for only without a file; what it writes is kept below ``home``. ``longest``:
    tokens of a lesson. ``general``: the folder with which forgetting is measured. Raises
    ModelError and UsageError, of which DataError is one, where nothing can be rehearsed.
    """
    make = lessons_by(renderer, tokenizer, longest)
    measured = measured_in(general) if general else None
    if file is None:
        voice = OwnVoice(llm(), opening(tokenizer), home / ORIGIN, seed, progress)
        return rehearsed(lessons, share, voice, make, measured, OWN)
    said, problems = from_file(file, seed)
    found = rehearsed(lessons, share, said, make, measured, file.name)
    return replace(found, problems=(*problems, *found.problems))


def rehearsed(
    lessons: Sequence[Lesson],
    share: float,
    said: Iterable[Said],
    make: Callable[[Said], Lesson],
    measured: Measured | None = None,
    source: str = "",
    fewest: int = FEWEST,
) -> Replay:
    """As much of ``said``, in its order, as makes it ``share`` of what is learnt with ``lessons``.

    Counted are learnt tokens with their weights, since the loss is a mean over these: a tenth of
    the examples would be nine tenths of the loss where answers have three tokens and general ones
    two hundred. The weights of what is rehearsed are set so that the share is exact. ``make``
    turns what was said into a lesson. Raises UsageError for a share that is none, DataError where
    nothing can be rehearsed.
    """
    if not 0 < share < 1:
        raise UsageError(f"--replay {share}: expected a share between 0 and 1, such as 0.1")
    wanted = share / (1 - share) * learnt(lessons)
    if not wanted:
        raise UsageError("no lessons beside which something could be rehearsed")
    found: list[Lesson] = []
    problems: list[str] = []
    overlapping = 0
    for each in said:
        if measured is not None and measured.has(each):
            overlapping += 1
            continue
        try:
            found.append(make(each))
        except NoriaError as error:  # too long, or empty: one example, not the source
            problems.append(f"left out of what is rehearsed: {error}")
            continue
        if len(found) >= fewest and learnt(found) >= wanted:
            break
    if overlapping:
        several = "text is" if overlapping == 1 else "texts are"
        problems.append(
            f"{source}: {overlapping} {several} left out of what is rehearsed: forgetting is "
            "measured with the same words"
        )
    if not found:
        raise DataError(
            "nothing in it can be rehearsed" + (f"; the last: {problems[-1]}" if problems else ""),
            source,
        )
    factor = wanted / learnt(found)
    if factor > 2:
        problems.append(
            f"{source}: what can be rehearsed is little, and each token of it counts "
            f"{factor:.1f} times; give more general data, or a smaller share than {share:g}"
        )
    weighed = tuple(replace(each, weight=each.weight * factor, kept=True) for each in found)
    return Replay(weighed, share, source, tuple(problems))


def learnt(lessons: Iterable[Lesson]) -> float:
    """Learnt tokens with their weights."""
    return sum(each.weight * len(each.after) for each in lessons)


def lessons_by(renderer: Renderer, tokenizer: Any, longest: int) -> Callable[[Said], Lesson]:
    """Makes lessons of at most ``longest`` tokens of what was said."""

    def make(said: Said) -> Lesson:
        name = f"{ORIGIN}/{digest(said.response, *(turn.content for turn in said.chat))}"
        if said.chat:
            return renderer.lesson(name, said.chat, said.response, said.weight)
        return continuation(name, said.response, tokenizer, longest)

    return make


def continuation(name: str, text: str, tokenizer: Any, longest: int) -> Lesson:
    """A running text of which all but the first word is learnt; of a long one its beginning."""
    piece = next(iter(suite.pieces(text)), None)
    if piece is None:
        raise UsageError(f"{name}: a text without words apart, or under {suite.LEAST} characters")
    before = tuple(tokenizer(piece.before)["input_ids"])
    whole = tuple(tokenizer(piece.before + piece.text)["input_ids"])[:longest]
    if whole[: len(before)] != before or len(whole) == len(before):
        raise UsageError(f"{name}: the tokenizer merges its first word {piece.before!r} with more")
    return Lesson(name, before, whole[len(before) :])
