"""Packed logits are unpacked logits: no token sees another example, none is read twice."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.tune import attention
from noria.tune.pack import SHARED, Row, laid, pack, trees
from noria.tune.render import Lesson
from noria.tune.train import losses
from noria.tune.weights import moving
from tiny_model import tiny

TOKENS = st.integers(0, 95)
LESSONS = st.lists(
    st.tuples(
        st.integers(0, 2),  # which common beginning
        st.integers(0, 90),  # how much of it
        st.lists(TOKENS, min_size=1, max_size=20),
        st.lists(TOKENS, min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=9,
)
BEGINNINGS = [tuple(random.Random(n).choices(range(96), k=90)) for n in range(3)]


def lessons(drawn: list) -> list[Lesson]:
    return [
        Lesson(str(n), BEGINNINGS[which][:much] + tuple(before), tuple(after), 1.0 + n % 2)
        for n, (which, much, before, after) in enumerate(drawn)
    ]


def alone(model, lesson: Lesson) -> torch.Tensor:
    ids = torch.tensor([lesson.before + lesson.after])
    with torch.inference_mode():
        logits = model(input_ids=ids).logits[0]
    return logits[len(lesson.before) - 1 : -1]


def packed(model: Any, row: Row) -> torch.Tensor:
    """The logits of a row, as training takes them."""
    inputs = laid(row)
    told = {"trees": inputs.trees} if attention.used(model) else {}
    with torch.inference_mode():
        logits: torch.Tensor = model(
            input_ids=inputs.ids,
            attention_mask=inputs.mask,
            position_ids=inputs.positions,
            use_cache=False,
            logits_to_keep=inputs.sources,
            **told,
        ).logits[0]
    return logits


def reading(how: str, **more: Any) -> Any:
    """A tiny model that reads rows by their mask, or tree by tree."""
    model = tiny(**more)
    if how == "trees":
        attention.use(model)
        assert attention.used(model)
    return model


@pytest.mark.parametrize("how", ["mask", "trees"])
@settings(max_examples=30)
@given(LESSONS, st.integers(60, 300))
def test_every_logit_is_that_of_the_example_alone(how: str, drawn: list, room: int) -> None:
    model, plain = reading(how), tiny()
    given_lessons = lessons(drawn)
    seen: list[str] = []
    for row in pack(given_lessons, room):
        inputs = laid(row)
        expected = [lesson for tree in row.trees for lesson in tree.lessons]
        assert inputs.targets.tolist() == [t for lesson in expected for t in lesson.after]
        assert inputs.weights.tolist() == [x.weight for x in expected for _ in x.after]
        logits = torch.cat([alone(plain, x) for x in expected])
        assert (packed(model, row) - logits).abs().max() < 1e-5
        seen += [lesson.id for lesson in expected]
        assert row.length <= room or len(row.trees) == 1
    assert sorted(seen) == sorted(lesson.id for lesson in given_lessons)


@pytest.mark.parametrize("how", ["mask", "trees"])
def test_every_gradient_is_that_of_the_examples_alone(how: str) -> None:
    some = [
        Lesson(f"{n}/{m}", (*BEGINNINGS[n], m, 5), (m + 7, 3), 1.0 + m)
        for n in range(3)
        for m in range(n + 1)
    ]
    (row,) = pack(some, 999)
    assert sorted(len(tree.lessons) for tree in row.trees) == [1, 2, 3]
    model, plain = reading(how, initializer_range=0.3), tiny(initializer_range=0.3)
    losses(model, laid(row)).backward()
    for lesson in some:
        ids = torch.tensor([lesson.before + lesson.after])
        logits = plain(input_ids=ids).logits[0, len(lesson.before) - 1 : -1]
        each = torch.nn.functional.cross_entropy(logits, torch.tensor(lesson.after))
        (each * len(lesson.after) * lesson.weight).backward()
    for name, weight in moving(model).items():
        assert torch.allclose(weight.grad, moving(plain)[name].grad, rtol=1e-3, atol=1e-4), name


def test_without_trees_a_model_reads_as_before() -> None:
    ids = torch.tensor([[5, 6, 7, 8], [9, 8, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.inference_mode():
        one, other = (
            reading(how)(input_ids=ids, attention_mask=mask).logits for how in ("mask", "trees")
        )
        alone_too = reading("trees")(input_ids=ids[1:, :2]).logits
    assert torch.equal(one, other)
    assert (alone_too - other[1:, :2]).abs().max() < 1e-5


def test_a_model_with_its_own_attention_keeps_it() -> None:
    model = tiny()
    model.set_attn_implementation("eager")
    attention.use(model)
    assert not attention.used(model)
    assert model.config._attn_implementation == "eager"


def test_how_it_reads_is_not_saved_with_a_model(tmp_path: Path) -> None:
    reading("trees").save_pretrained(tmp_path)
    assert attention.NAME not in (tmp_path / "config.json").read_text()


@pytest.mark.net
@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NORIA_NET") != "1", reason="NORIA_NET is not 1")
@pytest.mark.parametrize("how", ["mask", "trees"])
def test_the_default_generator_gives_the_logits_of_the_example_alone(how: str) -> None:
    from noria.config import GENERATOR
    from noria.models.cache import default_cache
    from noria.models.gguf import converted
    from noria.models.sources import fetch
    from noria.tune.weights import loaded

    model = loaded(converted(fetch(GENERATOR), default_cache()), "lora", "cpu").eval()
    draw = random.Random(5)
    passages = [draw.choices(range(1000, 40000), k=200) for _ in range(2)]
    some = [
        Lesson(f"{n}/{m}", (*passages[n], *draw.choices(range(40000), k=9)), (m + 7, 2))
        for n in range(2)
        for m in range(3 - 2 * n)
    ]
    (row,) = pack(some, 999)
    expected = [alone(model, lesson) for tree in row.trees for lesson in tree.lessons]
    if how == "trees":
        attention.use(model)
    assert (packed(model, row) - torch.cat(expected)).abs().max() < 1e-4


def test_a_common_beginning_is_read_once() -> None:
    passage = BEGINNINGS[0] + BEGINNINGS[1]
    five = [Lesson(str(n), (*passage, n, 7), (n + 1, 9)) for n in range(5)]
    (row,) = pack(five, 1024)
    assert row.length == len(passage) + 5 * 4
    assert len(list(trees(five, 1024))) == 1


def test_a_short_common_beginning_makes_no_tree() -> None:
    start = BEGINNINGS[0][: SHARED - 1]
    two = [Lesson(str(n), (*start, n), (9,)) for n in range(2)]
    assert [len(tree.lessons) for tree in trees(two, 1024)] == [1, 1]


def test_rows_are_filled() -> None:
    sizes = [50, 40, 30, 20, 10, 10]
    rows = pack([Lesson(str(n), (n,) * (size - 1), (1,)) for n, size in enumerate(sizes)], 80)
    assert sorted(row.length for row in rows) == [80, 80]


@pytest.mark.parametrize("room", [64, 1000])
def test_identical_prompts_share_all_but_the_last_token(room: int) -> None:
    two = [Lesson(str(n), BEGINNINGS[0], (n, 9)) for n in range(2)]
    (row,) = pack(two, room)  # a tree that is longer than a row is not cut
    assert row.length == 89 + 2 * 3


def test_a_tree_has_a_limit_of_its_own() -> None:
    two = [Lesson(str(n), BEGINNINGS[0], (n, 9)) for n in range(2)]
    assert sum(tree.length for tree in trees(two, 64)) == 2 * 92
