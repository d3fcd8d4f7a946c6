"""Watching with real files and the real notices; what is taken is only written down."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from noria.corpus import watch as watch_module
from noria.corpus.changes import Changes, Tree
from noria.corpus.ingest import Report
from noria.corpus.watch import Summary, patiently, watch
from noria.errors import BusyError

PATIENCE = 10.0  # seconds until a test gives up; a watch needs less than one


def report(changes: Changes) -> Report:
    return Report(0, len(changes.changed), 0, len(changes.gone), 0, (), (), 0, "t@1", 0.0)


class Watching:
    """A watch in a thread of its own, which remembers what it took and what it said."""

    def __init__(self, *roots: Path) -> None:
        self.tree = Tree(roots)
        self.took: list[Changes] = []
        self.said: list[str] = []
        self.fails: list[Exception] = []  # raised by the next runs, one each
        self._stop, self._listens = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.until(lambda: self._listens.is_set())

    def _run(self) -> None:
        def clock() -> float:
            self._listens.set()  # it is asked at every tick
            if self._stop.is_set():
                raise KeyboardInterrupt
            return time.monotonic()

        with closing(watch(self.tree, self._take, self.said.append, clock)) as reports:
            try:
                for _ in reports:
                    pass
            except KeyboardInterrupt:
                return

    def _take(self, changes: Changes) -> Report:
        if self.fails:
            raise self.fails.pop(0)
        self.took.append(changes)
        return report(changes)

    def until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, (self.took, self.said)
            time.sleep(0.02)

    def changed(self) -> set[str]:
        return {path.as_posix() for changes in self.took for path in changes.changed}

    def gone(self) -> set[str]:
        return {path.name for changes in self.took for path in changes.gone}

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    docs = Path("docs")
    docs.mkdir()
    (docs / "a.md").write_text("a")
    return docs


@pytest.fixture
def watching(docs: Path) -> Iterator[Watching]:
    made = Watching(docs)
    yield made
    made.stop()


def test_added_changed_and_removed(docs: Path, watching: Watching) -> None:
    (docs / "b.md").write_text("b")
    watching.until(lambda: "docs/b.md" in watching.changed())
    (docs / "b.md").write_text("more")
    watching.until(lambda: len(watching.took) == 2)
    (docs / "a.md").unlink()
    watching.until(lambda: "a.md" in watching.gone())
    assert watching.said == []


def test_a_burst_is_one_run(docs: Path, watching: Watching) -> None:
    for folder in "abc":
        (docs / folder).mkdir()
        for number in range(100):
            (docs / folder / f"{number}.md").write_text("x")
    watching.until(lambda: len(watching.changed()) == 300)
    assert len(watching.took) < 10  # one, on a machine that writes them within a second


def test_only_what_changed_is_taken(docs: Path, watching: Watching) -> None:
    (docs / ".noria").mkdir()
    (docs / ".noria" / "state.md").write_text("x")
    (docs / "b.md").write_text("b")
    watching.until(lambda: watching.took != [])
    assert watching.changed() == {"docs/b.md"}
    assert watching.gone() == set()


def test_an_atomic_save_is_one_update(docs: Path, watching: Watching) -> None:
    draft = docs / ".a.md.tmp"
    draft.write_text("better")
    draft.rename(docs / "a.md")
    watching.until(lambda: watching.took != [])
    assert watching.took == [Changes(changed=(docs / "a.md",))]


def test_a_file_that_is_named(docs: Path) -> None:
    watching = Watching(docs / "a.md")
    try:
        (docs / "new").write_text("replaced")
        (docs / "new").replace(docs / "a.md")
        watching.until(lambda: watching.took == [Changes(changed=(docs / "a.md",))])
    finally:
        watching.stop()


def test_what_fails_is_told_and_tried_again(
    docs: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "PATIENCE", (0.1, 0.2))
    watching.fails = [BusyError("busy"), BusyError("busy"), OSError(28, "No space left"),
                      ValueError(), BusyError("busy")]  # fmt: skip
    (docs / "b.md").write_text("b")
    watching.until(lambda: "docs/b.md" in watching.changed())
    assert watching.said[0] == "busy; waiting for it"  # once
    assert "No space left" in watching.said[1]
    assert "ValueError: no message" in watching.said[2]
    (docs / "c.md").write_text("c")
    watching.until(lambda: "docs/c.md" in watching.changed())


def test_a_walk_that_fails_is_told_and_tried_again(
    docs: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "PATIENCE", (0.1, 0.2))
    look, fails = watching.tree.look, [OSError(116, "Stale file handle")]

    def failing() -> None:
        if fails:
            raise fails.pop()
        look()

    monkeypatch.setattr(watching.tree, "look", failing)
    watching.until(lambda: watching.said != [])
    assert "Stale file handle" in watching.said[0]
    (docs / "b.md").write_text("b")
    watching.until(lambda: "docs/b.md" in watching.changed())


def test_a_root_that_vanishes_and_comes_back(docs: Path, watching: Watching) -> None:
    docs.rename("elsewhere")
    watching.until(lambda: any("docs: gone" in said for said in watching.said))
    Path("elsewhere", "b.md").write_text("b")
    Path("elsewhere").rename(docs)
    watching.until(lambda: "docs/b.md" in watching.changed())
    assert watching.gone() == set()
    assert "docs: back" in watching.said
    (docs / "c.md").write_text("c")
    watching.until(lambda: "docs/c.md" in watching.changed())


def test_a_root_that_is_made_anew(docs: Path, watching: Watching) -> None:
    shutil.rmtree(docs)
    docs.mkdir()
    (docs / "b.md").write_text("b")
    watching.until(lambda: "docs/b.md" in watching.changed())
    watching.until(lambda: "a.md" in watching.gone())
    (docs / "c.md").write_text("c")
    watching.until(lambda: "docs/c.md" in watching.changed())


def test_a_name_that_is_not_utf8_stops_nothing(docs: Path, watching: Watching) -> None:
    try:
        Path(os.fsdecode(os.fsencode(docs) + b"/\xff.md")).write_text("x")
    except OSError:
        pytest.skip("this file system takes no such names")
    (docs / "b.md").write_text("b")
    watching.until(lambda: watching.changed() == {"docs/b.md"})


def test_without_notices_walking_goes_on(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import watchfiles

    def refused(*paths: object, **options: object) -> Iterator[None]:
        raise OSError("limit of watches reached")

    monkeypatch.setattr(watchfiles, "watch", refused)
    monkeypatch.setattr(watch_module, "DEAF", 0.5)
    watching = Watching(docs)
    try:
        (docs / "b.md").write_text("b")
        watching.until(lambda: "docs/b.md" in watching.changed())
        watching.until(lambda: len(watching.said) > 1)  # asked for again, and refused again
        assert "no notice of changes (limit of watches reached)" in watching.said[0]
    finally:
        watching.stop()


def test_the_first_run_waits_for_the_lock() -> None:
    turns: list[Report | Exception] = [BusyError("busy"), BusyError("busy"), report(Changes())]
    said: list[str] = []

    def run() -> Report:
        turn = turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return turn

    assert patiently(run, said.append).index_version == "t@1"
    assert said == ["busy; waiting for it"]


def test_a_summary_adds_up() -> None:
    one = report(Changes((Path("a"), Path("b")), (Path("c"),)))
    assert Summary().and_then(one).and_then(one) == Summary(2, 4, 0, 2)
    assert str(Summary(2, 4, 0, 2)) == "2 runs while watching: 4 added, 0 updated, 2 removed"
