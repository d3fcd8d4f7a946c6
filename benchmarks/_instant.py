"""``noria serve`` whose model writes at once: what is left is the service's own time.

Everything else is as it is served: releases, routing, the store, uvicorn. With ``--bare`` there is
one passage, in memory, and what is written is not checked: routing and protocol alone. A process of
its own, which the benchmarks start.

    python benchmarks/_instant.py --home DIR --port 8001 [--bare]
"""

import argparse
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from noria.answer.answerer import Answerer, Asked
from noria.build import House
from noria.cli.serve import listen
from noria.config import load
from noria.funnel.funnel import Funnel
from noria.funnel.order import ByScore
from noria.funnel.rank import AsRetrieved
from noria.models.fake import FakeLLM
from noria.protocols import LLM
from noria.serve.standing import Standing
from noria.shipyard import ReleaseYard, begun
from noria.types import Answer, Candidate, Citation, Completion, Item, Query, Retrieval
from noria.writers import Writers

PASSAGE = Item("p1", "Ada dug the well in 1842.", "wells.md", 0, 25)
MAX_PROMPT = 4096  # words


class Instant(FakeLLM):
    """Quotes the prompt, and forgets it: the process lives long."""

    def __init__(self) -> None:
        super().__init__(context=MAX_PROMPT)
        self.prompts = deque(maxlen=1)  # type: ignore[assignment]


class OnePassage:
    """Finds the same passage for every question."""

    def retrieve(self, query: Query, k: int) -> Retrieval:
        """That one."""
        return Retrieval((Candidate(PASSAGE, 1.0, {"dense": 1.0, "lexical": 1.0}),), "memory@1")


class InstantWriters(Writers):
    """Loads no weights."""

    def several(
        self, source: str, versions: Sequence[Any]
    ) -> tuple[LLM, list[LLM], Callable[[], None]]:
        """One fake for each."""
        return Instant(), [Instant() for _ in versions], lambda: None


class InstantHouse(House):
    """A house whose releases all write at once."""

    @cached_property
    def writers(self) -> Writers:
        """Those that load nothing."""
        return InstantWriters(self.settings.models, Path)


class Unchecked(Answerer):
    """Believes what was written."""

    def finish(self, asked: Asked, written: Completion | None) -> Answer:
        """That, as if it rested on the passage."""
        assert written is not None
        quote = Citation(PASSAGE, PASSAGE.start, PASSAGE.end, PASSAGE.text, (0, len(written.text)))
        return Answer(
            "", written.text, (quote,), 1.0, 1.0, False, self.release, asked.slate.version,
            asked.timings, (PASSAGE,),
        )  # fmt: skip


class BareHouse(InstantHouse):
    """One that also finds at once, and checks nothing."""

    def funnel_over(self, passages: object, encoder: object) -> Funnel:
        """Stages that cost nothing."""
        return Funnel(OnePassage(), [], AsRetrieved(), ByScore())

    def answerer_with(self, llm: LLM) -> Answerer:
        """The usual one without its check."""
        usual = super().answerer_with(llm)
        return Unchecked(**{field.name: getattr(usual, field.name) for field in fields(usual)})


def main() -> None:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bare", action="store_true")
    given = parser.parse_args()
    at = (BareHouse if given.bare else InstantHouse)(load(given.config, given.home))
    yard = ReleaseYard(at)
    standing = Standing(at.rollouts, yard, begun(yard, at.rollouts, datetime.now(UTC)))
    listen(at, standing, "127.0.0.1", given.port)


if __name__ == "__main__":
    sys.exit(main())
