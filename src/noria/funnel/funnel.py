"""Composes the four stages. Knows none of their kinds."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from noria.funnel.filter import Groups
from noria.protocols import Filter, Orderer, Ranker, Retriever
from noria.types import Candidate, Query, Slate


@dataclass(frozen=True, slots=True)
class Funnel:
    """``retrieve -> filter -> rank -> order``, with counts and seconds by stage.

    ``k`` candidates are retrieved, ``slate`` of them are kept at the end. The groups filter runs
    whatever ``filters`` says: permissions do not depend on a setting.
    """

    retriever: Retriever
    filters: Sequence[Filter]
    ranker: Ranker
    orderer: Orderer
    k: int = 100
    slate: int = 4

    def search(self, query: Query, k: int | None = None) -> Slate:
        """The best candidates for ``query``: at most ``k``, by default ``slate``."""
        wanted = self.slate if k is None else k
        marks = [perf_counter()]
        found = self.retriever.retrieve(query, max(self.k, wanted))
        marks.append(perf_counter())
        kept: list[Candidate] = list(found.candidates)
        for each in (Groups(), *self.filters):
            kept = each.filter(query, kept)
        marks.append(perf_counter())
        ranked = self.ranker.rank(query, kept)
        marks.append(perf_counter())
        ordered = self.orderer.order(query, ranked, wanted)
        marks.append(perf_counter())
        stages = ("retrieve", "filter", "rank", "order")
        sizes = (len(found.candidates), len(kept), len(ranked), len(ordered))
        spent = {s: marks[i + 1] - marks[i] for i, s in enumerate(stages)}
        spent |= {f"retrieve.{name}": seconds for name, seconds in found.timings.items()}
        return Slate(
            query, tuple(ordered), found.version, dict(zip(stages, sizes, strict=True)), spent
        )
