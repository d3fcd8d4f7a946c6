"""How long a search takes at 5,000 passages, without the encoder's own time.

Measures the default funnel (hybrid, 100 candidates, 4 kept) over distinct SciFact questions, after
other questions have warmed it up. Twice: ``alone`` with the questions' vectors known beforehand, so
that nothing hides behind the encoder; ``beside_encoder`` with the encoder at work, where the
lexical leg runs while the encoder does, and the encoder's own seconds are taken off. Milliseconds.

    python benchmarks/latency.py --data DIR

The first run embeds SciFact (some ten minutes on two cores); the index is kept.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

import _common
from noria.corpus.index import PassageTable
from noria.evaluate import beir
from noria.evaluate.beir import Collection
from noria.evaluate.retrieval import Asked, indexed
from noria.funnel.funnel import Funnel
from noria.funnel.order import Diverse
from noria.funnel.rank import AsRetrieved
from noria.funnel.retrieve import Hybrid
from noria.protocols import Encoder
from noria.types import Document, Query, Slate

if TYPE_CHECKING:
    from noria.protocols import Matrix

PASSAGES = 5_000
WARMING = 100
QUESTIONS = 300
STAGES = ("retrieve", "filter", "rank", "order")


class Stored(Asked):
    """An encoder that takes the passages' vectors from an index that has them."""

    def __init__(self, encoder: Encoder, table: PassageTable) -> None:
        super().__init__(encoder)
        self._table = table

    def encode_passages(self, texts: Sequence[str]) -> "Matrix":
        """One row a passage."""
        stored = self._table.vectors(texts)
        rows = [stored[text] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)


def enough(collection: Collection, splitter: _common.TokenSplitter) -> Iterator[Document]:
    """Documents until they make 5,000 passages."""
    passages = 0
    for document in collection.documents:
        if passages >= PASSAGES:
            return
        passages += len(splitter.split(document))
        yield document


def small_index(collection: Collection, models: _common.Models, given: object) -> PassageTable:
    """An index of 5,000 of SciFact's passages, with the vectors of its full index."""
    told = _common.Told()
    rest = models.splitter, models.languages, given.home, told
    documents = tuple(enough(collection, models.splitter))
    full = indexed(collection, models.encoder, *rest)
    part = Collection(documents, collection.questions, collection.judgements)
    return indexed(part, Stored(models.encoder, full), *rest)


def milliseconds(slate: Slate) -> float:
    """A search without its encoder."""
    spent = sum(slate.timings[stage] for stage in STAGES) - slate.timings["retrieve.encode"]
    return 1000 * spent


def measured(funnel: Funnel, warming: Sequence[str], questions: Sequence[str]) -> dict[str, object]:
    """Percentiles over ``questions``, and the medians of the parts."""
    for text in warming:
        funnel.search(Query("warm", text))
    slates = [funnel.search(Query("q", text)) for text in questions]
    spent = [milliseconds(slate) for slate in slates]
    parts = {
        name: _common.percentile([1000 * slate.timings[name] for slate in slates], 0.5)
        for name in slates[0].timings
    }
    return {
        "p50": _common.percentile(spent, 0.5),
        "p95": _common.percentile(spent, 0.95),
        "median_of_parts": parts,
    }


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__)
    models = _common.models()
    test = beir.read(given.data / "scifact", "test")
    train = beir.read(given.data / "scifact", "train")
    table = small_index(test, models, given)
    warming = list(islice(train.questions.values(), WARMING))
    questions = list(islice(test.questions.values(), QUESTIONS))
    known = Asked(models.encoder)
    known.encode_queries([*warming, *questions])
    found = {
        name: measured(
            Funnel(Hybrid(table, encoder), (), AsRetrieved(), Diverse()), warming, questions
        )
        for name, encoder in {"alone": known, "beside_encoder": models.encoder}.items()
    }
    _, passages = table.sizes()
    _common.show({"passages": passages, "questions": len(questions), "unit": "ms", **found})


if __name__ == "__main__":
    main()
