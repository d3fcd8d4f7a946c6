"""Trains a tiny model: ``killed_training.py MODEL FOLDER [UPDATE SECONDS]``.

Writes the curve to stdout; or dies of SIGKILL so many seconds after an update, wherever it is then.
"""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from threading import Timer

from noria.tune.render import Lesson
from noria.tune.train import Recipe, train
from noria.tune.weights import Movable, prepared

RECIPE = Recipe(learning_rate=1e-2, epochs=5, at_once=4, row=128, looks=5, seed=3)
LESSONS = [Lesson(str(n), (1, n % 40 + 50, 2), (n % 40 + 50, 3)) for n in range(20)]


def main() -> None:
    """Train, or go on training."""
    model, folder = map(Path, sys.argv[1:3])
    at, seconds = (int(sys.argv[3]), float(sys.argv[4])) if len(sys.argv) > 3 else (0, 0.0)
    end = Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))

    def told(stage: str, done: int, total: int) -> None:
        if done >= at and at and not end.is_alive():
            end.start()

    movable = Movable("lora", rank=4, alpha=8)
    curve = train(prepared(model, movable, 0), LESSONS, LESSONS[:6], RECIPE, folder, told)
    if at:
        end.join()  # the whole training may be done before its end has come
    sys.stdout.write(json.dumps(asdict(curve)))


if __name__ == "__main__":
    main()
