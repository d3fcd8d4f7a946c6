"""How long it takes to replace an adapter while requests run, and whether any request suffers.

Two adapters of random weights for the default generator take turns in a ``Handover`` while threads
ask without a pause. For each replacement: seconds to load and warm the new one, milliseconds to
switch, and milliseconds until the first request that began afterwards had its first piece. Then
each answer is compared with that of a server which has one adapter and answers nothing beside.

The weights are float32, so that the answers can be equal to the letter: streams beside each other
are summed in another order, and weights in 8 bits make much of little. ``--served`` takes the file
that is served by default, for the times alone.

    python benchmarks/swap.py

Some minutes on two cores. Two models are loaded at once: 1 GB each, or 400 MB if served.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import _common
from noria.config import Settings
from noria.models.adapters import export, gguf_of
from noria.models.cache import default_cache
from noria.models.gguf import converted, fast, gguf_at
from noria.models.handover import Engine, Handover
from noria.models.llamacpp import LlamaCpp
from noria.models.sources import fetch
from noria.protocols import LLM
from noria.succession import Replaced
from noria.types import Message, Sampling

STRENGTH = 0.06  # of the random weights: each adapter answers in its own way
SAMPLING = Sampling(max_tokens=12)
QUESTIONS = [
    (Message("system", "Answer in one sentence."), Message("user", f"What is {thing}?"))
    for thing in ("a noria", "a wheel", "a river", "an aqueduct", "cheese", "the moon")
]


@dataclass(frozen=True)
class Answered:
    """One request: who answered, what, and when (seconds)."""

    adapter: str
    question: int
    text: str
    began: float
    first: float
    ended: float


def random_adapter(folder: Path, seed: int, target: Path) -> Path:
    """An adapter as training saves it, whose second matrices are drawn."""
    from noria.tune.weights import Movable, moving, prepared, put, save

    model = prepared(folder, Movable(), seed)
    put(model, {name: weight.clone().normal_(0, STRENGTH) if "lora_B" in name else weight.clone()
                for name, weight in moving(model).items()})  # fmt: skip
    save(model, target, folder)
    return target


class Load:
    """Threads that ask without a pause; knows what each was answered, and what failed."""

    def __init__(self, llm: Handover, threads: int) -> None:
        self.answered: list[Answered] = []
        self.failed: list[str] = []
        self._llm, self._stop = llm, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the last answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, turn: int) -> None:
        while not self._stop.is_set():
            turn += 1
            try:
                self.answered.append(self._answer(turn % len(QUESTIONS)))
            except Exception as error:  # what is counted here
                self.failed.append(repr(error))

    def _answer(self, question: int) -> Answered:
        began = time.perf_counter()
        with self._llm.pinned() as llm:
            pieces, first = [], 0.0
            for piece in llm.stream(QUESTIONS[question], SAMPLING):
                first = first or time.perf_counter()
                pieces.append(piece)
            now = time.perf_counter()
            return Answered(llm.fingerprint, question, "".join(pieces), began, first or now, now)


def replaced(llm: Handover, make: Callable[[], Engine], load: Load) -> tuple[Replaced, float]:
    """Replace, and wait for a request that began after it; milliseconds to its first piece."""
    done = llm.replace(make, QUESTIONS[:1], seconds=0)
    switched = time.perf_counter()
    while not (later := [each for each in load.answered if each.began >= switched]):
        time.sleep(0.01)
    first = min(later, key=lambda each: each.began)
    return done, 1000 * (first.first - first.began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--askers", type=int, default=3, help="threads that ask")
    parser.add_argument("--replacements", type=int, default=4, help="how often to replace")
    parser.add_argument("--seconds", type=float, default=4.0, help="of load before each")
    parser.add_argument("--served", action="store_true", help="take the weights served by default")
    given = parser.parse_args()
    generator = gguf_at(fetch(Settings().models.generator))
    folder = converted(generator, default_cache())

    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        _common.tell("making two adapters")
        if given.served:
            base = fast(generator, default_cache())
        else:
            base = gguf_of(folder, generator, place / "base.gguf")
        adapters = [
            export(random_adapter(folder, seed, place / str(seed)), base, place / "cache")
            for seed in (1, 2)
        ]

        def engine(turn: int) -> Engine:
            llama = LlamaCpp(
                base, context=512, parallel=given.askers, adapters=[adapters[turn % 2]]
            )
            return Engine(llama.with_adapter(0), llama.close)

        llm = Handover(engine(0))
        load = Load(llm, given.askers)
        found: list[tuple[Replaced, float]] = []
        for turn in range(1, given.replacements + 1):
            time.sleep(given.seconds)
            _common.tell(f"replacing {turn} of {given.replacements}")
            found.append(replaced(llm, partial(engine, turn), load))
        load.stop()
        llm.close()
        _common.tell("comparing with servers of their own")
        mistaken = None if given.served else wrong(load.answered, [engine(0), engine(1)])
    waits = [1000 * (each.first - each.began) for each in load.answered]
    _common.show(
        {
            "requests": len(load.answered),
            "by_adapter": sorted(
                sum(each.adapter == name for each in load.answered)
                for name in {each.adapter for each in load.answered}
            ),
            "failed": len(load.failed),
            "wrong": mistaken,
            "replacements": len(found),
            "warming_s": [done.warming for done, _ in found],
            "switching_ms": [1000 * done.switching for done, _ in found],
            "first_piece_after_switch_ms": [wait for _, wait in found],
            "first_piece_p50_ms": _common.percentile(waits, 0.5),
            "first_piece_p95_ms": _common.percentile(waits, 0.95),
            "first_piece_max_ms": max(waits),
        }
    )


def wrong(answered: list[Answered], engines: list[Engine]) -> int:
    """Answers that are not those of the adapter which is said to have answered."""
    alone: dict[tuple[str, int], str] = {}
    for engine in engines:
        for question, prompt in enumerate(QUESTIONS):
            alone[engine.llm.fingerprint, question] = whole(engine.llm, prompt)
        engine.close()
    if len(set(alone.values())) < len(alone):
        raise SystemExit("some answers are the same with both adapters, and prove nothing")
    return sum(alone[each.adapter, each.question] != each.text for each in answered)


def whole(llm: LLM, prompt: tuple[Message, ...]) -> str:
    """An answer without a stream."""
    return llm.batch([prompt], SAMPLING)[0].text


if __name__ == "__main__":
    main()
