"""How well lexical, dense and hybrid retrieval find the documents that answer a question.

Documents are scored, not passages: one with several passages counts once, at its best one. Knows
no command line; the collection is indexed by the same code as a user's files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from noria.corpus.index import PassageTable, Recipe
from noria.corpus.write import Work, write
from noria.evaluate import beir
from noria.evaluate.beir import Collection
from noria.evaluate.metrics.ranking import Judgements, Ranking, scores
from noria.funnel.retrieve import DEPTH, Dense, Hybrid, Lexical
from noria.jobs import locked, silent
from noria.protocols import Encoder, Progress, Retriever, Splitter
from noria.types import Candidate, Query

if TYPE_CHECKING:
    from noria.protocols import Matrix

RANKED = 100  # documents of a ranking: as deep as recall@100 looks
AT_ONCE = 256  # questions embedded between two reports of progress

METRICS = ("ndcg@10", "recall@10", "recall@100", "mrr@10")

Metrics = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Result:
    """Metrics of each retriever by name: ndcg@10, recall@10, recall@100 and mrr@10."""

    lexical: Metrics
    dense: Metrics
    hybrid: Metrics
    queries: int
    seconds: float

    def as_json(self) -> dict[str, object]:
        """As ``noria evaluate retrieval --json`` prints it."""
        return asdict(self)


class Asked:
    """An encoder that embeds each question once, however many retrievers ask it."""

    def __init__(self, encoder: Encoder, progress: Progress = silent) -> None:
        self._encoder, self._progress = encoder, progress
        self._known: dict[str, Matrix] = {}
        self.fingerprint = encoder.fingerprint
        self.dimension, self.max_tokens = encoder.dimension, encoder.max_tokens

    def count(self, text: str) -> int:
        """Number of tokens in ``text``."""
        return self._encoder.count(text)

    def encode_queries(self, texts: Sequence[str]) -> "Matrix":
        """One row a question; only those not asked before are embedded."""
        import numpy as np

        fresh = sorted(set(texts) - self._known.keys())
        for start in range(0, len(fresh), AT_ONCE):
            some = fresh[start : start + AT_ONCE]
            self._known |= dict(zip(some, self._encoder.encode_queries(some), strict=True))
            if len(fresh) > 1:  # one alone is no wait
                self._progress("questions", min(start + AT_ONCE, len(fresh)), len(fresh))
        rows = [self._known[text] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)

    def encode_passages(self, texts: Sequence[str]) -> "Matrix":
        """One row a passage."""
        return self._encoder.encode_passages(texts)


def evaluate(
    collection: Collection | Path,
    encoder: Encoder,
    splitter: Splitter,
    languages: Sequence[str],
    home: Path,
    split: str = "test",
    progress: Progress = silent,
) -> Result:
    """Index a collection, or a BEIR folder, ask its questions and score what is found.

    The index stays in ``home``, so that a second run only asks, and one that was interrupted goes
    on. Raises DataError for a malformed folder, BusyError while another process indexes it.
    """
    started = perf_counter()
    if isinstance(collection, Path):
        collection = beir.read(collection, split)
    passages = indexed(collection, encoder, splitter, languages, home, progress)
    asked = Asked(encoder, progress)
    asked.encode_queries(list(collection.questions.values()))
    retrievers: dict[str, Retriever] = {
        "lexical": Lexical(passages),
        "dense": Dense(passages, asked),
        "hybrid": Hybrid(passages, asked),
    }
    metrics = {
        name: measured(collection.judgements, rankings(each, collection.questions, name, progress))
        for name, each in retrievers.items()
    }
    return Result(**metrics, queries=len(collection.questions), seconds=perf_counter() - started)


def indexed(
    collection: Collection,
    encoder: Encoder,
    splitter: Splitter,
    languages: Sequence[str],
    home: Path,
    progress: Progress = silent,
) -> PassageTable:
    """The collection's passages: a table of their own below ``home``, filled where it is not."""
    recipe = Recipe(encoder.fingerprint, splitter.fingerprint, tuple(languages))
    folder = home / "evaluations"
    table = PassageTable(folder, f"{recipe.table}_{collection.digest[:12]}", encoder.dimension)
    with locked(folder / f"{table.name}.lock", "indexing this collection"):
        table.create()
        held = table.states()
        missing = [d for d in collection.documents if d.text.strip() and d.source not in held]
        digest = collection.digest
        parsed = ((Work(d.id, d.source, digest), d) for d in missing)
        write(
            table,
            splitter,
            encoder,
            parsed,
            languages=languages,
            total=len(missing),
            progress=progress,
        )
        table.fold()
    return table


def rankings(
    retriever: Retriever,
    questions: Mapping[str, str],
    name: str = "retriever",
    progress: Progress = silent,
) -> dict[str, Ranking]:
    """The best documents for each question, best first."""
    found: dict[str, Ranking] = {}
    for done, (id, text) in enumerate(questions.items(), 1):
        found[id] = ranking(retriever, Query(id, text))
        progress(name, done, len(questions))
    return found


def ranking(retriever: Retriever, query: Query, size: int = RANKED) -> Ranking:
    """The ``size`` best documents by their best passage.

    The first are ranked as a search of the default depth ranks them; deeper ones only fill up. A
    document with the question's own id is left out: in some collections (ArguAna) the questions
    are documents, and each would find itself.
    """
    ranked: dict[str, None] = {}
    depth = DEPTH
    while True:
        found = retriever.retrieve(query, depth).candidates
        ranked |= dict.fromkeys(document for document in documents(found) if document != query.id)
        if len(ranked) >= size or len(found) < depth:
            return list(ranked)[:size]
        depth *= 2


def documents(candidates: Iterable[Candidate]) -> list[str]:
    """The documents that passages are from, one name a passage."""
    return [c.item.document if c.item.document is not None else c.item.id for c in candidates]


def measured(judgements: Judgements, rankings: Mapping[str, Ranking]) -> dict[str, float]:
    """Means over the judged questions; one for which nothing was found counts 0.

    >>> found = measured({"q": {"a": 1}}, {"q": ["b", "a"]})
    >>> found["mrr@10"], found["recall@10"], round(found["ndcg@10"], 4)
    (0.5, 1.0, 0.6309)
    """
    found = scores(judgements, rankings, METRICS)
    return {name: float(values.mean()) for name, values in found.items()}
