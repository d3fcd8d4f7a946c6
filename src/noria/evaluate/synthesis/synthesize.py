"""Writes questions from what was ingested, and keeps those that stand up to every check.

A passage gives a possible answer, the model writes the question to it, and everything that can be
checked without a person is checked. Knows no command line.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from noria.errors import UsageError
from noria.evaluate.arms.remember import Remembering, Written
from noria.evaluate.questions import Question
from noria.evaluate.sample import chance
from noria.evaluate.synthesis.inquiry import (
    GIVEN_AWAY,
    NO_ANSWER,
    NO_QUESTION,
    NOT_THERE,
    OTHERWISE,
    SAMPLING,
    STRAYS,
    UNLIKE,
    VAGUE,
    Inquiry,
    asking,
    contradiction,
    objection,
    one_line,
    read,
    replying,
)
from noria.evaluate.synthesis.spans import spans
from noria.funnel.filter import readable
from noria.funnel.funnel import Funnel
from noria.jobs import silent
from noria.protocols import Encoder, Progress
from noria.types import Query
from noria.words import words

if TYPE_CHECKING:
    from noria.corpus.live import LivePassages
    from noria.corpus.snapshot import Snapshot

PER_PASSAGE = 6  # possible answers of a passage that are tried
AT_ONCE = 16  # questions the model is asked for together
READ = 256  # passages read from the store together
IDLE = 400  # attempts in a row without a question kept, after which more would be in vain
NEAR = 0.9  # cosine from which two questions count as the same

FAILED = "the model failed"
LOST = "does not find its own passage"
REPEATED = "its sentence stands in other documents"
TWICE = "near-duplicate"
# in the order of the checks
REASONS = (
    FAILED, NO_QUESTION, GIVEN_AWAY, VAGUE, UNLIKE, STRAYS, LOST, REPEATED,
    NO_ANSWER, NOT_THERE, OTHERWISE, TWICE,
)  # fmt: skip

Ended = Literal["enough", "used up", "in vain"]


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What was written, and why the rest was not kept.

    ``rejected``: how many questions by reason, in the order of the checks. ``tried``: questions
    the model was asked for. ``ended``: there were enough, all possible answers were used up, or
    too many attempts in a row were in vain.
    """

    kept: tuple[Inquiry, ...]
    rejected: Mapping[str, int]
    tried: int
    ended: Ended

    def as_json(self) -> dict[str, object]:
        """As ``noria synthesize --json`` prints it."""
        return {
            "written": len(self.kept),
            "rejected": dict(self.rejected),
            "tried": self.tried,
            "ended": self.ended,
        }


def synthesize(
    n: int,
    live: "LivePassages",
    funnel: Funnel,
    llm: Remembering,
    encoder: Encoder,
    groups: frozenset[str] = frozenset(),
    seed: int = 0,
    known: Sequence[Question] = (),
    progress: Progress = silent,
) -> Synthesis:
    """``n`` questions about passages that a reader of ``groups`` may see, unlike those ``known``.

    The same seed and index give the same questions, and a larger ``n`` begins with those of a
    smaller one. Raises UsageError for an ``n`` below 1, IndexStoreError where nothing was
    ingested, ModelError where the model fails again and again.
    """
    if n < 1:
        raise UsageError(f"-n: expected 1 or more questions, got {n}")
    snapshot = live.snapshot()
    tries = attempts(snapshot, rows(live, snapshot, groups, seed), groups)
    desk = Desk(llm, funnel, Others(encoder, known), groups)
    kept: list[Inquiry] = []
    rejected: Counter[str] = Counter()
    tried = last = 0
    progress("questions", 0, n)
    while tried - last < IDLE:
        some = list(islice(tries, AT_ONCE))
        if not some:
            return Synthesis(tuple(kept), counted(rejected), tried, "used up")
        for inquiry, reason in desk.written(some):
            tried += 1
            if reason:
                rejected[reason] += 1
                continue
            kept.append(inquiry)
            last = tried
            progress("questions", len(kept), n)
            if len(kept) == n:
                return Synthesis(tuple(kept), counted(rejected), tried, "enough")
    return Synthesis(tuple(kept), counted(rejected), tried, "in vain")


def counted(rejected: Mapping[str, int]) -> dict[str, int]:
    """The reasons that there were, in the order of the checks."""
    return {reason: rejected[reason] for reason in REASONS if rejected[reason]}


@dataclass
class Others:
    """Questions that no new one may repeat."""

    encoder: Encoder
    known: Sequence[Question]
    _said: set[tuple[str, ...]] = field(default_factory=set)
    _vectors: "list[NDArray[np.float32]]" = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.known:
            self._said = {tuple(words(question.text)) for question in self.known}
            self._vectors = list(
                self.encoder.encode_queries([question.text for question in self.known])
            )

    def like(self, text: str) -> bool:
        """Whether one of them says the same, or means nearly the same."""
        if tuple(words(text)) in self._said:
            return True
        (vector,) = self.encoder.encode_queries([text])
        return any(float(vector @ other) >= NEAR for other in self._vectors)

    def add(self, text: str) -> None:
        """One more."""
        self._said.add(tuple(words(text)))
        self._vectors.extend(self.encoder.encode_queries([text]))


@dataclass(frozen=True, slots=True)
class Desk:
    """Where questions are written and looked at: the model, the funnel, and what was kept."""

    llm: Remembering
    funnel: Funnel
    others: Others
    groups: frozenset[str]

    def written(self, some: Sequence[Inquiry]) -> Iterator[tuple[Inquiry, str]]:
        """Each with its question, and why it cannot be kept; an empty reason says that it can."""
        asked = self.llm.write([asking(each) for each in some], SAMPLING)
        drafts = [self._drafted(*pair) for pair in zip(some, asked, strict=True)]
        sound = [draft for draft, reason in drafts if not reason]
        replies = iter(self.llm.write([replying(draft) for draft in sound], SAMPLING))
        for draft, reason in drafts:
            if not reason:
                said = next(replies).completion
                reason = FAILED if said is None else contradiction(draft, said.text)
            if not reason and self.others.like(draft.question):
                reason = TWICE
            if not reason:
                self.others.add(draft.question)
            yield draft, reason

    def _drafted(self, inquiry: Inquiry, said: Written) -> tuple[Inquiry, str]:
        """A question as it was written, and why it cannot be kept."""
        if said.completion is None:
            return inquiry, FAILED
        draft = replace(inquiry, question=read(said.completion.text))
        return draft, objection(draft) or self._unfound(draft)

    def _unfound(self, draft: Inquiry) -> str:
        """Why retrieval speaks against a question; empty if nothing does."""
        query = Query(draft.item.id, draft.question, groups=self.groups)
        found = [candidate.item for candidate in self.funnel.search(query).candidates]
        if all(item.id != draft.item.id for item in found):
            return LOST
        others = [one_line(item.text) for item in found if item.document != draft.item.document]
        return REPEATED if any(draft.sentence in text for text in others) else ""


def rows(
    live: "LivePassages", snapshot: "Snapshot", groups: frozenset[str], seed: int
) -> list[int]:
    """The rows of ``snapshot`` that a reader of ``groups`` may see, spread over the documents.

    Each document has one in turn, in an order drawn by ``seed``.
    """
    from noria.corpus.columns import visible
    from noria.corpus.index import open_folder

    name, _, version = snapshot.version.rpartition("@")
    table = open_folder(live.folder).open_table(name)
    table.checkout(int(version))
    found = table.search().where(visible(Query("", groups=groups))).with_row_id(True)
    read = found.select(["id", "document"]).to_arrow().to_pylist()
    turns: Counter[str] = Counter()
    placed = []
    for row in sorted(read, key=lambda row: chance(seed, row["id"])):
        document = row["document"]
        placed.append((turns[document], chance(seed, document), row["_rowid"]))
        turns[document] += 1
    return [row for *_, row in sorted(placed)]


def attempts(
    snapshot: "Snapshot", places: Sequence[int], groups: frozenset[str]
) -> Iterator[Inquiry]:
    """What can be asked: the best answer of each passage, then the second best of each, and so on.

    Passages in which nothing can be asked (tables, code, too short ones) give nothing.
    """
    left = list(places)
    for lap in range(PER_PASSAGE):
        more: list[int] = []
        for start in range(0, len(left), READ):
            some = left[start : start + READ]
            for row, passage in zip(some, snapshot.passages(np.array(some)), strict=True):
                possible = spans(passage.item.text, passage.language, passage.item.headings)
                if lap < len(possible) and readable(passage.item, groups):
                    yield Inquiry(passage.item, passage.language, possible[lap])
                    more.append(row)
        left = more
