"""What a comparison found: the frozen values behind ``metrics.json`` and ``report.html``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, or another figure, with its 95 % interval over ``n`` questions.

    ``n`` counts those that the metric applies to, of all that were asked.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Gap:
    """``metric`` of arm ``b`` minus that of arm ``a`` on the same ``n`` questions, 95 % interval.

    Where the metric applies to other questions in each arm (as risk does, which is of those that
    were answered), ``n`` is that of the arm with fewer.
    ``detectable``: the smallest difference that this many questions would show in 4 of 5 cases.
    """

    a: str
    b: str
    metric: str
    mean: float
    low: float
    high: float
    n: int
    detectable: float

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Slice:
    """One metric on the questions of which ``field`` is ``value``, against all the others.

    ``worse``: served worse than the rest beyond chance, all slices of the run considered (Holm).
    """

    field: str
    value: str
    metric: str
    here: Interval
    rest: Interval
    low: float  # of here minus rest
    high: float
    worse: bool


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What one arm did. ``errors``: how many questions went wrong, by kind; ``examples``: ids.

    ``training_seconds``: what making the arm's model cost, where it was tuned.
    ``curve``: share of questions answered, and the metric on those, by falling confidence.
    """

    name: str
    metrics: Mapping[str, Interval]
    seconds: float
    tokens: int
    questions: int
    about: str = ""  # the arm in a few words
    errors: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slices: tuple[Slice, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    training_seconds: float = 0.0
    passages: str = ""  # what the arm may read: none, retrieved or gold; empty: not told


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and after, on the same ``n`` questions or documents.

    ``difference``: accuracy, or nats a token, after minus before. ``p``: corrected for all figures
    that are compared (Holm). ``worse``: beyond chance.
    """

    before: float
    after: float
    difference: float
    low: float
    high: float
    n: int
    p: float
    worse: bool = False


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a model can no longer do that the base can.

    ``arms``: those that it writes for; ``model``: its fingerprint. ``sets``: the change in the
    share of right answers; ``text``: that in nats a token of general texts, None where it is not
    known. ``passes``: whether this is little enough, and ``why``; None where it is not known.
    ``file``: what came of each question.
    """

    arms: tuple[str, ...]
    model: str
    sets: Mapping[str, Change]
    text: Change | None
    passes: bool | None
    why: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """General abilities of the ``base``, and what other models forgot.

    ``sets``: the base's share of right answers on each set where that is beyond chance; ``text``:
    its nats a token of general texts, over documents. ``dropped``: sets on which it guesses.
    ``asked`` of ``planned`` questions and texts.
    """

    base: str
    sets: Mapping[str, Interval]
    text: Interval | None
    dropped: tuple[str, ...]
    models: tuple[Forgotten, ...]
    asked: int
    planned: int
    file: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Arms side by side, on one set of questions.

    ``primary``: the metric that decides, by task (``f1`` for qa, ``accuracy`` for labels, ...).
    ``about``: the question file's digest, models, settings, date: what to repeat the run with.
    ``problems``: lines that were left out, arms that could not run, questions not asked.
    """

    arms: Mapping[str, ArmResult]
    differences: tuple[Gap, ...]
    primary: str
    advice: str
    about: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    forgetting: Forgetting | None = None  # where it was measured
