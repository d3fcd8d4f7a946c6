"""Events, judgements and exposures: kept once, told when they are kept, erased when asked."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine

from noria.store.journal import SHADOW, Journal, UnknownAnswerError, UsedKeyError
from noria.types import Event, Exposure, Feedback

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ANSWER = Event("a-1", NOW, "acme", "ada", "answer", "r1", "Who dug the well?", payload={"x": [1]})
THUMB = Feedback("f-1", NOW, "acme", "ada", "a-1", "thumb", value=1.0)


@pytest.fixture
def journal(engine: Engine) -> Iterator[Journal]:
    journal = Journal(engine)
    yield journal
    journal.close()


def test_an_event_comes_back_as_it_was(journal: Journal) -> None:
    at = datetime(2026, 11, 29, 14, tzinfo=timezone(timedelta(hours=2)))
    assert journal.record(replace(ANSWER, at=at)).result(10) == "a-1"
    assert journal.event("a-1") == ANSWER  # the same moment, in UTC
    assert list(journal.events("answer", "acme")) == [ANSWER]
    assert list(journal.events(tenant="other")) == []


def test_a_retry_with_its_key_is_the_same_event(journal: Journal) -> None:
    first = journal.record(ANSWER, "k").result(10)
    again = journal.record(replace(ANSWER, id="a-2", at=NOW + timedelta(1)), "k").result(10)
    assert first == again == "a-1"
    assert len(list(journal.events())) == 1
    with pytest.raises(UsedKeyError, match="another content"):
        journal.record(replace(ANSWER, id="a-3", query="Why?"), "k").result(10)
    other = replace(ANSWER, id="a-4", tenant="other")
    assert journal.record(other, "k").result(10) == "a-4"  # keys are a tenant's own


def test_two_processes_that_get_one_retry_keep_it_once(engine: Engine) -> None:
    servers = Journal(engine), Journal(engine)
    for turn in range(20):
        sent = [replace(ANSWER, id=f"a-{turn}-{n}") for n in range(8)]
        told = [servers[n % 2].record(each, f"k{turn}") for n, each in enumerate(sent)]
        assert len({each.result(20) for each in told}) == 1
    assert len(list(servers[0].events())) == 20
    for each in servers:
        each.close()


def test_a_judgement_knows_the_release_of_its_answer(journal: Journal) -> None:
    journal.record(ANSWER).result(10)
    assert journal.judge(THUMB, "k").result(10) == "f-1"
    assert journal.judge(replace(THUMB, id="f-2"), "k").result(10) == "f-1"
    assert list(journal.feedback(["a-1"])) == [replace(THUMB, release="r1")]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(THUMB, answer="a-9"),
        replace(THUMB, tenant="other"),
        replace(THUMB, kind="ranking", ranking=("a-1", "a-9")),
    ],
)
def test_what_was_not_answered_cannot_be_judged(journal: Journal, wrong: Feedback) -> None:
    journal.record(ANSWER).result(10)
    with pytest.raises(UnknownAnswerError):
        journal.judge(wrong).result(10)
    assert list(journal.feedback()) == []


def test_an_exposure_gets_its_end(journal: Journal) -> None:
    shown = Exposure("a-1", NOW, "x1", "u1", "r1")
    failed = Exposure("a-2", NOW + timedelta(seconds=1), "x1", "u2", "r2", fallback=True)
    for exposure in (shown, failed, Exposure("a-3", NOW, "x2", "u1", "r1")):
        journal.expose(exposure).result(10)
    journal.answered(ANSWER, "ok", 0.5).result(10)
    journal.ended("a-2", "timeout", 120.0).result(10)
    journal.judge(THUMB).result(10)
    exposures, judged = journal.exposed("x1")
    assert exposures == (
        replace(shown, outcome="ok", seconds=0.5),
        replace(failed, outcome="timeout", seconds=120.0),
    )
    assert judged == (replace(THUMB, release="r1"),)


def test_a_person_is_forgotten_with_what_others_thought_of_their_answers(journal: Journal) -> None:
    journal.record(ANSWER).result(10)
    journal.record(replace(ANSWER, id="a-2", user="ben")).result(10)
    for id, unit in (("a-1", "u1"), ("failed", "hash of ada"), ("failed too", "hash of ben")):
        journal.expose(Exposure(id, NOW, "x1", unit, "r1")).result(10)
    for id, user, answer in (("f-1", "eva", "a-1"), ("f-2", "ada", "a-2"), ("f-3", "ben", "a-2")):
        journal.judge(replace(THUMB, id=id, user=user, answer=answer)).result(10)
    gone = journal.forget("acme", "ada", "hash of ada")
    assert gone == {"exposures": 2, "reviews": 0, "feedback": 2, "events": 1}
    assert [event.id for event in journal.events()] == ["a-2"]
    assert [judged.id for judged in journal.feedback()] == ["f-3"]
    assert set(journal.forget("other", "ben").values()) == {0}


def test_a_shadow_is_kept_only_beside_its_answer(journal: Journal) -> None:
    journal.record(ANSWER).result(10)
    shadow = replace(ANSWER, id="s-1", kind=SHADOW, release="r2")
    assert journal.shadowed(shadow, "a-1").result(10) == "s-1"
    with pytest.raises(UnknownAnswerError):  # nobody was shown it
        journal.judge(replace(THUMB, answer="s-1")).result(10)
    assert [event.id for event in journal.answers("r2", 10)] == []
    journal.forget("acme", "ada")
    with pytest.raises(UnknownAnswerError):
        journal.shadowed(replace(shadow, id="s-2"), "a-1").result(10)
    assert list(journal.events()) == []
