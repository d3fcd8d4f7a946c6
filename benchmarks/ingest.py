"""How much faster it is to ingest a corpus again when nothing in it has changed.

Measures the seconds of the first ingestion of 1,000 files, each an abstract of SciFact (or of the
files in ``--folder``), in a new home, and of the second, in this process with the encoder already
loaded for the first one and not needed for the second, and their ratio. ``passages_per_second`` is
mostly the encoder's.

    python benchmarks/ingest.py --data DIR
"""

import json
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter

import _common
from noria.build import House
from noria.config import Settings
from noria.corpus.ingest import Report

AGAIN = 3
FILES = 1_000


def main() -> None:
    """Measure and print."""
    given = _common.arguments(__doc__, lambda parser: parser.add_argument("--folder"))
    _common.models().encoder.encode_queries(["loads the weights before the clock runs"])
    with tempfile.TemporaryDirectory() as place:
        home, files = Path(place) / "home", Path(place) / "files"
        corpus = given.data / given.folder if given.folder else abstracts(given.data, files)
        first, fresh = timed(home, corpus)
        later = [timed(home, corpus) for _ in range(AGAIN)]
    assert all(report.unchanged == first.documents for report, _ in later)
    again = sorted(seconds for _, seconds in later)[AGAIN // 2]
    _common.show({
        "documents": first.documents,
        "passages": first.passages,
        "failed": len(first.failed),
        "skipped": len(first.skipped),
        "first_seconds": fresh,
        "again_seconds": again,
        "ratio": fresh / again,
        "passages_per_second": first.passages / fresh,
    })  # fmt: skip


def abstracts(data: Path, folder: Path) -> Path:
    """``folder`` with a file for each of the first abstracts."""
    folder.mkdir()
    with (data / "scifact" / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in islice(lines, FILES):
            document = json.loads(line)
            text = f"{document['title']}\n\n{document['text']}\n"
            (folder / f"{document['_id']}.txt").write_text(text, encoding="utf-8")
    return folder


def timed(home: Path, corpus: Path) -> tuple[Report, float]:
    """One ingestion by a house of its own, as a command would make it, and its seconds."""
    started = perf_counter()
    house = House(replace(Settings(), home=home), _common.Told())
    report = house.ingestion.run([corpus], datetime.now(UTC))
    return report, perf_counter() - started


if __name__ == "__main__":
    main()
