"""Whether an ingestion that is killed again and again ends like one that never was.

Changes a small corpus and ingests it with a fake encoder, in a process that ``kill -9`` ends at a
random moment; so ``--kills`` times. After each, the index must answer and hold whole documents
only. Then one run goes to its end, and must leave the same passages (ids, texts, vectors, groups,
fingerprints) as one run into an empty folder, found by the same words.

    python benchmarks/crash.py --kills 50
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "stories"))

from interrupted import killed_again_and_again


def main() -> None:
    """Kill, compare and print; exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20260)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = killed_again_and_again(
            Path(folder), given.kills, given.seed, lambda text: print(text, file=sys.stderr)
        )
    print(json.dumps({"seed": given.seed, **told}, indent=2))
    if told["halves_seen"] or not (told["same_passages"] and told["same_words_found"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
