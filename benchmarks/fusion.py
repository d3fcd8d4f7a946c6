"""Whether hybrid retrieval keeps up with the better of its two legs, whatever the collection.

Measures nDCG@10 of lexical, dense, and three fusions (reciprocal ranks, convex with equal shares,
the default) on SciFact, the chunking questions, SQuAD paragraphs, PubMedQA and banking77, and each
fusion's difference to the better leg. Nothing is fitted to any of them.

    python benchmarks/fusion.py --data DIR

The first run embeds some 16,000 passages: a quarter of an hour on two cores. Indexes are kept.
"""

import argparse
from pathlib import Path

import _common
from _tasks import Task, tasks
from noria.evaluate.retrieval import Asked, indexed, measured, ranking
from noria.funnel.retrieve import Dense, Hybrid, Lexical
from noria.protocols import Retriever
from noria.types import Query

LEGS = ("lexical", "dense")
FUSIONS = ("rrf", "convex", "default")
MEASURE = "ndcg@10"


def scores(task: Task, models: _common.Models, home: Path) -> dict[str, float]:
    """The measure of each leg and each fusion."""
    told = _common.Told()
    passages = indexed(
        task.collection, models.encoder, models.splitter, models.languages, home, told
    )
    asked = Asked(models.encoder, told)
    asked.encode_queries(list(task.collection.questions.values()))
    retrievers: dict[str, Retriever] = {
        "lexical": Lexical(passages),
        "dense": Dense(passages, asked),
        "rrf": Hybrid(passages, asked, fusion="rrf"),
        "convex": Hybrid(passages, asked, alpha=0.5),
        "default": Hybrid(passages, asked),
    }
    return {name: score(task, retriever) for name, retriever in retrievers.items()}


def score(task: Task, retriever: Retriever) -> float:
    """The measure of one retriever, over documents or passages as the task judges them."""
    found = {
        id: first(task.unit, retriever, Query(id, text))
        for id, text in task.collection.questions.items()
    }
    return measured(task.collection.judgements, found)[MEASURE]


def first(unit: str, retriever: Retriever, query: Query) -> list[str]:
    """The ten best documents or passages."""
    if unit == "document":
        return list(ranking(retriever, query, size=10))
    return [c.item.id for c in retriever.retrieve(query, 100).candidates[:10]]


def only(parser: argparse.ArgumentParser) -> None:
    """The argument that chooses tasks."""
    parser.add_argument("--only", default="", help="only tasks whose names begin with this")


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__, only)
    models = _common.models()
    measured_tasks = {}
    for task in tasks(given.data, models.splitter):
        if not task.name.startswith(given.only):
            continue
        _common.tell(f"== {task.name}: {len(task.collection.questions)} questions")
        found = scores(task, models, given.home)
        best = max(found[leg] for leg in LEGS)
        measured_tasks[task.name] = {
            "questions": len(task.collection.questions),
            **({"note": task.note} if task.note else {}),
            **found,
            "minus_better_leg": {f: found[f] - best for f in FUSIONS},
        }
        _common.tell(str(_common.rounded(measured_tasks[task.name])))
    differences = {
        f: [each["minus_better_leg"][f] for each in measured_tasks.values()] for f in FUSIONS
    }
    _common.show({
        "measure": MEASURE,
        "tasks": measured_tasks,
        "mean_difference": {f: sum(d) / len(d) for f, d in differences.items()},
        "worst_difference": {f: min(d) for f, d in differences.items()},
    })  # fmt: skip


if __name__ == "__main__":
    main()
