"""How fast the default encoder is, its own way and through sentence-transformers.

Measures passages a second over SciFact's abstracts cut by Noria's splitter, the median seconds of
one question, and the greatest difference between the two ways' numbers, each repetition in turns.

    python benchmarks/encoder.py --data DIR
"""

from collections.abc import Callable
from itertools import islice
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

import _common
from noria.config import Settings
from noria.evaluate import beir
from noria.models.bert import Bert
from noria.models.encode import General, SentenceEncoder
from noria.models.sources import fetch


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__, options)
    collection = beir.read(given.data / "scifact", "test")
    splitter = _common.models().splitter
    cut = (item.text for document in collection.documents for item in splitter.split(document))
    passages = list(islice(cut, given.passages))
    questions = list(islice(collection.questions.values(), given.questions))
    path = fetch(Settings().models.encoder)
    window = SentenceEncoder(path).max_tokens + 2
    ways = {"own": Bert(path, window), "sentence-transformers": General(path, 32, "cpu")}
    vectors = {name: way.encode(passages[:64], "") for name, way in ways.items()}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for turn in range(given.repeat):
        for name, way in ways.items():
            _common.tell(f"{turn + 1} of {given.repeat}: {name}")
            found[name].append(measured(way.encode, passages, questions))
    _common.show({
        "passages": len(passages),
        "questions": len(questions),
        "greatest_difference": float(np.ptp(np.stack(list(vectors.values())), axis=0).max()),
        "ways": {name: medians(figures) for name, figures in found.items()},
    })  # fmt: skip


def options(parser: Any) -> None:
    """What may be chosen besides the folders."""
    parser.add_argument("--passages", type=int, default=512)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)


def measured(
    encode: Callable[[list[str], str], Any], passages: list[str], questions: list[str]
) -> dict[str, float]:
    """One repetition of one way."""
    started, worked = perf_counter(), process_time()
    encode(passages, "")
    seconds, worked = perf_counter() - started, process_time() - worked
    asked = []
    for question in questions:
        begun = perf_counter()
        encode([question], "")
        asked.append(perf_counter() - begun)
    return {
        "passages_per_second": len(passages) / seconds,
        "cpu_ms_per_passage": 1000 * worked / len(passages),
        "question_p50_ms": 1000 * median(asked),
    }


def medians(figures: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: median(f[name] for f in figures) for name in figures[0]}


if __name__ == "__main__":
    main()
