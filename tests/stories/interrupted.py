"""Ingestions that are killed, in processes of their own, and what is left of them.

``python interrupted.py HOME DOCS`` ingests DOCS into HOME with a fake encoder. It prints a line
when it begins to work, so that who kills it does not hit the imports. Used by ``test_crash.py`` and
``benchmarks/crash.py``.
"""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

from noria.corpus.ingest import Ingestion, Report
from noria.corpus.live import LivePassages
from noria.corpus.load import load
from noria.corpus.split import TokenSplitter
from noria.models.fake import FakeEncoder
from noria.store.state import State
from noria.types import Query

if TYPE_CHECKING:
    from noria.protocols import Matrix

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DIMENSION = 32
DOCUMENTS = 60
NOUNS = ("wheel", "pump", "river", "field", "bucket", "axle", "miller", "ditch", "gate", "sluice")
VERBS = ("lifts", "turns", "feeds", "opens", "holds", "drains", "meets", "carries")


class SlowEncoder(FakeEncoder):
    """Takes its time, as encoders do: ``seconds`` a call."""

    def __init__(self, seconds: float) -> None:
        super().__init__(DIMENSION)
        self._seconds = seconds

    def encode_passages(self, texts: Sequence[str]) -> "Matrix":
        """One row a passage."""
        sleep(self._seconds)
        return super().encode_passages(texts)


def save_tokenizer(path: Path) -> None:
    """Write a tokenizer that knows no word and counts all."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(path))


def splitter_of(home: Path) -> TokenSplitter:
    """The splitter of all these ingestions."""
    path = home.parent / "tokenizer.json"
    if not path.exists():
        save_tokenizer(path)
    return TokenSplitter(path, 256, 40)


@contextmanager
def ingestion(home: Path, seconds: float = 0.0) -> Iterator[Ingestion]:
    """An ingestion into ``home`` with a fake encoder."""
    home.mkdir(parents=True, exist_ok=True)
    encoder = SlowEncoder(seconds)
    state = State(f"sqlite:///{home / 'state.db'}")
    try:
        live = LivePassages(home / "passages", state, encoder.fingerprint, DIMENSION)
        yield Ingestion(live, encoder, splitter_of(home), ("en",), home / "lock")
    finally:
        state.close()


def ingest(home: Path, docs: Path, seconds: float = 0.0) -> Report:
    """Bring the index in ``home`` up to date with ``docs``, and forget what is gone."""
    with ingestion(home, seconds) as able:
        return able.run([docs], NOW, prune=True)


def compose(docs: Path, chance: random.Random) -> None:
    """Write a corpus, or change some of it: documents come, change and go."""
    docs.mkdir(exist_ok=True)
    for number in range(DOCUMENTS):
        path = docs / f"{number:02}.md"
        if path.exists():
            fate = chance.random()
            if fate < 0.1:
                path.unlink()
            if fate < 0.6:
                continue
        sections = [
            f"## Part {part}\n\n{' '.join(sentence(chance) for _ in range(chance.randint(1, 12)))}"
            for part in range(chance.randint(1, 6))
        ]
        path.write_text(f"# Document {number}\n\n" + "\n\n".join(sections) + "\n")


def sentence(chance: random.Random) -> str:
    """Five words and a number that hardly any other sentence has."""
    return (
        f"The {chance.choice(NOUNS)} {chance.choice(VERBS)} the {chance.choice(NOUNS)} "
        f"{chance.randint(1, 10**6)}."
    )


def passages(home: Path) -> dict[str, dict[str, Any]]:
    """All that is live in ``home``, by the ids of the passages; vectors and all."""
    import lancedb

    with ingestion(home) as able:
        name = able.live.name()
    table = lancedb.connect(home / "passages").open_table(name)
    rows = table.to_arrow().to_pylist()
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows), "a passage is there twice"
    return found


def found_by_words(home: Path) -> Mapping[str, frozenset[str]]:
    """The passages that the lexical leg finds by each word."""
    with ingestion(home) as able:
        snapshot = able.live.snapshot()
        everything = 100_000
        return {
            word: frozenset(
                passage.item.id
                for passage in snapshot.passages(
                    snapshot.lexical(word, Query("q", word), everything).rows
                )
            )
            for word in (*NOUNS, "document")
        }


def versions(docs: Path, home: Path) -> dict[str, frozenset[str]]:
    """The passages that each document has as it is now, by its source."""
    splitter = splitter_of(home)
    return {
        str(path.resolve()): frozenset(i.id for i in splitter.split(load(path, path.as_posix())))
        for path in sorted(docs.iterdir())
    }


def halves(home: Path, known: Sequence[Mapping[str, frozenset[str]]]) -> list[str]:
    """Documents of which the index holds neither one version nor another, but something between."""
    held: dict[str, set[str]] = {}
    for name, row in passages(home).items():
        held.setdefault(row["source"], set()).add(name)
    return [
        source
        for source, ids in held.items()
        if not any(version.get(source) == ids for version in known)
    ]


def start(home: Path, docs: Path, seconds: float) -> "subprocess.Popen[str]":
    """An ingestion in a process of its own, just when it begins to work."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(home), str(docs), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "begins\n", process.communicate()[1]
    return process


def kill_after(process: "subprocess.Popen[str]", seconds: float) -> bool:
    """Kill ``process`` without warning; whether it was still at work."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode == 0, output + errors
    return False


def killed_again_and_again(
    folder: Path, kills: int, seed: int, tell: Callable[[str], object] = lambda text: None
) -> dict[str, Any]:
    """Change a corpus and kill its ingestion, ``kills`` times; then let one run to its end.

    After each kill the index is looked at: it must hold whole documents only. Returns how it went
    and whether the last run left the same as one run into an empty folder.
    """
    chance = random.Random(seed)
    docs, home, clean = folder / "docs", folder / "home", folder / "clean"
    compose(docs, chance)
    began = perf_counter()
    process = start(folder / "first", docs, 0.02)
    begins = perf_counter()
    process.communicate()
    whole = perf_counter() - begins
    tell(f"a whole run works {whole:.2f} s, after {begins - began:.2f} s of imports")
    known = [versions(docs, home)]
    at_work, broken = 0, []
    for number in range(kills):
        at_work += kill_after(start(home, docs, 0.02), chance.uniform(0, whole))
        if (home / "passages").exists() and name_of_live(home):
            broken += halves(home, known)
            found_by_words(home)
        compose(docs, chance)
        known.append(versions(docs, home))
        tell(f"{number + 1} of {kills} killed")
    ingest(home, docs)
    ingest(clean, docs)
    last, expected = passages(home), passages(clean)
    return {
        "kills": kills,
        "killed_at_work": at_work,
        "documents": len(known[-1]),
        "passages": len(last),
        "halves_seen": broken,
        "same_passages": last == expected,
        "same_words_found": found_by_words(home) == found_by_words(clean),
    }


def name_of_live(home: Path) -> str | None:
    """The table that is live, if any is."""
    with ingestion(home) as able:
        return able.live.name()


def main() -> None:
    """Ingest, as the arguments say."""
    home, docs, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    with ingestion(home, seconds) as able:
        import lancedb  # noqa: F401 - what takes long is done before the work begins

        sys.stdout.write("begins\n")
        sys.stdout.flush()
        report = able.run([docs], NOW, prune=True)
    failed = [failure.error for failure in report.failed]
    sys.stdout.write(json.dumps({"documents": report.documents, "failed": failed}) + "\n")


if __name__ == "__main__":
    main()
