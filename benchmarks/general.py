"""What the default model can do in general, and how quick its texts are scored.

``suite`` is what ``noria evaluate general`` prints, asked of the questions and texts in
``DATA/general``; ``again`` compares the model with itself, asked the same in texts of another size:
what it tells as changed is the noise of the arithmetic. ``speed`` scores questions with their
choices together, each prompt read once, and one by one, each choice with its prompt; and the same
for prompts as long as those of an answer from passages. CPU seconds beside wall seconds: they stay
true while others use the machine.

    python benchmarks/general.py --data DIR [--per-set N] [--max-seconds S]
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import _common
from noria.config import Settings
from noria.evaluate.forgetting.asking import PER_SET, pairs_of
from noria.evaluate.forgetting.general import MAX_SECONDS, evaluate, plan
from noria.evaluate.forgetting.suite import Choice, Suite, read
from noria.models.sources import fetch
from noria.models.transformers import TransformersScorer
from noria.types import Likelihood

QUESTIONS = 24  # of which the speed is measured, in each set
LONG = 4000  # characters of a long prompt, some 900 tokens

Pairs = Sequence[tuple[str, str]]


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What ``work`` returns, with its wall and CPU seconds."""
    wall, cpu = perf_counter(), process_time()
    found = work()
    return found, {"seconds": perf_counter() - wall, "cpu_seconds": process_time() - cpu}


def scored(scorer: TransformersScorer, pairs: Pairs) -> list[Likelihood]:
    """All pairs in one call: the choices of a question together."""
    return scorer.score([prompt for prompt, _ in pairs], [text for _, text in pairs])


def apart(scorer: TransformersScorer, questions: Sequence[Pairs]) -> list[Likelihood]:
    """The first choices of all questions, then the second: no call has a prompt twice."""
    most = max(len(pairs) for pairs in questions)
    found: dict[tuple[int, int], Likelihood] = {}
    for place in range(most):
        having = [n for n, pairs in enumerate(questions) if place < len(pairs)]
        part = scored(scorer, [questions[n][place] for n in having])
        found |= {(n, place): each for n, each in zip(having, part, strict=True)}
    return [found[n, place] for n, pairs in enumerate(questions) for place in range(len(pairs))]


def speed(scorer: TransformersScorer, questions: Sequence[Pairs]) -> dict[str, float]:
    """Questions a second with prompts read once and with prompts read for each choice."""
    flat = [pair for pairs in questions for pair in pairs]
    scored(scorer, flat[:4])  # what is made at the first call must not count
    one, together = timed(lambda: scored(scorer, flat))
    other, alone = timed(lambda: apart(scorer, questions))
    return {
        "questions": len(questions),
        "together_per_second": len(questions) / together["seconds"],
        "together_per_cpu_second": len(questions) / together["cpu_seconds"],
        "apart_per_second": len(questions) / alone["seconds"],
        "apart_per_cpu_second": len(questions) / alone["cpu_seconds"],
        "speedup_cpu": alone["cpu_seconds"] / together["cpu_seconds"],
        "largest_difference": max(
            abs(a.logprob - b.logprob) for a, b in zip(one, other, strict=True)
        ),
    }


def long_prompts(suite: Suite, count: int) -> list[Pairs]:
    """Questions of a set with four choices, each after a long text."""
    pieces = [piece for texts in suite.texts.values() for piece in texts]
    asked = next(set_ for set_ in suite.sets.values() if len(set_[0].choices) == 4)
    found = []
    for number, choice in enumerate(asked[:count]):
        text, at = "", number
        while len(text) < LONG:
            text, at = text + pieces[at].before + pieces[at].text + "\n", at + count
        found.append([(text[:LONG] + "\n" + prompt, tail) for prompt, tail in pairs_of(choice)])
    return found


def some(choices: Sequence[Choice]) -> list[Pairs]:
    """The pairs of the questions whose speed is measured."""
    return [pairs_of(each) for each in choices[:QUESTIONS]]


def main() -> None:
    """Measure and print."""

    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--per-set", type=int, default=PER_SET)
        parser.add_argument("--max-seconds", type=float, default=MAX_SECONDS)

    given = _common.arguments(__doc__ or "", more)
    data = given.data / "general"
    suite = read(data)
    scorer, loading = timed(lambda: TransformersScorer(fetch(Settings().models.generator)))
    result: dict[str, Any] = {"loading": loading}
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / "one", Path(folder) / "two"
        _common.tell("the suite")
        planned = plan(data, one, given.per_set)
        found, cost = timed(
            lambda: evaluate(planned, scorer, perf_counter, given.max_seconds, None, _common.Told())
        )
        result["suite"] = found | cost | {"problems": len(found["problems"])}
        _common.tell("a tenth of it again, in texts of another size")
        other = TransformersScorer(fetch(Settings().models.generator), at_once=200)
        again = plan(data, two, against=one)
        part = replace(again, tasks=again.tasks[: len(again.tasks) // 10])
        result["again"] = evaluate(part, other, perf_counter, given.max_seconds)["against"]
    result["speed"] = {name: speed(scorer, some(each)) for name, each in suite.sets.items()}
    _common.tell("long prompts")
    result["speed"]["long prompts"] = speed(scorer, long_prompts(suite, 4))
    _common.show(result)


if __name__ == "__main__":
    main()
