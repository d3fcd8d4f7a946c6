"""What a model can do in general, and what it can no longer do after a change.

Everything is computed from ``Outcomes``, which a folder keeps, so that any figure can be computed
again. A set of questions counts only if the base model beats chance on it: on another one there is
nothing to forget. Texts are resampled by document: its pieces resemble each other. Pure arithmetic.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from noria.evaluate.forgetting.asking import Chosen, Heard, Outcomes
from noria.evaluate.results import Change, Interval
from noria.evaluate.statistics.chance import LEVEL
from noria.evaluate.statistics.intervals import Measure, gap, interval, mean_of, p_values
from noria.evaluate.statistics.slices import holm

SEED = 20261121  # of the resamples; each figure draws anew, so that none depends on another
TEXT = "text"  # the name of all texts together, beside those of the sets

T = TypeVar("T", Chosen, Heard)


@dataclass(frozen=True, slots=True)
class Ability:
    """The share of ``n`` questions answered rightly, with its interval, and what chance gives."""

    accuracy: float
    low: float
    high: float
    n: int
    chance: float

    @property
    def beats_chance(self) -> bool:
        """Whether the whole interval lies above chance."""
        return self.low > self.chance


@dataclass(frozen=True, slots=True)
class Reading:
    """How well texts are predicted: ``nats`` a token, with its interval over ``documents``."""

    nats: float
    low: float
    high: float
    tokens: int
    pieces: int
    documents: int
    bits_per_byte: float

    @property
    def perplexity(self) -> float:
        """The number of tokens between which the model is, as it were, undecided."""
        return math.exp(self.nats)


def abilities(outcomes: Outcomes) -> dict[str, Ability]:
    """What the model can do on each set."""
    return {name: ability(several) for name, several in by_set(outcomes.chosen).items()}


def ability(chosen: Sequence[Chosen]) -> Ability:
    """What it can do on these questions.

    >>> right = Chosen("s", "q", (-1.0, -2.0), (4, 4), 0)
    >>> ability([right] * 20).accuracy, ability([right] * 20).beats_chance
    (1.0, True)
    """
    found = interval(mean_of(rights(chosen)), len(chosen), rng())
    chance = float(np.mean([1 / len(each.logprobs) for each in chosen]))
    return Ability(found.mean, found.low, found.high, found.n, chance)


def reading(heard: Sequence[Heard]) -> Reading:
    """How well these pieces are predicted, all tokens alike."""
    documents = list(dict.fromkeys(each.document for each in heard))
    found: Interval = interval(cross_entropy(heard, documents), len(documents), rng())
    bits = -sum(each.logprob for each in heard) / math.log(2)
    return Reading(
        found.mean,
        found.low,
        found.high,
        sum(each.tokens for each in heard),
        len(heard),
        len(documents),
        bits / sum(each.bytes for each in heard),
    )


def changes(before: Outcomes, after: Outcomes, kept: Collection[str]) -> dict[str, Change]:
    """What changed on the sets that are ``kept``, and on the texts (under the name ``text``).

    Question by question, and document by document. Texts that the two models cut into different
    tokens are not compared. Only what both were asked counts.
    """
    found = {}
    earlier = by_set(before.chosen)
    for name, several in by_set(after.chosen).items():
        if name in kept and name in earlier:
            a, b = paired(earlier[name], several)
            if a:
                found[name] = change(mean_of(rights(a)), mean_of(rights(b)), len(a))
    old, new = paired(before.heard, after.heard)
    if old and not other_tokens(before, after):
        documents = list(dict.fromkeys(each.document for each in old))
        sides = [cross_entropy(side, documents) for side in (old, new)]
        found[TEXT] = change(sides[0], sides[1], len(documents))
    return judged(found)


def judged(found: Mapping[str, Change]) -> dict[str, Change]:
    """The changes with their p-values corrected, and whether something got worse beyond chance."""
    corrected = holm([each.p for each in found.values()])
    return {
        name: replace(each, p=p, worse=p < 1 - LEVEL and (each.difference > 0) == (name == TEXT))
        for (name, each), p in zip(found.items(), corrected, strict=True)
    }


def change(before: Measure, after: Measure, n: int) -> Change:
    """One figure before and after; with fewer than two questions nothing is known."""
    difference, low, high = gap(before, after, n, rng())
    p = p_values({"it": before}, {"it": after}, n, rng())["it"]
    a, b = (float(side.figure(np.ones((1, n)))[0]) for side in (before, after))
    return Change(a, b, difference, low, high, n, 1.0 if math.isnan(p) else p)


def other_tokens(before: Outcomes, after: Outcomes) -> bool:
    """Whether a piece of text has not the same number of tokens for both models."""
    old, new = paired(before.heard, after.heard)
    return any(a.tokens != b.tokens for a, b in zip(old, new, strict=True))


def cross_entropy(heard: Sequence[Heard], documents: Sequence[str]) -> Measure:
    """Nats a token over all tokens, as a figure of the documents."""
    nats, tokens = np.zeros(len(documents)), np.zeros(len(documents))
    place = {document: number for number, document in enumerate(documents)}
    for each in heard:
        nats[place[each.document]] -= each.logprob
        tokens[place[each.document]] += each.tokens
    return Measure(lambda counts: counts @ nats / (counts @ tokens))


def rights(chosen: Sequence[Chosen]) -> NDArray[np.float64]:
    """1 for each question whose likeliest choice is right, else 0."""
    return np.array([float(each.place == each.right) for each in chosen])


def by_set(chosen: Iterable[Chosen]) -> dict[str, list[Chosen]]:
    """The questions of each set."""
    found: dict[str, list[Chosen]] = {}
    for each in chosen:
        found.setdefault(each.set, []).append(each)
    return found


def paired(a: Sequence[T], b: Sequence[T]) -> tuple[list[T], list[T]]:
    """Those of ``a`` that ``b`` has too, and those of ``b``, in the same order."""
    other = {(each.set, each.id): each for each in b}
    common = [each for each in a if (each.set, each.id) in other]
    return common, [other[each.set, each.id] for each in common]


def rng() -> np.random.Generator:
    """The resamples' chance, the same each time."""
    return np.random.default_rng(SEED)
