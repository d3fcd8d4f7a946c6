"""Two releases are timed in turns."""

from itertools import count

from noria.loop.pace import ASKED, paced
from noria.types import Query


class Slow:
    """Takes its seconds by a clock that only it moves."""

    def __init__(self, name: str, seconds: float, at: list[float], asked: list[str]) -> None:
        self.name, self.seconds, self.at, self.asked = name, seconds, at, asked

    def answer(self, query: Query):  # type: ignore[no-untyped-def]
        self.at[0] += self.seconds
        self.asked.append(f"{self.name} {query.text}")


def test_both_are_asked_the_same_in_turns_and_the_first_question_warms_up() -> None:
    at, asked = [0.0], []
    pair = Slow("live", 2.0, at, asked), Slow("new", 1.0, at, asked)
    found = paced(*pair, ["a", "b"], lambda: at[0])
    assert asked == ["new a", "live a", "live a", "new a", "new b", "live b"]
    assert (found.live, found.new) == ((2.0, 2.0), (1.0, 1.0))


def test_of_many_questions_some_are_asked_from_the_first_to_the_last() -> None:
    ticks = count()
    pair = Slow("live", 0.0, [0.0], []), Slow("new", 0.0, [0.0], [])
    found = paced(*pair, [str(n) for n in range(305)], lambda: float(next(ticks)))
    assert len(found.live) == len(found.new) == ASKED
    assert pair[0].asked[-1] == "live 290"


def test_without_questions_nothing_is_timed() -> None:
    pair = Slow("live", 0.0, [0.0], []), Slow("new", 0.0, [0.0], [])
    assert paced(*pair, [], lambda: 0.0).live == ()
