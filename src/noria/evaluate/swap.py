"""Whether a new index may take the old one's place: both are asked the same recorded questions.

Each is asked with the encoder that made it, by meaning alone and by both legs. The new one is
refused where it is worse beyond chance. Knows no command line, and moves nothing itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from noria.corpus.index import PassageTable
from noria.corpus.live import ROW
from noria.errors import IndexStoreError
from noria.evaluate.questions import Question, Questions
from noria.evaluate.recorded import Side, asked, judged, scores, shared, tops
from noria.jobs import silent
from noria.protocols import Encoder, Progress
from noria.store.state import State

if TYPE_CHECKING:
    import numpy as np

    from noria.evaluate.statistics.intervals import Difference

LEAST = 10  # questions with known answers below which nothing is concluded
ENOUGH = 50  # questions from which a mean loss counts, even if chance cannot be excluded
LOSS = 0.02  # that mean loss of nDCG@10
DECIDES = "ndcg@10"
REFUSED = "refused"  # the row of the SQL store that names the table that was refused last


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two indexes answered the same ``questions``.

    ``judged``: how many of them say what should be found. ``overlap``: share of the ten best
    documents that both have in common, by retriever. ``metrics``: by retriever and metric; empty
    without judged questions. ``swap``: the new index may go live, because of ``reason``.
    """

    questions: int
    judged: int
    overlap: Mapping[str, float]
    metrics: "Mapping[str, Mapping[str, Difference]]"
    swap: bool
    reason: str
    problems: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As ``noria ingest --questions --json`` prints it."""
        return asdict(self)


class Trial:
    """Decides whether a new table goes live; ingestion calls it when the table is complete.

    ``questions``: None compares nothing, and lets every table pass but the one that was refused
    last. ``swap``: lets that one pass too, after comparing, if there are questions. ``encoder_of``
    gives the encoder of a source. Raises IndexStoreError at once, not after hours of embedding,
    when questions are given and the old table's encoder cannot be had.
    """

    def __init__(
        self,
        state: State,
        encoder: Encoder,
        encoder_of: Callable[[str], Encoder],
        now: datetime,
        questions: Questions | None = None,
        swap: bool = False,
        progress: Progress = silent,
    ) -> None:
        self._state, self._now, self._questions, self._swap = state, now, questions, swap
        self._progress = progress
        self._new_encoder = encoder
        self._old_encoder = encoder
        if questions is not None:
            self._old_encoder = encoder_before(state, encoder, encoder_of)
        self.comparison: Comparison | None = None
        self.refusal = ""  # why the new table did not go live; empty if it did

    def __call__(self, old: PassageTable, new: PassageTable) -> bool:
        """Whether ``new`` may go live in place of ``old``."""
        refused = self._state.live(REFUSED) or {}
        reason = str(refused.get("reason", "")) if refused.get("table") == new.name else ""
        if self._questions is not None:
            self.comparison = self._compared(old, new, self._questions)
            reason = "" if self.comparison.swap else self.comparison.reason
        if reason and not self._swap:
            self.refusal = reason
            self._state.make_live(REFUSED, {"table": new.name, "reason": reason}, self._now)
            return False
        if refused:
            self._state.make_live(REFUSED, {}, self._now)
        return True

    def _compared(self, old: PassageTable, new: PassageTable, questions: Questions) -> Comparison:
        import numpy as np

        found = compare(
            questions.asked,
            Side(old, self._old_encoder),
            Side(new, self._new_encoder),
            np.random.default_rng(0),
            self._progress,
        )
        return replace(found, problems=(*questions.problems, *found.problems))


def encoder_before(state: State, encoder: Encoder, encoder_of: Callable[[str], Encoder]) -> Encoder:
    """The encoder that made the live table: ``encoder`` itself, or one from the row's source."""
    row = state.live(ROW)
    if row is None or row["encoder"] == encoder.fingerprint:
        return encoder
    advice = "to take the new index without comparing, run 'noria ingest --swap'"
    if not row.get("source"):
        raise IndexStoreError(f"the live index does not say where its encoder is from; {advice}")
    found = encoder_of(row["source"])
    if found.fingerprint != row["encoder"]:
        raise IndexStoreError(
            f"{row['source']} is no longer the encoder that made the live index, which can "
            f"therefore not be asked; {advice}"
        )
    return found


def compare(
    questions: Sequence[Question],
    old: Side,
    new: Side,
    rng: "np.random.Generator",
    progress: Progress = silent,
) -> Comparison:
    """Ask both sides ``questions``, as a reader who may see everything."""
    from noria.evaluate.statistics.intervals import differences

    known = [*old.table.states().values(), *new.table.states().values()]
    groups = frozenset[str]().union(*(state.groups for state in known))
    names = {state.document for state in known}
    problems = tuple(
        f"question {q.id!r}: none of its documents is in the index; only the overlap counts it"
        for q in questions
        if q.documents and not names.intersection(q.documents)
    )
    judgements = {q.id: grades for q in questions if (grades := judged(q, names))}
    before, after = (asked(side, questions, groups, progress) for side in (old, new))
    overlap = {
        retriever: mean(
            shared(tops(before[retriever][q.id]), tops(after[retriever][q.id])) for q in questions
        )
        for retriever in before
    }
    metrics = {
        retriever: differences(
            scores(questions, judgements, before[retriever]),
            scores(questions, judgements, after[retriever]),
            rng,
        )
        for retriever in before
        if judgements
    }
    swap, reason = verdict(metrics, len(judgements))
    return Comparison(len(questions), len(judgements), overlap, metrics, swap, reason, problems)


def verdict(metrics: "Mapping[str, Mapping[str, Difference]]", judged: int) -> tuple[bool, str]:
    """Whether to swap, and why: by nDCG@10, and by the retriever that lost more.

    A poor encoder shows by meaning alone, where no words make up for it; so both count.
    """
    if judged == 0:
        return True, "no question says what should be found: only the overlap was measured"
    if judged < LEAST:
        return True, f"too few questions say what should be found: {judged}, expected {LEAST}"
    name, by = min(
        ((name, measured[DECIDES]) for name, measured in metrics.items()),
        key=lambda pair: (pair[1].high >= 0, pair[1].difference),
    )
    told = (
        f"{name} {DECIDES} went from {by.old:.3f} to {by.new:.3f} on {judged} questions "
        f"({by.difference:+.3f}, 95 % interval {by.low:+.3f} to {by.high:+.3f})"
    )
    if by.high < 0:
        return False, f"worse beyond chance: {told}"
    if judged >= ENOUGH and by.difference < -LOSS:
        return False, f"worse by more than {LOSS}: {told}"
    return True, f"not worse beyond chance: {told}"


def mean(values: Iterable[float]) -> float:
    """The mean of at least one value."""
    found = list(values)
    return sum(found) / len(found)
