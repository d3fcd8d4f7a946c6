"""Files are parsed in processes: whatever one of them does, the files beside it are read."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from noria.corpus import reader, reading
from noria.corpus.load import load
from noria.corpus.reading import Limits, Read, read_all
from noria.errors import ExtractionError, NoriaError

EVIL = Path(__file__).with_name("evil_reader.py")
SOON = Limits(max_seconds=1.0, max_memory_mb=300)
SMALL = Limits(max_memory_mb=300)  # with time enough to fill it on a busy machine


@dataclass(frozen=True)
class Named:
    id: str
    path: Path


@pytest.fixture
def evil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "COMMAND", (sys.executable, str(EVIL)))


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, content: str | bytes = "x") -> Named:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Named(name, path)

    return write


def outcomes(files, limits=SOON, readers=1):
    return {f.id: o for f, o in read_all(files, limits, readers)}


def said(outcome) -> str:
    """The text of what was read, or the reason why it was not."""
    return outcome.document.text if isinstance(outcome, Read) else str(outcome)


def children() -> list[int]:
    """Processes of which this one is the parent, dead ones that nobody buried included."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, text=True
    )
    return [pid for pid in map(int, listed.stdout.split()) if Path(f"/proc/{pid}").exists()]


def test_a_document_arrives_as_it_was_loaded(write):
    text = "# Pump\n\nEs läuft. 水車 \U0001f6b0\n\n## Parts\n\nWheel.\n"
    file = write("a.md", text)
    (outcome,) = outcomes([file]).values()
    assert outcome == Read(load(file.path, "a.md"), hashlib.sha256(text.encode()).hexdigest())
    assert len(outcome.document.headings) == 2


def test_pages_arrive(write):
    from test_load import pdf

    file = write("a.pdf", pdf("The wheel turns.", "The water rises."))
    (outcome,) = outcomes([file], Limits()).values()
    assert outcome.document == load(file.path, "a.pdf")
    assert len(outcome.document.pages) == 2


def test_a_large_text_arrives(write):
    text = "Wasser läuft über das Rad.\n" * 200_000
    (outcome,) = outcomes([write("a.txt", text)], Limits()).values()
    assert outcome.document.text == text


def test_all_come_in_their_order(write):
    files = [write(f"{i}.txt", f"number {i}") for i in range(300)]
    found = list(read_all(iter(files), Limits(), 3))
    assert [file for file, _ in found] == files
    assert [said(outcome) for _, outcome in found] == [f"number {i}" for i in range(300)]


def test_no_file_starts_no_process(monkeypatch):
    monkeypatch.setattr(reading, "COMMAND", ("/nonexistent",))
    assert list(read_all([], Limits())) == []


def test_a_reason_arrives_in_words(write, tmp_path):
    found = outcomes([
        write("a.txt", ""),
        write("a.xyz"),
        Named("gone.txt", tmp_path / "gone.txt"),
        write("large.txt", "x" * 1_000_001),
    ], Limits(max_file_mb=1))  # fmt: skip
    assert said(found["a.txt"]) == "the file is empty"
    assert said(found["a.xyz"]).startswith("unknown file type")
    assert said(found["gone.txt"]) == "cannot be read: No such file or directory"
    assert "raise corpus.max_file_mb" in said(found["large.txt"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.hang", "took longer than 1 s to parse; raise corpus.max_seconds or split it"),
        ("a.spin", "took longer than 1 s to parse; raise corpus.max_seconds or split it"),
        ("a.segfault", "its parser crashed (SIGSEGV); is it damaged?"),
        ("a.eat", "needed more than 300 MB of memory; raise corpus.max_memory_mb or split it"),
        ("a.burst", "needed more than 300 MB of memory; raise corpus.max_memory_mb or split it"),
        ("a.overflow", "its parts are nested too deeply for its parser"),
        ("a.leave", "its parser ended with status 3: and another"),
        ("a.panic", "its parser failed (BaseException: as pyo3 panics)"),
        ("a.bug", "its parser failed (KeyError: 'width')"),
        ("a.recurse", "its parts are nested too deeply"),
    ],
)
@pytest.mark.usefixtures("evil")
def test_a_parser_that_breaks_is_listed_alone(write, name, reason):
    before = [write(f"before{i}.txt") for i in range(3)]
    after = [write(f"after{i}.txt") for i in range(3)]
    limits = SMALL if "of memory" in reason else SOON
    found = outcomes([*before, write(name), *after], limits)
    assert said(found.pop(name)) == reason
    assert [said(outcome) for outcome in found.values()] == ["x"] * 6
    assert not children()


@pytest.mark.usefixtures("evil")
def test_what_parsers_print_reaches_neither_the_pipe_nor_the_user(write, capfd):
    found = outcomes([write("a.chatter", "much"), write("b.txt")])
    assert [said(outcome) for outcome in found.values()] == ["said much", "x"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("evil")
def test_a_file_does_not_pay_for_the_one_before(write):
    """'poison' breaks its process, and 'drink' dies of it: it is read again in a fresh one."""
    found = outcomes([write("a.poison"), write("b.drink"), write("c.drink")])
    assert [said(outcome) for outcome in found.values()] == ["sweet", "water", "water"]


@pytest.mark.usefixtures("evil")
def test_one_that_hangs_does_not_hold_back_the_others(write, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 0.1)
    files = [write("a.hang"), *(write(f"{i}.txt") for i in range(20))]
    order = [file.id for file, _ in read_all(files, Limits(max_seconds=3.0), 2)]
    assert sorted(order) == sorted(file.id for file in files)
    assert order[-1] == "a.hang"


@pytest.mark.usefixtures("evil")
def test_a_reader_is_used_again_and_replaced_in_time(write, monkeypatch):
    monkeypatch.setattr(reading, "FILES_EACH", 3)
    found = outcomes([write(f"{i}.who") for i in range(7)])
    pids = [said(outcome) for outcome in found.values()]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]


@pytest.mark.usefixtures("evil")
def test_several_read_at_a_time(write, tmp_path):
    """Each of the two waits until both are being read."""
    (tmp_path / "present").mkdir()
    files = [write(f"{i}.crowd", str(tmp_path / "present")) for i in range(2)]
    found = outcomes(files, Limits(), readers=2)
    assert len({said(outcome) for outcome in found.values()}) == 2


@pytest.mark.usefixtures("evil")
def test_halves_of_characters_do_not_arrive(write):
    (outcome,) = outcomes([write("a.halves")]).values()
    assert said(outcome) == "a ? half"


@pytest.mark.usefixtures("evil")
def test_who_stops_early_leaves_no_process(write):
    with closing(read_all([write("a.txt"), write("a.hang")], Limits(), 2)) as found:
        next(found)
        assert children()
    assert not children()


@pytest.mark.usefixtures("evil")
def test_what_a_parser_started_dies_with_it(write, tmp_path):
    told = tmp_path / "pid"
    found = outcomes([write("a.brood", str(told))])
    assert said(found["a.brood"]).startswith("took longer")
    pid = int(told.read_text())
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.usefixtures("evil")
def test_readers_die_with_a_parent_that_is_killed(write, tmp_path):
    told = tmp_path / "pid"
    file = write("a.brood", str(told))
    code = (
        "import sys; from pathlib import Path; from noria.corpus import reading\n"
        "from noria.corpus.discover import Found\n"
        f"reading.COMMAND = {reading.COMMAND!r}\n"
        f"list(reading.read_all([Found('a', Path({str(file.path)!r}))], reading.Limits(), 1))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent.pid)], capture_output=True, text=True
    )
    (child,) = map(int, listed.stdout.split())
    parent.kill()
    parent.wait()
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(int(told.read_text()), signal.SIGKILL)  # what the parser started is its own affair


def test_where_no_process_starts_it_is_said(write, monkeypatch):
    monkeypatch.setattr(reading, "COMMAND", ("/nonexistent/python",))
    with pytest.raises(NoriaError, match=r"no process could be started .*No such file") as told:
        outcomes([write("a.txt"), write("b.txt")], readers=2)
    assert not isinstance(told.value, ExtractionError)


@pytest.mark.usefixtures("evil")
def test_where_a_process_ends_at_once_its_last_words_are_said(write, monkeypatch):
    monkeypatch.setenv("NORIA_TEST_BROKEN", "1")
    with pytest.raises(NoriaError, match="no reader today"):
        outcomes([write("a.txt")])
    assert not children()


def test_modules_in_the_working_folder_are_not_run(write, tmp_path, monkeypatch):
    """Who ingests a downloaded folder from within must not execute what lies in it."""
    for module in ("json", "gzip", "noria", "resource"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('it was run')")
    file = write("a.txt", "safe")
    monkeypatch.chdir(tmp_path)
    assert [said(o) for o in outcomes([Named("a.txt", Path(file.path.name))]).values()] == ["safe"]


def test_reading_ahead_is_bounded_by_files(write, monkeypatch):
    monkeypatch.setattr(reading, "AHEAD_FILES", 5)
    asked = []

    def files():
        for i in range(50):
            asked.append(i)
            yield write(f"{i}.txt")

    with closing(read_all(files(), Limits(), 2)) as found:
        next(found)
        assert len(asked) == 6  # five ahead, and the one that waits for its place
        assert len(list(found)) == 49


def test_reading_ahead_is_bounded_by_bytes(write, monkeypatch):
    monkeypatch.setattr(reading, "AHEAD_BYTES", 100_000)
    held: list[int] = []
    queue = reading.Queue
    add = queue.add

    def watched(self, task):
        add(self, task)
        held.append(self._held)

    monkeypatch.setattr(queue, "add", watched)
    sizes = [40_000, 40_000, 40_000, 300_000, 10, 10]
    files = [write(f"{i}.txt", "x" * size) for i, size in enumerate(sizes)]
    assert [said(o) for o in outcomes(files).values()] == ["x" * size for size in sizes]
    assert max(held) == 300_000  # the largest was alone
    assert sorted(held)[-2] <= 101_000


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def slow(path, name, limit):
        document = load(path, name, limit)
        if document.text == "old":
            path.write_text("new!")
        return document

    monkeypatch.setattr(reader, "load", slow)
    document, digest = reader.parsed(path, "a", 1)
    assert document.text == "new!"
    assert digest == hashlib.sha256(b"new!").hexdigest()


def test_a_file_that_does_not_hold_still_is_listed(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("x")

    def busy(path, name, limit):
        document = load(path, name, limit)
        path.write_text(document.text + "x")
        return document

    monkeypatch.setattr(reader, "load", busy)
    with pytest.raises(ExtractionError, match="changed while it was read; run again"):
        reader.parsed(path, "a", 1)


def test_half_a_file_is_no_reason(tmp_path, monkeypatch):
    """An editor empties a file and then writes it: what stands between the two is no reason."""
    path = tmp_path / "a.txt"
    path.write_text("")

    def between(path, name, limit):
        try:
            return load(path, name, limit)
        finally:
            if not path.stat().st_size:
                path.write_text("all of it")

    monkeypatch.setattr(reader, "load", between)
    assert reader.parsed(path, "a", 1)[0].text == "all of it"


def test_threads_end(write):
    before = threading.active_count()  # others may have left some
    outcomes([write("a.txt")], readers=3)
    assert threading.active_count() == before


def test_start_is_light():
    """No process that parses text waits for torch, or for kreuzberg."""
    code = "import sys, noria.corpus.reading, noria.corpus.reader; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "lancedb", "transformers", "numpy", "pyarrow", "kreuzberg", "tokenizers"}
    assert not heavy & set(ran.stdout.split())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is how memory is always held")
def test_a_process_can_watch_its_own_memory():
    """As it must on macOS, where the kernel does not hold the limit."""
    code = (
        "import threading, time; from noria.corpus import reader\n"
        "threading.Thread(target=reader.watch, args=(150_000_000, 0.01), daemon=True).start()\n"
        "kept = [b'x' * 10_000_000 for _ in range(30)]; time.sleep(60)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (1, "out of memory\n")
