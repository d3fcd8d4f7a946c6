"""What every adapter shares: it loads, ingests, answers, and writes down how long each took.

Standard library only, since it runs in the environment of each system. An adapter gives ``System``
its three steps; the order of the steps, the clocks and the questions are the same for all.

    python ADAPTER.py FILES ENCODER STORE QUESTIONS RESULT
"""

import json
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, time

K = 10
WARM = 10  # questions asked before the clock runs


@dataclass(frozen=True)
class System:
    """One system under test. Hits are the names of files, without their suffix."""

    ingest: Callable[[Path, Path], int]  # files, store -> passages that are searchable and on disk
    search: Callable[[str, int], Sequence[str]]


def run(load: Callable[[Path, Path], System]) -> None:
    """Measure the system that ``load`` makes of an encoder's folder and an empty store."""
    files, encoder, store, questions, result = map(Path, sys.argv[1:])
    started = perf_counter()
    system = load(encoder, store)
    loaded = perf_counter()
    worked = processor()
    passages = system.ingest(files, store)
    ingested, worked, ready = perf_counter(), processor() - worked, time()
    asked: dict[str, str] = json.loads(questions.read_text(encoding="utf-8"))
    for question in list(asked.values())[:WARM]:
        system.search(question, K)
    hits, seconds = {}, []
    for id, question in asked.items():
        begun = perf_counter()
        hits[id] = list(system.search(question, K))
        seconds.append(perf_counter() - begun)
    figures = {
        "load_seconds": loaded - started,
        "ingest_seconds": ingested - loaded,
        "ingest_cpu_seconds": worked,
        "ready_at": ready,
        "passages": passages,
        "query_seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "hits": hits,
    }
    result.write_text(json.dumps(figures), encoding="utf-8")


def processor() -> float:
    """Seconds of processor used until now, by this process and those that it has waited for."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))
