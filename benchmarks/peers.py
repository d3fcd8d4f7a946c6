"""How fast Noria ingests and finds beside txtai, LlamaIndex and Haystack, with the same weights.

Every system has a virtual environment of its own below ``--home``, made at the first run. All read
the same files, SciFact's abstracts cut by Noria's splitter into one file a passage, so that nobody
cuts, joins or truncates; all use the same encoder, without an accelerator, and keep the result on
disk; all answer the same questions from the dense leg alone. Each repetition runs every system in a
fresh process, in turns; figures are medians. ``ingest_seconds`` leaves out imports and what loads
the weights; ``from_start_seconds`` counts everything from the start of the process. Where PyPI's
torch brings CUDA, set PIP_EXTRA_INDEX_URL as the README says.

    python benchmarks/peers.py --data DIR
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import time
from typing import Any

from ir_measures import calc_aggregate, parse_measure

import _common
from noria.config import Settings
from noria.evaluate import beir
from noria.models.sources import fetch

ADAPTERS = Path(__file__).parent / "peers"
TORCH = ["torch==2.13.*", "sentence-transformers>=6,<7"]
PEERS = {
    "txtai": ["txtai"],
    "llama_index": [
        "llama-index-core", "llama-index-embeddings-huggingface", "llama-index-readers-file"
    ],
    "haystack": ["haystack-ai", "sentence-transformers-haystack"],
}  # fmt: skip
K = 10


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__, options)
    encoder = fetch(Settings().models.encoder)
    pythons = {"noria": Path(sys.executable)}
    for name, wanted in PEERS.items():
        pythons[name] = environment(given.home / "peers" / name, [*TORCH, *wanted])
    collection = beir.read(given.data / "scifact", "test")
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        passages, questions = prepare(work, collection, given.passages, given.questions)
        for turn in range(given.repeat):
            names = list(pythons)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                _common.tell(f"{turn + 1} of {given.repeat}: {name}")
                store = work / f"{name}-{turn}"
                store.mkdir()
                runs[name].append(measured(name, pythons[name], work, encoder, store))
    for name, found in runs.items():
        counts = {figures["passages"] for figures in found}
        if counts != {passages}:
            raise SystemExit(f"{name} made {counts} passages of {passages} files")
    judged = {q: collection.judgements[q] for q in questions}
    _common.show({
        "passages": passages,
        "questions": len(questions),
        "repetitions": given.repeat,
        "versions": {name: versions(python) for name, python in pythons.items()},
        "systems": {name: summary(found, runs, judged) for name, found in runs.items()},
        "against_fastest_peer": against(runs),
    })  # fmt: skip


def options(parser: Any) -> None:
    """What may be chosen besides the folders."""
    parser.add_argument("--passages", type=int, default=1500)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)


def environment(folder: Path, wanted: Sequence[str]) -> Path:
    """The interpreter of a virtual environment that has ``wanted``."""
    python, note = folder / "bin" / "python", folder / "wanted.json"
    if note.is_file() and json.loads(note.read_text(encoding="utf-8")) == list(wanted):
        return python
    _common.tell(f"installing {' '.join(wanted)} into {folder}")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True, stdout=sys.stderr)
    note.write_text(json.dumps(list(wanted)), encoding="utf-8")
    return python


def prepare(
    work: Path, collection: beir.Collection, most: int, questions: int
) -> tuple[int, list[str]]:
    """Write passages and questions; return how many passages, and which questions.

    The documents that the questions are about come first.
    """
    asked = list(collection.questions)[:questions]
    right = {document for q in asked for document in collection.judgements[q]}
    documents = sorted(collection.documents, key=lambda d: d.id not in right)
    files = work / "files"
    files.mkdir()
    written = 0
    for document in documents:
        for number, passage in enumerate(_common.models().splitter.split(document)):
            if written < most:
                (files / f"{document.id}_{number}.txt").write_text(passage.text, encoding="utf-8")
                written += 1
    texts = {q: collection.questions[q] for q in asked}
    (work / "questions.json").write_text(json.dumps(texts), encoding="utf-8")
    return written, asked


def measured(name: str, python: Path, work: Path, encoder: Path, store: Path) -> dict[str, Any]:
    """One fresh process of a system, and what it wrote down."""
    result = work / "result.json"
    started = time()
    told = subprocess.run(
        [python, ADAPTERS / f"with_{name}.py", work / "files", encoder, store,
         work / "questions.json", result],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if told.returncode:
        raise SystemExit(f"{name} failed:\n{told.stderr[-4000:]}")
    figures: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    figures["from_start"] = figures.pop("ready_at") - started
    _common.tell(f"   {figures['passages'] / figures['ingest_seconds']:.1f} passages/s, "
                 f"{figures['ingest_cpu_seconds']:.1f} s of processor, "
                 f"p50 {1000 * median(figures['query_seconds']):.1f} ms")  # fmt: skip
    return figures


def summary(
    found: Sequence[Mapping[str, Any]],
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    judged: beir.Judgements,
) -> dict[str, float]:
    """A system's medians, and how its hits compare."""
    seconds = median(f["ingest_seconds"] for f in found)
    return {
        "ingest_seconds": seconds,
        "ingest_best_seconds": min(f["ingest_seconds"] for f in found),
        "from_start_seconds": median(f["from_start"] for f in found),
        "ingest_cpu_seconds": median(f["ingest_cpu_seconds"] for f in found),
        "passages_per_second": found[0]["passages"] / seconds,
        "query_p50_ms": median(1000 * median(f["query_seconds"]) for f in found),
        "query_best_p50_ms": min(1000 * median(f["query_seconds"]) for f in found),
        "peak_mb": median(f["peak_mb"] for f in found),
        "ndcg_at_10": ndcg(found[0]["hits"], judged),
        "same_hits_as_noria": same(found[0]["hits"], runs["noria"][0]["hits"]),
    }


def against(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, float]:
    """Noria against the peer that is best in each figure; a busy machine spoils the best least."""

    def ratio(figure: Callable[[Mapping[str, Any]], float], middle: Any = median) -> float:
        each = {name: middle([figure(f) for f in found]) for name, found in runs.items()}
        return float(min(each[name] for name in each if name != "noria") / each["noria"])

    return {
        "ingest_times_faster": ratio(lambda f: f["ingest_seconds"]),
        "ingest_best_times_faster": ratio(lambda f: f["ingest_seconds"], min),
        "from_start_times_faster": ratio(lambda f: f["from_start"]),
        "cpu_times_less": ratio(lambda f: f["ingest_cpu_seconds"]),
        "query_share": 1 / ratio(lambda f: median(f["query_seconds"])),
        "query_best_share": 1 / ratio(lambda f: median(f["query_seconds"]), min),
    }


def same(hits: Mapping[str, Sequence[str]], others: Mapping[str, Sequence[str]]) -> float:
    """The share of the first ten that both found."""
    return sum(len({*hits[q]} & {*others[q]}) for q in hits) / (K * len(hits))


def ndcg(hits: Mapping[str, Sequence[str]], judged: beir.Judgements) -> float:
    """nDCG@10 by document: a document stands where its first passage does."""
    run = {
        q: {n.rpartition("_")[0]: 1 / rank for rank, n in reversed(list(enumerate(names, 1)))}
        for q, names in hits.items()
    }
    measure = parse_measure("nDCG@10")
    return float(calc_aggregate([measure], judged, run)[measure])


def versions(python: Path) -> dict[str, str]:
    """The versions that matter, of one environment."""
    told = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    known = {p["name"].lower(): p["version"] for p in json.loads(told.stdout)}
    wanted = ["noria", "torch", "sentence-transformers", "transformers", "txtai", "faiss-cpu",
              "llama-index-core", "haystack-ai"]  # fmt: skip
    return {name: known[name] for name in wanted if name in known}


if __name__ == "__main__":
    main()
