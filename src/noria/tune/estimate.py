"""What a training will take, in memory and time, before any weight moves.

Memory is a sum whose terms can be counted from the shapes in the base's files; what torch keeps
for the way back is a multiple of them that was measured (``benchmarks/estimate.py``).
Time is work divided by a pace, measured or a prior, and the estimate says which.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from noria.errors import UsageError
from noria.tune.machine import Machine
from noria.tune.pace import Pace, reads, trains
from noria.tune.pack import Row
from noria.tune.shape import Shape, moved
from noria.tune.weights import Method, Movable

# Measured on SmolLM2-135M, float32, torch 2.13, November 2026, in rows of 128 to 1024 tokens. With
# LoRA 1.2 were measured; a family whose layers ``tune.fused`` leaves alone keeps more.
LIBRARIES = 445_000_000  # bytes: Python with torch, transformers and PEFT, before a model is loaded
# numbers kept a token, for each number that goes into or comes out of a linear layer
KEPT: Mapping[Method, float] = {"lora": 1.3, "qlora": 1.3, "full": 1.97}
LOGITS = 3.0  # the logits' softmax, and the gradients of both, at once
ADAPTERS = 7  # linear layers that a block has: an adapter keeps its rank of numbers for each
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes a weight: half, and scales quantized again

WORTH = 0.05  # of what is needed: advice that saves less is left out


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to change, and the bytes that it saves."""

    change: str
    saved: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training takes. All but ``seconds`` and ``tokens`` are bytes, at the fullest moment.

    ``trained``: the weights that move, their gradients, and Adam's two means. ``kept``: what the
    longest row leaves for the way back. ``masks``: who sees whom, of all rows of an update.
    ``looking``, ``writing``: what judging the held-out lessons and a checkpoint take instead of
    ``kept``, ``logits`` and ``masks``. ``mapped``: pages of the base's files that stay in memory
    only until somebody needs it. ``tokens``: read in all, with those of the looks.
    """

    libraries: int
    weights: int
    trained: int
    kept: int
    logits: int
    masks: int
    looking: int
    writing: int
    mapped: int
    tokens: int
    seconds: float
    pace: Pace
    remedies: tuple[Remedy, ...] = ()

    @property
    def memory(self) -> int:
        """Bytes that must be free, at the peak."""
        moment = max(self.kept + self.logits + self.masks, self.looking, self.writing)
        return self.libraries + self.weights + self.trained + moment

    @property
    def resident(self) -> int:
        """The peak that the system will tell, which counts mapped files (``ru_maxrss``)."""
        return self.memory + self.mapped

    def __str__(self) -> str:
        """For people."""
        how = (
            "timed on one of its rows"
            if self.pace.source == "measured"
            else "a rough guess: nothing was timed"
        )
        return (
            f"about {size(self.memory)} of memory and {duration(self.seconds)} ({how}) "
            f"for {self.tokens:,} tokens"
        )


def estimate(
    shape: Shape,
    movable: Movable,
    plan: Sequence[Sequence[Row]],
    held_out: Sequence[Row],
    looks: int,
    pace: Pace,
    device: str = "cpu",
) -> Estimate:
    """What it takes to train by ``plan``, and to judge ``held_out`` ``looks`` times.

    ``plan`` is that of ``tune.train.planned``; ``device`` names where it runs, as torch does.
    """
    number = 4 if device == "cpu" else 2  # float32, and bfloat16 on an accelerator
    trained = 4 * number * moved(shape, movable)
    kept, logits, masks = fullest(shape, movable, plan, number)
    work = sum(trains(shape, movable, row) for rows in plan for row in rows)
    work += looks * sum(reads(shape, row) for row in held_out)
    read = sum(row.length for rows in plan for row in rows)
    return Estimate(
        libraries=LIBRARIES,
        weights=frozen(shape, movable.method, number),
        trained=trained,
        kept=kept,
        logits=logits,
        masks=masks,
        looking=max((looked(shape, movable, row, number) for row in held_out), default=0),
        writing=trained // 2,  # Adam's two means, as bytes beside the tensors
        mapped=mapped(shape, movable.method, number) if device == "cpu" else 0,
        tokens=read + looks * sum(row.length for row in held_out),
        seconds=work / pace.speed,
        pace=pace,
        remedies=tuple(remedies(shape, movable, plan, number)),
    )


def frozen(shape: Shape, method: Method, number: int) -> int:
    """The bytes of the weights that stay, and of one layer that NF4 unpacks to compute with."""
    if method == "full":
        return 0
    if method == "lora":
        return number * shape.parameters
    rest = shape.parameters - shape.linear
    return round(NF4 * shape.linear) + number * (rest + shape.largest)


def mapped(shape: Shape, method: Method, number: int) -> int:
    """The bytes of the base's files beside the weights that are made of them.

    Weights that are computed with as they are stored are the files' own pages.
    """
    same = method != "qlora" and shape.stored >= number * shape.parameters
    return 0 if same else shape.stored


def fullest(
    shape: Shape, movable: Movable, plan: Sequence[Sequence[Row]], number: int
) -> tuple[int, int, int]:
    """What is kept, the logits and the masks of the update that takes most."""

    def taken(rows: Sequence[Row]) -> tuple[int, int, int]:
        kept, logits = max(
            ((keeps(shape, movable, row, number), predicts(shape, row)) for row in rows), key=sum
        )
        return kept, logits, 4 * sum(row.length**2 for row in rows)

    return max((taken(rows) for rows in plan if rows), key=sum, default=(0, 0, 0))


def keeps(shape: Shape, movable: Movable, row: Row, number: int) -> int:
    """The bytes that a row leaves for the way back."""
    adapters = 0 if movable.method == "full" else movable.rank * ADAPTERS * shape.layers
    return round(number * row.length * (KEPT[movable.method] * shape.width + adapters))


def predicts(shape: Shape, row: Row) -> int:
    """The bytes of a row's logits: float32 everywhere, and only where a token is learnt."""
    return round(LOGITS * 4 * row.learnt * shape.vocabulary)


def looked(shape: Shape, movable: Movable, row: Row, number: int) -> int:
    """The bytes that a held-out row takes: of one layer at a time, since there is no way back."""
    layer = number * row.length * KEPT[movable.method] * shape.width / max(1, shape.layers)
    return round(layer) + predicts(shape, row) + 4 * row.length**2


def remedies(
    shape: Shape, movable: Movable, plan: Sequence[Sequence[Row]], number: int
) -> Iterable[Remedy]:
    """What would take less, and by how much."""
    kept, logits, masks = fullest(shape, movable, plan, number)
    longest = max((row.length for rows in plan for row in rows), default=0)
    tree = max((tree.length for rows in plan for row in rows for tree in row.trees), default=0)
    held = frozen(shape, movable.method, number) + 4 * number * moved(shape, movable)
    other = {"full": "lora", "lora": "qlora"}.get(movable.method)
    if other is not None:
        method: Method = "lora" if other == "lora" else "qlora"
        then = Movable(method, movable.rank, movable.alpha)
        needed = frozen(shape, method, number) + 4 * number * moved(shape, then)
        less = kept + logits + masks - sum(fullest(shape, then, plan, number))
        yield Remedy(f"--method {method} instead of {movable.method}", held - needed + less)
    if longest > tree:
        less = max(tree, longest // 2)
        change = f"--row {less} instead of {longest:,} tokens that are read together"
        yield Remedy(change, round((kept + logits + masks) * (1 - less / longest)))
    elif longest > 1:
        half = longest // 2
        change = f"--limit {half}, rows of that many tokens instead of {longest:,}"
        yield Remedy(change, (kept + logits + masks) // 2)
    if movable.method != "full" and movable.rank > 1:
        rank = movable.rank // 2
        each = 4 * shape.width + longest * ADAPTERS * shape.layers
        yield Remedy(
            f"--rank {rank} instead of {movable.rank}", number * (movable.rank - rank) * each
        )
    most = max(map(len, plan), default=0)
    if most > 1:
        yield Remedy("half as many examples in an update", masks // 2)


def refused(found: Estimate, free: int | None) -> None:
    """Raise UsageError with advice where ``found`` needs more than the ``free`` bytes.

    None: what is free is not known here, and nothing is refused.
    """
    if free is None or found.memory <= free:
        return
    short = found.memory - free
    worth = [each for each in found.remedies if each.saved >= WORTH * found.memory]
    worth.sort(key=lambda each: -each.saved)
    told = [f"{each.change}, which saves about {size(each.saved)}" for each in worth]
    if sum(each.saved for each in worth) < short:
        told.append("a smaller base model, or a machine with more memory, as that is not enough")
    raise UsageError(
        f"training would need about {size(found.memory)} of memory, and {size(free)} are free; "
        f"what would help: {'; '.join(told)}"
    )


def as_json(found: Estimate, machine: Machine) -> dict[str, Any]:
    """The estimate for ``--json``, beside what the machine has."""
    return {
        "memory": found.memory,
        "free": machine.memory,
        "cores": machine.cores,
        "device": machine.device,
        **asdict(found),
    }


def size(count: float) -> str:
    """Bytes for people.

    >>> size(2_340_000_000), size(78_000_000)
    ('2.3 GB', '78 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(40), duration(840), duration(10_000)
    ('40 seconds', '14 minutes', '2.8 hours')
    """
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
