"""Which answers people should look at first, and why. Knows nothing of who looks, or how."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from noria.corpus.snapshot import Named
from noria.loop.feedback.given import Given, Lookup, restricted
from noria.loop.feedback.harvest import Kept
from noria.types import Feedback

UNGROUNDED = 0.5  # below that, an answer rests on the passages less than not
# What makes an answer worth a look, and how much: where people disagree, only a reviewer can tell;
# where they say what is wrong, a reviewer can tell whether it is so.
URGENCY: Mapping[str, float] = {
    "disagreement": 8.0,
    "thumb down": 4.0,
    "corrected": 4.0,
    "comment": 2.0,
    "asked again": 2.0,
    "abstained": 1.0,
    "low grounding": 1.0,
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer that waits for a review: why, what was said of it, and what it read."""

    given: Given
    why: tuple[str, ...]
    said: tuple[Feedback, ...] = ()
    found: Named = field(default_factory=Named)

    @property
    def urgency(self) -> float:
        """How much it needs a look."""
        return sum(URGENCY[reason] for reason in self.why)


def waiting(kept: Kept, lookup: Lookup, groups: frozenset[str]) -> tuple[Waiting, ...]:
    """The answers that nobody has reviewed and that something is odd with, the oddest first.

    Reviewers in ``groups`` see no answer that may tell what is for others only. Of equally odd ones
    the newest comes first: what it was about is still known.
    """
    said: dict[str, list[Feedback]] = defaultdict(list)
    for judged in kept.judgements:
        said[judged.answer].append(judged)
    reviewed = {review.answer for review in kept.reviews}
    odd = [
        Waiting(given, why, tuple(said[given.id]))
        for given in kept.answers.values()
        if given.id not in reviewed and (why := tuple(reasons(given, said[given.id])))
    ]
    found = lookup({id for each in odd for id in (*each.given.read, *each.given.cited)}, groups)
    shown = [
        Waiting(each.given, each.why, each.said, found)
        for each in odd
        if not restricted(each.given, found, groups)
    ]
    return tuple(sorted(shown, key=lambda w: (-w.urgency, -w.given.at.timestamp(), w.given.id)))


def reasons(given: Given, said: Sequence[Feedback]) -> Iterator[str]:
    """Why an answer should be looked at.

    >>> from datetime import datetime
    >>> silent = Given("a", datetime(2026, 11, 29), "t", "ada", "Why?", "No idea.", abstained=True)
    >>> list(reasons(silent, ()))
    ['abstained']
    """
    kinds = {judged.kind for judged in said}
    thumbs = {judged.value for judged in said if judged.kind == "thumb"}
    if len(thumbs) > 1 or (1.0 in thumbs and "correction" in kinds):
        yield "disagreement"
    if -1.0 in thumbs:
        yield "thumb down"
    if "correction" in kinds:
        yield "corrected"
    if "comment" in kinds:
        yield "comment"
    if "asked-again" in kinds:
        yield "asked again"
    if given.abstained:
        yield "abstained"
    elif given.read and given.grounded < UNGROUNDED:
        yield "low grounding"
