"""How long the program takes to start.

Measures the wall time of ``noria --help`` and of ``import noria``, each the median of ten fresh
processes, beside that of a Python that does nothing.

    python benchmarks/startup.py
"""

import argparse
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import _common

RUNS = 10


def seconds(command: list[str]) -> float:
    """Median wall time of ``command``, the first run left out: it fills the disk's cache."""
    times = []
    for _ in range(RUNS + 1):
        started = perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(perf_counter() - started)
    return median(times[1:])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="not used: every benchmark takes it")
    parser.parse_args()
    program = Path(sys.executable).parent / "noria"
    _common.show({
        "noria_help": seconds([str(program), "--help"]),
        "import_noria": seconds([sys.executable, "-c", "import noria"]),
        "python_alone": seconds([sys.executable, "-c", "pass"]),
        "runs": RUNS,
        "unit": "seconds",
    })  # fmt: skip


if __name__ == "__main__":
    main()
