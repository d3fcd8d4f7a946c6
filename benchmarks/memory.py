"""How much memory ingestion takes, at its peak, for ``--megabytes`` of text.

Nine tenths of the text are files of 1 MB, one tenth files of 99 MB (at least one, where there is
room): English-like words by a seed. The encoder is a FAKE of 384 dimensions that does nothing but
hash (``"encoder"`` in the output says so), so that what is measured is Noria: reading, splitting,
storing and indexing. What the real encoder takes is measured apart with ``--encoder``: the default
one embeds some thousand passages in a process of its own, and its peak is to be added.

Memory is the sum of the proportional set sizes (PSS) of this process and of those that parse for
it, looked at ten times a second. Linux only.

    python benchmarks/memory.py --megabytes 1000
    python benchmarks/memory.py --encoder
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noria.protocols import Matrix

SEED = 20260
MB = 1_000_000
LARGE = 99 * MB
DIMENSION = 384
WORDS = 20_000
PASSAGES = 4_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--large", type=int, help="files of 99 MB (default: a tenth of the text)")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--encoder", action="store_true", help="the default encoder alone")
    given = parser.parse_args()
    if given.encoder:
        print(json.dumps(encoder_alone(), indent=2))
        return
    large = given.megabytes // 10 // 99 if given.large is None else given.large
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        print(json.dumps(ingested(Path(folder), given.megabytes * MB, large), indent=2))


def ingested(folder: Path, size: int, large: int) -> dict[str, Any]:
    """Ingest ``size`` bytes, ``large`` files of 99 MB among them, and watch."""
    from noria.corpus.ingest import Ingestion
    from noria.corpus.live import LivePassages
    from noria.corpus.split import TokenSplitter
    from noria.store.state import State

    docs = folder / "docs"
    write_corpus(docs, size, large)
    tokenizer = folder / "tokenizer.json"
    save_tokenizer(tokenizer)
    encoder = HashingEncoder()
    state = State(f"sqlite:///{folder / 'state.db'}")
    live = LivePassages(folder / "passages", state, encoder.fingerprint, DIMENSION)
    splitter = TokenSplitter(tokenizer, encoder.max_tokens)
    able = Ingestion(live, encoder, splitter, ("en",), folder / "lock", progress=told)
    with Watch() as watch:
        began = perf_counter()
        report = able.run([docs], datetime.now(UTC))
        seconds = perf_counter() - began
    state.close()
    assert not report.failed, report.failed
    return {
        "text_mb": size // MB,
        "files": report.documents,
        "files_of_99_mb": large,
        "passages": report.passages,
        "encoder": f"a fake of {DIMENSION} dimensions; add what --encoder measures",
        "before_mb": watch.first // MB,
        "peak_mb": watch.peak // MB,
        "peak_of_this_process_mb": watch.own // MB,
        "peak_of_its_readers_mb": watch.children // MB,
        "seconds": round(seconds, 1),
    }


def write_corpus(docs: Path, size: int, large: int) -> None:
    """Files of 99 MB, and of 1 MB for the rest."""
    docs.mkdir()
    chance = random.Random(SEED)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(WORDS)]
    for number in range(large):
        with (docs / f"large{number}.txt").open("w") as file:
            for _ in range(LARGE // MB):
                file.write(prose(words, chance, MB))
    for number in range((size - large * LARGE) // MB):
        (docs / f"{number:04}.txt").write_text(prose(words, chance, MB))


def prose(words: Sequence[str], chance: random.Random, size: int) -> str:
    """Sentences and paragraphs of ``size`` characters; frequent words are frequent."""
    text: list[str] = []
    length = 0
    while length < size:
        count = chance.randint(5, 20)
        # the product of two uniform numbers is often small, as the ranks of words are
        ranks = [int(WORDS * chance.random() * chance.random()) for _ in range(count)]
        said = " ".join(words[rank] for rank in ranks).capitalize()
        text.append(said + (".\n\n" if chance.random() < 0.1 else ".\n"))
        length += len(text[-1])
    return "".join(text)[: size - 1] + "\n"


def save_tokenizer(path: Path) -> None:
    """A tokenizer that cuts words into pieces of up to four letters, about as many as real ones."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Split(Regex(r"\w{1,4}|[^\w\s]"), "removed", invert=True)
    tokenizer.save(str(path))


class HashingEncoder:
    """As fast as an encoder can be: a unit vector by the text's hash. Means nothing."""

    fingerprint = "a fake that hashes, 384"
    dimension = DIMENSION
    max_tokens = 256

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())

    def encode_queries(self, texts: Sequence[str]) -> "Matrix":
        """One row a question."""
        return self.encode_passages(texts)

    def encode_passages(self, texts: Sequence[str]) -> "Matrix":
        """One row a passage."""
        import zlib

        import numpy as np

        rows = np.stack([
            np.random.default_rng(zlib.crc32(text.encode())).standard_normal(DIMENSION)
            for text in texts
        ])  # fmt: skip
        unit: Matrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit


class Watch:
    """The most memory that this process and its children had together, in bytes."""

    def __init__(self, every: float = 0.1) -> None:
        self.first = self.peak = self.own = self.children = 0
        self._every, self._over = every, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self.first = pss("self")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(self._every):
            own, others = pss("self"), sum(map(pss, readers()))
            self.own, self.children = max(self.own, own), max(self.children, others)
            self.peak = max(self.peak, own + others)


def readers() -> list[str]:
    """The processes that this one has started, from any of its threads."""
    return [
        pid
        for children in Path("/proc/self/task").glob("*/children")
        for pid in text_of(children).split()
    ]


def pss(pid: str) -> int:
    """Proportional set size in bytes; 0 of a process that is gone."""
    for line in text_of(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def text_of(path: Path) -> str:
    """What a file of /proc says; nothing when its process is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""


def encoder_alone() -> dict[str, Any]:
    """The peak of a process that embeds some thousand passages with the default encoder."""
    code = (
        "import random, sys, json; sys.path.insert(0, sys.argv[1])\n"
        "import _common, memory\n"
        "chance = random.Random(memory.SEED)\n"
        "words = [str(chance.random()) for _ in range(500)]\n"
        "with memory.Watch() as watch:\n"
        "    encoder = _common.models().encoder\n"
        f"    for _ in range({PASSAGES // 128}):\n"
        "        encoder.encode_passages([memory.prose(words * 40, chance, 800) "
        "for _ in range(128)])\n"
        "print(json.dumps(watch.peak))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {"encoder": "the default one", "passages": PASSAGES, "peak_mb": int(ran.stdout) // MB}


def told(stage: str, done: int, total: int) -> None:
    """Progress on stderr, each tenth."""
    if total and done % max(1, total // 10) == 0:
        print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
