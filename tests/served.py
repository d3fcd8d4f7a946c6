"""A service on fakes: two releases over one small index, each with a model that says its name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from noria.answer.answerer import Answerer
from noria.config import ServeSettings
from noria.corpus.live import LivePassages
from noria.funnel.filter import Groups
from noria.funnel.funnel import Funnel
from noria.funnel.order import ByScore
from noria.funnel.rank import AsRetrieved
from noria.funnel.retrieve import Lexical
from noria.models.fake import FakeEncoder, FakeLLM
from noria.serve.app import create_app
from noria.serve.auth import Keys, Rates
from noria.serve.fleet import Fleet
from noria.serve.service import Service
from noria.serve.standing import Standing
from noria.serve.trace import Traces
from noria.store.journal import Journal
from noria.store.rollouts import Rollouts
from noria.store.state import State
from noria.types import Item, Prompt, Rollout, Sampling

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ITEMS = (
    Item("p1", "Ada dug the well in 1842.", "wells.md", 0, 25),
    Item("p2", "The bishop earns nine pounds.", "pay.md", 0, 29, groups=frozenset({"hr"})),
)


class Ticking:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class FakeYard:
    """Loads releases by name; those named in ``broken`` cannot be."""

    passages: LivePassages
    encoder: FakeEncoder
    says: Callable[[str, Prompt], str]
    broken: frozenset[str] = frozenset()
    loaded: list[tuple[str, ...]] = field(default_factory=list)
    closed: list[tuple[str, ...]] = field(default_factory=list)

    def fleet(self, releases: Sequence[str]) -> Fleet:
        """A fleet whose models say what ``says`` tells for their release."""
        from noria.errors import ModelError

        names = tuple(releases)
        if wrong := self.broken & set(names):
            raise ModelError(f"{sorted(wrong)[0]} cannot be loaded")
        self.loaded.append(names)
        answerers = {name: self.answerer(name) for name in names}
        return Fleet(answerers, FakeLLM(["base"] * 10_000), lambda: self.closed.append(names))

    def answerer(self, name: str) -> Answerer:
        """What answers as a release."""
        funnel = Funnel(
            Lexical(passages=self.passages, encoder=self.encoder),
            [Groups()], AsRetrieved(), ByScore(),
        )  # fmt: skip
        llm = Named(name, lambda prompt: self.says(name, prompt))
        return Answerer(funnel, llm, self.encoder, name, Sampling(), abstain_below=0.0)


class Named(FakeLLM):
    """A fake whose weights have a name."""

    def __init__(self, name: str, script: Callable[[Prompt], str]) -> None:
        super().__init__(script)
        self.name = name

    @property
    def fingerprint(self) -> str:
        """Its name."""
        return self.name


@dataclass
class Served:
    """The service, and all that it stands on."""

    service: Service
    app: Any
    yard: FakeYard
    rows: Rollouts
    keys: Keys
    clock: Ticking

    def client(self, key: str = "") -> httpx.AsyncClient:
        """A client in this process."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://noria", headers=headers)

    @property
    def journal(self) -> Journal:
        """What was kept."""
        return self.service.journal


def served(
    engine: Engine,
    passages: LivePassages,
    encoder: FakeEncoder,
    says: Callable[[str, Prompt], str],
    settings: ServeSettings | None = None,
    places: int = 2,
    broken: frozenset[str] = frozenset(),
    traces: Traces | None = None,
) -> Served:
    """A service in which ``r1`` is live."""
    yard, rows, clock = FakeYard(passages, encoder, says, broken), Rollouts(engine), Ticking()
    first = rows.now() or rows.change(None, Rollout("r1"), "promote", "r1", {}, NOW)
    keys = Keys(engine, clock)
    service = Service(
        Standing(rows, yard, first),
        Journal(engine),
        keys,
        Rates(clock),
        settings or ServeSettings(),
        places,
        lambda: NOW,
        traces,
    )
    return Served(service, create_app(service), yard, rows, keys, clock)


def told(release: str, prompt: Prompt) -> str:
    """What a release says unless a test lets it say something else."""
    return f"Ada dug it, says {release}."


@pytest.fixture
def serving(
    engine: Engine, tmp_path: Path, encoder: FakeEncoder
) -> Iterator[Callable[..., Served]]:
    """Makes a service on a database of each kind, and ends it."""
    from indexes import build_index

    state = State(f"sqlite:///{tmp_path / 'index.db'}")  # one in memory is of one thread alone
    passages = build_index(tmp_path / "index", ITEMS, encoder, state)
    running: list[Served] = []

    def make(says: Callable[[str, Prompt], str] = told, **more: Any) -> Served:
        running.append(served(engine, passages, encoder, says, **more))
        return running[-1]

    yield make
    for each in running:
        each.service.close()
    state.close()
