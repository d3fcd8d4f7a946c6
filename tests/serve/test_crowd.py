"""A simulated crowd asks, judges by its taste, and writes what it would have said."""

import asyncio
from collections import Counter
from collections.abc import Callable

from noria.evaluate.questions import Question
from noria.loop.feedback.shelf import kept_in
from noria.store.reviews import Reviews
from noria.testing.crowd import Crowd, Taste
from noria.types import Prompt
from served import Served

Serving = Callable[..., Served]
QUESTIONS = (
    Question("q1", "Who dug the well?", ("Ada",)),
    Question("q2", "When was the well dug?", ("1842",)),
)


def short(release: str, prompt: Prompt) -> str:
    return "Ada dug the well in 1842."


def long(release: str, prompt: Prompt) -> str:
    return "Ada dug the well in 1842, and much could be said of it, " + "and more, " * 20


def came(serving: Serving, says: object, taste: Taste) -> tuple[Counter[str], list[str]]:
    at = serving(says)

    async def run() -> Counter[str]:
        async with at.client() as client:
            found = await Crowd(client, QUESTIONS, taste).come(range(200), 4)
        return sum(found.values(), Counter[str]())

    thoughts = asyncio.run(run())
    kept = kept_in(at.journal, Reviews(at.rows._engine))
    return thoughts, [each.text or "" for each in kept.judgements if each.kind == "correction"]


def test_short_cited_answers_are_liked(serving: Serving) -> None:
    liked, few = came(serving, short, "short")
    disliked, many = came(serving, long, "short")
    assert liked["up"] > 5 * liked["down"]
    assert disliked["down"] > 1.5 * disliked["up"]
    assert len(many) > 2 * len(few)
    assert {*many} == {"Ada", "1842"}
    assert 0.6 < 1 - liked["silent"] / 200 < 0.8


def test_a_coin_likes_all_alike_and_writes_nothing(serving: Serving) -> None:
    thoughts, written = came(serving, long, "random")
    assert abs(thoughts["up"] - thoughts["down"]) < 40
    assert written == []
