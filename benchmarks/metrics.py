"""Whether the metrics are those of the field: SQuAD's, trec_eval's, rouge-score's, sacrebleu's.

Holds 1,000 SQuAD answers, each changed in one of twenty ways or two (case, articles, punctuation,
letters, spaces, order, repeats, numbers, ...), against SQuAD's own scoring; the lexical run over
SciFact, and the same with scores made equal, against trec_eval's definitions. Both are written a
second time in ``tests/published.py``. Prints the largest difference of any question.

    python benchmarks/metrics.py --data DIR

Indexes SciFact without a model: two minutes on two cores; the index is kept.
"""

import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import _common
from noria.evaluate import beir, retrieval
from noria.evaluate.metrics import ranking, text, translation
from noria.funnel.retrieve import Lexical
from noria.models.fake import FakeEncoder
from noria.types import Query

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
import published

ANSWERS = 1000
DEEP = 100


def squad(folder: Path) -> dict[str, Any]:
    """EM and F1 of changed answers, against all right answers of their questions."""
    golds = [
        [answer["text"] for answer in question["answers"]]
        for name in ("dev-v1.1.partA.json", "dev-v2.0.partA.json")
        for article in json.loads((folder / name).read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    golds = random.Random(_common.SEED).sample(golds, ANSWERS)
    first = [each[0] if each else "no answer" for each in golds]
    answers = published.changed(first, ANSWERS, _common.SEED)
    ours = [(text.exact(a, g), text.f1(a, g)) for a, g in zip(answers, golds, strict=True)]
    official = [published.squad(a, g) for a, g in zip(answers, golds, strict=True)]
    return {
        "answers": ANSWERS,
        "unanswerable": sum(not each for each in golds),
        "em": fmean(em for em, _ in ours),
        "f1": fmean(f1 for _, f1 in ours),
        "largest_difference": largest(official, ours),
    }


def rouge(folder: Path) -> dict[str, Any]:
    """ROUGE of neighbouring SQuAD questions of a paragraph, against rouge-score."""
    from rouge_score.rouge_scorer import RougeScorer

    articles = json.loads((folder / "dev-v1.1.partA.json").read_text(encoding="utf-8"))["data"]
    asked = [
        [question["question"] for question in paragraph["qas"]]
        for article in articles
        for paragraph in article["paragraphs"]
    ]
    pairs = [(q[0], q[1:]) for q in asked if len(q) > 1 and all(map(str.isascii, q))][:ANSWERS]
    names = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(names)
    official = [
        [scorer.score_multi(golds, said)[name].fmeasure for name in names] for said, golds in pairs
    ]
    ours = [
        [text.rouge(said, golds, 1), text.rouge(said, golds, 2), text.rouge_l(said, golds)]
        for said, golds in pairs
    ]
    return {"pairs": len(pairs), "largest_difference": largest(official, ours)}


def sacre(folder: Path) -> dict[str, Any]:
    """The metrics of translations, of a whole set and of 200 draws, against sacrebleu."""
    import numpy as np
    from sacrebleu import BLEU, CHRF

    articles = json.loads((folder / "dev-v1.1.partA.json").read_text(encoding="utf-8"))["data"]
    right = [[p["context"][:200], p["context"][5:150]] for p in articles[0]["paragraphs"]]
    said = [published.changed([each[0]], 1, seed)[0] for seed, each in enumerate(right)]
    many = len(said)
    draws = np.random.default_rng(0).multinomial(many, np.full(many, 1 / many), 200)
    draws[0] = 1
    differences = {}
    for name, measure, metric in (
        ("chrf", translation.chrf, CHRF()), ("bleu", translation.bleu, BLEU(force=True)),
    ):  # fmt: skip
        ours = measure(said, right).figure(draws.astype(float)).tolist()
        official = []
        for draw in draws:
            at = np.repeat(np.arange(many), draw).tolist()
            references = [[right[i][r] for i in at] for r in (0, 1)]
            official.append(metric.corpus_score([said[i] for i in at], references).score)
        differences[name] = largest([official], [ours])
    return {"sentences": many, "draws": len(draws), "largest_difference": differences}


def trec(folder: Path, home: Path) -> dict[str, Any]:
    """The lexical run over SciFact, in its order and with scores so coarse that many are equal."""
    collection = beir.read(folder)
    found = scored(collection, home)
    runs = {
        "lexical": found,
        "lexical, scores of one digit": {
            id: {name: float(f"{score:.0e}") for name, score in scores.items()}
            for id, scores in found.items()
        },
    }
    return {name: against_trec(collection.judgements, run) for name, run in runs.items()}


def scored(collection: beir.Collection, home: Path) -> dict[str, dict[str, float]]:
    """The score of each question's documents: that of the best passage."""
    models = _common.models()
    encoder = FakeEncoder()  # the lexical leg needs none
    passages = retrieval.indexed(
        collection, encoder, models.splitter, models.languages, home / "metrics", _common.Told()
    )
    retriever = Lexical(passages)
    found = {}
    for id, question in collection.questions.items():
        best: dict[str, float] = {}
        for candidate in retriever.retrieve(Query(id, question), DEEP).candidates:
            best.setdefault(str(candidate.item.document), candidate.score)
        found[id] = best
    return found


def against_trec(
    judgements: ranking.Judgements, run: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Means of the run, and the largest difference of any question in any metric."""
    ranked = {id: published.trec_ranking(scores) for id, scores in run.items()}
    names = list(ranking.known())
    ours = ranking.scores(judgements, ranked, names)
    official = [published.trec(ranked[id], grades) for id, grades in judgements.items()]
    tied = sum(len(set(scores.values())) < len(scores) for scores in run.values())
    return {
        "questions": len(judgements),
        "questions_with_ties": tied,
        "means": {name: float(values.mean()) for name, values in ours.items()},
        "largest_difference": largest(
            [[each[name] for name in names] for each in official],
            [[float(ours[name][at]) for name in names] for at in range(len(judgements))],
        ),
        "largest_difference_from_pytrec_eval": against_pytrec(judgements, run, ours),
    }


def against_pytrec(
    judgements: ranking.Judgements,
    run: Mapping[str, Mapping[str, float]],
    ours: Mapping[str, Any],
) -> float:
    """The same against trec_eval's own code, which breaks the ties itself."""
    import pytrec_eval

    names = {"ndcg_cut_10": "ndcg@10", "recall_10": "recall@10", "recall_100": "recall@100",
             "map": "map"}  # fmt: skip
    judge = pytrec_eval.RelevanceEvaluator(
        {id: dict(grades) for id, grades in judgements.items()}, {"ndcg_cut", "recall", "map"}
    )
    theirs = judge.evaluate({id: dict(scores) for id, scores in run.items()})
    return largest(
        [[theirs[id][name] for name in names] for id in judgements if id in theirs],
        [[float(ours[name][at]) for name in names.values()]
         for at, id in enumerate(judgements) if id in theirs],
    )  # fmt: skip


def largest(official: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> float:
    """The largest difference of two numbers in the same place."""
    return max(
        abs(theirs - own)
        for one, other in zip(official, ours, strict=True)
        for theirs, own in zip(one, other, strict=True)
    )


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__)
    started = perf_counter()
    result = {
        "squad": squad(given.data / "squad"),
        "rouge_score": rouge(given.data / "squad"),
        "sacrebleu": sacre(given.data / "squad"),
        "trec_eval": trec(given.data / "scifact", given.home),
        "seconds": perf_counter() - started,
    }
    print(json.dumps(result, indent=2))  # unrounded: what counts are the last digits


if __name__ == "__main__":
    main()
