"""Whether teaching the query encoder helps on articles that it never saw, and harms elsewhere.

SQuAD 1.1, parted by article: 21 to learn from, 3 to choose the epoch by, 6 to test. Measured is the
dense leg's recall@5 among the paragraphs of all 30 articles, before teaching and after each
teacher: the passage that people marked (contrast), the generator's likelihoods (R-ft), one after
the other (both). Intervals are paired, at 95 %. SciFact's test questions show what is lost.

    nice python benchmarks/retriever.py --data DIR

What the generator says is kept in ``--home``, question by question: an interrupted run goes on.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _common
from noria.config import Settings
from noria.evaluate import beir
from noria.evaluate.metrics.ranking import scores
from noria.evaluate.questions import Question, read
from noria.evaluate.statistics.intervals import difference
from noria.models.cache import default_cache
from noria.models.encode import SentenceEncoder, sentence_transformer
from noria.models.gguf import converted, gguf_at
from noria.models.sources import fetch
from noria.models.towers import Towers, save, towers
from noria.tune import attention
from noria.tune.asked import Asked, Exam, QueryRecipe, Taught
from noria.tune.likelihoods import Reading, likelihoods, opinions, temperature
from noria.tune.render import Renderer
from noria.tune.retriever import teach
from noria.tune.teaching import RECIPES
from noria.tune.weights import quickest
from noria.types import Candidate, Item
from parts import ARTICLES, parted

Matrix = NDArray[np.float32]
DEPTH = 5
CONTRAST, HELPED = RECIPES["contrast"], RECIPES["likelihoods"]
SCIFACT = ("ndcg@10", "recall@10", "recall@100")
LONGEST = 2048  # tokens of a prompt with its answer


@dataclass(frozen=True)
class Squad:
    """Paragraphs, their questions, and the articles of each part."""

    texts: tuple[str, ...]
    articles: tuple[str, ...]  # of each paragraph
    questions: tuple[Question, ...]
    places: Mapping[str, int]  # id of a paragraph -> its row
    parts: Mapping[str, frozenset[str]]

    def rows(self, part: str) -> list[int]:
        """The paragraphs of a part."""
        return [row for row, name in enumerate(self.articles) if name in self.parts[part]]

    def asked(self, part: str) -> list[Question]:
        """The questions of a part."""
        return [q for q in self.questions if self.articles[self.gold(q)] in self.parts[part]]

    def gold(self, question: Question) -> int:
        """The row of the paragraph that the question was written for."""
        return self.places[question.documents[0]]


def squad(path: Path, seed: int) -> Squad:
    """SQuAD's file, its articles drawn into parts."""
    found = read(path)
    names = [document.id for document in found.passages]
    articles = tuple(name.rpartition("/")[0] for name in names)
    drawn = parted(sorted(set(articles)), ARTICLES, seed)
    parts = {part: frozenset(some) for part, some in drawn.items()}
    texts = tuple(d.text.partition("\n\n")[2] for d in found.passages)  # without the title
    places = {name: row for row, name in enumerate(names)}
    return Squad(texts, articles, found.asked, places, parts)


@dataclass(frozen=True)
class Bench:
    """What all variants share."""

    squad: Squad
    home: Path
    seed: int
    folder: Path  # of the encoder
    scifact: Path

    @cached_property
    def encoder(self) -> SentenceEncoder:
        """The encoder before teaching, which made all passages' vectors."""
        return SentenceEncoder(self.folder)

    @cached_property
    def table(self) -> Matrix:
        """The vectors of all paragraphs."""
        return self.vectors(self.squad.texts, "paragraphs")

    @cached_property
    def collection(self) -> beir.Collection:
        """SciFact's test split."""
        return beir.read(self.scifact, "test")

    @cached_property
    def abstracts(self) -> Matrix:
        """The vectors of SciFact's documents, each as one passage."""
        return self.vectors([d.text for d in self.collection.documents], "abstracts")

    def vectors(self, texts: Sequence[str], what: str) -> Matrix:
        """The passages' vectors, kept for the next run."""
        named = "\0".join([self.encoder.fingerprint, *texts]).encode()
        path = self.home / f"{what}-{hashlib.sha256(named).hexdigest()[:16]}.npy"
        if not path.exists():
            _common.tell(f"encoding {len(texts)} {what}")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, self.encoder.encode_passages(texts))
        found: Matrix = np.load(path)
        return found

    def taught(
        self, name: str, asked: Sequence[Asked], recipe: QueryRecipe, start: Path
    ) -> tuple[Path, Taught]:
        """The folder of a tower taught from that in ``start``; the training articles alone."""
        model, rows = sentence_transformer(start, "cpu"), self.squad.rows("train")
        exam = Exam(
            [Asked(q.text, {self.squad.gold(q): 1.0}) for q in self.squad.asked("dev")], self.table
        )
        told = teach(model, asked, self.table[rows], recipe, exam, _common.Told())
        path = self.home / f"{name}-{self.seed}"
        save(model, path, self.encoder.fingerprint)
        return path, told

    def marked(self) -> list[Asked]:
        """Contrast's teacher: the paragraph that a question was written for."""
        place = {row: at for at, row in enumerate(self.squad.rows("train"))}
        return [Asked(q.text, {place[self.squad.gold(q)]: 1.0}) for q in self.squad.asked("train")]

    def found(self, towers: Towers | SentenceEncoder) -> NDArray[np.float64]:
        """1 for each test question that finds its paragraph among the best."""
        asked = self.squad.asked("test")
        scored = towers.encode_queries([q.text for q in asked]) @ self.table.T
        own = scored[range(len(asked)), [self.squad.gold(q) for q in asked]][:, None]
        return ((scored > own).sum(1) < DEPTH).astype(np.float64)

    def elsewhere(self, towers: Towers | SentenceEncoder) -> dict[str, NDArray[np.float64]]:
        """SciFact's metrics, question by question."""
        questions, documents = self.collection.questions, self.collection.documents
        scored = towers.encode_queries(list(questions.values())) @ self.abstracts.T
        best = np.argsort(-scored, axis=1, kind="stable")[:, :100]
        ranked = {
            id: [documents[at].id for at in row] for id, row in zip(questions, best, strict=True)
        }
        return scores(self.collection.judgements, ranked, SCIFACT)


def helped(bench: Bench, count: int, depth: int) -> tuple[list[Asked], dict[str, Any]]:
    """The generator's opinions on ``depth`` passages of ``count`` training questions."""
    texts = {q.id: q.text for q in bench.squad.asked("train")}
    ids, rows, said = zip(*answers(bench, count, depth), strict=True)
    tuned = temperature(said)
    sharp = opinions([texts[id] for id in ids], rows, said, tuned)
    return sharp, {"temperature": tuned, "questions": len(ids), "flat": len(ids) - len(sharp)}


def answers(
    bench: Bench, count: int, depth: int
) -> Iterator[tuple[str, list[int], tuple[float, ...]]]:
    """Each question with its best passages, and how likely its answer is after each; kept."""
    rows = bench.squad.rows("train")
    path = bench.home / f"likelihoods-{bench.seed}-{depth}.jsonl"
    known = {}
    if path.exists():
        known = {id: (at, tuple(said)) for id, at, said in map(json.loads, path.open())}
    told, done = _common.Told(), 0
    for group in drawn(bench.squad, count, bench.seed):
        fresh = [question for question in group if question.id not in known]
        if fresh:
            vectors = bench.encoder.encode_queries([q.text for q in fresh]) @ bench.table[rows].T
            best = np.argsort(-vectors, axis=1, kind="stable")[:, :depth].tolist()
            said = ask(bench.squad, fresh, [[rows[at] for at in each] for each in best])
            with path.open("a") as file:
                for question, at, each in zip(fresh, best, said, strict=True):
                    known[question.id] = (at, each)
                    file.write(json.dumps([question.id, at, each]) + "\n")
        for question in group:
            yield (question.id, *known[question.id])
        done += len(group)
        told("asking the generator", done, count)


def ask(
    squad: Squad, questions: Sequence[Question], found: Sequence[Sequence[int]]
) -> list[tuple[float, ...]]:
    """What the default generator says; the rows are those of all paragraphs."""
    model, tokenizer = generator()
    readings = [
        Reading(
            question.id,
            question.text,
            question.answers[0],
            tuple(Candidate(Item(str(row), squad.texts[row]), 0.0) for row in rows),
        )
        for question, rows in zip(questions, found, strict=True)
    ]
    return likelihoods(
        model,
        Renderer(tokenizer, LONGEST),
        readings,
        lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"]),
        Settings().answer.prompt_tokens,
        precision=quickest("cpu"),
    )


@cache
def generator() -> tuple[Any, Any]:
    """The default generator, with its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = converted(gguf_at(fetch(Settings().models.generator)), default_cache())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    attention.use(model)
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def drawn(squad: Squad, count: int, seed: int) -> Iterator[list[Question]]:
    """About ``count`` training questions, in groups that share passages: whole paragraphs.

    Articles take turns, so that any beginning has some of each.
    """
    turns: dict[str, list[list[Question]]] = {}
    paragraphs: dict[int, list[Question]] = {}
    for question in squad.asked("train"):
        paragraphs.setdefault(squad.gold(question), []).append(question)
    for row in sorted(paragraphs):
        turns.setdefault(squad.articles[row], []).append(paragraphs[row])
    chance, taken = random.Random(seed), 0
    for groups in turns.values():
        chance.shuffle(groups)
    while taken < count and any(turns.values()):
        for groups in turns.values():
            together = [question for group in groups[:3] for question in group]
            del groups[:3]
            if together and taken < count:
                taken += len(together)
                yield together


def row(bench: Bench, after: Towers, before: SentenceEncoder) -> dict[str, Any]:
    """What one teacher changed, on unseen articles and elsewhere."""
    chance = np.random.default_rng(0)
    old, new = bench.elsewhere(before), bench.elsewhere(after)
    return {
        f"recall@{DEPTH}": asdict(difference(bench.found(before), bench.found(after), chance)),
        "scifact": {name: asdict(difference(old[name], new[name], chance)) for name in SCIFACT},
    }


def more(parser: argparse.ArgumentParser) -> None:
    """Arguments of its own."""
    parser.add_argument("--seed", type=int, default=5, help="draws the articles")
    parser.add_argument("--questions", type=int, default=400,
                        help="training questions that the generator is asked")  # fmt: skip
    parser.add_argument("--passages", type=int, default=8, help="of each question")
    parser.add_argument("--contrast", type=recipe(CONTRAST), default=CONTRAST,
                        help='changes to its recipe, as JSON: {"epochs": 5}')  # fmt: skip
    parser.add_argument("--helped", type=recipe(HELPED), default=HELPED,
                        help="changes to R-ft's recipe")  # fmt: skip
    parser.add_argument("--teachers", nargs="+", choices=("contrast", "r-ft", "both"),
                        default=["contrast", "r-ft", "both"])  # fmt: skip


def recipe(default: QueryRecipe) -> Any:
    """Reads changes to a recipe."""
    return lambda text: replace(default, **json.loads(text))


def main() -> None:
    """Teach, and measure on the test articles."""
    given = _common.arguments(__doc__, more)
    path = given.data / "squad" / "dev-v1.1.partA.json"
    bench = Bench(
        squad(path, given.seed),
        given.home / "retriever",
        given.seed,
        fetch(Settings().models.encoder),
        given.data / "scifact",
    )
    variants: dict[str, Any] = {}
    start = {"contrast": bench.folder, "r-ft": bench.folder}
    opinion, about = [], {}
    if {"r-ft", "both"} & set(given.teachers):
        opinion, about = helped(bench, given.questions, given.passages)
    for name in given.teachers:
        recipe, asked = (given.contrast, bench.marked()) if name == "contrast" else (
            given.helped, opinion)  # fmt: skip
        if name == "both":
            start["both"], _ = bench.taught("first", bench.marked(), given.contrast, bench.folder)
        folder, told = bench.taught(name, asked, recipe, start[name])
        measured = row(bench, towers(folder, bench.encoder), bench.encoder)
        variants[name] = {**measured, "recipe": asdict(recipe), "taught": asdict(told)}
    sizes = {part: len(bench.squad.asked(part)) for part in bench.squad.parts}
    articles = {part: sorted(names) for part, names in bench.squad.parts.items()}
    _common.show({"questions": sizes, "articles": articles, "generator": about, **variants})


if __name__ == "__main__":
    main()
