"""What the lookout sees in a journal: against a training set, and against the first answers."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, insert
from test_drift import USUAL, Words, questions

from noria.errors import NoriaError
from noria.evaluate.questions import Question
from noria.loop.deploy import promoted
from noria.loop.lookout import BATCH, FIRST, Learnt, Lookout, learnt_by
from noria.store.artifacts import Artifacts
from noria.store.journal import Journal, spelled
from noria.store.registry import Registry
from noria.store.releases import made
from noria.store.rollouts import Rollouts
from noria.store.schema import events
from noria.tune.data.store import write
from noria.tune.examples import Example
from noria.types import Event, Rollout

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
OTHER = {"wells": 1.0}


class Counting(Words):
    """Counts the texts that it reads."""

    read = 0

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read += len(texts)
        return super().encode_queries(texts)


@pytest.fixture
def journal(engine: Engine) -> Iterator[Journal]:
    journal = Journal(engine)
    yield journal
    journal.close()


@pytest.fixture
def rows(engine: Engine) -> Rollouts:
    rows = Rollouts(engine)
    rows.change(None, Rollout("r1"), "promote", "r1", {}, NOW)
    return rows


def answered(
    engine: Engine, texts: list[str], scores: np.ndarray, start: int = 0, release: str = "r1"
) -> None:
    """Answers to questions, one a second, with what was found for each."""
    kept = []
    for n, (text, score) in enumerate(zip(texts, scores, strict=True), start):
        payload = {"confidence": float(score), "nearest": float(score) / 2}
        event = Event(
            f"a-{release}-{n}", NOW + timedelta(seconds=n), "t", "ada", "answer", release, text,
            payload=payload,
        )  # fmt: skip
        kept.append(asdict(event) | {"payload": spelled(payload), "digest": ""})
    with engine.begin() as connection:  # at once: the journal's own way is tested elsewhere
        connection.execute(insert(events), kept)


def test_nothing_is_seen_where_nothing_is_live(engine: Engine, journal: Journal) -> None:
    assert Lookout(Rollouts(engine), journal, lambda id: None).look(Words) == ()


def test_few_answers_are_no_verdict_and_need_no_encoder(
    engine: Engine, rows: Rollouts, journal: Journal
) -> None:
    rng = np.random.default_rng(1)
    answered(engine, questions(USUAL, 50, rng), rng.random(50))

    def never() -> Words:
        raise AssertionError("nothing is to be encoded")

    found = Lookout(rows, journal, lambda id: None).look(never)
    assert [(each.what, each.shifts, each.alarm) for each in found] == [
        ("questions", (), False),
        ("scores", (), False),
    ]


def test_a_release_is_compared_with_its_first_answers(
    engine: Engine, rows: Rollouts, journal: Journal
) -> None:
    rng = np.random.default_rng(2)
    answered(engine, questions(USUAL, FIRST, rng), rng.random(FIRST))
    answered(engine, questions(USUAL, 300, rng), rng.random(300), start=FIRST)
    same = Lookout(rows, journal, lambda id: None).look(Words)
    assert [each.alarm for each in same] == [False, False]
    assert all(each.shifts for each in same)
    assert {each.against for each in same} == {f"its first {FIRST} answers"}
    answered(engine, questions(OTHER, 900, rng), rng.random(900) ** 4, start=FIRST + 300)
    moved = Lookout(rows, journal, lambda id: None).look(Words)
    assert [each.alarm for each in moved] == [True, True]
    assert moved[1].furthest is not None
    assert {shift.figure for shift in moved[1].shifts} == {"confidence", "nearest"}


def test_a_tuned_release_is_compared_with_what_it_learnt_from(
    engine: Engine, rows: Rollouts, journal: Journal
) -> None:
    rng = np.random.default_rng(3)
    learnt = Learnt(("d1",), tuple(questions(USUAL, 500, rng)))
    lookout = Lookout(rows, journal, lambda id: learnt)
    answered(engine, questions(USUAL, 250, rng), rng.random(250))
    asked, scores = lookout.look(Words)
    assert asked.against == "the training set d1"
    assert asked.shifts
    assert not asked.alarm
    assert not scores.shifts  # all 250 are its first
    answered(engine, questions(OTHER, 250, rng), rng.random(250), start=250)
    asked, _ = lookout.look(Words)
    assert asked.alarm
    assert "other than the training set d1" in asked.sentence


def test_first_are_those_since_it_was_made_live(
    engine: Engine, rows: Rollouts, journal: Journal
) -> None:
    rng = np.random.default_rng(4)
    answered(engine, questions(OTHER, 150, rng), rng.random(150), release="r2")  # tried, say
    before = rows.now()
    assert before is not None
    live = promoted(before, "r2")
    rows.change(before, live, "promote", "r2", {}, NOW + timedelta(seconds=150))
    rows.change(live, live, "hold", "r2", {}, NOW + timedelta(seconds=160))
    answered(engine, questions(USUAL, 400, rng), rng.random(400), start=150, release="r2")
    _, scores = Lookout(rows, journal, lambda id: None).look(Words)
    assert (scores.before, scores.now) == (400, 150)  # what came earlier is none of the first


def test_a_second_look_reads_only_what_is_new(
    engine: Engine, rows: Rollouts, journal: Journal
) -> None:
    rng = np.random.default_rng(5)
    learnt = Learnt(("d1",), tuple(questions(USUAL, 300, rng)))
    lookout, encoder = Lookout(rows, journal, lambda id: learnt), Counting()
    answered(engine, questions(USUAL, 150, rng), rng.random(150))
    first = lookout.look(lambda: encoder)
    read = encoder.read
    assert lookout.look(lambda: encoder) == first
    assert encoder.read == read
    answered(engine, ["is there a well with a winch"], rng.random(1), start=150)
    lookout.look(lambda: encoder)
    assert encoder.read == read + 1


def test_a_look_that_is_long_can_be_ended(engine: Engine, rows: Rollouts, journal: Journal) -> None:
    rng = np.random.default_rng(6)
    learnt = Learnt(("d1",), tuple(questions(USUAL, 300, rng)))
    lookout, encoder = Lookout(rows, journal, lambda id: learnt), Counting()
    answered(engine, questions(USUAL, 150, rng), rng.random(150))
    lookout.close()
    with pytest.raises(NoriaError, match="to end"):
        lookout.look(lambda: encoder)
    assert encoder.read < BATCH


def test_what_was_learnt_from_is_in_the_lineage(url: str, tmp_path: Path) -> None:
    registry = Registry(url, Artifacts(tmp_path / "artifacts"))
    file = tmp_path / "dataset"
    write(file, [Example(Question(f"q{n}", f"Who dug well {n}?"), "Ada.") for n in range(3)])
    digest = registry.artifacts.put(file)
    data = registry.add(made("dataset", {"dataset": digest}, NOW, ["dataset"]))
    tuned = registry.add(made("release", {"base": "b"}, NOW, [], [data.id]))
    served = registry.add(made("release", {"base": "b", "x": "y"}, NOW, [], [tuned.id]))
    plain = registry.add(made("release", {"base": "c"}, NOW))
    learnt = learnt_by(registry)
    found = learnt(served.id)
    assert found is not None
    assert found.datasets == (data.id,)
    assert sorted(found.questions) == [f"Who dug well {n}?" for n in range(3)]
    assert learnt(plain.id) is None
    registry.close()
