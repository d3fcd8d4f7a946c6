"""Whether the confidence of an answer tells questions that the documents answer from others.

absent: SQuAD 1.1 questions; the articles of half of them are left out of the corpus.
adversarial: SQuAD 2.0 questions over all its paragraphs; half of them cannot be answered, and were
written to look as if they could.

For each, the AUROC of the confidence with its 95 % bootstrap interval, and the calibration error
(ECE, ten bins) of it as the probability that the documents answer; and for thresholds, the share of
the answerable and of the other questions that would be answered.

    python benchmarks/confidence.py --data DIR                      # some 20 minutes on two cores
    python benchmarks/confidence.py --data DIR --no-generation      # what is known before writing
    python benchmarks/confidence.py --data DIR --fit --questions 2000 --no-generation

Articles are numbered by title. The weights in noria/answer/confidence.py were fitted by ``--fit``
on the even ones; the measures are of the odd ones, unless ``--articles`` says otherwise.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import _common
import numpy as np
from noria.answer.answerer import Answerer
from noria.answer.confidence import MOST_STRANGERS, USUALLY_GROUNDED, Signals, Weights, signals
from noria.build import PARAGRAPH_END, House
from noria.config import load
from noria.evaluate import readers
from noria.evaluate.abstention import auroc, ece
from noria.evaluate.beir import Collection
from noria.evaluate.questions import Question, Questions
from noria.evaluate.retrieval import indexed
from noria.evaluate.statistics import RESAMPLES, Measure
from noria.funnel.funnel import Funnel
from noria.funnel.order import Diverse
from noria.funnel.rank import AsRetrieved
from noria.funnel.retrieve import Hybrid
from noria.types import Document, Query, Sampling

LANGUAGE = "en"
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
AT_ONCE = 16  # prompts between two reports of progress


@dataclass(frozen=True)
class Kind:
    """Questions to ask of a corpus, and which of them it answers."""

    name: str
    corpus: tuple[Document, ...]
    asked: tuple[Question, ...]
    answerable: tuple[bool, ...]


def article(name: str) -> str:
    """The article that a paragraph is of.

    >>> article("Black_Death/7")
    'Black_Death'
    """
    return name.rsplit("/", 1)[0]


def numbered(questions: Questions) -> dict[str, int]:
    """The articles' numbers, by title."""
    titles = sorted({article(p.id) for p in questions.passages})
    return {title: number for number, title in enumerate(titles)}


def chosen(articles: str, number: int) -> bool:
    """Whether questions on the article are asked."""
    return articles == "all" or number % 2 == (articles == "odd")


def absent(questions: Questions, articles: str, size: int, rng: random.Random) -> Kind:
    """Half of the questions are on articles that the corpus does not have.

    Of the numbers 0, 1, 2, 3 and so on the corpus has 0, 1, 4, 5: odd and even ones alike.
    """
    number = numbered(questions)
    kept = {title for title, n in number.items() if n % 4 < 2}
    ours = [q for q in questions.asked if chosen(articles, number[article(q.documents[0])])]
    there = [q for q in ours if article(q.documents[0]) in kept]
    gone = [q for q in ours if article(q.documents[0]) not in kept]
    corpus = tuple(p for p in questions.passages if article(p.id) in kept)
    return halves("absent", corpus, there, gone, size, rng)


def adversarial(questions: Questions, articles: str, size: int, rng: random.Random) -> Kind:
    """Half of the questions cannot be answered; the corpus has all paragraphs."""
    number = numbered(questions)
    ours = [q for q in questions.asked if chosen(articles, number[article(q.documents[0])])]
    able = [q for q in ours if not q.unanswerable]
    unable = [q for q in ours if q.unanswerable]
    return halves("adversarial", questions.passages, able, unable, size, rng)


def halves(
    name: str,
    corpus: tuple[Document, ...],
    able: Sequence[Question],
    unable: Sequence[Question],
    size: int,
    rng: random.Random,
) -> Kind:
    """As many answerable as other questions, ``size`` together or as many as there are."""
    half = min(size // 2, len(able), len(unable))
    asked = [*rng.sample(able, half), *rng.sample(unable, half)]
    return Kind(name, corpus, tuple(asked), (True,) * half + (False,) * half)


@dataclass(frozen=True)
class Asking:
    """Asks questions of a kind through the real parts, with or without writing answers."""

    models: _common.Models
    home: Path
    house: House
    generation: bool

    def signals(self, kind: Kind) -> list[Signals | None]:
        """What tells the confidence of each answer."""
        answerer = self.answerer(kind)
        queries = [Query(q.id, q.text) for q in kind.asked]
        slates = [answerer.funnel.search(query) for query in queries]
        shares = self.grounded(kind, answerer, queries)
        return [
            signals(query.text, slate.candidates, self.models.encoder, LANGUAGE, share)
            for query, slate, share in zip(queries, slates, shares, strict=True)
        ]

    def grounded(self, kind: Kind, answerer: Answerer, queries: Sequence[Query]) -> list[float]:
        """The grounded share of each answer, or what counts where none is written."""
        if not self.generation:
            return [USUALLY_GROUNDED] * len(queries)
        shares = []
        told = _common.Told()
        for start in range(0, len(queries), AT_ONCE):
            some = [answerer.prepare(query) for query in queries[start : start + AT_ONCE]]
            chats = [asked.chat for asked in some if asked.chat is not None]
            written = iter(answerer.llm.batch(chats, answerer.sampling))
            shares += [
                answerer.finish(asked, next(written) if asked.chat else None).grounded
                for asked in some
            ]
            told(f"answers, {kind.name}", len(shares), len(queries))
        return shares

    def answerer(self, kind: Kind) -> Answerer:
        """Answers from the kind's corpus as ``noria ask`` does by default."""
        models, answer = self.models, self.house.settings.answer
        collection = Collection(kind.corpus, {}, {})
        table = indexed(collection, models.encoder, models.splitter, models.languages, self.home,
                        _common.Told())  # fmt: skip
        return Answerer(
            funnel=Funnel(Hybrid(table, models.encoder), (), AsRetrieved(), Diverse()),
            llm=self.house.llm,
            encoder=models.encoder,
            release="benchmark",
            sampling=Sampling(max_tokens=answer.max_tokens, stop=PARAGRAPH_END),
            prompt_tokens=answer.prompt_tokens,
            abstain_below=answer.abstain_below,
            languages=(LANGUAGE,),
        )


def measured(kind: Kind, told: Sequence[Signals | None]) -> dict[str, Any]:
    """The figures of one kind."""
    sure = np.array([0.0 if each is None else each.probability() for each in told])
    able = np.array(kind.answerable)
    return {
        "questions": len(sure),
        "auroc": with_interval(auroc(sure, able), len(sure)),
        "ece": with_interval(ece(sure, able.astype(np.float64)), len(sure)),
        "answered_at": {
            str(t): {"answerable": float((sure[able] >= t).mean()),
                     "other": float((sure[~able] >= t).mean())}
            for t in THRESHOLDS
        },
    }  # fmt: skip


def with_interval(measure: Measure, size: int) -> dict[str, float]:
    """A figure with its 95 % interval by the percentile bootstrap."""
    rng = np.random.default_rng(_common.SEED)
    draws = measure.figure(rng.multinomial(size, np.full(size, 1 / size), RESAMPLES).astype(float))
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return {"value": float(measure.figure(np.ones((1, size)))[0]),
            "low": float(low), "high": float(high)}  # fmt: skip


def fitted(told: Sequence[Signals], answerable: Sequence[bool]) -> Weights:
    """The weights of a logistic regression, by Newton's method.

    The ridge keeps the weight of a signal that never changes at 0.
    """
    rows = [[1.0, s.similarity, s.words, min(s.strangers, MOST_STRANGERS), s.denies,
             s.grounded - USUALLY_GROUNDED] for s in told]  # fmt: skip
    x, y = np.array(rows, dtype=np.float64), np.array(answerable, dtype=np.float64)
    ridge = 1e-3 * np.eye(x.shape[1])
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (y - p) - ridge @ weights
        weights += np.linalg.solve((x.T * (p * (1 - p))) @ x + ridge, slope)
    return Weights(*(round(float(w), 2) for w in weights))


def more(parser: argparse.ArgumentParser) -> None:
    """The arguments beside those of all benchmarks."""
    parser.add_argument("--questions", type=int, default=300, help="of each kind")
    parser.add_argument("--articles", choices=["odd", "even", "all"], help="which are asked about")
    parser.add_argument("--no-generation", action="store_true", help="leave the model out")
    parser.add_argument("--fit", action="store_true", help="print weights fitted on even articles")
    parser.add_argument("--squad1", default="squad/dev-v1.1.partA.json")
    parser.add_argument("--squad2", default="squad/dev-v2.0.partA.json")


def main() -> None:
    """Measure, or fit, and print."""
    given = _common.arguments(__doc__, more)
    articles = given.articles or ("even" if given.fit else "odd")
    rng = random.Random(_common.SEED)
    kinds = [
        absent(readers.read(given.data / given.squad1), articles, given.questions, rng),
        adversarial(readers.read(given.data / given.squad2), articles, given.questions, rng),
    ]
    asking = Asking(_common.models(), given.home, House(load()), not given.no_generation)
    told = {kind.name: asking.signals(kind) for kind in kinds}
    if given.fit:
        pairs = [(s, able) for kind in kinds
                 for s, able in zip(told[kind.name], kind.answerable, strict=True) if s]  # fmt: skip
        weights = fitted([s for s, _ in pairs], [able for _, able in pairs])
        names = [field.name for field in fields(Weights)]
        _common.show({"articles": articles, "questions": len(pairs),
                      "weights": dict(zip(names, astuple(weights), strict=True))})  # fmt: skip
    else:
        _common.show({"articles": articles, "generation": asking.generation,
                      **{kind.name: measured(kind, told[kind.name]) for kind in kinds}})  # fmt: skip


if __name__ == "__main__":
    main()
