"""Writes questions from what was ingested, and keeps those that stand up to every check.

A passage gives a possible answer, the model writes the question to it, and everything that can be
checked without a person is checked. Knows no command line.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

import numpy as np

from noria.errors import DataError, UsageError
from noria.evaluate import inquiry
from noria.evaluate.inquiry import Inquiry, one_line
from noria.evaluate.questions import Question
from noria.evaluate.readers import jsonlines
from noria.evaluate.remember import Remembering
from noria.evaluate.sample import chance
from noria.evaluate.spans import spans
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

LOST = "does not find its own passage"
REPEATED = "the same sentence stands in other documents"
TWICE = "near-duplicate"
FAILED = "the model failed"

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
    bench = Bench(funnel, encoder, groups, Others(encoder, known))
    kept: list[Inquiry] = []
    rejected: Counter[str] = Counter()
    tried = last = 0
    ended: Ended = "used up"
    progress("questions", 0, n)
    while some := list(islice(tries, AT_ONCE)):
        for inquiry_, reason in bench.judged(some, llm):
            tried += 1
            if reason:
                rejected[reason] += 1
                continue
            kept.append(inquiry_)
            last = tried
            progress("questions", len(kept), n)
            if len(kept) == n:
                return Synthesis(tuple(kept), ordered(rejected), tried, "enough")
        if tried - last >= IDLE:
            ended = "in vain"
            break
    return Synthesis(tuple(kept), ordered(rejected), tried, ended)
