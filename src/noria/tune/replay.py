"""General data among the lessons, so that what a model could do before is not unlearnt.

It comes from a file (chats, instructions with responses, running texts), or from the model itself:
given only the beginning of a user's turn, an instruction-tuned model writes what a user may ask
(Magpie, Xu et al. 2024), and it answers that before it is tuned (self-synthesized rehearsal, Huang
et al. 2024). Nothing is rehearsed with which forgetting is measured.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from noria.errors import DataError, ModelError, NoriaError, UsageError
from noria.evaluate.forgetting import suite
from noria.evaluate.questions import Question
from noria.evaluate.readers.entries import Place
from noria.evaluate.readers.files import first_line
from noria.jobs import silent
from noria.protocols import LLM, Progress
from noria.store.content import read_json, write_json
from noria.tune.data.alike import known, said_in
from noria.tune.data.forms import example_of
from noria.tune.data.read import read
from noria.tune.examples import Example
from noria.tune.render import Lesson, Renderer
from noria.types import Chat, Completion, Message, Sampling

OWN = "the model's own voice"  # the name of a source that is no file
ORIGIN = "replay"  # how the id of a rehearsed lesson begins
FEWEST = 16  # lessons that are rehearsed at least: a few would be learnt by heart
ASKING = Sampling(max_tokens=96, temperature=1.0)  # of what the model has a user say
# Greedy: what the model most likely says, it is to keep. A lower bound would keep short ones only.
ANSWERING = Sampling(max_tokens=512)
MOST = 512  # conversations: the next ones would take long, and each counts more instead
ROUND = 8  # prompts that are answered together; after them everything is on disk
TRIED, USABLE = 64, 1 / 16  # after so many prompts at least this share must have been usable
DISTINCT = 0.75  # share of the runs of four words that must differ, or a text goes round in circles
RUN, WINDOW = 4, 13  # words; of two texts that share thirteen in a row, one has the other
SHORTEST = 5  # words of a measured text that are looked for inside others
SEEDS = 2**31 - 2  # that llama.cpp tells apart
VERSION = 1  # of how the model is asked: what was kept of another way is not used
STAND_IN = "Qxzvjw"  # what a template is given for a user's words, to see what it puts around

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What is rehearsed: a ``response`` after a chat, or a running text where there is no chat."""

    chat: Chat
    response: str
    weight: float = 1.0


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
    measured: "Measured | None" = None,
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
    weighed = tuple(replace(each, weight=each.weight * factor) for each in found)
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


def from_file(path: Path, seed: int = 0) -> tuple[list[Said], tuple[str, ...]]:
    """What a file of chats, instructions or texts holds, in an order drawn by ``seed``.

    Also what is wrong with it. Raises DataError where nothing can be used.
    """
    if is_text(path):
        problems: list[str] = []
        pieces = [p for p in suite.read_file(path, problems) if isinstance(p, suite.Piece)]
        said = [Said((), piece.before + piece.text) for piece in pieces]
        found = said, tuple(problems)
    else:
        examples = read(path)
        usable = [each for each in examples.examples if each.response.strip()]
        found = (
            [Said(chat_of(each), each.response, each.weight) for each in usable],
            (examples.problems),
        )
    if not found[0]:
        raise DataError("no response in it that could be rehearsed", path)
    random.Random(seed).shuffle(found[0])
    return found


def is_text(path: Path) -> bool:
    """Whether a file holds running texts: ``.txt``, or objects with a ``text`` and nothing else."""
    if path.suffix == ".txt":
        return True
    try:
        record = json.loads(first_line(path))
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            return False
        example_of(record, Place(path, 1), 1, lambda note: None)
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


@dataclass(frozen=True, slots=True)
class Opening:
    """What a chat template writes before a user's words, and the mark with which it ends them."""

    before: str
    end: str


def opening(tokenizer: Any) -> Opening:
    """Where a user's turn begins and ends, by the tokenizer's own chat template.

    Raises ModelError for a template that cannot be looked into so.
    """
    if not tokenizer.chat_template:
        raise ModelError(
            "the model has no chat template, so nothing says where a user's turn begins; "
            "name general data with --replay-from"
        )
    turn = [{"role": "user", "content": STAND_IN}]
    text: str = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=False)
    before, stand_in, after = text.partition(STAND_IN)
    marks = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    placed = [(after.find(mark), -len(mark), mark) for mark in marks if mark and mark in after]
    end = min(placed)[2] if placed else after.strip()
    if not stand_in or STAND_IN in after or not before or not end:
        raise ModelError(
            "the chat template does not show where a user's turn begins and ends; "
            "name general data with --replay-from"
        )
    bos = tokenizer.bos_token or ""
    if bos and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id:
        before = before.removeprefix(bos)  # who reads a text puts it there
    return Opening(before, end)


class OwnVoice:
    """What a model has a user say, and how it answers, as often as it is asked for.

    Everything it wrote is kept below ``folder``, by what decides it, and never written again: the
    same model and ``seed`` give the same. ``progress`` is told how many are there.
    """

    def __init__(
        self,
        llm: LLM,
        opening: Opening,
        folder: Path,
        seed: int = 0,
        progress: Progress = silent,
    ) -> None:
        self._llm, self._opening, self._seed, self._progress = llm, opening, seed, progress
        decides = (VERSION, llm.fingerprint, opening.before, opening.end, seed, ASKING, ANSWERING)
        self._path = folder / f"{digest(*map(repr, decides))}.json"

    def __iter__(self) -> Iterator[Said]:
        """What is usable, ``MOST`` at most. Raises ModelError where hardly anything is."""
        tries: list[list[str]] = read_json(self._path) or []
        usable: list[str] = []
        place = 0
        while len(usable) < MOST:
            if place == len(tries):
                tries = tries + self._written(place, usable)
                write_json(self._path, tries)
            prompt, response = tries[place]
            place += 1
            if response:
                usable.append(prompt)
                self._progress("rehearsing", len(usable), max(FEWEST, len(usable)))
                yield Said((Message("user", prompt),), response)
            if place >= TRIED and len(usable) < USABLE * place:
                raise ModelError(
                    f"of {place} prompts that the model wrote for itself {len(usable)} are usable: "
                    "too few to rehearse; name general data with --replay-from"
                )

    def _written(self, place: int, usable: Sequence[str]) -> list[list[str]]:
        """A round of prompts, the first with the number ``place``; empty answers where unusable."""
        asked = [self._prompt(place + number) for number in range(ROUND)]
        fresh: list[str] = []
        for prompt in asked:
            if prompt and known([prompt], [*usable, *fresh]) == [None]:
                fresh.append(prompt)
        chats = [(Message("user", prompt),) for prompt in fresh]
        answers = [whole(each) for each in self._llm.batch(chats, ANSWERING)] if chats else []
        said = dict(zip(fresh, answers, strict=True))
        return [[prompt, said.pop(prompt, "")] for prompt in asked]

    def _prompt(self, number: int) -> str:
        """What a user may say; empty if it is unusable. ``number`` draws another one each time."""
        seed = 1 + (self._seed * 1_000_003 + number) % SEEDS
        drawn = replace(ASKING, seed=seed, stop=(self._opening.end,))
        (written,) = self._llm.batch([self._opening.before], drawn)
        return whole(written) if len(said_in(written.text)) > 2 else ""


def whole(written: Completion) -> str:
    """What was written, if it came to its end, says something, and does not go round in circles."""
    text = written.text.strip()
    return text if written.finish == "stop" and not circles(text) else ""


def circles(text: str) -> bool:
    """Whether a text repeats itself.

    >>> circles("the wheel lifts water " * 4), circles("The wheel lifts water to the fields.")
    (True, False)
    """
    words = text.split()
    runs = list(windows(tuple(words), RUN))
    return len(set(runs)) < DISTINCT * len(runs)


class Measured:
    """The texts with which forgetting is measured, to be found in others.

    A text has one of them if both share thirteen words in a row, or all of it where it is shorter;
    capitals, punctuation and space do not count.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        parts: set[Words] = set()
        for text in texts:
            words = tuple(said_in(text))
            parts.update(windows(words, WINDOW) if len(words) > WINDOW else (words,))
        self._inside = {part for part in parts if len(part) >= SHORTEST}
        self._whole = parts - self._inside
        self._sizes = sorted({len(part) for part in self._inside})

    def has(self, said: Said) -> bool:
        """Whether one of them is in what was said, before or in the response."""
        return any(self._in(text) for text in (said.response, *(t.content for t in said.chat)))

    def _in(self, text: str) -> bool:
        words = tuple(said_in(text))
        return words in self._whole or any(
            part in self._inside for size in self._sizes for part in windows(words, size)
        )


def measured_in(folder: Path) -> Measured:
    """The questions and texts of a folder of general questions; raises DataError."""
    found = suite.read(folder)
    questions = (each.question for several in found.sets.values() for each in several)
    texts = (each.before + each.text for several in found.texts.values() for each in several)
    return Measured([*questions, *texts])


def windows(words: Words, size: int) -> Iterator[Words]:
    """Each ``size`` words in a row.

    >>> list(windows(("a", "b", "c"), 2))
    [('a', 'b'), ('b', 'c')]
    """
    return (words[at : at + size] for at in range(len(words) - size + 1))


def digest(*texts: str) -> str:
    """A short name for some texts."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
