"""How much the generator is helped by each passage: the teacher of the retriever.

The right answer's log-probability after one passage at a time, in the prompt that is served
(RA-DIT's R-ft, Lin et al. 2023, section 2.3; REPLUG LSR, Shi et al. 2023). Questions that share a
passage are branches of one tree (``pack``): the passage is read once for all of them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from noria.answer.prompt import build
from noria.errors import ModelError, UsageError
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune import attention
from noria.tune.asked import Asked
from noria.tune.pack import Row, Tree, laid, trees
from noria.tune.render import Lesson, Renderer
from noria.tune.weights import Precision
from noria.types import Candidate

if TYPE_CHECKING:
    import torch

STAGE = "asking the generator"
ROOM = 768  # tokens of a tree: a passage and some fifteen questions; on a CPU more is no quicker
EVEN = 0.98  # of the greatest entropy: such a teacher has no opinion
OPINION = 0.5  # of the greatest entropy, at which a teacher neither shrugs nor insists


@dataclass(frozen=True, slots=True)
class Reading:
    """A question with its right answer, and the passages that retrieval found for it."""

    id: str
    question: str
    answer: str
    passages: tuple[Candidate, ...]


def likelihoods(
    model: Any,
    renderer: Renderer,
    readings: Sequence[Reading],
    count: Callable[[str], int],
    budget: int,
    room: int = ROOM,
    precision: Precision = "float32",
    progress: Progress = silent,
) -> list[tuple[float, ...]]:
    """For each reading, and each of its passages, the mean log-probability of an answer's token.

    ``model``: a causal language model of transformers. ``count`` and ``budget``: tokens of the
    prompt, as ``noria.answer.prompt.build`` takes them; ``room``: of a tree. The mark that ends a
    turn is not counted: it says whether the model likes to stop, not whether the passage helped.
    Raises UsageError for an empty answer, ModelError for a likelihood that is no number.
    """
    lessons = [
        lesson_of(reading, place, number, renderer, count, budget)
        for place, reading in enumerate(readings)
        for number in range(len(reading.passages))
    ]
    found: dict[str, float] = {}
    for tree in trees(lessons, room):
        found |= scored(model, tree, precision)
        progress(STAGE, len(found), len(lessons))
    return [
        tuple(found[named(place, number)] for number in range(len(reading.passages)))
        for place, reading in enumerate(readings)
    ]


def lesson_of(
    reading: Reading,
    place: int,
    number: int,
    renderer: Renderer,
    count: Callable[[str], int],
    budget: int,
) -> Lesson:
    """The answer after one passage, without the mark that ends the turn."""
    chat, _ = build(reading.question, reading.passages[number : number + 1], count, budget)
    whole = renderer.lesson(named(place, number), chat, reading.answer)
    return Lesson(whole.id, whole.before, whole.after[:-1])


def named(place: int, number: int) -> str:
    """The id of a pair; it sorts as the pair does, so that equal prompts keep an order."""
    return f"{place:08}/{number:04}"


def scored(model: Any, tree: Tree, precision: Precision) -> dict[str, float]:
    """The mean log-probability of the answer's tokens of each lesson, by its id."""
    import torch

    inputs = laid(Row((tree,)))
    with torch.inference_mode():
        logits = attention.logits(model, inputs, precision)
        targets = inputs.targets.to(logits.device)[:, None]
        each = logits.log_softmax(1).gather(1, targets)[:, 0].cpu()
    return dict(means(each, tree.lessons))


def means(each: "torch.Tensor", lessons: Sequence[Lesson]) -> Iterator[tuple[str, float]]:
    """The mean of each lesson's share of ``each``; raises ModelError for what is no number."""
    start = 0
    for lesson in lessons:
        mean = float(each[start : start + len(lesson.after)].mean())
        start += len(lesson.after)
        if not math.isfinite(mean):
            raise ModelError(
                f"the generator finds an answer {mean} likely, no number; its weights are damaged, "
                "or its type is too narrow: load it in float32"
            )
        yield lesson.id, mean


def trust(
    likelihoods: Sequence[float], rows: Sequence[int], temperature: float
) -> dict[int, float]:
    """The teacher's distribution over passages: softmax of log-probability a token / temperature.

    A mean a token, for the probability of a long answer would underflow. A passage that stands
    twice in ``rows`` has both shares.

    >>> {row: round(share, 2) for row, share in trust([-1.0, -1.1], [7, 9], 0.1).items()}
    {7: 0.73, 9: 0.27}
    """
    best = max(likelihoods)
    powers = [math.exp((each - best) / temperature) for each in likelihoods]
    shares = dict.fromkeys(rows, 0.0)
    for row, power in zip(rows, powers, strict=True):
        shares[row] += power / sum(powers)
    return shares


def entropy(shares: Sequence[float]) -> float:
    """Of a distribution, as a share of the greatest: 0 for certain, 1 for even.

    >>> entropy([0.5, 0.5]), entropy([1.0, 0.0])
    (1.0, 0.0)
    """
    if len(shares) < 2:
        return 0.0
    return abs(sum(p * math.log(p) for p in shares if p > 0)) / math.log(len(shares))


def flat(shares: dict[int, float]) -> bool:
    """Whether the teacher has no opinion: there is one passage, or its trust is nearly even."""
    return len(shares) < 2 or entropy(list(shares.values())) > EVEN


def temperature(likelihoods: Sequence[Sequence[float]]) -> float:
    """The one at which teachers have, on average, half of the greatest entropy.

    Found by halving between 0.0001 and 100. Raises UsageError where no question has two passages.
    """
    known = [scores for scores in likelihoods if len(scores) > 1]
    if not known:
        raise UsageError("no question has two passages to compare; retrieve more of them")
    low, high = 1e-4, 100.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        spread = [entropy(list(trust(s, range(len(s)), middle).values())) for s in known]
        low, high = (middle, high) if sum(spread) / len(spread) < OPINION else (low, middle)
    return middle


def opinions(
    texts: Sequence[str],
    rows: Sequence[Sequence[int]],
    likelihoods: Sequence[Sequence[float]],
    temperature: float,
) -> list[Asked]:
    """Each question with the trust of its teacher; without those whose teacher has no opinion.

    ``rows[i]``: the passages of ``texts[i]``, as rows of the vectors, with their likelihoods.
    """
    taught = [
        Asked(text, trust(said, places, temperature))
        for text, places, said in zip(texts, rows, likelihoods, strict=True)
        if said
    ]
    return [each for each in taught if not flat(each.trust)]
