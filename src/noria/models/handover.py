"""A model that can be replaced while requests run.

The new one is loaded and warmed beside the old, then takes every request that begins. Requests that
run end with the model that they began with; when the last has ended, the old one is closed.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from noria.errors import ModelError
from noria.protocols import LLM
from noria.types import Completion, Prompt, Sampling


@dataclass(frozen=True, slots=True)
class Engine:
    """A model, and how it is closed: nothing at all where others share its weights."""

    llm: LLM
    close: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Replaced:
    """Seconds to load and warm the new model, and to switch to it."""

    warming: float
    switching: float


class _Tenure:
    """The time of one engine: how many requests it runs, and whether others come."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.running, self.over, self.closing = 0, False, False
        self.closed = threading.Event()

    def close(self) -> None:
        """Close the engine; whoever waits is told, also of an engine that failed to."""
        try:
            self.engine.close()
        finally:
            self.closed.set()


class Handover:
    """An LLM whose model can be replaced; closing it ends the requests' supply, not the requests.

    ``fingerprint``, ``context`` and ``count`` are of the model that answers now. Who needs them and
    an answer of one model uses ``pinned``.
    """

    def __init__(self, engine: Engine) -> None:
        self._tenure: _Tenure | None = _Tenure(engine)
        self._lock = threading.Lock()
        self._replacing = threading.Lock()  # one after the other: the last one asked for stays

    @property
    def fingerprint(self) -> str:
        """Digest of what answers now."""
        return self._now().engine.llm.fingerprint

    @property
    def context(self) -> int:
        """Tokens of window."""
        return self._now().engine.llm.context

    def count(self, text: str) -> int:
        """Number of tokens in ``text``."""
        with self.pinned() as llm:
            return llm.count(text)

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """Yield pieces; all come from the model that answered when the first was asked for."""
        with self.pinned() as llm:
            return (yield from llm.stream(prompt, sampling))

    def batch(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        done: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Complete ``prompts``, all with one model."""
        with self.pinned() as llm:
            return llm.batch(prompts, sampling, done)

    @contextmanager
    def pinned(self) -> Iterator[LLM]:
        """The model that answers now, which stays open to the end of the block.

        Raises ModelError when this was closed.
        """
        with self._lock:
            tenure = self._now()
            tenure.running += 1
        try:
            yield tenure.engine.llm
        finally:
            with self._lock:
                tenure.running -= 1
            self._settle(tenure)

    def replace(
        self, make: Callable[[], Engine], warm: Sequence[Prompt], seconds: float | None = None
    ) -> Replaced:
        """Load another model with ``make``, let it read ``warm``, and switch to it.

        ``warm``: prompts like those to come; two or more also load what writes batches. Waits at
        most ``seconds`` for the old model's last request (0: not at all, None: to its end); it is
        closed when that ends, whether somebody waits or not. If ``make`` or warming fails, the
        error is raised and the old model goes on.
        """
        with self._replacing:
            self._now()  # for a closed one nothing is loaded
            start = time.perf_counter()
            new = make()
            try:
                new.llm.batch(warm, Sampling(max_tokens=1))
                warmed = time.perf_counter()
                old = self._switch(_Tenure(new))
            except BaseException:
                new.close()
                raise
            switched = time.perf_counter()
        self._settle(old)
        old.closed.wait(seconds)
        return Replaced(warmed - start, switched - warmed)

    def close(self) -> None:
        """Take no more requests; the model is closed when the last has ended. Twice is fine."""
        with self._replacing:
            if self._tenure is not None:
                self._settle(self._switch(None))

    def _switch(self, new: _Tenure | None) -> _Tenure:
        """Let ``new`` take the requests that begin from now on; the one that took them before."""
        with self._lock:
            old, self._tenure = self._now(), new
            old.over = True
            return old

    def _settle(self, tenure: _Tenure) -> None:
        """Close an engine whose time is over and that runs nothing, once."""
        with self._lock:
            last = tenure.over and tenure.running == 0 and not tenure.closing
            tenure.closing |= last
        if last:
            tenure.close()

    def _now(self) -> _Tenure:
        tenure = self._tenure
        if tenure is None:
            raise ModelError("this model was closed; make a new one")
        return tenure
