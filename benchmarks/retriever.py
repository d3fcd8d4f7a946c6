"""Whether teaching the query encoder helps on articles that it never saw, and harms elsewhere.

SQuAD, parted by article as ``parts.py`` has it: 21 to learn from, 3 to choose the epoch by, 6 to
test. Measured is the dense leg's recall@5 among the paragraphs of all 30 articles, before teaching
and after each teacher: the passages that people marked (contrast, ``noria tune retriever``); the
generator's likelihoods, as it was (r-ft) and as it is after it learnt to read (both: RA-DIT's
LM-ft, then R-ft, ``noria tune radit``). The generator that reads is the adapter that comes with
Noria, which saw the same 21 articles. LM-ft alone moves no encoder. Intervals are paired, at 95 %.
SciFact's test questions show what is lost.

    python benchmarks/retriever.py --data DIR
"""

import argparse
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _common
import parts
from noria.build import House
from noria.config import Settings
from noria.evaluate import beir
from noria.evaluate.metrics.ranking import scores
from noria.evaluate.questions import read
from noria.evaluate.statistics.intervals import difference
from noria.models import reader
from noria.models.towers import towers
from noria.protocols import Encoder
from noria.tune.asked import Taught
from noria.tune.material import Material, gathered
from noria.tune.teaching import RECIPES, Teacher, taught

DEPTH = 5
SCIFACT = ("ndcg@10", "recall@10", "recall@100")
# who teaches; and the adapter of the generator, where one asks it
TEACHERS: Mapping[str, tuple[Teacher, Path | None]] = {
    "contrast": ("contrast", None),
    "r-ft": ("likelihoods", None),
    "both": ("likelihoods", reader.FOLDER),
}


@dataclass(frozen=True)
class Bench:
    """What all teachers share."""

    data: Path
    home: Path
    seed: int

    @cached_property
    def house(self) -> House:
        """Noria with its default models."""
        return House(Settings(home=self.home), _common.Told())

    @cached_property
    def material(self) -> Material:
        """What is learnt from, and what chooses the epoch."""
        told = parts.squad(self.data, self.home)
        _common.tell(f"test articles: {', '.join(told['test']['articles'])}")
        train, dev = (self.home / f"{name}.json" for name in ("train", "dev"))
        return gathered(train, dev, 0.1, None, self.seed)

    @cached_property
    def paragraphs(self) -> tuple[list[str], "NDArray[np.float32]"]:
        """The names of all paragraphs, and their vectors."""
        found = read(self.data / "squad" / "dev-v1.1.partA.json").passages
        texts = [document.text.partition("\n\n")[2] for document in found]  # without the title
        return [document.id for document in found], self.vectors(texts, "paragraphs")

    @cached_property
    def abstracts(self) -> tuple[beir.Collection, "NDArray[np.float32]"]:
        """SciFact's test split, and the vectors of its documents, each as one passage."""
        found = beir.read(self.data / "scifact", "test")
        return found, self.vectors([d.text for d in found.documents], "abstracts")

    def vectors(self, texts: Sequence[str], what: str) -> "NDArray[np.float32]":
        """The passages' vectors, kept for the next run: they take minutes, and do not move."""
        encoder = self.house.encoder
        named = "\0".join([encoder.fingerprint, *texts]).encode()
        path = self.home / f"{what}-{hashlib.sha256(named).hexdigest()[:16]}.npy"
        if not path.exists():
            _common.tell(f"encoding {len(texts)} {what}")
            np.save(path, encoder.encode_passages(texts))
        found: NDArray[np.float32] = np.load(path)
        return found

    def tower(self, name: str) -> tuple[Encoder, Taught]:
        """The encoder after ``name`` taught it, and how that went."""
        teacher, trained = TEACHERS[name]
        folder = self.home / f"tower {name}"
        told = taught(
            self.material, self.house.workshop, teacher, self.seed, folder, _common.Told(), trained
        )
        return towers(folder, self.house.encoder), told

    def found(self, encoder: Encoder) -> "NDArray[np.float64]":
        """1 for each test question that finds its paragraph among the best."""
        names, table = self.paragraphs
        rows = {name: row for row, name in enumerate(names)}
        asked = read(self.home / "test.json").asked
        scored = encoder.encode_queries([q.text for q in asked]) @ table.T
        own = scored[range(len(asked)), [rows[q.documents[0]] for q in asked]][:, None]
        return ((scored > own).sum(1) < DEPTH).astype(np.float64)

    def elsewhere(self, encoder: Encoder) -> dict[str, "NDArray[np.float64]"]:
        """SciFact's metrics, question by question."""
        collection, table = self.abstracts
        names = [document.id for document in collection.documents]
        scored = encoder.encode_queries(list(collection.questions.values())) @ table.T
        best = np.argsort(-scored, axis=1, kind="stable")[:, :100]
        ranked = {
            id: [names[at] for at in row]
            for id, row in zip(collection.questions, best, strict=True)
        }
        return scores(collection.judgements, ranked, SCIFACT)


def changed(bench: Bench, after: Encoder) -> dict[str, Any]:
    """What a teacher changed, on unseen articles and elsewhere."""
    chance, before = np.random.default_rng(0), bench.house.encoder
    old, new = bench.elsewhere(before), bench.elsewhere(after)
    return {
        f"recall@{DEPTH}": asdict(difference(bench.found(before), bench.found(after), chance)),
        "scifact": {name: asdict(difference(old[name], new[name], chance)) for name in SCIFACT},
    }


def more(parser: argparse.ArgumentParser) -> None:
    """Arguments of its own."""
    parser.add_argument("--seed", type=int, default=0, help="of teaching")
    parser.add_argument("--teachers", nargs="+", choices=TEACHERS, default=list(TEACHERS))


def main() -> None:
    """Teach, and measure on the test articles."""
    given = _common.arguments(__doc__, more)
    bench = Bench(given.data, given.home / "retriever", given.seed)
    bench.home.mkdir(parents=True, exist_ok=True)
    print_all(bench, given.teachers)


def print_all(bench: Bench, teachers: Sequence[str]) -> None:
    """Teach by each, and print what came of it."""
    result: dict[str, Any] = {}
    for name in teachers:
        encoder, told = bench.tower(name)
        recipe = asdict(RECIPES[TEACHERS[name][0]])
        result[name] = {**changed(bench, encoder), "recipe": recipe, "taught": asdict(told)}
    found = bench.found(bench.house.encoder)
    _common.show({f"recall@{DEPTH}": found.mean(), "questions": len(found), **result})


if __name__ == "__main__":
    main()
