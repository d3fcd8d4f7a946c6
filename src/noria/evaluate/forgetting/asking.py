"""Asks a model general questions with choices, and reads it general texts.

A choice is judged by the log-probability of its text after the question, divided by the bytes of
that text in UTF-8: a length that is the same for every tokenizer, as in the ``acc_norm`` of
lm-evaluation-harness. Knows a ``Scorer``, and nothing of what is concluded.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from noria.errors import DataError
from noria.evaluate.forgetting.suite import Choice, Suite, Text
from noria.jobs import silent
from noria.protocols import Clock, Progress, Scorer
from noria.types import Likelihood, Prompt

PER_SET = 400  # questions of each set: a share is then known to 5 points, a paired change to 2 or 3
PIECES = 150  # of the texts of each file: some 33,000 tokens
ROUND = 64  # questions and pieces that are asked together: after them the time is looked at
OUTCOMES = "general.jsonl"

T = TypeVar("T")
Task = tuple[str, Choice | Text]  # with the name of its set


@dataclass(frozen=True, slots=True)
class Chosen:
    """How likely each choice of one question was; ``bytes`` is the length of each."""

    set: str
    id: str
    logprobs: tuple[float, ...]
    bytes: tuple[int, ...]
    right: int

    @property
    def place(self) -> int:
        """The choice whose text is likeliest for its length.

        >>> Chosen("s", "q", (-6.0, -8.0), (3, 8), 1).place
        1
        """
        rates = [logprob / size for logprob, size in zip(self.logprobs, self.bytes, strict=True)]
        return rates.index(max(rates))


@dataclass(frozen=True, slots=True)
class Heard:
    """How likely a piece of a text was; ``bytes`` is its length."""

    set: str
    id: str
    document: str
    logprob: float
    tokens: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of each question and piece, of ``planned`` in all, and the seconds it took."""

    chosen: tuple[Chosen, ...]
    heard: tuple[Heard, ...]
    planned: int = 0
    seconds: float = 0.0


def ask(
    tasks: Sequence[Task],
    scorer: Scorer,
    clock: Clock,
    max_seconds: float | None = None,
    progress: Progress = silent,
) -> Outcomes:
    """Score ``tasks``, in their order, until no further round would end within ``max_seconds``.

    The first round is always asked. ``clock`` gives seconds.
    """
    began = clock()
    chosen: list[Chosen] = []
    heard: list[Heard] = []
    slowest = 0.0
    for some in rounds(tasks, ROUND):
        started = clock()
        late = max_seconds is not None and started - began + slowest > max_seconds
        if late and chosen + heard:
            break
        before = len(chosen) + len(heard)
        for (name, task), found in scored(some, scorer, before, len(tasks), progress):
            if isinstance(task, Choice):
                sizes = tuple(len(text.encode()) for text in task.choices)
                logprobs = tuple(each.logprob for each in found)
                chosen.append(Chosen(name, task.id, logprobs, sizes, task.right))
            else:
                size = len(task.text.encode())
                (it,) = found
                heard.append(Heard(name, task.id, task.document, it.logprob, it.tokens, size))
        slowest = max(slowest, clock() - started)
    return Outcomes(tuple(chosen), tuple(heard), len(tasks), clock() - began)


def scored(
    some: Sequence[Task], scorer: Scorer, before: int, total: int, progress: Progress
) -> list[tuple[Task, list[Likelihood]]]:
    """Each of ``some`` with its likelihoods: a question has one for each choice."""
    pairs = [pairs_of(task) for _, task in some]
    owner = [number for number, own in enumerate(pairs) for _ in own]
    waiting = [len(own) for own in pairs]

    def done(place: int, _: Likelihood) -> None:
        waiting[owner[place]] -= 1
        progress("questions and texts", before + waiting.count(0), total)

    flat = [pair for own in pairs for pair in own]
    found = iter(scorer.score([before for before, _ in flat], [text for _, text in flat], done))
    return [(task, list(islice(found, len(own)))) for task, own in zip(some, pairs, strict=True)]


def pairs_of(task: Choice | Text) -> list[tuple[Prompt, str]]:
    r"""What is scored after what.

    >>> pairs_of(Choice("q", "Which is wet?", ("fire", "rain"), 1))[1]
    ('Question: Which is wet?\nAnswer:', ' rain')
    """
    if isinstance(task, Choice):
        return [(f"Question: {task.question}\nAnswer:", f" {choice}") for choice in task.choices]
    return [(task.before, task.text)]


def planned(suite: Suite, per_set: int = PER_SET, pieces: int = PIECES) -> list[Task]:
    """What is asked, each set spread evenly over the whole: a beginning of it is a fair sample.

    The ids are digests, so that the questions with the first ones are as good as drawn by lot.
    Of a file of texts no more ``pieces`` are read than questions of a set are asked.
    """
    groups: list[list[Task]] = [
        [(name, each) for each in sorted(asked, key=lambda each: each.id)[:per_set]]
        for name, asked in suite.sets.items()
    ]
    groups += [
        [(name, each) for each in texts[: min(pieces, per_set)]]
        for name, texts in suite.texts.items()
    ]
    return spread(groups)


def again(suite: Suite, earlier: Outcomes, kept: Collection[str]) -> tuple[list[Task], int]:
    """What was asked earlier: the texts, and the questions of the sets that were ``kept``.

    In the order of then; and how many of them the suite no longer has.
    """
    known: dict[tuple[str, str], Choice | Text] = {
        (name, each.id): each
        for group in (suite.sets, suite.texts)
        for name, several in group.items()
        for each in several
    }
    groups: dict[str, list[tuple[str, str]]] = {}
    for each in all_of(earlier):
        if isinstance(each, Heard) or each.set in kept:
            groups.setdefault(each.set, []).append((each.set, each.id))
    wanted = spread(list(groups.values()))
    return [(key[0], known[key]) for key in wanted if key in known], len(set(wanted) - set(known))


def spread(groups: Sequence[Sequence[T]]) -> list[T]:
    """All members of all groups, each group at even distances.

    >>> "".join(spread(["aaaa", "bb"]))
    'abaaba'
    """
    placed = [
        ((place + 0.5) / len(group), number, place, member)
        for number, group in enumerate(groups)
        for place, member in enumerate(group)
    ]
    return [member for *_, member in sorted(placed, key=lambda each: each[:3])]


def all_of(outcomes: Outcomes) -> list[Chosen | Heard]:
    """What came of questions and of pieces."""
    return [*outcomes.chosen, *outcomes.heard]


def rounds(tasks: Iterable[T], size: int) -> Iterator[list[T]]:
    """``size`` at a time."""
    rest = iter(tasks)
    while some := list(islice(rest, size)):
        yield some


def write(outcomes: Outcomes, folder: Path) -> None:
    """Write what came of each question and piece, a JSON object a line."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OUTCOMES).write_text(lines(outcomes), encoding="utf-8")


def lines(outcomes: Outcomes) -> str:
    """What came of each question and piece, a JSON object a line."""
    each = (json.dumps(asdict(each), ensure_ascii=False) for each in all_of(outcomes))
    return "".join(f"{line}\n" for line in each)


def read(folder: Path, name: str = OUTCOMES) -> Outcomes:
    """What ``write`` wrote, or what is in another file of the folder; raises DataError."""
    path = folder / name
    chosen: list[Chosen] = []
    heard: list[Heard] = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                record: dict[str, Any] = json.loads(line)
                if "logprobs" in record:
                    lists = {key: tuple(record[key]) for key in ("logprobs", "bytes")}
                    chosen.append(Chosen(**{**record, **lists}))
                else:
                    heard.append(Heard(**record))
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}; expected the folder of an earlier "
            "noria evaluate general", path,
        ) from None  # fmt: skip
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"not what noria evaluate general writes: {error}", path) from None
    return Outcomes(tuple(chosen), tuple(heard), len(chosen) + len(heard))
