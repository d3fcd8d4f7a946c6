"""Questions a second of a batched ``rag`` run, against the same questions one by one.

Prompts are what is served: a SQuAD question, and the four paragraphs of all of SQuAD's that BM25
finds for it. One by one: one slot, in the file's order. Batched: ``LlamaCpp.batch`` with
up to ``--parallel`` side by side. The prefix cache is on in both, and empty when a run begins; the
two alternate. Also told: how many answers differ, exact match and token F1 of both, and how many
answers differ when one by one is done twice, forwards and backwards.

    python benchmarks/batch.py --data DIR [--questions 120] [--repeats 2] [--parallel 4]

Nothing else should run on the machine: two threads of llama.cpp wait for each other busily.
"""

import argparse
import json
import random
import re
import statistics
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import _common
from noria.answer.prompt import build
from noria.config import GENERATOR
from noria.evaluate import beir
from noria.evaluate.beir import Collection
from noria.evaluate.retrieval import indexed
from noria.funnel.retrieve import Lexical
from noria.models.cache import default_cache
from noria.models.fake import FakeEncoder
from noria.models.gguf import fast
from noria.models.llamacpp import LlamaCpp
from noria.models.sources import fetch
from noria.types import Chat, Completion, Query, Sampling

FILE = "squad/dev-v1.1.partA.json"
PASSAGES, BUDGET = 4, 1800  # tokens of a prompt at most
SAMPLING = Sampling(max_tokens=160, stop=("\n\n",))
ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclass(frozen=True)
class Asked:
    """A question, its answers, and the paragraph that it was written for."""

    id: str
    text: str
    answers: tuple[str, ...]


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--questions", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument(
        "--model", type=Path, help="another GGUF file (default: the generator, as it is served)"
    )


def squad(path: Path, count: int) -> tuple[Collection, list[Asked]]:
    """All paragraphs, and ``count`` seeded questions in the file's order."""
    documents, asked = [], []
    for a, article in enumerate(json.loads(path.read_text(encoding="utf-8"))["data"]):
        for p, paragraph in enumerate(article["paragraphs"]):
            documents.append(beir.document(f"{a}-{p}", "", paragraph["context"]))
            asked += [
                Asked(q["id"], q["question"], tuple(answer["text"] for answer in q["answers"]))
                for q in paragraph["qas"]
            ]
    places = sorted(random.Random(_common.SEED).sample(range(len(asked)), count))
    return Collection(tuple(documents), {}, {}), [asked[place] for place in places]


def prompts(path: Path, given: Any) -> tuple[list[Chat], list[Asked]]:
    """What is served for each question, passages found by BM25."""
    collection, asked = squad(given.data / FILE, given.questions)
    table = indexed(collection, FakeEncoder(), _common.models().splitter, ("en",), given.home)
    found = Lexical(table)
    chats = []
    with LlamaCpp(path, parallel=1, threads=1) as llm:
        for question in asked:
            candidates = found.retrieve(Query(question.id, question.text), PASSAGES).candidates
            chats.append(build(question.text, candidates[:PASSAGES], llm.count, BUDGET)[0])
    return chats, asked


def one_by_one(path: Path, chats: Sequence[Chat], threads: int) -> tuple[list[Completion], float]:
    """The completions, and the seconds that they took."""
    with LlamaCpp(path, parallel=1, threads=threads) as llm:
        began = perf_counter()
        found = [llm.batch([chat], SAMPLING)[0] for chat in chats]
        return found, perf_counter() - began


def batched(path: Path, chats: Sequence[Chat], given: Any) -> tuple[list[Completion], float]:
    """The completions, and the seconds that they took."""
    with LlamaCpp(path, parallel=given.parallel, threads=given.threads) as llm:
        began = perf_counter()
        found = llm.batch(chats, SAMPLING)
        return found, perf_counter() - began


def normalised(text: str) -> str:
    """As SQuAD compares answers."""
    plain = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(ARTICLES.sub(" ", plain).split())


def f1(text: str, answer: str) -> float:
    """Token F1."""
    said, right = normalised(text).split(), normalised(answer).split()
    shared = sum((Counter(said) & Counter(right)).values())
    return 2 * shared / (len(said) + len(right)) if shared else float(said == right)


def scored(found: Sequence[Completion], asked: Sequence[Asked]) -> dict[str, float]:
    """Exact match and token F1 in points, the best of each question's answers."""
    pairs = list(zip(found, asked, strict=True))
    exact = [any(normalised(c.text) == normalised(a) for a in q.answers) for c, q in pairs]
    return {
        "em": 100 * statistics.mean(exact),
        "f1": 100 * statistics.mean(max(f1(c.text, a) for a in q.answers) for c, q in pairs),
    }


def differing(some: Sequence[Completion], others: Sequence[Completion]) -> float:
    """The share of answers that are not the same text."""
    return statistics.mean(a.text != b.text for a, b in zip(some, others, strict=True))


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__, more)
    path = given.model or fast(fetch(GENERATOR), default_cache())
    chats, asked = prompts(path, given)
    seconds: dict[str, list[float]] = {"one_by_one": [], "batched": []}
    for repeat in range(given.repeats):
        _common.tell(f"repeat {repeat + 1} of {given.repeats}")
        alone, spent = one_by_one(path, chats, given.threads)
        seconds["one_by_one"].append(spent)
        together, spent = batched(path, chats, given)
        seconds["batched"].append(spent)
    backwards, _ = one_by_one(path, chats[::-1], given.threads)
    ratios = [a / b for a, b in zip(seconds["one_by_one"], seconds["batched"], strict=True)]
    _common.show({
        "questions": len(chats),
        "prompt_tokens": statistics.median(c.prompt_tokens for c in alone),
        "written_tokens": statistics.median(c.completion_tokens for c in alone),
        "questions_per_second": {k: len(chats) / min(v) for k, v in seconds.items()},
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "differ": differing(alone, together),
        "differ_one_by_one_backwards": differing(alone, backwards[::-1]),
        "one_by_one": scored(alone, asked),
        "batched": scored(together, asked),
    })  # fmt: skip


if __name__ == "__main__":
    main()
