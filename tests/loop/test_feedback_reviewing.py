"""A reviewer at the terminal: what is typed, what is kept, and what an interruption loses."""

from collections.abc import Iterator

import pytest
from told import NOW, everything, given, kept, thumb

from noria.cli.reviewing import Session, shown
from noria.loop.feedback.queue import Waiting, waiting
from noria.types import PUBLIC, Review

QUEUE = waiting(
    kept([given("a-1"), given("a-2")], [thumb("a-1", "x", -1.0), thumb("a-2", "x", -1.0)]),
    everything,
    PUBLIC,
)


class Interrupted(Exception):
    """What Ctrl-C raises, for a test."""


def session(typed: list[str]) -> tuple[Session, list[Review], list[str]]:
    lines: Iterator[str] = iter(typed)
    reviews: list[Review] = []
    told: list[str] = []

    def ask(question: str) -> str:
        line = next(lines, None)
        if line is None:
            raise EOFError
        if line == "^C":
            raise Interrupted
        return line

    def keep(review: Review) -> bool:
        reviews.append(review)
        return True

    return Session(ask, told.append, keep, "eva", lambda: NOW), reviews, told


def test_a_wrong_answer_is_corrected_with_what_supports_it() -> None:
    at, reviews, told = session(["w", "Ada Moser did.", "history", "1"])
    assert at.go_through(QUEUE) == (1, 1)
    assert reviews == [
        Review("a-1", NOW, "acme", "eva", "wrong", "Ada Moser did.", "history", ("p1",))
    ]
    assert "[1] wells.md (cited): Ada dug the well in 1842." in told[0]


def test_what_is_mistyped_is_asked_again() -> None:
    at, reviews, told = session(["x", "right", "", "7", "1,1", "skip", "q"])
    assert at.go_through(QUEUE) == (1, 1)
    assert reviews == [Review("a-1", NOW, "acme", "eva", "right", passages=("p1",))]
    assert "please type numbers from 1 to 1, with commas between them" in told


@pytest.mark.parametrize("end", [["q"], []])
def test_who_quits_keeps_what_was_said(end: list[str]) -> None:
    at, reviews, _ = session(["u", "", *end])
    assert at.go_through(QUEUE) == (1, 1)
    assert [(r.verdict, r.text, r.passages) for r in reviews] == [("unanswerable", None, ())]


def test_an_interruption_loses_only_the_answer_that_is_looked_at() -> None:
    at, reviews, _ = session(["s", "w", "^C"])
    with pytest.raises(Interrupted):
        at.go_through(QUEUE)
    assert reviews == []
    at, reviews, _ = session(["u", "", "w", "^C"])
    with pytest.raises(Interrupted):
        at.go_through(QUEUE)
    assert [r.answer for r in reviews] == ["a-1"]


def test_users_cannot_move_the_cursor() -> None:
    told = shown(Waiting(given("a-1", "\x1b[2JGone"), ("thumb down",)), 1, 1)
    assert "\x1b" not in told
