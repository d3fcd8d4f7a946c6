"""A model that can be replaced while requests run."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from noria.errors import ModelError
from noria.protocols import LLM
from noria.succession import ClosedError, Replaced, Succession
from noria.types import Completion, Prompt, Sampling


@dataclass(frozen=True, slots=True)
class Engine:
    """A model, and how it is closed: nothing at all where others share its weights."""

    llm: LLM
    close: Callable[[], object]


class Handover:
    """An LLM whose model can be replaced; closing it ends the requests' supply, not the requests.

    ``fingerprint``, ``context`` and ``count`` are of the model that answers now. Who needs them and
    an answer of one model uses ``pinned``.
    """

    def __init__(self, engine: Engine) -> None:
        self._engines = Succession(engine)

    @property
    def fingerprint(self) -> str:
        """Digest of what answers now."""
        with closed_told():
            return self._engines.now().llm.fingerprint

    @property
    def context(self) -> int:
        """Tokens of window."""
        with closed_told():
            return self._engines.now().llm.context

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
        with closed_told(), self._engines.pinned() as engine:
            yield engine.llm

    def replace(
        self, make: Callable[[], Engine], warm: Sequence[Prompt], seconds: float | None = None
    ) -> Replaced:
        """Load another model with ``make``, let it read ``warm``, and switch to it.

        ``warm``: prompts like those to come; two or more also load what writes batches. Waits at
        most ``seconds`` for the old model's last request (0: not at all, None: to its end). If
        ``make`` or warming fails, the error is raised and the old model goes on.
        """

        def read(engine: Engine) -> None:
            engine.llm.batch(warm, Sampling(max_tokens=1))

        with closed_told():
            return self._engines.replace(make, read, seconds)

    def close(self) -> None:
        """Take no more requests; the model is closed when the last has ended. Twice is fine."""
        self._engines.close()


@contextmanager
def closed_told() -> Iterator[None]:
    """Says what is wrong where a closed model was asked."""
    try:
        yield
    except ClosedError:
        raise ModelError("this model was closed; make a new one") from None
