"""What the benchmarks share: arguments, the default models, progress on stderr, JSON on stdout."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from noria.config import Settings
from noria.corpus.split import TokenSplitter
from noria.models.cache import default_cache
from noria.models.encode import SentenceEncoder
from noria.models.sources import fetch

SEED = 20260


@dataclass(frozen=True)
class Models:
    """The default encoder and the splitter that fits it."""

    encoder: SentenceEncoder
    splitter: TokenSplitter
    languages: tuple[str, ...]


@cache
def models() -> Models:
    """Noria's defaults; the weights are fetched where they are not in the cache."""
    settings = Settings()
    path = fetch(settings.models.encoder)
    encoder = SentenceEncoder(path)
    splitter = TokenSplitter(
        path / "tokenizer.json", encoder.max_tokens, settings.corpus.passage_tokens
    )
    return Models(encoder, splitter, settings.corpus.languages)


def arguments(about: str, more: Callable[[argparse.ArgumentParser], object] | None = None) -> Any:
    """The command line: ``--data`` and ``--home``, and what ``more`` adds."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=folder, default=os.environ.get("NORIA_DATA"),
                        help="folder of the data sets (default: NORIA_DATA)")  # fmt: skip
    parser.add_argument("--home", type=Path, default=default_cache().parent / "benchmarks",
                        help="where indexes are kept for the next run")  # fmt: skip
    if more:
        more(parser)
    parsed = parser.parse_args()
    if parsed.data is None:
        parser.error("name the folder of the data sets: --data DIR, or NORIA_DATA")
    return parsed


def folder(text: str) -> Path:
    """An argument that must be a folder."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return path


class Told:
    """Progress on stderr: at the beginning, at the end, and each tenth between."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", -1)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Write a line where something new can be told."""
        now = (stage, 10 * done // max(1, total))
        if now != self._last:
            self._last = now
            print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """Say on stderr what comes next."""
    print(text, file=sys.stderr, flush=True)


def show(result: Any) -> None:
    """Print the result, with the machine it was measured on."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(),
               "system": platform.system()}  # fmt: skip
    print(json.dumps(rounded({**result, "machine": machine}), indent=2))


def rounded(value: Any) -> Any:
    """``value`` with floats of at most five digits after the point."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return value


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie."""
    import numpy as np

    return float(np.quantile(values, share))
