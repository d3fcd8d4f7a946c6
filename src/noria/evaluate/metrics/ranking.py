"""How good rankings are, as trec_eval defines it; the one place that knows ir-measures.

A ranking is taken in its order: where engines would break ties, there are none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noria.evaluate.statistics.intervals import Values

Ranking = Sequence[str]  # documents, best first
Judgements = Mapping[str, Mapping[str, int]]  # question -> document -> grade; 0: irrelevant


def known() -> dict[str, Any]:
    """The measure of ir-measures behind each name."""
    from ir_measures import AP, RR, R, nDCG

    return {
        "ndcg@10": nDCG @ 10, "recall@10": R @ 10, "recall@100": R @ 100, "mrr@10": RR @ 10,
        "map": AP,
    }  # fmt: skip


def scores(
    judgements: Judgements, rankings: Mapping[str, Ranking], names: Iterable[str]
) -> "dict[str, Values]":
    """Each metric of each judged question, in their order; 0 where nothing was found.

    >>> scores({"q": {"a": 1}}, {"q": ["b", "a"]}, ["mrr@10"])
    {'mrr@10': array([0.5])}
    """
    import ir_measures
    import numpy as np

    measures = {name: known()[name] for name in names}
    named = {measure: name for name, measure in measures.items()}
    # falling scores: the engines break ties in ways of their own
    run = {
        question: {document: float(-place) for place, document in enumerate(ranked)}
        for question, ranked in rankings.items()
        if question in judgements
    }
    grades = {question: dict(graded) for question, graded in judgements.items()}
    place = {question: at for at, question in enumerate(judgements)}
    values = {name: np.zeros(len(place)) for name in measures}
    for value in ir_measures.iter_calc(list(measures.values()), grades, run):
        values[named[value.measure]][place[value.query_id]] = value.value
    return values
