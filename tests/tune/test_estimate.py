"""What a training takes, before it begins."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smol import SMOL, row

from noria.errors import UsageError
from noria.tune.estimate import (
    Estimate,
    as_json,
    duration,
    estimate,
    refused,
    size,
)
from noria.tune.machine import Machine
from noria.tune.pace import Pace
from noria.tune.pack import Row
from noria.tune.weights import Movable

PACE = Pace(60e9, "prior")
CLOSE = 1.25  # the estimate is within this factor of what was measured
LORA = Movable()


def take(movable: Movable = LORA, *rows: Row, looks: int = 0) -> Estimate:
    return estimate(SMOL, movable, [rows or (row(1024),)], [row(512)], looks, PACE)


# what benchmarks/estimate.py measured: the peak of two updates in a process of their own
MEASURED = [
    (Movable("lora", 16), 256, 64, 1_523_000_000),
    (Movable("lora", 16), 512, 64, 1_896_000_000),
    (Movable("lora", 16), 1024, 64, 2_704_000_000),
    (Movable("qlora", 16), 512, 64, 2_005_000_000),
]


@pytest.mark.parametrize(("movable", "length", "learnt", "peak"), MEASURED)
def test_the_estimate_is_close_to_what_was_measured(
    movable: Movable, length: int, learnt: int, peak: int
) -> None:
    found = take(movable, row(length, learnt))
    assert peak / CLOSE < found.resident < peak * CLOSE


METHODS = st.sampled_from(["lora", "qlora", "full"])
MOVABLES = st.builds(Movable, METHODS, st.integers(1, 256))
LENGTHS = st.integers(20, 8192)


@given(MOVABLES, LENGTHS, st.integers(1, 5), st.integers(0, 9))
def test_longer_more_and_wider_take_more(
    movable: Movable, length: int, rows: int, looks: int
) -> None:
    found = take(movable, *[row(length)] * rows, looks=looks)
    parts = {k: v for k, v in as_json(found, Machine(1, 1)).items() if isinstance(v, int | float)}
    assert all(value >= 0 for value in parts.values())
    assert all(each.saved >= 0 for each in found.remedies)
    longer = take(movable, *[row(length + 100)] * rows, looks=looks)
    more = take(movable, *[row(length)] * (rows + 1), looks=looks)
    teaching = take(movable, *[row(length, 19)] * rows, looks=looks)
    wider = take(replace(movable, rank=movable.rank + 1), *[row(length)] * rows, looks=looks)
    for other in (longer, more, teaching, wider):
        assert other.memory >= found.memory
        assert other.seconds >= found.seconds
    assert longer.kept > found.kept
    assert more.masks > found.masks
    assert teaching.logits > found.logits
    assert (wider.trained > found.trained) == (movable.method != "full")
    assert take(movable, *[row(length)] * rows, looks=looks + 1).seconds > found.seconds


@given(st.integers(1, 64), LENGTHS)
def test_qlora_takes_less_than_lora_and_that_less_than_all(rank: int, length: int) -> None:
    takes = [take(Movable(m, rank), row(length)).memory for m in ("qlora", "lora", "full")]  # type: ignore[arg-type]
    assert takes == sorted(takes)
    assert len(set(takes)) == 3


def test_the_files_of_a_base_are_its_weights_where_nothing_is_changed() -> None:
    assert take(Movable("lora")).mapped == take(Movable("full")).mapped == 0
    assert take(Movable("qlora")).mapped == SMOL.stored
    half = replace(SMOL, stored=SMOL.stored // 2)  # bfloat16, which becomes float32
    assert estimate(half, LORA, [], [], 0, PACE).mapped == half.stored


def test_only_the_fullest_update_counts_for_memory_and_all_for_time() -> None:
    one = estimate(SMOL, Movable(), [[row(1024)]], [], 0, PACE)
    three = estimate(SMOL, Movable(), [[row(64)], [row(1024)], [row(64)]], [], 0, PACE)
    assert three.memory == one.memory
    assert three.tokens == 1152
    assert three.seconds > one.seconds


def test_the_work_of_a_row_is_two_operations_a_weight_forth_and_two_back() -> None:
    bare = replace(SMOL, hidden=0, vocabulary=0)  # no attention, no logits
    found = estimate(bare, Movable(rank=1), [[row(100)]], [], 0, Pace(1.0, "prior"))
    assert found.seconds == 100 * (4 * SMOL.linear + 6 * SMOL.width)
    whole = estimate(bare, Movable("full"), [[row(100)]], [], 0, Pace(1.0, "prior"))
    assert whole.seconds == 100 * 6 * SMOL.linear


def test_a_checkpoint_may_be_the_fullest_moment() -> None:
    found = take(Movable("full"), row(20))
    assert found.memory == found.libraries + 6 * 4 * SMOL.parameters


def test_no_plan_takes_no_time() -> None:
    found = estimate(SMOL, Movable(), [], [], 3, PACE)
    assert (found.seconds, found.kept, found.masks, found.looking) == (0, 0, 0, 0)


def test_a_gpu_takes_half_of_it() -> None:
    there = estimate(SMOL, Movable(), [[row(1024)]], [], 0, PACE, device="cuda")
    assert there.weights == 2 * SMOL.parameters
    assert there.kept == pytest.approx(take().kept / 2)


def test_what_fits_is_not_refused() -> None:
    found = take()
    refused(found, found.memory)
    refused(found, None)


def test_what_does_not_fit_is_refused_with_what_would_help() -> None:
    found = take(Movable("lora", 16), row(1024))
    with pytest.raises(UsageError) as error:
        refused(found, 2_000_000_000)
    told = str(error.value)
    assert told.startswith(
        f"training would need about {size(found.memory)} of memory, and 2.0 GB are free; "
        "what would help: --limit 512, rows of that many tokens instead of 1,024, "
        "which saves about 826 MB; "
    )
    assert "--method qlora instead of lora, which saves about 366 MB" in told
    assert (
        "rank" not in told
    )  # an adapter of rank 16 is small: advice that helps little is left out
    assert "smaller base" not in told


@pytest.mark.parametrize(
    ("movable", "lengths", "told"),
    [
        (Movable("full"), [64], "lora instead of full"),
        (Movable("lora", 256), [64], "rank 128 instead of 256"),
        (Movable("qlora", 1), [2048] * 200, "half as many examples in an update"),
        (Movable("qlora", 1), [64], "a smaller base model, or a machine with more memory"),
    ],
)
def test_the_advice_is_of_what_takes_most(movable: Movable, lengths: list[int], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        refused(take(movable, *map(row, lengths)), 100_000_000)


def test_remedies_save_what_they_say() -> None:
    rows = [row(1024, 64), row(1024, 64)]
    found = take(Movable("lora", 64), *rows)
    saved = {each.change.split()[0]: each.saved for each in found.remedies}
    assert saved["--method"] == found.memory - take(Movable("qlora", 64), *rows).memory
    assert saved["--rank"] == pytest.approx(
        found.memory - take(Movable("lora", 32), *rows).memory, rel=0.01
    )
    halved = [row(512, 32)] * 4
    assert saved["--limit"] == pytest.approx(
        found.memory - take(Movable("lora", 64), *halved).memory, rel=0.05
    )


def test_where_a_row_has_many_trees_fewer_are_advised() -> None:
    trees = [row(256, 16).trees[0]] * 4
    together, apart = Row(tuple(trees)), [Row((tree,)) for tree in trees]
    found = take(LORA, together)
    (said,) = (each for each in found.remedies if "together" in each.change)
    assert said.change == "--row 512 instead of 1,024 tokens that are read together"
    assert not any("--limit" in each.change for each in found.remedies)
    two = [Row(tuple(trees[:2]))] * 2
    assert said.saved == pytest.approx(found.memory - take(LORA, *two).memory, rel=0.05)
    least = [each.change for each in take(LORA, *apart).remedies]
    assert any("--limit 128" in change for change in least)


def test_people_and_programs_read_the_same() -> None:
    found = take(looks=2)
    told = json.loads(json.dumps(as_json(found, Machine(5, 2.0))))
    assert told["memory"] == found.memory
    assert told["free"] == 5
    assert told["pace"]["source"] == "prior"
    assert str(found) == (
        f"about {size(found.memory)} of memory and {duration(found.seconds)} "
        "(a rough guess: nothing was timed) for 2,048 tokens"
    )
    timed = replace(found, pace=Pace(1e9, "measured"))
    assert "(timed on one of its rows)" in str(timed)
