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
