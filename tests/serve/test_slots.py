"""Places are given out in turn by caller, and nobody's is lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.serve.slots import FullError, Slots


def test_callers_take_turns() -> None:
    order: list[str] = []

    async def ask(slots: Slots, caller: str, name: str) -> None:
        async with slots.place(caller, 10):
            order.append(name)
            await asyncio.sleep(0)

    async def run() -> None:
        slots = Slots(1, 10)
        names = [("greedy", f"g{n}") for n in range(4)] + [("modest", "m0")]
        await asyncio.gather(*(ask(slots, caller, name) for caller, name in names))
        assert (slots.running, slots.waiting) == (0, 0)

    asyncio.run(run())
    assert order == ["g0", "g1", "m0", "g2", "g3"]


def test_who_waited_too_long_goes_and_takes_no_place() -> None:
    async def run() -> None:
        slots = Slots(1, 10)
        async with slots.place("a", 10):
            with pytest.raises(FullError):
                async with slots.place("b", 0.01):
                    pass
            assert slots.waiting == 0
        assert slots.running == 0

    asyncio.run(run())


def test_a_borrowed_place_goes_back_to_whoever_comes() -> None:
    async def run() -> None:
        slots, told = Slots(2, 10), list[str]()
        with slots.borrowed(lambda: told.append("first")) as first:
            async with slots.place("a", 10):
                with slots.borrowed(lambda: told.append("second")) as second:
                    assert (first, second) == (True, False)  # one place runs, one is lent
                async with slots.place("b", 0.01) as waited:
                    assert (told, slots.running) == (["first"], 2)
                    assert waited < 0.01
        assert (slots.running, slots._lent) == (0, [])

    asyncio.run(run())


def test_nothing_is_lent_while_somebody_waits() -> None:
    async def run() -> None:
        slots = Slots(1, 10)
        async with slots.place("a", 10):
            waits = asyncio.create_task(slots._enter("b", 10))
            await asyncio.sleep(0)
            assert slots.waiting == 1
        with slots.borrowed(lambda: None) as free:
            assert not free
        await waits

    asyncio.run(run())


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30),
    st.integers(1, 3),
    st.integers(0, 5),
)
def test_no_place_is_lost_or_doubled(asks: list[tuple[str, bool]], places: int, room: int) -> None:
    async def ask(slots: Slots, caller: str) -> None:
        async with slots.place(caller, 5):
            assert slots.running <= places
            await asyncio.sleep(0)

    async def run() -> None:
        slots = Slots(places, room)
        tasks = []
        for caller, leaves in asks:
            tasks.append(asyncio.create_task(ask(slots, caller)))
            await asyncio.sleep(0)
            if leaves:
                tasks[-1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (slots.running, slots.waiting) == (0, 0)

    asyncio.run(run())


def test_whoever_has_nothing_waiting_is_let_in_before_one_who_fills_the_queue() -> None:
    order: list[str] = []

    async def ask(slots: Slots, caller: str, name: str) -> None:
        try:
            async with slots.place(caller, 10):
                order.append(name)
                await asyncio.sleep(0)
        except FullError:
            order.append(f"not {name}")

    async def run() -> None:
        slots = Slots(1, 3)
        names = [("greedy", f"g{n}") for n in range(4)] + [("modest", "m0"), ("greedy", "g4")]
        await asyncio.gather(*(ask(slots, caller, name) for caller, name in names))
        assert (slots.running, slots.waiting) == (0, 0)

    asyncio.run(run())
    assert sorted(order) == ["g0", "g1", "g2", "m0", "not g3", "not g4"]
    assert order.index("m0") < order.index("g2")
