"""What all tests share: no model hub, quiet libraries, no deadline on a busy machine, an index."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("LANCE_LOG", "error")
os.environ.setdefault("RUST_LOG", "error")

from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import settings

from indexes import build_index
from noria.corpus.live import LivePassages
from noria.models.fake import FakeEncoder
from noria.store.state import State
from noria.types import Item

pytest_plugins = ("databases", "served")
settings.register_profile("noria", deadline=None)
settings.load_profile("noria")

IndexOf = Callable[[Sequence[Item]], LivePassages]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("shared") and "NORIA_DATA" not in os.environ:
        pytest.skip("set NORIA_DATA to the folder with the real data sets")


@pytest.fixture(scope="session")
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture(scope="session")
def index_of(tmp_path_factory: pytest.TempPathFactory, encoder: FakeEncoder) -> Iterator[IndexOf]:
    """Makes an index of some items, in a folder of its own."""
    states: list[State] = []

    def make(items: Sequence[Item]) -> LivePassages:
        states.append(State("sqlite://"))
        folder = tmp_path_factory.mktemp("index")
        return build_index(folder, items, encoder, states[-1])

    yield make
    for state in states:
        state.close()
