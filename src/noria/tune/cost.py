"""What it costs to round a model's weights: bytes, nats at the next token, and right answers.

Both sides are asked the same prompts: the weights in float32, and the same weights rounded.
"""

import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from noria.answer.answerer import REFUSAL, TURN_MARKS
from noria.answer.prompt import build
from noria.errors import UsageError
from noria.evaluate.arms import prompts
from noria.evaluate.arms.respond import TALKING, Prepared, gold, grouped, said
from noria.evaluate.metrics.measures import measures, primary
from noria.evaluate.questions import READING, Question, scorable
from noria.evaluate.records import Record
from noria.evaluate.sample import by_importance
from noria.evaluate.statistics.intervals import gaps, intervals
from noria.models.parity import Parity, Side, Trained, check, parity
from noria.models.whole import size
from noria.protocols import Progress
from noria.tune.examples import Example
from noria.types import Chat, Completion, Prompt, Release, Sampling

if TYPE_CHECKING:
    import numpy as np

PROMPTS = 32  # of which the next token is compared
EXACT = 4  # of those, asked of the trained weights too: is the float32 file what was trained?
QUESTIONS = 50  # whose answers are compared
PASSAGE = 1024  # tokens of a prompt with its passage
OWN = Path(__file__).with_name("prompts.toml")


class Writer(Protocol):
    """What answers: a model served by llama.cpp, or one in transformers."""

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""
        ...

    def count(self, text: str) -> int:
        """Number of tokens in ``text``."""
        ...

    def batch(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        done: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Complete ``prompts``, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """One of both sides: what it expects next, what it writes, and its bytes at ``path``."""

    side: Side
    writer: Writer
    path: Path

    @property
    def bytes(self) -> int:
        """Its size on disk."""
        return size(self.path)


@dataclass(frozen=True, slots=True)
class Change:
    """The metric of the held-out questions with the full and with the rounded weights.

    ``delta``: after minus before, with its paired 95 % interval; NaN bounds where one question
    tells nothing of chance.
    """

    metric: str
    before: float
    after: float
    delta: float
    low: float
    high: float
    questions: int

    @property
    def worse(self) -> bool:
        """Whether it is worse by more than chance."""
        return self.high < 0  # of the metrics that decide, more is better


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured.

    ``bytes_before``: of the version as it lies there, base and adapter; ``bytes_full``: of its
    weights in float32. ``apart``: how far the rounded weights' next token is from theirs.
    ``change`` is None where nothing is known of right answers.
    """

    bytes_before: int
    bytes_full: int
    bytes_after: int
    apart: Parity
    change: Change | None
    left_out: int = 0  # questions too long for the window


def prepared(
    release: Release, examples: Sequence[Example], writer: Writer
) -> tuple[list[Prepared], int]:
    """The examples' questions as they are asked, and how many are too long for the window.

    Each beginning of them is a stratified sample. What was tuned to answer closed book is asked so;
    all others read the passage that a question comes with.
    """
    known = {each.question.id: each for each in examples}
    closed = release.objective == "sft"
    chosen: list[Prepared] = []
    left_out = 0
    for question in by_importance([each.question for each in examples]):
        if len(chosen) == QUESTIONS:
            break
        sampling = prompts.sampling(question.task, writer.context // 4)
        chat = chat_of(known[question.id], writer, closed)
        used = sum(writer.count(turn.content) + TURN_MARKS for turn in chat)
        if used + sampling.max_tokens > writer.context:
            left_out += 1
        else:
            chosen.append(Prepared(question, chat, sampling))
    if not chosen:
        raise UsageError(
            f"all {left_out} prompts are longer than the model's {writer.context} tokens, so "
            "nothing can be compared; give shorter questions with --questions"
        )
    return chosen, left_out


def chat_of(example: Example, writer: Writer, closed: bool) -> Chat:
    """The chat in which the example's question is put."""
    question = example.question
    passage = None if closed or question.task not in READING else gold(question)
    if example.turns or passage is None:
        return example.turns or prompts.chat(question)
    text = question.text
    if question.task == "choice":
        text += f"\n{prompts.options(question)}"
    chat, _ = build(text, [passage], writer.count, min(PASSAGE, writer.context // 2))
    return chat


def own() -> tuple[Example, ...]:
    """Noria's own prompts, for a version whose data nobody knows."""
    raw = tomllib.loads(OWN.read_text(encoding="utf-8"))
    return tuple(
        Example(
            Question(f"own-{number}", each["text"], context=each.get("passage"), task=each["task"],
                     choices=tuple(each.get("choices", ()))),
            "",
        )
        for number, each in enumerate(raw["prompt"], 1)
    )  # fmt: skip


def exact(folder: Path, full: Model, asked: Sequence[Prepared]) -> None:
    """Raise ModelError unless the float32 file is the folder's model, or all figures mislead."""
    check(parity(Trained(folder), full.side, chats(asked[:EXACT])))


def next_tokens(full: Model, small: Model, asked: Sequence[Prepared]) -> Parity:
    """How far the next tokens of both sides are from each other."""
    found = parity(full.side, small.side, chats(asked[:PROMPTS]))
    check(found, bound=math.inf)  # they must have read the same tokens
    return found


def chats(asked: Sequence[Prepared]) -> list[Prompt]:
    """The prompts."""
    return [each.prompt for each in asked if each.prompt is not None]


def answers(
    full: Model,
    small: Model,
    asked: Sequence[Prepared],
    rng: "np.random.Generator",
    progress: Progress,
) -> Change | None:
    """How the metric of their task changes, over the questions whose right answer is known."""
    known = [each for each in asked if scorable(each.question)]
    if not known:
        return None
    before = records(known, full.writer, "answers in float32", progress)
    after = records(known, small.writer, "answers in fewer bits", progress)
    metric = primary(before)
    one, other = ({metric: measures(side)[metric]} for side in (before, after))
    n = len(known)
    delta, low, high = gaps(one, other, n, rng)[metric]
    was = intervals(one, n, rng)[metric]
    became = intervals(other, n, rng)[metric]
    return Change(metric, was.mean, became.mean, delta, low, high, was.n)


def records(
    asked: Sequence[Prepared], writer: Writer, stage: str, progress: Progress
) -> list[Record]:
    """What ``writer`` answers, as the arms of ``noria compare`` write it down."""
    found: dict[int, Record] = {}
    for sampling, places in grouped(dict(enumerate(asked)), range(len(asked))):
        before = len(found)

        def tell(place: int, completion: Completion, before: int = before) -> None:
            progress(stage, before + place + 1, len(asked))

        written = writer.batch(chats([asked[at] for at in places]), sampling, tell)
        for at, completion in zip(places, written, strict=True):
            found[at] = record(asked[at].question, completion)
    return [found[at] for at in range(len(asked))]


def record(question: Question, completion: Completion) -> Record:
    """One answer beside what is right."""
    draft = said(question, completion)
    quiet = not draft or (question.task in TALKING and bool(REFUSAL.match(draft)))
    return Record(
        id=question.id,
        question=question.text,
        answers=question.answers,
        answer=draft,
        abstained=quiet,
        task=question.task,
        draft=draft,
        choices=question.choices,
        unanswerable=question.unanswerable,
        cut=completion.finish == "length",
    )
