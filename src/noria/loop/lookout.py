"""Looks for drift: the questions against those that were learnt from, the scores against the first.

Reads the journal, and decides nothing. What it has encoded it keeps, so that a second look reads
only what is new.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

import numpy as np

from noria.errors import NoriaError
from noria.jobs import silent
from noria.loop.drift import LEAST, Chart, Drift, Values, drift
from noria.loop.feedback.shelf import DATASET, examples_in
from noria.protocols import Encoder, Progress
from noria.store.journal import Journal
from noria.store.registry import Registry
from noria.store.rollouts import Rollouts
from noria.tune.data.alike import same
from noria.types import Event

FIRST = 500  # answers of a release that tell how it began
LAST = 1000  # answers that tell how it is now
LEARNT = 1000  # questions of the training set
BATCH = 32  # texts encoded at a time: who asks meanwhile waits no longer than for these
CHANGES = 1000  # of the rollout's history
EVER = datetime(1971, 1, 1, tzinfo=UTC)
SCORES = ("confidence", "nearest")  # what an answer's event keeps of retrieval


@dataclass(frozen=True, slots=True)
class Learnt:
    """Questions that a release has learnt from, and the ids of their data sets."""

    datasets: tuple[str, ...]
    questions: tuple[str, ...]


class Lookout:
    """Compares what a release is asked, and what it finds, with how that was before.

    ``learnt``: what a release has learnt from; None for one that was not tuned. ``progress`` is
    told how many questions are encoded.
    """

    def __init__(
        self,
        rows: Rollouts,
        journal: Journal,
        learnt: Callable[[str], Learnt | None],
        progress: Progress = silent,
    ) -> None:
        self._rows, self._journal, self._learnt = rows, journal, learnt
        self._progress = progress
        self._encoder = ""  # of what is kept
        self._kept: dict[str, Values] = {}
        self._ended = threading.Event()

    def look(self, encoder: Callable[[], Encoder]) -> tuple[Drift, ...]:
        """The drift of questions and of scores of what is live; none where nothing is.

        ``encoder`` is made where there are questions enough.
        """
        state = self._rows.now()
        if state is None:
            return ()
        first = self._journal.earliest(state.live, self._since(state.live), FIRST)
        began = {event.id for event in first}
        every = self._journal.answers(state.live, LAST + FIRST)
        last = [event for event in every if event.id not in began][:LAST]
        return (
            self._questions(self._learnt(state.live), first, every[:LAST], last, encoder),
            drift("scores", f"its first {len(first)} answers", scores(first), scores(last)),
        )

    def _questions(
        self,
        learnt: Learnt | None,
        first: Sequence[Event],
        every: Sequence[Event],
        last: Sequence[Event],
        encoder: Callable[[], Encoder],
    ) -> Drift:
        """What is asked now against the training set, or else against what was asked first.

        Half of the earlier ones are the chart on which the other half and today's are placed: both
        are strangers to it, so that only a change can set them apart.
        """
        before = distinct(learnt.questions if learnt else asked(first))[:LEARNT]
        now = distinct(asked(every if learnt else last))
        against = f"its first {len(first)} answers"
        if learnt:
            against = f"the training set {' and '.join(learnt.datasets)}"
        compared = before[1::2]
        if min(len(compared), len(now)) < LEAST:
            return Drift("questions", against, len(compared), len(now))
        known, then, here = self._encoded(encoder(), before[::2], compared, now)
        chart = Chart.of(known)
        return drift("questions", against, chart.placed(then, compared), chart.placed(here, now))

    def _encoded(self, encoder: Encoder, *sides: Sequence[str]) -> list[Values]:
        """The vectors of several lists of texts; those that are kept are not read again."""
        wanted = list(dict.fromkeys(text for side in sides for text in side))
        kept = self._kept if self._encoder == encoder.fingerprint else {}
        fresh = [text for text in wanted if text not in kept]
        for start in range(0, len(fresh), BATCH):
            if self._ended.is_set():
                raise NoriaError("it was to end before all questions were read")
            batch = fresh[start : start + BATCH]
            kept.update(zip(batch, encoder.encode_queries(batch), strict=True))
            self._progress("encoding questions", start + len(batch), len(fresh))
        self._encoder = encoder.fingerprint
        self._kept = {text: kept[text] for text in wanted}
        return [np.array([kept[text] for text in side], dtype=np.float64) for side in sides]

    def close(self) -> None:
        """Let a look that goes on in another thread end soon, with NoriaError."""
        self._ended.set()

    def _since(self, live: str) -> datetime:
        """When what is live was made live, as far as the history is looked through."""
        since = EVER
        for change in self._rows.history(CHANGES):
            if change.state.live != live:
                break
            since = change.at
        return since


def learnt_by(registry: Registry) -> Callable[[str], Learnt | None]:
    """What releases have learnt from: the questions of the data sets in their lineage."""

    def learnt(release: str) -> Learnt | None:
        lineage = registry.lineage(registry.get(release))
        sets = [each for each in lineage if DATASET in each.parts and each.kind == "dataset"]
        found = [e for each in sets for e in examples_in(registry, each.parts[DATASET])]
        if not found:
            return None
        return Learnt(tuple(e.id for e in sets), tuple(e.question.text for e in found))

    return learnt


def asked(answers: Iterable[Event]) -> list[str]:
    """The questions that were answered."""
    return [event.query for event in answers if event.query]


def distinct(texts: Iterable[str]) -> list[str]:
    """Each question once, however often and in whatever letters it was asked.

    In an order that says nothing of them, so that any part is a fair sample.

    >>> sorted(distinct(["Who dug it?", "who dug it", "When?"]))
    ['When?', 'Who dug it?']
    """
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(same(text), text)
    return [found[key] for key in sorted(found, key=mixed)]


def mixed(text: str) -> bytes:
    """A place for a text that depends on nothing but chance, and is the same every time."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def scores(answers: Sequence[Event]) -> dict[str, Values]:
    """What was found for questions: one value of each score for each answer that has one."""
    told = {name: [event.payload.get(name) for event in answers] for name in SCORES}
    return {
        name: np.array([value for value in values if value is not None], dtype=np.float64)
        for name, values in told.items()
    }
