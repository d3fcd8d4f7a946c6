"""The data sets as collections: documents, questions, and what each question should find."""

import csv
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _common import SEED
from noria.corpus.load import load
from noria.evaluate import beir
from noria.evaluate.beir import Collection
from noria.protocols import Splitter
from noria.types import Document, Item

SQUAD_QUESTIONS = 500
BANKING_UTTERANCES, BANKING_QUESTIONS = 3_000, 400


@dataclass(frozen=True)
class Task:
    """A collection, and whether its judgements name documents or passages."""

    name: str
    collection: Collection
    unit: str = "document"
    note: str = ""


def tasks(data: Path, splitter: Splitter) -> Iterator[Task]:
    """Every task, read when its turn comes."""
    for split in ("test", "train"):
        yield Task(f"scifact {split}", beir.read(data / "scifact", split))
    yield chunking(data / "chunking_evaluation", splitter)
    for name in ("dev-v1.1.partA", "dev-v2.0.partA"):
        yield Task(f"squad {name}", squad(data / "squad" / f"{name}.json"))
    yield Task("pubmedqa", pubmedqa(data / "pubmedqa" / "pqal_dev.json"))
    yield Task("banking77", banking(data / "sft" / "banking77_train.csv"))


def chunking(folder: Path, splitter: Splitter) -> Task:
    """Questions about three long texts; right is a passage with most of a reference in it."""
    corpora = {p.stem: load(p, p.stem) for p in sorted((folder / "corpora").glob("*.md"))}
    passages = {name: splitter.split(document) for name, document in corpora.items()}
    questions: dict[str, str] = {}
    judgements: dict[str, dict[str, int]] = {}
    lost = 0
    with (folder / "questions_df.csv").open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            id, corpus = f"q{number}", row["corpus_id"]
            spans = [located(corpora[corpus], r) for r in json.loads(row["references"])]
            right = [p.id for p in passages[corpus] if any(holds_most(p, s) for s in spans)]
            if not right:
                lost += 1
                continue
            questions[id], judgements[id] = row["question"], dict.fromkeys(right, 1)
    note = f"{lost} questions left out: no passage holds most of a reference" if lost else ""
    return Task(
        "chunking", Collection(tuple(corpora.values()), questions, judgements), "passage", note
    )


def located(document: Document, reference: Mapping[str, Any]) -> tuple[int, int]:
    """The span of a reference in the extracted text."""
    content, start = reference["content"], reference["start_index"]
    if document.text[start : start + len(content)] != content:
        start = document.text.index(content)
    return start, start + len(content)


def holds_most(passage: Item, span: tuple[int, int]) -> bool:
    """Whether more than half of ``span`` lies in ``passage``."""
    shared = min(passage.end, span[1]) - max(passage.start, span[0])
    return shared * 2 > span[1] - span[0]


def squad(path: Path) -> Collection:
    """Seeded answerable questions; right is the paragraph that each was written for."""
    documents: dict[str, Document] = {}
    asked: list[tuple[str, str, str]] = []
    for a, article in enumerate(json.loads(path.read_text(encoding="utf-8"))["data"]):
        for p, paragraph in enumerate(article["paragraphs"]):
            id = f"{a}-{p}"
            documents[id] = beir.document(id, "", paragraph["context"])
            asked += [(q["id"], q["question"], id) for q in paragraph["qas"]
                      if not q.get("is_impossible")]  # fmt: skip
    chosen = random.Random(SEED).sample(asked, SQUAD_QUESTIONS)
    return Collection(
        tuple(documents.values()),
        {id: question for id, question, _ in chosen},
        {id: {paragraph: 1} for id, _, paragraph in chosen},
    )


def pubmedqa(path: Path) -> Collection:
    """Each question, and the abstract that it is the title of."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return Collection(
        tuple(beir.document(f"d{id}", "", "\n\n".join(r["CONTEXTS"])) for id, r in rows.items()),
        {id: r["QUESTION"] for id, r in rows.items()},
        {id: {f"d{id}": 1} for id in rows},
    )


def banking(path: Path) -> Collection:
    """Customers' sentences; right are the others with the same intent."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(SEED).shuffle(rows)
    held = rows[:BANKING_UTTERANCES]
    asked = rows[BANKING_UTTERANCES : BANKING_UTTERANCES + BANKING_QUESTIONS]
    alike: dict[str, dict[str, int]] = {}
    for number, row in enumerate(held):
        alike.setdefault(row["category"], {})[f"u{number}"] = 1
    return Collection(
        tuple(beir.document(f"u{n}", "", row["text"]) for n, row in enumerate(held)),
        {f"q{n}": row["text"] for n, row in enumerate(asked)},
        {f"q{n}": alike[row["category"]] for n, row in enumerate(asked)},
    )
