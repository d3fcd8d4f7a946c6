"""How long the checks of training data take, and how many planted near-duplicates they find.

Texts are drawn from a vocabulary in which words are as unevenly frequent as in English; every tenth
is an earlier one of which a word was changed. Prints JSON; a minute on one core.

    python benchmarks/data_room.py [-n 100000]
"""

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

import _common
from noria.evaluate.questions import Question
from noria.tune.data.check import check
from noria.tune.data.repeats import leaks, repeats
from noria.tune.data.split import split
from noria.tune.examples import Example

VOCABULARY = 50_000
PLANTED = 10  # one in so many


def texts(n: int, rng: random.Random) -> tuple[list[str], set[int]]:
    """``n`` texts of 20 to 140 words, and the places of those that are nearly an earlier one."""
    ranks = range(1, VOCABULARY + 1)
    weights = [1 / rank for rank in ranks]  # Zipf
    pool = rng.choices(ranks, weights, k=1_000_000)
    made: list[list[str]] = []
    planted = set()
    for place in range(n):
        if place and place % PLANTED == 0:
            words = list(made[rng.randrange(place)])
            words[rng.randrange(len(words))] = "changed"
            planted.add(place)
        else:
            start = rng.randrange(len(pool) - 140)
            words = [f"w{rank}" for rank in pool[start : start + rng.randrange(20, 141)]]
            rng.shuffle(words)
        made.append(words)
    return [" ".join(words) for words in made], planted


def timed(seconds: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """What ``work`` returns; the processor's time goes into ``seconds``."""
    begun = time.process_time()
    found = work()
    seconds[name] = round(time.process_time() - begun, 2)
    _common.tell(f"{name}: {seconds[name]} s")
    return found


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=100_000, help="examples")
    n = parser.parse_args().n
    said, planted = texts(n, random.Random(0))
    examples = [
        Example(Question(str(at), text, ("yes",), task="chat"), "yes")
        for at, text in enumerate(said)
    ]
    seconds: dict[str, float] = {}
    found = timed(seconds, "near-duplicates", lambda: repeats(examples))
    train, held = timed(seconds, "split", lambda: split(examples, 0.1, 0))
    leaked = timed(seconds, "leaks", lambda: leaks(train, held))
    timed(seconds, "check", lambda: check(examples))
    near = {*found.exact, *found.near}
    _common.show({
        "examples": n,
        "characters": sum(map(len, said)),
        "processor_seconds": seconds,
        "planted": len(planted),
        "planted_found": len(planted & near),
        "others_found": len(near - planted),
        "leaks_after_split": len(leaked),
    })  # fmt: skip


if __name__ == "__main__":
    main()
