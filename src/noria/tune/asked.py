"""What the retriever is taught with, and what is told of it: questions, a recipe, results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from noria.protocols import Matrix

Direction = Literal["forward", "reverse"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what its teacher says of passages: a share of trust in each, summing to 1."""

    text: str
    trust: dict[int, float]  # row of the passages' vectors -> share


@dataclass(frozen=True)
class Exam:
    """Held-out questions, and the vectors of all passages among which they look."""

    asked: Sequence[Asked]
    passages: "Matrix"


@dataclass(frozen=True, slots=True)
class QueryRecipe:
    """How the query encoder is trained.

    ``temperature`` divides cosines before they become probabilities. ``negatives``: how many
    passages stand against the trusted ones, the hardest first; 0 takes all. With ``direction``
    "reverse", only the trusted ones are compared. ``keep``: how strongly a vector is held near its
    old place, so that other questions are still understood. ``share``: how far the weights that are
    kept lie on the way from those before to those that were taught; 1 is all the way.
    """

    learning_rate: float = 2e-5
    epochs: int = 3
    at_once: int = 32
    temperature: float = 0.05
    negatives: int = 0
    keep: float = 0.0
    share: float = 0.6
    warmup: float = 0.1
    direction: Direction = "forward"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """How the held-out questions fare: mean loss, and how high the most trusted passage ranks."""

    loss: float
    recall: float  # share of questions that find it among the best five
    mrr: float  # mean of 1 / its rank


@dataclass(frozen=True, slots=True)
class Taught:
    """What happened. ``sights``: before the first epoch, and after each; none without held-out.

    ``best``: the epoch whose weights were kept; 0 are those from before.
    """

    losses: tuple[float, ...] = ()
    sights: tuple[Sight, ...] = ()
    best: int = 0


def taught_of(raw: Mapping[str, Any]) -> Taught:
    """What happened, from JSON that ``dataclasses.asdict`` made of it."""
    sights = tuple(Sight(**sight) for sight in raw["sights"])
    return Taught(tuple(raw["losses"]), sights, raw["best"])
