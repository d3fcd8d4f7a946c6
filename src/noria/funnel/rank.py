"""Scores candidates again, by something slower and better than retrieval."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from noria.types import Candidate, Query

Judge = Callable[[list[tuple[str, str]]], Sequence[float]]


class AsRetrieved:
    """Leaves retrieval's order."""

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates as they came."""
        return list(candidates)


class CrossEncoder:
    """Reads question and passage together (sentence-transformers' CrossEncoder).

    ``model``: a folder with the weights. Only the first ``depth`` are judged, the
    rest follow in their order: a cross-encoder reads some tens of passages a second on a CPU.
    """

    def __init__(self, model: str = "", depth: int = 50, judge: Judge | None = None) -> None:
        self._judge, self._model, self._depth = judge, model, depth

    def rank(self, query: Query, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The same candidates; the judged ones first, best first."""
        head, tail = list(candidates[: self._depth]), list(candidates[self._depth :])
        if not head:
            return tail
        if self._judge is None:
            self._judge = judge(self._model)
        scores = self._judge([(query.text, c.item.text) for c in head])
        judged = [
            replace(c, score=float(s), scores={**c.scores, "rank": float(s)})
            for c, s in zip(head, scores, strict=True)
        ]
        # a stable sort: equal scores keep retrieval's order
        return sorted(judged, key=lambda c: -c.score) + tail


def judge(model: str) -> Judge:
    """A loaded cross-encoder."""
    from sentence_transformers import CrossEncoder as Model

    # a folder that was fetched and verified: no network, and never a pickle
    loaded = Model(
        model, device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
    )
    return lambda pairs: [float(s) for s in loaded.predict(pairs, show_progress_bar=False)]
