"""Answers and judgements by hand: a well, who dug it, and what people say of that."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from noria.corpus.snapshot import Named
from noria.loop.feedback.given import Given
from noria.loop.feedback.harvest import Kept
from noria.types import Feedback, Item, Review

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
WELL = Item("p1", "Ada dug the well in 1842.", "wells.md", 0, 25)
MILL = Item("p2", "Ben built the mill.", "mills.md", 0, 19)
PAY = Item("p3", "The bishop earns nine pounds.", "pay.md", 0, 29, groups=frozenset({"hr"}))
ids = count(1)


def given(id: str, text: str = "Ada dug it.", **more: Any) -> Given:
    """An answer to the one question, which read the passage on the well and cites it."""
    usual = {"question": "Who dug the well?", "read": ("p1",), "cited": ("p1",), "grounded": 0.9}
    return Given(id, NOW, "acme", "asker", text=text, **{**usual, **more})


def thumb(answer: str, user: str | None, value: float = 1.0, **more: Any) -> Feedback:
    return judged(answer, user, "thumb", value=value, **more)


def correction(answer: str, user: str | None, text: str, **more: Any) -> Feedback:
    return judged(answer, user, "correction", text=text, **more)


def judged(answer: str, user: str | None, kind: str, days: float = 0, **more: Any) -> Feedback:
    at = NOW + timedelta(days=days)
    return Feedback(f"f-{next(ids)}", at, "acme", user, answer, kind, **more)


def review(answer: str, verdict: Any, reviewer: str = "eva", **more: Any) -> Review:
    return Review(answer, NOW, "acme", reviewer, verdict, **more)


def kept(answers: list[Given], judgements: Any = (), reviews: Any = ()) -> Kept:
    return Kept({each.id: each for each in answers}, list(judgements), list(reviews))


def among(*items: Item) -> Any:
    """Looks passages up among ``items``, as a reader in some groups sees them."""

    def look(wanted: Collection[str], groups: frozenset[str]) -> Named:
        there = [item for item in items if item.id in wanted]
        seen = {i.id: i for i in there if not i.groups or i.groups & groups}
        return Named(seen, frozenset(i.id for i in there) - seen.keys())

    return look


everything = among(WELL, MILL, PAY)
