"""Reviews of answers: one for each reviewer, replaced by the next, erased with the answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from noria.store.journal import Journal, UnknownAnswerError
from noria.store.reviews import Reviews
from noria.types import Event, Review

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ANSWER = Event("a-1", NOW, "acme", "ada", "answer", "r1", "Who dug the well?")
WRONG = Review("a-1", NOW, "acme", "eva", "wrong", "Ben dug it.", "history", ("p1",))


@pytest.fixture
def reviews(engine: Engine) -> Reviews:
    journal = Journal(engine)
    journal.record(ANSWER).result(10)
    journal.close()
    return Reviews(engine)


def test_a_review_comes_back_as_it_was(reviews: Reviews) -> None:
    assert reviews.keep(WRONG)
    assert list(reviews) == [WRONG]


def test_a_reviewer_may_think_again_and_the_last_review_counts(reviews: Reviews) -> None:
    reviews.keep(WRONG)
    assert not reviews.keep(replace(WRONG, at=NOW + timedelta(1)))  # says the same
    right = replace(WRONG, verdict="right", text=None)
    assert reviews.keep(right)
    other = replace(WRONG, reviewer="finn")
    assert reviews.keep(other)
    assert list(reviews) == [right, other]


@pytest.mark.parametrize("unknown", [replace(WRONG, answer="a-9"), replace(WRONG, tenant="b")])
def test_what_was_not_answered_cannot_be_reviewed(reviews: Reviews, unknown: Review) -> None:
    with pytest.raises(UnknownAnswerError):
        reviews.keep(unknown)
    assert list(reviews) == []


def test_reviews_of_a_persons_answers_are_forgotten_with_them(
    reviews: Reviews, engine: Engine
) -> None:
    reviews.keep(WRONG)
    journal = Journal(engine)
    assert journal.forget("acme", "eva")["reviews"] == 0  # a reviewer, not the one who asked
    assert journal.forget("acme", "ada")["reviews"] == 1
    journal.close()
    assert list(reviews) == []
