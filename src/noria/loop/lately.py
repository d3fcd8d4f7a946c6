"""How the releases did lately: answers, abstentions, grounding, thumbs. Counts, and no verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from noria.tune.data.alike import same
from noria.types import Event, Feedback

FAILED = ("error", "timeout")  # outcomes of a shadow that did not answer


@dataclass(frozen=True, slots=True)
class Lately:
    """One release: how many answers, the shares of them that abstained and were judged.

    ``shadow``: nobody was shown them. Of a shadow, ``failed`` did not end with an answer, and
    ``same`` is the share that said what the user was told; None where that is not known.
    """

    release: str
    answers: int
    abstained: float
    grounded: float
    seconds: float
    up: int = 0
    down: int = 0
    shadow: bool = False
    failed: int = 0
    same: float | None = None


def lately(
    answers: Iterable[Event], judged: Iterable[Feedback], shadows: Iterable[Event] = ()
) -> tuple[Lately, ...]:
    """The releases that answered, those with most answers first; shadows after them.

    ``grounded`` and ``seconds`` are means; grounding counts where something was said.
    """
    shown = list(answers)
    thumbs: dict[str, list[float]] = {}
    for each in judged:
        if each.kind == "thumb" and each.value is not None:
            thumbs.setdefault(each.release or "", []).append(each.value)
    by_id = {event.id: event for event in shown}
    found = [told(release, own, thumbs.get(release, [])) for release, own in by_release(shown)]
    found += [in_shadow(release, own, by_id) for release, own in by_release(shadows)]
    return tuple(sorted(found, key=lambda each: (each.shadow, -each.answers, each.release)))


def by_release(events: Iterable[Event]) -> Iterable[tuple[str, list[Event]]]:
    """Events of each release."""
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.release or "", []).append(event)
    return found.items()


def told(release: str, own: Sequence[Event], thumbs: Sequence[float] = ()) -> Lately:
    """What a release's answers were like."""
    return Lately(
        release,
        len(own),
        mean([float(event.payload["abstained"]) for event in own]),
        mean([event.payload["grounded"] for event in own if not event.payload["abstained"]]),
        mean([event.payload["seconds"] for event in own]),
        sum(value > 0 for value in thumbs),
        sum(value < 0 for value in thumbs),
    )


def in_shadow(release: str, own: Sequence[Event], shown: Mapping[str, Event]) -> Lately:
    """What a shadow's answers were like, and how often users were told the same."""
    ended = [event for event in own if event.payload["outcome"] not in FAILED]
    pairs = [(event, shown.get(event.payload["shadows"])) for event in ended]
    alike = [float(agree(event, other)) for event, other in pairs if other]
    return replace(
        told(release, ended),
        shadow=True,
        failed=len(own) - len(ended),
        same=mean(alike) if alike else None,
    )


def agree(one: Event, other: Event) -> bool:
    """Whether two answers say the same, but for capitals, punctuation and space; or nothing."""
    if one.payload["abstained"] and other.payload["abstained"]:
        return True
    return same(one.payload["answer"]) == same(other.payload["answer"])


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of nothing.

    >>> mean([1.0, 2.0]), mean([])
    (1.5, 0.0)
    """
    return sum(values) / len(values) if values else 0.0
