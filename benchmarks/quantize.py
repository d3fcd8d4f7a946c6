"""What fewer bits cost the default generator, or an adapter on it: bytes, nats, and right answers.

Each kind is what ``noria quantize`` makes and measures: mean and largest Kullback-Leibler
divergence of the next token from the same weights in float32, over 32 prompts at most. With
``--data``, the prompts are SQuAD questions with their paragraphs, and F1 is measured on them;
without, Noria's own prompts are used. ``seconds`` of each kind are wall time, with whatever else
the machine does.

    python benchmarks/quantize.py [--kinds q8_0,q4_1] [--adapter FOLDER] [--data DIR] [--threads 1]
"""

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import _common
from noria.cli.quantize import as_json
from noria.config import GENERATOR
from noria.evaluate.questions import read
from noria.models.cache import default_cache, digest_of
from noria.models.sources import fetch
from noria.store.artifacts import Artifacts
from noria.store.registry import Registry
from noria.store.releases import made
from noria.tune.examples import Example
from noria.tune.quantize import Place, quantize
from noria.types import Release

FILE = "squad/dev-v1.1.partA.json"


def arguments() -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", default="q8_0,q4_1,q4_0")
    parser.add_argument("--adapter", type=_common.folder, help="a PEFT folder on the default model")
    parser.add_argument("--data", type=_common.folder, help="folder of the data sets")
    parser.add_argument("--threads", type=int, default=0, help="of llama.cpp (default: the cores)")
    return parser.parse_args()


def version(adapter: Path | None, at: Registry, now: datetime) -> Release:
    """The default generator as a registered version, with the adapter if there is one."""
    parts = {"base": digest_of(fetch(GENERATOR))}
    recipe = {"base": GENERATOR}
    if adapter is None:
        return at.add(made("base", parts, now, recipe=recipe))
    parts |= {"adapter": at.artifacts.put(adapter)}
    return at.add(made("adapter", parts, now, ["adapter"], recipe=recipe))


def main() -> None:
    """Measure and print."""
    given, now = arguments(), datetime.now(UTC)
    examples = read(given.data / FILE).asked if given.data else ()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        at = Registry(f"sqlite:///{home / 'state.db'}", Artifacts(home / "artifacts"))
        place = Place(at, fetch, default_cache(), home, given.threads)
        of = version(given.adapter, at, now)
        for kind in given.kinds.split(","):
            began = perf_counter()
            asked = [Example(question, "") for question in examples]
            rng = np.random.default_rng(_common.SEED)
            cost = quantize(of, kind, asked, place, now, rng, _common.Told())
            found[kind] = {**as_json(cost, of), "seconds": perf_counter() - began}
            _common.tell(f"{kind}: {found[kind]}")
        at.close()
    _common.show({"adapter": given.adapter is not None, "kinds": found})


if __name__ == "__main__":
    main()
