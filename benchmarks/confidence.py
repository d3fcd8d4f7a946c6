"""Whether the confidence of an answer tells questions that the documents answer from others.

absent: SQuAD 1.1 questions; the articles of half of them are left out of the corpus.
adversarial: SQuAD 2.0 questions over all its paragraphs; half of them cannot be answered, and were
written to look as if they could.

For each, and for both together, the AUROC of the confidence with its 95 % bootstrap interval, and
its calibration error (ECE, ten bins) as the probability that the documents answer; and for
thresholds, the share of the answerable and of the other questions that would be answered. The
weights were fitted to the mixture of both kinds: only together they can be calibrated.

    python benchmarks/confidence.py --data DIR                      # 600 answers are written
    python benchmarks/confidence.py --data DIR --no-generation      # what is known before writing
    python benchmarks/confidence.py --data DIR --fit --questions 1000 --no-generation

Articles have numbers made of their titles. The weights in noria/answer/confidence.py were fitted by
``--fit`` on the even ones; the measures are of the odd ones, unless ``--articles`` says otherwise.
"""

import argparse
import hashlib
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import _common
from noria.answer.answerer import Answerer
from noria.answer.confidence import MOST_STRANGERS, Signals, Weights, signals
from noria.build import PARAGRAPH_END, House
from noria.config import load
from noria.evaluate import readers
from noria.evaluate.beir import Collection
from noria.evaluate.metrics.abstention import auroc, ece
from noria.evaluate.questions import Question, Questions
from noria.evaluate.retrieval import Asked, indexed
from noria.evaluate.statistics.intervals import RESAMPLES, Measure
from noria.funnel.funnel import Funnel
from noria.funnel.order import Diverse
from noria.funnel.rank import AsRetrieved
from noria.funnel.retrieve import Hybrid
from noria.types import Document, Query, Sampling, Slate

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


def number(question: Question) -> int:
    """A number of the question's article by its title, the same in every file."""
    title = article(question.documents[0])
    return hashlib.sha256(title.encode()).digest()[0]


def chosen(questions: Questions, articles: str) -> list[Question]:
    """The questions on the articles that are asked about."""
    return [q for q in questions.asked if articles == "all" or number(q) % 2 == (articles == "odd")]


def absent(questions: Questions, articles: str, size: int, rng: random.Random) -> Kind:
    """Half of the questions are on articles that the corpus does not have."""
    kept = {article(q.documents[0]) for q in questions.asked if number(q) % 4 < 2}
    ours = chosen(questions, articles)
    there = [q for q in ours if article(q.documents[0]) in kept]
    gone = [q for q in ours if article(q.documents[0]) not in kept]
    corpus = tuple(p for p in questions.passages if article(p.id) in kept)
    return halves("absent", corpus, there, gone, size, rng)


def adversarial(questions: Questions, articles: str, size: int, rng: random.Random) -> Kind:
    """Half of the questions cannot be answered; the corpus has all paragraphs."""
    ours = chosen(questions, articles)
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
class Told:
    """The confidence of one answer, and what it was made of; None where nothing was found."""

    confidence: float
    signals: Signals | None


@dataclass(frozen=True)
class Asking:
    """Asks questions of a kind through the real parts, with or without writing answers."""

    models: _common.Models
    encoder: Asked
    home: Path
    house: House
    generation: bool

    def told(self, kind: Kind) -> list[Told]:
        """The confidence of each answer."""
        answerer = self.answerer(kind)
        self.encoder.encode_queries([q.text for q in kind.asked])
        queries = [Query(q.id, q.text) for q in kind.asked]
        say = _common.Told()
        found: list[Told] = []
        for start in range(0, len(queries), AT_ONCE):
            some = queries[start : start + AT_ONCE]
            found += (
                self.written(answerer, some) if self.generation else self.searched(answerer, some)
            )
            say(f"questions, {kind.name}", len(found), len(queries))
        return found

    def written(self, answerer: Answerer, queries: Sequence[Query]) -> list[Told]:
        """The confidence that the answerer tells."""
        asked = [answerer.prepare(query) for query in queries]
        chats = [each.chat for each in asked if each.chat is not None]
        written = iter(answerer.llm.batch(chats, answerer.sampling))
        answers = [answerer.finish(each, next(written) if each.chat else None) for each in asked]
        return [
            Told(answer.confidence, self.signals(each.query, each.slate, answer.grounded))
            for each, answer in zip(asked, answers, strict=True)
        ]

    def searched(self, answerer: Answerer, queries: Sequence[Query]) -> list[Told]:
        """The confidence before anything is written."""
        found = [self.signals(query, answerer.funnel.search(query)) for query in queries]
        return [Told(each.probability() if each else 0.0, each) for each in found]

    def signals(self, query: Query, slate: Slate, grounded: float = 1.0) -> Signals | None:
        """What tells the confidence."""
        return signals(query.text, slate.candidates, self.encoder, LANGUAGE, grounded)

    def answerer(self, kind: Kind) -> Answerer:
        """Answers from the kind's corpus as ``noria ask`` does by default."""
        models, answer = self.models, self.house.settings.answer
        collection = Collection(kind.corpus, {}, {})
        table = indexed(collection, models.encoder, models.splitter, models.languages, self.home,
                        _common.Told())  # fmt: skip
        return Answerer(
            funnel=Funnel(Hybrid(table, self.encoder), (), AsRetrieved(), Diverse()),
            llm=self.house.llm,
            encoder=self.encoder,
            release="benchmark",
            sampling=Sampling(max_tokens=answer.max_tokens, stop=PARAGRAPH_END),
            prompt_tokens=answer.prompt_tokens,
            abstain_below=answer.abstain_below,
            languages=(LANGUAGE,),
        )


def measured(kinds: Sequence[Kind], told: Sequence[Sequence[Told]]) -> dict[str, Any]:
    """The figures of questions of some kinds together."""
    sure = np.array([each.confidence for some in told for each in some])
    able = np.array([each for kind in kinds for each in kind.answerable])
    answered = {
        str(threshold): {
            "answerable": float((sure[able] >= threshold).mean()),
            "other": float((sure[~able] >= threshold).mean()),
        }
        for threshold in THRESHOLDS
    }
    return {
        "questions": len(sure),
        "auroc": with_interval(auroc(sure, able), len(sure)),
        "ece": with_interval(ece(sure, able.astype(np.float64)), len(sure)),
        "answered_at": answered,
    }


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
             s.unsupported] for s in told]  # fmt: skip
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
    models = _common.models()
    asking = Asking(
        models, Asked(models.encoder), given.home, House(load()), not given.no_generation
    )
    told = [asking.told(kind) for kind in kinds]
    if given.fit:
        pairs = [
            (each.signals, able)
            for kind, some in zip(kinds, told, strict=True)
            for each, able in zip(some, kind.answerable, strict=True)
            if each.signals is not None
        ]
        weights = fitted([each for each, _ in pairs], [able for _, able in pairs])
        _common.show({"articles": articles, "questions": len(pairs), "weights": asdict(weights)})
        return
    _common.show(
        {
            "articles": articles,
            "generation": asking.generation,
            **{kind.name: measured([kind], [some]) for kind, some in zip(kinds, told, strict=True)},
            "together": measured(kinds, told),
        }
    )


if __name__ == "__main__":
    main()
