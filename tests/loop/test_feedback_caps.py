"""One person cannot say all: caps a day, of all, and of one text."""

from collections import Counter

from hypothesis import given as every
from hypothesis import strategies as st
from told import correction, given, thumb

from noria.loop.feedback.caps import Caps, allowed, capped, person

A1 = given("a-1")


def test_a_burst_of_one_day_counts_as_far_as_the_cap() -> None:
    burst = [thumb("a-1", "eve") for _ in range(5)]
    later = thumb("a-1", "eve", days=1)
    counted, dropped = capped([*burst, later], {"a-1": A1}, Caps(a_day=2, few=50))
    assert counted == [*burst[:2], later]
    assert dropped == {"burst": 3}


def test_one_text_to_many_questions_counts_once() -> None:
    wells = {f"a-{n}": given(f"a-{n}", question=f"Who dug well {n}?") for n in range(4)}
    spam = [
        correction(id, "eve", text)
        for id, text in zip(wells, ("Buy!", "buy", "BUY!", "Ada"), strict=True)
    ]
    counted, dropped = capped(spam, wells, Caps())
    assert counted == [spam[0], spam[3]]
    assert dropped == {"repeated": 2}
    others = [correction(id, f"u{id}", "Buy!") for id in wells]
    assert capped(others, wells, Caps())[0] == others


def test_who_gives_no_name_is_whoever_asked() -> None:
    assert person(thumb("a-1", None), A1) == ("acme", "asker")
    assert person(thumb("a-1", "eve"), A1) == ("acme", "eve")


@every(st.dictionaries(st.tuples(st.just("t"), st.text(max_size=2)), st.integers(0, 10_000)))
def test_nobody_has_more_than_their_share(said: dict[tuple[str, str], int]) -> None:
    caps = Caps(share=0.2, few=5)
    counted = Counter({who: min(said[who], room) for who, room in allowed(said, caps).items()})
    for who, times in counted.items():
        others = sum(said.values()) - said[who]
        assert times <= max(caps.few, 0.2 * (times + others) + 1e-9)
        assert times == said[who] or times >= caps.few
