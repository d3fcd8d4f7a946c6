"""A process that parses files for another one: it may hang, burst or crash alone.

Knows one file at a time. What to do about its death, and when to kill it, is known to
``noria.corpus.reading``, which starts it. Both talk in frames through its standard input and
output: lengths, a header in JSON, a text in UTF-8. Nothing is pickled: what has parsed a hostile
file may itself be hostile.
"""

import hashlib
import json
import os
import resource
import signal
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

from noria.corpus.load import load
from noria.errors import ExtractionError
from noria.types import Document

PREFIX = struct.Struct(">IQ")  # bytes of the header, bytes of the text
MEMORY = "needed more than {} MB of memory; raise corpus.max_memory_mb or split it"
PRINTED = 1_000_000  # bytes of what parsers print; also the largest file that they may write
GRACE = 10.0  # seconds past its limit after which a process ends that nobody kills


def main(max_memory_mb: int) -> None:
    """Answer requests until there are no more. The first frame says that it has started."""
    requests, answers = private_pipes()
    confine(max_memory_mb)
    send(answers, {"started": os.getpid()})
    while (request := receive(requests)) is not None:
        signal.setitimer(signal.ITIMER_REAL, request["max_seconds"] + GRACE)
        header, text = answer(request, max_memory_mb)
        signal.setitimer(signal.ITIMER_REAL, 0)
        send(answers, header, text)


def private_pipes() -> tuple[int, int]:
    """Standard input and output, moved to where no library reads from or prints to them."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return requests, answers


def confine(max_memory_mb: int) -> None:
    """Limit what this process can do to the machine, and let it die with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends it, see GRACE
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (PRINTED, PRINTED))
    limit = max_memory_mb * 1_000_000
    if sys.platform == "linux":
        # DATA, not AS: threads and allocators reserve far more addresses than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        die_with_parent()
    else:  # macOS takes the limit and does not hold it
        threading.Thread(target=watch, args=(limit,), daemon=True).start()


def die_with_parent() -> None:
    """Let Linux kill this process when the thread that started it ends."""
    import ctypes

    parent, set_death_signal = os.getppid(), 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
    ctypes.CDLL(None).prctl(set_death_signal, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def watch(limit: int, every: float = 0.05) -> None:
    """End this process when it has taken more than ``limit`` bytes, or lost its parent."""
    parent = os.getppid()
    while os.getppid() == parent:
        if high_water() > limit:
            os.write(2, b"out of memory\n")
            os._exit(1)
        time.sleep(every)
    os._exit(1)


def high_water() -> int:
    """The most memory that this process has had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def answer(request: Any, max_memory_mb: int) -> tuple[dict[str, Any], bytes]:
    """The header and the text that answer ``request``.

    ``broken``: this process should read no other file.
    """
    try:
        document, digest = parsed(Path(request["path"]), request["id"], request["max_file_mb"])
        return described(document, digest), whole(document.text)
    except ExtractionError as error:
        return {"error": whole(str(error)).decode()}, b""
    except MemoryError:
        return {"error": MEMORY.format(max_memory_mb), "broken": True}, b""
    except RecursionError:
        return {"error": "its parts are nested too deeply"}, b""
    except BaseException as error:  # a panic of Rust is no Exception; the file is listed with it
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        return {"error": whole(f"its parser failed ({reason})").decode(), "broken": True}, b""


def parsed(path: Path, name: str, max_file_mb: int) -> tuple[Document, str]:
    """The document at ``path``, and the SHA-256 of the bytes that it was made from.

    Raises ExtractionError also for a file that changes while it is read, twice in a row.
    """
    for _ in range(2):
        before = state_of(path)
        try:
            document = load(path, name, max_file_mb)
        except ExtractionError:
            if state_of(path) == before:
                raise
            continue
        digest = digest_of(path)
        if state_of(path) == before:
            return document, digest
    raise ExtractionError("changed while it was read; run again when nobody writes to it")


def state_of(path: Path) -> tuple[int, ...]:
    """What changes whenever a file's content does. Raises ExtractionError when it is gone."""
    try:
        stat = path.stat()
    except OSError as error:
        raise ExtractionError(f"cannot be read: {error.strerror or error}") from None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def digest_of(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ExtractionError(f"cannot be read: {error.strerror or error}") from None


def whole(text: str) -> bytes:
    r"""``text`` in UTF-8 with a mark for each half of a character, so that offsets still hold.

    No encoder and no store could take it as it is.

    >>> whole("a\ud800b")
    b'a?b'
    """
    return text.encode("utf-8", "replace")


def described(document: Document, digest: str) -> dict[str, Any]:
    """All of ``document`` but its text, as JSON has it."""
    return {
        "digest": digest,
        "id": document.id,
        "source": document.source,
        "media_type": document.media_type,
        "fields": dict(document.fields),
        "headings": [(h.start, h.level, whole(h.title).decode()) for h in document.headings],
        "pages": document.pages,
    }


def send(pipe: int, header: dict[str, Any], text: bytes = b"") -> None:
    """Write one frame."""
    head = json.dumps(header).encode()
    frame = PREFIX.pack(len(head), len(text)) + head
    for part in (frame, text):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(pipe, rest) :]


def receive(pipe: int) -> Any:
    """The header of the next frame, which has no text; None when there is no more."""
    prefix = exactly(pipe, PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    length, _ = PREFIX.unpack(prefix)
    return json.loads(exactly(pipe, length))


def exactly(pipe: int, length: int) -> bytes:
    """The next ``length`` bytes, or fewer at the end."""
    found = b""
    while len(found) < length and (part := os.read(pipe, length - len(found))):
        found += part
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]))
