"""How the releases did lately: answers, abstentions, grounding, thumbs. Counts, and no verdict."""

from collections.abc import Iterable
from dataclasses import dataclass

from noria.types import Event, Feedback


@dataclass(frozen=True, slots=True)
class Lately:
    """One release: how many answers, the shares of them that abstained and were judged."""

    release: str
    answers: int
    abstained: float
    grounded: float
    seconds: float
    up: int
    down: int


def lately(answers: Iterable[Event], judged: Iterable[Feedback]) -> tuple[Lately, ...]:
    """The releases that answered, those with most answers first.

    ``grounded`` and ``seconds`` are means; grounding counts where something was said.
    """
    by_release: dict[str, list[Event]] = {}
    for event in answers:
        by_release.setdefault(event.release or "", []).append(event)
    thumbs: dict[str, list[float]] = {}
    for each in judged:
        if each.kind == "thumb" and each.value is not None:
            thumbs.setdefault(each.release or "", []).append(each.value)
    found = [
        Lately(
            release,
            len(own),
            mean([float(event.payload["abstained"]) for event in own]),
            mean([event.payload["grounded"] for event in own if not event.payload["abstained"]]),
            mean([event.payload["seconds"] for event in own]),
            sum(value > 0 for value in thumbs.get(release, [])),
            sum(value < 0 for value in thumbs.get(release, [])),
        )
        for release, own in by_release.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.answers, each.release)))


def mean(values: list[float]) -> float:
    """The mean; 0 of nothing.

    >>> mean([1.0, 2.0]), mean([])
    (1.5, 0.0)
    """
    return sum(values) / len(values) if values else 0.0
