"""Files -> documents, each parsed in a process that is watched.

Parsers meet files that strangers made. One that hangs, eats memory or crashes is killed with its
process, and only its own file is listed; the others are read by the next process. Knows nothing
of formats, passages or the index.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from noria.corpus.reader import MEMORY, PREFIX
from noria.errors import ExtractionError, NoriaError
from noria.types import Document, Heading

# -P: a file 'json.py' in the folder that is ingested must not be imported.
COMMAND = (sys.executable, "-P", "-m", "noria.corpus.reader")
READERS = max(2, min(8, os.cpu_count() or 2))
AHEAD_FILES = 1024  # read before anybody asks for them
AHEAD_BYTES = 128_000_000  # of these together: one file of the largest size, and small ones
PATIENCE = 1.0  # seconds for which a slow file may hold back those behind it
START_SECONDS = 60.0  # a process starts in 0.1; more only where the disk is busy
# A process is replaced after so much: what parsers leak, and what malloc keeps, goes with it.
FILES_EACH = 5_000
BYTES_EACH = 256_000_000
CHUNK = 65_536  # bytes that a pipe holds
BURST = re.compile(
    rb"memory allocation of \d+ bytes failed|bad_alloc|out of memory|MemoryError", re.I
)
OVERFLOWN = re.compile(rb"overflowed its stack|stack overflow", re.I)


class File(Protocol):
    """A file to read. ``id`` is its path as the user wrote it."""

    @property
    def id(self) -> str:
        """The document's id."""
        ...

    @property
    def path(self) -> Path:
        """Where it is."""
        ...


F = TypeVar("F", bound=File)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may take: its size, also unpacked; wall-clock seconds; memory of its parser."""

    max_file_mb: int = 100
    max_seconds: float = 60.0
    max_memory_mb: int = 2000


@dataclass(frozen=True, slots=True)
class Read:
    """A document and the SHA-256 of the file's bytes that it was made from."""

    document: Document
    digest: str


class Died(Exception):
    """A process ended, or must: it may not have been the fault of the file it was reading."""


def read_all(
    files: Iterable[F], limits: Limits, readers: int = READERS
) -> Generator[tuple[F, Read | ExtractionError], None, None]:
    """Each file with its document, or with the reason why there is none.

    In the order of ``files``; but a file that keeps the others waiting for more than a second
    comes when it is done. At most ``AHEAD_FILES`` files and ``AHEAD_BYTES`` of them are read ahead.
    ``readers``: processes. They end with the iterator, so close it (``contextlib.closing``) where
    it may not be read to its end. Raises NoriaError where no process can be started.
    """
    queue = Queue[F]()
    with reading(queue, limits, readers):
        for file in files:
            task = Task(file, size_of(file.path))
            while not queue.has_room(task.size):
                yield queue.take()
            queue.add(task)
        while queue:
            yield queue.take()


@contextmanager
def reading(queue: "Queue[F]", limits: Limits, readers: int) -> Iterator[None]:
    """Let ``readers`` processes work on ``queue``; at the end they are gone."""
    staff = [Reader(queue, limits) for _ in range(readers)]
    # Daemons: an interpreter that ends does not wait for what is still unread.
    threads = [threading.Thread(target=reader.work, daemon=True) for reader in staff]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        queue.close()
        for reader in staff:
            reader.stop()
        for thread in threads:
            thread.join(START_SECONDS)


def size_of(path: Path) -> int:
    """Bytes of the file; 0 if it cannot be known, which its reader will say."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


@dataclass(eq=False, slots=True)
class Task(Generic[F]):
    """A file on its way. ``size``: what it or its text keeps in memory, in bytes."""

    file: F
    size: int
    outcome: Read | ExtractionError | None = None


class Queue(Generic[F]):
    """Files that are being read or wait for it, in order, and what came of them.

    One thread adds and takes; those of the readers ask for the next and finish it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._unread: SimpleQueue[Task[F] | None] = SimpleQueue()
        self._waiting: deque[Task[F]] = deque()
        self._late: list[Task[F]] = []  # for these nobody waits any more
        self._held = 0  # bytes
        self._broken: BaseException | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting or self._late)

    def has_room(self, size: int) -> bool:
        """Whether a file of ``size`` bytes may be read now. A very large one waits to be alone."""
        with self._changed:
            count = len(self._waiting) + len(self._late)
            return not count or (count < AHEAD_FILES and self._held + size <= AHEAD_BYTES)

    def add(self, task: Task[F]) -> None:
        """Let ``task`` be the last one."""
        with self._changed:
            self._waiting.append(task)
            self._held += task.size
        self._unread.put(task)

    def take(self) -> tuple[F, Read | ExtractionError]:
        """The next file that is done, when it is. Raises what broke a reader."""
        with self._changed:
            while (task := self._next()) is None:
                late = not self._changed.wait_for(
                    self._stirred, PATIENCE if self._waiting else None
                )
                if late:
                    self._late.append(self._waiting.popleft())
            self._held -= task.size
        assert task.outcome is not None
        return task.file, task.outcome

    def _next(self) -> Task[F] | None:
        if self._broken:
            raise self._broken
        for task in self._late:
            if task.outcome:
                self._late.remove(task)
                return task
        if self._waiting and self._waiting[0].outcome:
            return self._waiting.popleft()
        return None

    def _stirred(self) -> bool:
        first = self._waiting and self._waiting[0].outcome
        return bool(self._broken or first or any(task.outcome for task in self._late))

    def unread(self) -> Task[F] | None:
        """The next task for a reader, when there is one; None at the end."""
        task = self._unread.get()
        if task is None:
            self._unread.put(None)  # for the other readers
        return task

    def finish(self, task: Task[F], outcome: Read | ExtractionError) -> None:
        """Note what came of ``task``."""
        with self._changed:
            self._held -= task.size
            task.size = sys.getsizeof(outcome.document.text) if isinstance(outcome, Read) else 0
            self._held += task.size
            task.outcome = outcome
            self._changed.notify()

    def fail(self, error: BaseException) -> None:
        """Let ``take`` raise ``error``, with which a reader ended."""
        with self._changed:
            self._broken = error
            self._changed.notify()

    def close(self) -> None:
        """Forget what is unread, and tell the readers that there is nothing more."""
        with suppress(Empty):
            while True:
                self._unread.get_nowait()
        self._unread.put(None)


class Reader(Generic[F]):
    """Has the files of a queue read by one process at a time."""

    def __init__(self, queue: Queue[F], limits: Limits) -> None:
        self._queue, self._limits = queue, limits
        self._process: Process | None = None
        self._stopped = False
        self._lock = threading.Lock()  # starting and stopping exclude each other

    def work(self) -> None:
        """Read until there is nothing more, or ``stop``."""
        try:
            while task := self._queue.unread():
                self._queue.finish(task, self._outcome(task.file))
        except BaseException as error:  # whoever takes from the queue would wait for ever
            if not self._stopped:
                self._queue.fail(error)
        finally:
            self._dismiss()

    def stop(self) -> None:
        """End the process now, whatever it is doing."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._process.kill()

    def _outcome(self, file: File) -> Read | ExtractionError:
        """What comes of ``file``. A process that others have used may have died of them."""
        used = self._process is not None
        try:
            return self._ask(file)
        except Died as first:
            if not used:
                return ExtractionError(str(first))
        try:
            return self._ask(file)
        except Died as second:
            return ExtractionError(str(second))

    def _ask(self, file: File) -> Read | ExtractionError:
        process = self._process or self._start()
        try:
            outcome = process.read(file)
        except (Died, TimeoutError) as end:
            self._dismiss()
            if isinstance(end, Died):
                raise
            return ExtractionError(
                f"took longer than {self._limits.max_seconds:g} s to parse; "
                "raise corpus.max_seconds or split it"
            )
        if process.worn:
            self._dismiss()
        return outcome

    def _start(self) -> "Process":
        try:
            return self._begin()
        except NoriaError:  # killed as it began, perhaps: once more
            self._dismiss()
            return self._begin()

    def _begin(self) -> "Process":
        with self._lock:
            if self._stopped:
                raise Died("it was stopped")
            self._process = Process(self._limits)
        self._process.greet()
        return self._process

    def _dismiss(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process:
            process.end()


class Process:
    """A running ``noria.corpus.reader``: one question at a time, one answer each."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._files = self._bytes = 0
        # What parsers print must not reach the user's terminal.
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed by 'end'
        try:
            self._process = subprocess.Popen(
                [*COMMAND, str(limits.max_memory_mb)],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                start_new_session=True,  # Ctrl-C reaches the parent alone, and a kill all below
            )
        except OSError as error:
            self._printed.close()
            raise cannot_start(error.strerror or str(error)) from error
        self._arrived = select.poll()
        assert self._process.stdout
        self._arrived.register(self._process.stdout, select.POLLIN)

    def greet(self) -> None:
        """Wait until it has started. Raises NoriaError if it does not."""
        try:
            self._receive(monotonic() + START_SECONDS)
        except TimeoutError:
            raise cannot_start(f"no sign of life within {START_SECONDS:g} s") from None
        except Died:
            raise cannot_start(self._last_words()) from None

    @property
    def worn(self) -> bool:
        """Whether another process should read the next file."""
        return self._files >= FILES_EACH or self._bytes >= BYTES_EACH

    def read(self, file: File) -> Read | ExtractionError:
        """The answer about ``file``. Raises Died, and TimeoutError when it takes too long."""
        limits = self._limits
        request = {
            # not Path.absolute, which takes 'a/..' away where 'a' is a link
            "path": os.path.join(os.getcwd(), file.path),
            "id": file.id,
            "max_file_mb": limits.max_file_mb,
            "max_seconds": limits.max_seconds,
        }
        try:
            self._send(json.dumps(request).encode())
            header, text = self._receive(monotonic() + limits.max_seconds)
            self._files, self._bytes = self._files + 1, self._bytes + len(text)
            if header.get("broken"):
                raise Died(header["error"])
            if "error" in header:
                return ExtractionError(header["error"])
            return Read(document_of(header, text), str(header["digest"]))
        except BrokenPipeError:
            raise Died(self._reason()) from None
        except (ValueError, KeyError, TypeError) as error:
            raise Died(f"its parser answered nonsense ({error!r})") from None

    def kill(self) -> None:
        """End it, and all that it started, at once."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it and let nothing of it stay."""
        self.kill()
        assert self._process.stdin
        assert self._process.stdout
        for pipe in (self._process.stdin, self._process.stdout, self._printed):
            pipe.close()
        # One that waits for a lost network drive cannot be killed, and nobody waits for it.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)

    def _send(self, header: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(PREFIX.pack(len(header), 0) + header)

    def _receive(self, deadline: float) -> tuple[Any, str]:
        """The next frame. Raises Died when there is none, TimeoutError at ``deadline``."""
        start = bytearray(CHUNK)
        filled = self._fill(memoryview(start), PREFIX.size, deadline)
        head, body = PREFIX.unpack_from(start)
        body_at = PREFIX.size + head
        if body_at + body > self._limits.max_memory_mb * 1_000_000:
            raise Died("its parser answered more than it may have in memory")
        frame = memoryview(bytearray(body_at + body))
        frame[:filled] = start[:filled]
        self._fill(frame[filled:], len(frame) - filled, deadline)
        return json.loads(bytes(frame[PREFIX.size : body_at])), str(frame[body_at:], "utf-8")

    def _fill(self, space: memoryview, least: int, deadline: float) -> int:
        """Read ``least`` bytes into ``space``, or more if they are there; return how many."""
        assert self._process.stdout
        filled = 0
        while filled < least:
            if not self._arrived.poll(max(0.0, deadline - monotonic()) * 1000):
                raise TimeoutError
            count = os.readv(self._process.stdout.fileno(), [space[filled:]])
            if not count:
                raise Died(self._reason())
            filled += count
        return filled

    def _reason(self) -> str:
        """Why it is dead."""
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "its parser closed its pipes"
        printed = self._printed_at_end()
        if BURST.search(printed):
            return MEMORY.format(self._limits.max_memory_mb)
        if OVERFLOWN.search(printed):
            return "its parts are nested too deeply for its parser"
        if status == -signal.SIGKILL:
            return "its parser was killed by the system, for want of memory perhaps"
        if status < 0:
            return f"its parser crashed ({signal.Signals(-status).name}); is it damaged?"
        return f"its parser ended with status {status}: {self._last_words()}"

    def _last_words(self) -> str:
        lines = self._printed_at_end().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def _printed_at_end(self) -> bytes:
        end = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, end - CHUNK))
        return self._printed.read()


def document_of(header: Any, text: str) -> Document:
    """The document that a reader described."""
    return Document(
        id=str(header["id"]),
        source=str(header["source"]),
        text=text,
        media_type=str(header["media_type"]),
        fields=dict(header["fields"]),
        headings=tuple(Heading(int(at), int(n), str(title)) for at, n, title in header["headings"]),
        pages=tuple(map(int, header["pages"])),
    )


def cannot_start(reason: str) -> NoriaError:
    """What to say where there are no processes to parse in."""
    return NoriaError(
        f"no process could be started to parse files in ({reason}); "
        f"expected '{' '.join(COMMAND)}' to run"
    )
