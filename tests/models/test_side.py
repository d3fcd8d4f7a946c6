import threading

import pytest

from noria.errors import ModelError
from noria.models.side import SHARES, STRETCH, alike, side_by_side, spelled, stretches
from noria.types import Completion, Message, Prompt


def said(prompt: Prompt, stop: threading.Event) -> Completion:
    assert isinstance(prompt, str)
    return Completion(prompt.upper(), "stop", 1, 1)


def test_the_order_is_the_prompts_whatever_is_done_first() -> None:
    def late(prompt: Prompt, stop: threading.Event) -> Completion:
        stop.wait({"a": 0.05, "c": 0.02}.get(str(prompt), 0))
        return said(prompt, stop)

    heard: list[tuple[int, str]] = []
    found = side_by_side(list("cab"), late, 3, lambda i, c: heard.append((i, c.text)))
    assert [c.text for c in found] == ["C", "A", "B"]
    assert sorted(heard) == [(0, "C"), (1, "A"), (2, "B")]
    assert heard[0] == (2, "B")


def test_no_prompts_are_no_completions() -> None:
    assert side_by_side([], said, 4) == []


def test_ten_thousand_prompts_take_as_many_threads_as_there_are_slots() -> None:
    before = threading.active_count()
    most = 0

    def count(place: int, completion: Completion) -> None:
        nonlocal most
        most = max(most, threading.active_count())

    found = side_by_side([f"{n}" for n in range(10_000)], said, 3, count)
    assert [c.text for c in found] == [f"{n}" for n in range(10_000)]
    assert most <= before + 3
    assert threading.active_count() == before


def test_done_is_told_in_the_callers_thread() -> None:
    threads = set()
    side_by_side(list("abcdef"), said, 3, lambda i, c: threads.add(threading.get_ident()))
    assert threads == {threading.get_ident()}


def test_what_was_finished_before_an_error_was_told() -> None:
    finished = threading.Event()

    def write(prompt: Prompt, stop: threading.Event) -> Completion:
        if prompt == "z":
            assert finished.wait(10)
            raise ModelError("too long")
        return said(prompt, stop)

    heard = []

    def done(place: int, completion: Completion) -> None:
        heard.append(place)
        if len(heard) == 5:
            finished.set()

    with pytest.raises(ModelError, match="too long"):
        side_by_side(list("zabcde"), write, 2, done)
    assert sorted(heard) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ModelError("disk full")])
def test_an_interruption_stops_what_is_being_written(error: BaseException) -> None:
    before = threading.active_count()
    asked: list[Prompt] = []
    cut: list[bool] = []
    began = threading.Event()

    def write(prompt: Prompt, stop: threading.Event) -> Completion:
        asked.append(prompt)
        if prompt == "a":
            assert began.wait(10)
        else:
            began.set()
            cut.append(stop.wait(10))  # a long answer: it ends only where it is told to
        return said(prompt, stop)

    def done(place: int, completion: Completion) -> None:
        raise error

    with pytest.raises(type(error)):
        side_by_side(list("abcdefgh"), write, 2, done)
    assert cut
    assert all(cut)
    assert threading.active_count() == before
    assert len(asked) <= 3  # those that wait are not begun


def test_prompts_that_begin_alike_are_neighbours() -> None:
    system = Message("system", "You answer.")
    prompts: list[Prompt] = [
        (system, Message("user", "river: how long?")),
        "plain",
        (system, Message("user", "mill: who built it?")),
        (system, Message("user", "river: how deep?")),
    ]
    assert alike(prompts) == [1, 2, 3, 0]
    assert spelled("plain") < spelled(prompts[0])


def test_neighbours_are_read_by_one_slot() -> None:
    readers: dict[int, list[str]] = {}

    def write(prompt: Prompt, stop: threading.Event) -> Completion:
        readers.setdefault(threading.get_ident(), []).append(str(prompt))
        return said(prompt, stop)

    names = [f"{n:03}" for n in range(2 * STRETCH * SHARES)]
    side_by_side(names[::-1], write, 2)
    for read in readers.values():
        for start in range(0, len(read), STRETCH):
            first = names.index(read[start])
            assert read[start : start + STRETCH] == names[first : first + STRETCH]


@pytest.mark.parametrize("count", [1, 3, 4, 7, 20, 500])
def test_stretches_hold_each_place_once_and_leave_no_slot_idle(count: int) -> None:
    cut = list(stretches(range(count), 4))
    assert [place for stretch in cut for place in stretch] == list(range(count))
    assert len(cut) >= min(count, 4 * SHARES)
    assert max(len(stretch) for stretch in cut) <= STRETCH
