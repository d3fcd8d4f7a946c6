"""The releases that are loaded, each ready to answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from noria.answer.answerer import Answerer
from noria.protocols import LLM


@dataclass(frozen=True, slots=True)
class Fleet:
    """Answerers by the ids of their releases; ``base`` is the model as it was before any tuning."""

    answerers: Mapping[str, Answerer]
    base: LLM
    close: Callable[[], object]


class Shipyard(Protocol):
    """Loads releases."""

    def fleet(self, releases: Sequence[str]) -> Fleet:
        """A fleet of these. Raises NoriaError for one that cannot be loaded."""
        ...
