"""Which answers wait for a reviewer: the oddest first, and none that the reviewer must not see."""

from dataclasses import replace

from told import everything, given, judged, kept, review, thumb

from noria.loop.feedback.queue import waiting
from noria.types import PUBLIC

A1 = given("a-1")


def order(*args: object, groups: frozenset[str] = PUBLIC) -> list[str]:
    return [each.given.id for each in waiting(kept(*args), everything, groups)]  # type: ignore[arg-type]


def test_disagreement_goes_before_thumbs_down_and_that_before_doubt() -> None:
    answers = [given(f"a-{n}") for n in range(5)]
    answers[1] = replace(answers[1], grounded=0.2)
    said = [
        thumb("a-0", "x"),  # nothing odd
        thumb("a-2", "x", -1.0),
        thumb("a-3", "x", -1.0),
        thumb("a-3", "y"),
        judged("a-4", "x", "comment", text="Really?"),
    ]
    assert order(answers, said) == ["a-3", "a-2", "a-4", "a-1"]
    (first, *_) = waiting(kept(answers, said), everything, PUBLIC)
    assert first.why == ("disagreement", "thumb down")
    assert [judgement.value for judgement in first.said] == [-1.0, 1.0]


def test_what_was_reviewed_waits_no_longer() -> None:
    assert order([A1], [thumb("a-1", "x", -1.0)]) == ["a-1"]
    assert order([A1], [thumb("a-1", "x", -1.0)], [review("a-1", "right")]) == []


def test_reviewers_see_what_their_groups_may_read() -> None:
    pay = given("a-1", read=("p3",), cited=("p3",), groups=frozenset({"hr"}))
    down = [thumb("a-1", "x", -1.0)]
    assert order([pay], down) == []
    assert order([pay], down, groups=frozenset({"hr"})) == ["a-1"]
