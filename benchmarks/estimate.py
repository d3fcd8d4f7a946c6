"""What a training was estimated to take, beside what it took, for some settings.

Each setting trains two updates of one row in a process of its own: its highest resident memory
(``ru_maxrss``), and the time of the second update. Lessons are random tokens, four in a row, since
only their lengths matter here. The pace is measured as ``noria tune`` does, on a row of half the
length; ``prior_seconds`` is what would have been said without it. ``needed_mb`` leaves out the
pages of the base's files that the system takes back when it needs them: ``ru_maxrss`` has them.

    python benchmarks/estimate.py [--base FOLDER]
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import _common
from noria.config import GENERATOR
from noria.models.cache import default_cache
from noria.models.gguf import converted
from noria.models.sources import fetch
from noria.tune import train, weights
from noria.tune.estimate import estimate
from noria.tune.machine import machine
from noria.tune.pace import measured, prior, probe
from noria.tune.pack import Row, Tree
from noria.tune.render import Lesson
from noria.tune.shape import shaped
from noria.tune.weights import Movable

SETTINGS: Mapping[str, tuple[Movable, int]] = {  # what moves, and the tokens of a row
    "lora, 256": (Movable("lora"), 256),
    "lora, 512": (Movable("lora"), 512),
    "lora, 1024": (Movable("lora"), 1024),
    "qlora, 512": (Movable("qlora"), 512),
    "full, 256": (Movable("full"), 256),
}
DEFAULT = ("lora, 256", "lora, 512", "lora, 1024", "qlora, 512")
LESSONS, LEARNT = 4, 16  # in a row; tokens that each teaches


def row(length: int, vocabulary: int) -> Row:
    """A row of ``length`` random tokens."""
    rng = random.Random(_common.SEED)
    ids = [rng.randrange(vocabulary) for _ in range(length)]
    each = length // LESSONS
    lessons = [Lesson(str(n), tuple(ids[n * each : (n + 1) * each])[:-LEARNT],
                      tuple(ids[n * each : (n + 1) * each])[-LEARNT:])
               for n in range(LESSONS)]  # fmt: skip
    return Row(tuple(Tree(0, (lesson,)) for lesson in lessons))


def one(base: Path, name: str) -> dict[str, Any]:
    """Train two updates of a setting, and say what was expected and what it took."""
    movable, length = SETTINGS[name]
    shape = shaped(base)
    plan = [[row(length, shape.vocabulary)]]
    half = [[row(length // 2, shape.vocabulary)]]
    model = weights.prepared(base, movable, seed=0)
    pace = measured(probe(model), shape, movable, half)
    optimizer = train.adam(model)
    recipe = train.Recipe()
    train.step(model, optimizer, plan[0], 1e-4, recipe)
    began = perf_counter()
    train.step(model, optimizer, plan[0], 1e-4, recipe)
    seconds = perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )
    told = estimate(shape, movable, plan, [], 0, pace)
    guessed = estimate(shape, movable, plan, [], 0, prior(machine()))
    return {
        **asdict(movable),
        "row": length,
        "needed_mb": round(told.memory / 1e6),
        "predicted_mb": round(told.resident / 1e6),
        "measured_mb": round(peak / 1e6),
        "memory_ratio": told.resident / peak,
        "predicted_seconds": told.seconds,
        "prior_seconds": guessed.seconds,
        "measured_seconds": seconds,
        "time_ratio": told.seconds / seconds,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--base", type=Path, help="a Hugging Face folder (default: the generator's)"
    )
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=DEFAULT)
    parser.add_argument("--one", choices=SETTINGS, help="one setting, in this process")
    given = parser.parse_args()
    base = given.base or converted(fetch(GENERATOR), default_cache())
    if given.one:
        print(json.dumps(one(base, given.one)))
        return
    found: dict[str, Any] = {}
    for name in given.settings:
        _common.tell(name)
        command = [sys.executable, __file__, "--base", str(base), "--one", name]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found[name] = _common.rounded(json.loads(run.stdout))
    threads = os.environ.get("OMP_NUM_THREADS")
    _common.show({"base": base.name, "threads": threads, "settings": found})


if __name__ == "__main__":
    main()
