"""Answers as they were given, and who may know what they say. Knows no judgements."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from noria.corpus.snapshot import Named
from noria.tune.data.alike import same
from noria.types import PUBLIC, Event

Topic = tuple[str, ...]
Lookup = Callable[[Collection[str], frozenset[str]], Named]  # passages by ids, for some groups


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that somebody was given.

    ``history``: what was said before, oldest first. ``read`` and ``cited``: ids of passages.
    ``groups``: those that it was read as.
    """

    id: str
    at: datetime
    tenant: str
    user: str | None
    question: str
    text: str
    history: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    cited: tuple[str, ...] = ()
    groups: frozenset[str] = PUBLIC
    abstained: bool = False
    grounded: float = 0.0
    release: str | None = None

    @property
    def answers(self) -> bool:
        """Whether it says anything: to abstain, or to be silent, is no answer to learn."""
        return not self.abstained and bool(self.text.strip())

    @property
    def asked(self) -> Topic:
        """What was asked, and after what, in the words that count; tenants are strangers."""
        return (self.tenant, *(same(turn) for turn in (*self.history, self.question)))

    @property
    def topic(self) -> Topic:
        """What judgements must agree on: the same question, read with the same passages.

        >>> now = datetime(2026, 11, 29)
        >>> one = Given("a", now, "acme", "ada", "Who dug it?", "Ada.", read=("p2", "p1"))
        >>> other = Given("b", now, "acme", "ben", "who dug it", "Ben.", read=("p1", "p2"))
        >>> one.topic == other.topic
        True
        """
        return (*self.asked, "", *sorted(set(self.read)))


def given_of(event: Event) -> Given:
    """An answer from its event."""
    kept = event.payload
    return Given(
        id=event.id,
        at=event.at,
        tenant=event.tenant,
        user=event.user,
        question=event.query or "",
        text=str(kept.get("answer", "")),
        history=tuple(kept.get("history", ())),
        read=tuple(place["id"] for place in kept.get("passages", ())),
        cited=tuple(dict.fromkeys(kept.get("cited", ()))),
        groups=frozenset(kept.get("groups", ())),
        abstained=bool(kept.get("abstained", False)),
        grounded=float(kept.get("grounded", 0.0)),
        release=event.release,
    )


def restricted(given: Given, found: Named, groups: frozenset[str]) -> bool:
    """Whether an answer may tell what readers in ``groups`` must not know.

    It read a passage that is there for others. Or its own reader was in more groups, and what
    they read can no longer be told: a passage is gone, or earlier answers stand in the chat.
    """
    if not found.hidden.isdisjoint((*given.read, *given.cited)):
        return True
    gone = any(id not in found.seen for id in given.read)
    return not given.groups <= groups and (gone or bool(given.history))
