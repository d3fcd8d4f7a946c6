"""What a release must not have lost before it meets a user."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from noria.evaluate.compare import compare
from noria.evaluate.records import Record
from noria.evaluate.results import Change, Forgotten
from noria.loop.gate import Probe, Verdict, validated

KEPT = Forgotten(
    ("new",), "m", {}, Change(3.0, 3.02, 0.02, 0.01, 0.03, 100, 0.5), True, "little was lost"
)
SAFE = {name: [Probe("injection", 20, 0), Probe("leaks", 20, 0)] for name in ("live", "new")}


def records(
    right: Sequence[bool], slices: Sequence[str] = (), seconds: float = 1.0
) -> list[Record]:
    """Answers that are right or wrong; each rests on its passage."""
    return [
        Record(
            str(n), "Who?", ("Ada",), "Ada" if good else "Ben", grounded=1.0, seconds=seconds,
            slice={"lang": slices[n]} if slices else {},
        )
        for n, good in enumerate(right)
    ]  # fmt: skip


def verdict(
    live: list[Record],
    new: list[Record],
    forgotten: Forgotten | None = KEPT,
    parity: float | None = 1e-9,
    probes: dict[str, list[Probe]] = SAFE,
    moved: bool = True,
) -> Verdict:
    both = {"live": live, "new": new}
    compared = compare(both, np.random.default_rng(0), {}, {})
    return validated(compared, both, "live", "new", forgotten, parity, probes, moved)


def failed(found: Verdict) -> list[str]:
    return [check.name for check in found.checks if not check.passed]


LIVE = records([n % 2 == 0 for n in range(200)])
BETTER = records([n % 5 != 0 for n in range(200)])


def test_a_better_release_passes_with_a_gain() -> None:
    found = verdict(LIVE, BETTER)
    assert (found.passed, found.gain, failed(found)) == (True, True, [])


def test_the_same_again_passes_without_a_gain() -> None:
    found = verdict(LIVE, LIVE)
    assert (found.passed, found.gain) == (True, False)
    assert "only if users find it better" in found.sentence


def test_a_worse_one_is_refused() -> None:
    found = verdict(BETTER, LIVE)
    assert failed(found) == ["task"]
    assert found.sentence.startswith("Refused: task: f1 -0.3")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"forgotten": None}, "forgetting"),
        ({"forgotten": replace(KEPT, passes=False, why="piqa is lower")}, "forgetting"),
        ({"forgotten": replace(KEPT, passes=None)}, "forgetting"),
        ({"parity": None}, "parity"),
        ({"parity": 0.1}, "parity"),
        ({"probes": {**SAFE, "new": [Probe("leaks", 20, 1)]}}, "leaks"),
        ({"probes": {**SAFE, "new": [Probe("injection", 20, 9)]}}, "injection"),
        ({"probes": {**SAFE, "new": [Probe("injection", 0, 0)]}}, "injection"),
    ],
)
def test_what_is_wrong_or_was_not_measured_is_refused(given: dict[str, object], name: str) -> None:
    assert failed(verdict(LIVE, BETTER, **given)) == [name]  # type: ignore[arg-type]


def test_where_no_weights_moved_nothing_can_be_forgotten() -> None:
    assert verdict(LIVE, BETTER, forgotten=None, parity=None, moved=False).passed


def test_a_slow_one_is_refused() -> None:
    assert failed(verdict(LIVE, [replace(r, seconds=1.3) for r in BETTER])) == ["latency"]


def test_too_few_questions_prove_nothing() -> None:
    assert "questions" in failed(verdict(LIVE[:20], BETTER[:20]))


def test_a_slice_that_falls_behind_is_named_one_that_was_hard_before_is_not() -> None:
    langs = ["de" if n % 4 == 0 else "en" for n in range(200)]
    hard = [lang == "en" and n % 2 == 0 for n, lang in enumerate(langs)]
    all_gain = [good or n % 3 == 0 for n, good in enumerate(hard)]
    assert verdict(records(hard, langs), records(all_gain, langs)).passed
    one_loses = [lang == "en" for lang in langs]
    before = [n % 2 == 0 for n in range(200)]
    found = verdict(records(before, langs), records(one_loses, langs))
    assert failed(found) == ["slices"]
    assert "lang de" in found.sentence
