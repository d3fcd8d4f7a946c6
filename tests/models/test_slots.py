"""Prompts go where they are read soonest."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from noria.models.slots import READS, RECENT, Slots, common

GO = threading.Event()  # never set: nobody leaves
PASSAGE = "The wheel of Hama is twenty metres high. " * 40
SHORT = 4  # tokens that an answer usually has here


def slots(count: int, reader: object = None, length: int = SHORT) -> Slots:
    found = Slots(count)
    for _ in range(RECENT):
        found.wrote(reader, length)
    return found


def place(at: Slots, text: str, reader: str | None = None, most: int = 99) -> int | None:
    """Where a prompt that is answered at once goes."""
    with at.taken(text, reader, most, GO) as found:
        return found


def test_slots_take_turns_and_who_begins_alike_comes_back() -> None:
    at = slots(3)
    assert [place(at, text) for text in ("a", "b", "c", "d")] == [0, 1, 2, 0]
    assert place(at, PASSAGE + "How high?") == 1
    assert place(at, "e") == 2
    assert place(at, PASSAGE + "Where?") == 1


def test_what_other_weights_have_read_is_of_no_use() -> None:
    at = slots(2)
    assert place(at, PASSAGE, "adapter") == 0
    assert place(at, PASSAGE) == 1
    assert place(at, PASSAGE) == 1
    assert place(at, PASSAGE, "adapter") == 0


def beside(at: Slots, text: str, most: int = 99, *, waits: bool = False) -> int | None:
    """Where a prompt goes that comes while another is answered."""
    found: list[int | None] = []

    def wait() -> None:
        with at.taken(text, None, most, GO) as place:
            found.append(place)

    waiting = threading.Thread(target=wait)
    with at.taken(PASSAGE + "How high?", None, most, GO):
        waiting.start()
        waiting.join(0.3 if waits else 20)
        assert waiting.is_alive() == waits
    waiting.join(20)
    return found[0]


def test_a_passage_that_is_being_read_is_waited_for() -> None:
    assert beside(slots(2), PASSAGE + "Where is it?", waits=True) == 0


def test_not_where_that_takes_longer_than_reading_it_anew() -> None:
    long = len(PASSAGE) // 4 // READS + 1
    assert beside(slots(2, length=long), PASSAGE + "Where is it?") == 1
    assert beside(Slots(2), PASSAGE + "Where is it?", most=long) == 1  # nothing is known


def test_nor_for_a_few_words_in_common() -> None:
    assert beside(slots(2), PASSAGE[:40] + "Where is it?") == 1


def test_whoever_waits_takes_a_slot_that_comes_free_sooner() -> None:
    """Two are busy; the one that would be cheaper writes on, and the other one's user has gone."""
    at, leave, found = slots(2, length=40), threading.Event(), list[int | None]()

    def hold() -> None:
        with at.taken("x" * 4000, None, 99, GO):
            leave.wait(20)

    def wait() -> None:
        with at.taken(PASSAGE[:200] + "Where?", None, 99, GO) as place:
            found.append(place)

    with at.taken(PASSAGE[:200] + "How high?", None, 99, GO):
        holding, waiting = threading.Thread(target=hold), threading.Thread(target=wait)
        holding.start()
        until(lambda: len(at._slots[1].line) == 1)
        waiting.start()
        until(lambda: len(at._slots[0].line) == 2)
        leave.set()
        waiting.join(20)
        assert found == [1]
    holding.join(20)


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_guess_that_was_wrong_is_given_up() -> None:
    """The answer before it was to be short, and goes on and on."""
    at, found = slots(2), list[int | None]()
    place(at, "a quick one")

    def wait() -> None:
        with at.taken(PASSAGE + "Where?", None, 99, GO) as place:
            found.append(place)

    with at.taken(PASSAGE + "How high?", None, 99, GO) as first:
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(20)
        assert found == [0]
    assert first == 1


def test_who_leaves_the_line_holds_up_nobody() -> None:
    at, stop, order = slots(1), threading.Event(), list[str]()

    def come(name: str, stop: threading.Event) -> threading.Thread:
        def wait() -> None:
            with at.taken(PASSAGE, None, 9, stop) as place:
                order.append(f"{name} {place}")

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        return thread

    with at.taken(PASSAGE, None, 9, GO):
        leaving = come("leaves", stop)
        staying = come("stays", GO)
        stop.set()
        leaving.join(20)
        assert order == ["leaves None"]
    staying.join(20)
    assert order == ["leaves None", "stays 0"]


def test_no_two_are_ever_in_one_slot() -> None:
    at, seen, inside = slots(3), list[int](), [0, 0, 0]

    def user(n: int) -> None:
        for question in range(20):
            text = PASSAGE + f"{question % 4}" if n % 2 else f"{n} {question}"
            with at.taken(text, None, 9, GO) as place:
                assert place is not None
                inside[place] += 1
                seen.append(inside[place])
                time.sleep(0.0005)
                inside[place] -= 1
            at.wrote(None, SHORT)

    with ExitStack() as running:
        for n in range(8):
            thread = threading.Thread(target=user, args=(n,))
            thread.start()
            running.callback(thread.join, 60)
    assert seen == [1] * 160


@given(st.text("ab", max_size=30), st.text("ab", max_size=30))
def test_a_common_beginning_is_common_and_longest(one: str, other: str) -> None:
    shared = common(one, other)
    assert one[:shared] == other[:shared]
    assert one[: shared + 1] != other[: shared + 1] or shared in (len(one), len(other))
