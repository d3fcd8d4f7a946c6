"""Figures whose right values can be seen: shares, nats, and what changed between two runs."""

import math
from collections.abc import Sequence

import pytest

from noria.evaluate.forgetting.asking import Chosen, Heard, Outcomes
from noria.evaluate.forgetting.changes import TEXT, abilities, ability, changes, reading

RIGHT, WRONG = (-1.0, -2.0), (-2.0, -1.0)


def asked(name: str, marks: str) -> list[Chosen]:
    """Questions of a set with two choices: ``+`` answered rightly, ``-`` wrongly."""
    return [
        Chosen(name, f"{name}{place}", RIGHT if mark == "+" else WRONG, (4, 4), 0)
        for place, mark in enumerate(marks)
    ]


def heard(nats: Sequence[float], tokens: int = 10) -> list[Heard]:
    """A piece of a document of its own for each number: its nats a token."""
    return [
        Heard("wiki", f"p{place}", f"d{place}", -each * tokens, tokens, 40)
        for place, each in enumerate(nats)
    ]


def outcomes(chosen: list[Chosen], texts: list[Heard] | None = None) -> Outcomes:
    return Outcomes(tuple(chosen), tuple(texts or ()))


def test_a_choice_is_as_likely_as_its_text_for_its_length() -> None:
    short, long = -6.0 / 3, -8.0 / 8
    assert long > short
    assert Chosen("s", "q", (-6.0, -8.0), (3, 8), 1).place == 1
    assert Chosen("s", "q", (-6.0, -8.0), (8, 8), 1).place == 0


def test_a_share_and_what_chance_gives() -> None:
    found = ability(asked("s", "+" * 30 + "-" * 10))
    assert (found.accuracy, found.n, found.chance) == (0.75, 40, 0.5)
    assert 0.5 < found.low < 0.75 < found.high < 1
    assert found.beats_chance
    four = [Chosen("s", "q", (-1.0, -2.0, -2.0, -2.0), (4,) * 4, 0)]
    assert ability([*asked("s", "+"), *four]).chance == 0.375


@pytest.mark.parametrize("marks", ["+-" * 50, "+++++-----", "+" * 55 + "-" * 45, "+"])
def test_a_set_is_kept_only_beyond_chance(marks: str) -> None:
    assert not ability(asked("s", marks)).beats_chance


def test_all_tokens_count_alike() -> None:
    long = Heard("wiki", "p", "d", -30.0, 10, 50)
    short = Heard("wiki", "q", "e", -10.0, 5, 30)
    found = reading([long, short])
    assert found.nats == pytest.approx(40 / 15)
    assert found.perplexity == pytest.approx(math.exp(40 / 15))
    assert found.bits_per_byte == pytest.approx(40 / math.log(2) / 80)
    assert (found.tokens, found.pieces, found.documents) == (15, 2, 2)


def test_pieces_of_one_document_are_one_piece_of_evidence() -> None:
    apart = heard([2.0, 4.0] * 20)
    together = [Heard(h.set, h.id, f"d{n % 2}", h.logprob, 10, 40) for n, h in enumerate(apart)]
    one, other = reading(apart), reading(together)
    assert one.nats == other.nats == pytest.approx(3.0)
    assert (one.documents, other.documents) == (40, 2)
    assert other.high - other.low > one.high - one.low


def test_the_same_again_has_forgotten_nothing() -> None:
    run = outcomes(asked("a", "+++-" * 25), heard([2.0, 3.0, 4.0] * 10))
    found = changes(run, run, {"a"})
    assert set(found) == {"a", TEXT}
    for each in found.values():
        assert (each.difference, each.low, each.high, each.p) == (0.0, 0.0, 0.0, 1.0)
        assert not each.worse


def test_what_was_forgotten_is_named() -> None:
    before = outcomes(
        asked("a", "+" * 80 + "-" * 20) + asked("b", "+" * 80 + "-" * 20), heard([2.0, 3.0] * 20)
    )
    after = outcomes(
        asked("a", "+" * 60 + "-" * 40) + asked("b", "+" * 79 + "-" * 20 + "+"),
        heard([2.2, 3.1] * 20),
    )
    found = changes(before, after, {"a", "b"})
    assert found["a"].difference == pytest.approx(-0.2)
    assert found["a"].low < -0.2 < found["a"].high < 0
    assert found[TEXT].difference == pytest.approx(0.15)
    assert found[TEXT].low > 0
    assert [name for name, each in found.items() if each.worse] == ["a", TEXT]
    back = changes(after, before, {"a", "b"})  # better is no reason to warn
    assert back["a"].low > 0
    assert not any(each.worse for each in back.values())


def test_who_looks_at_many_sets_asks_for_more() -> None:
    before = outcomes(asked("a", "+" * 100))
    after = asked("a", "-" * 6 + "+" * 94)
    alone = changes(before, outcomes(after), {"a"})["a"]
    names = [f"s{n}" for n in range(9)]
    others = [each for name in names for each in asked(name, "+-" * 50)]
    many = changes(outcomes([*before.chosen, *others]), outcomes([*after, *others]), {"a", *names})[
        "a"
    ]
    assert (alone.low, alone.high) == (many.low, many.high)
    assert alone.worse
    assert many.p > alone.p
    assert not many.worse


def test_only_what_both_were_asked_counts() -> None:
    before = outcomes(asked("a", "++++----"), heard([2.0, 2.0, 9.0]))
    after = outcomes(asked("a", "++++") + asked("new", "++"), heard([2.0, 2.0]))
    found = changes(before, after, {"a", "new"})
    assert (found["a"].n, found["a"].before, found["a"].after) == (4, 1.0, 1.0)
    assert (found[TEXT].n, found[TEXT].before) == (2, 2.0)
    assert "new" not in found


def test_sets_that_were_not_kept_are_not_compared() -> None:
    before, after = outcomes(asked("a", "+" * 50)), outcomes(asked("a", "-" * 50))
    assert changes(before, after, set()) == {}
    assert "a" in abilities(after)


def test_other_tokens_are_not_compared() -> None:
    before, after = outcomes([], heard([2.0] * 9)), outcomes([], heard([2.0] * 9, tokens=11))
    assert changes(before, after, set()) == {}
