"""One process watches a folder; another one, which searches, sees what changes."""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from noria import build, cli
from noria.config import load
from noria.types import Query

PATIENCE = 20.0  # seconds until a test gives up: a process has to start
WATCHER = """
import sys
from functools import cached_property
from pathlib import Path
from noria import build, cli
from noria.corpus.split import TokenSplitter
from noria.models.fake import FakeEncoder

TOKENIZER = sys.argv.pop()

class FakeHouse(build.House):
    @cached_property
    def encoder(self):
        return FakeEncoder()

    @cached_property
    def splitter(self):
        return TokenSplitter(Path(TOKENIZER), 256, self.settings.corpus.passage_tokens)

build.House = FakeHouse
cli.main()
"""


class Watcher:
    """``noria ingest handbook --watch --json`` in a process of its own."""

    def __init__(self, desk: Path, *options: str) -> None:
        tokenizer = str(desk.parent / "tokenizer.json")
        words = ["ingest", "handbook", "--watch", "--json", *options, tokenizer]
        self.process = subprocess.Popen(
            [sys.executable, "-c", WATCHER, *words],
            cwd=desk,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._threads = [threading.Thread(target=read) for read in (self._out, self._err)]
        for thread in self._threads:
            thread.start()

    def _out(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)

    def _err(self) -> None:
        self.said.extend(self.process.stderr or ())

    def report(self) -> dict[str, Any]:
        """The next run's."""
        until(lambda: not self._lines.empty() or self.process.poll() is not None)
        assert not self._lines.empty(), self.said
        return dict(json.loads(self._lines.get()))

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


@pytest.fixture
def watcher(desk: Path) -> Iterator[Watcher]:
    (desk / "handbook" / "leave.md").write_text("Everybody has 28 days of leave.\n")
    made = Watcher(desk)
    try:
        assert made.report()["added"] == 1
        until(lambda: any("watching" in line for line in made.said))
        yield made
    finally:
        made.close()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_running_process_sees_what_changes(
    desk: Path, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build.House(load(None, None))  # asked again and again, never made anew

    def sees(text: str, *groups: str) -> bool:
        slate = house.funnel.search(Query("q", text, groups=frozenset(groups)), 10)
        return any(text in candidate.item.text for candidate in slate.candidates)

    assert sees("28 days")
    handbook = desk / "handbook"
    (handbook / "pay.md").write_text("The director earns 9000 euro.\n")
    until(lambda: sees("9000 euro"))
    (handbook / "pay.md").write_text("The director earns 9500 euro.\n")
    until(lambda: sees("9500 euro"))
    assert not sees("9000 euro")
    assert [watcher.report()[name] for name in ("added", "updated")] == [1, 1]
    (handbook / "leave.md").unlink()
    until(lambda: not sees("28 days"))
    assert watcher.report()["removed"] == 1

    # a third process may ingest meanwhile: the lock is held only during runs
    words = ["ingest", "handbook/pay.md", "--groups", "hr", "--json"]
    monkeypatch.setattr(sys, "argv", ["noria", *words])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    assert not sees("9500 euro")
    assert sees("9500 euro", "hr")

    (handbook / "pay.md").write_text("The director earns 9900 euro.\n")
    until(lambda: sees("9900 euro", "hr"))
    assert not sees("9900 euro")  # what was restricted stays so
    house.state.close()


def test_interrupting_is_the_way_to_end_it(desk: Path, watcher: Watcher) -> None:
    (desk / "handbook" / "broken.pdf").write_bytes(b"%PDF-1.4 nonsense")
    (desk / "handbook" / "pay.md").write_text("The director earns 9000 euro.\n")
    assert watcher.report()["added"] == 1
    assert watcher.interrupt() == 0
    watcher.close()
    assert "1 runs while watching: 1 added, 0 updated, 0 removed\n" in watcher.said
    assert "Traceback" not in "".join(watcher.said)


def test_what_left_before_the_watch_leaves_the_index(desk: Path, watcher: Watcher) -> None:
    assert watcher.interrupt() == 0
    (desk / "handbook" / "leave.md").unlink()
    (desk / "handbook" / "pay.md").write_text("The director earns 9000 euro.\n")
    again = Watcher(desk, "--groups", "hr")
    try:
        report = again.report()
        assert (report["documents"], report["added"], report["removed"]) == (1, 1, 1)
    finally:
        again.close()


def test_other_groups_show_in_another_process_at_once(desk: Path) -> None:
    (desk / "handbook" / "pay.md").write_text("The director earns 9000 euro.\n")
    writer, reader = (build.House(load(None, None)) for _ in range(2))

    def seen(*groups: str) -> int:
        query = Query("q", "director", groups=frozenset(groups))
        return len(reader.funnel.search(query, 10).candidates)

    def ingest(*groups: str) -> None:
        from datetime import UTC, datetime

        writer.ingestion.run(["handbook"], datetime.now(UTC), frozenset(groups))

    ingest()
    assert (seen(), seen("hr"), seen("legal")) == (1, 1, 1)
    ingest("hr")
    assert (seen(), seen("hr"), seen("legal")) == (0, 1, 0)
    ingest("legal")
    assert (seen(), seen("hr"), seen("legal")) == (0, 0, 1)
    ingest()
    assert (seen(), seen("hr"), seen("legal")) == (1, 1, 1)
    for house in (writer, reader):
        house.state.close()


@pytest.mark.parametrize("words", [["--watch"], ["nowhere", "--watch"]])
def test_there_must_be_something_to_watch(
    desk: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["noria", "ingest", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
