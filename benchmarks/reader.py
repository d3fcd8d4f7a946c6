"""Ship a tuned release as the reading adapter that comes with Noria.

    python benchmarks/reader.py --home HOME RELEASE

writes its adapter, in 16 bits, and what it was made from, beside src/noria/models/reader.py. The
card there is written by hand.
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file, save_file

from noria.models.adapters import CONFIG, WEIGHTS
from noria.models.reader import FOLDER, RELEASE
from noria.store.artifacts import Artifacts, digest_at
from noria.store.database import url_in
from noria.store.registry import Registry
from noria.store.releases import as_json, made
from noria.store.versions import Version, version
from noria.types import Release

MOST = 10_000_000  # bytes: what a wheel may carry


def main() -> None:
    """Write the folder, and print its size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("release")
    parser.add_argument("--home", type=Path, required=True)
    given = parser.parse_args()
    registry = Registry(url_in(given.home, ""), Artifacts(given.home / "artifacts"))
    found = version(registry, given.release)
    if found.adapter is None:
        raise SystemExit(f"{found.id}: no adapter; expected a release that was tuned with LoRA")
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as scratch:
        release = shipped(found, found.adapter, Path(scratch))
        for name in (WEIGHTS, CONFIG):
            (FOLDER / name).write_bytes((Path(scratch) / name).read_bytes())
    told = json.dumps(as_json(release), indent=1) + "\n"
    (FOLDER / RELEASE).write_text(told, encoding="utf-8")
    size = (FOLDER / WEIGHTS).stat().st_size
    if size > MOST:
        raise SystemExit(f"{size:,} bytes; at most {MOST:,} fit into the wheel")
    print(f"{FOLDER}: {release.id}, {size:,} bytes")


def shipped(found: Version, adapter: Path, folder: Path) -> Release:
    """The release whose adapter, in ``folder``, has 16 bits; it asks as the encoder always did."""
    tensors = {name: tensor.half() for name, tensor in load_file(adapter / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_bytes((adapter / CONFIG).read_bytes())
    whole = found.release
    parts = {name: digest for name, digest in whole.parts.items() if name != "queries"}
    parts["adapter"] = digest_at(folder)
    return made("release", parts, whole.at, ["adapter"], [whole.id], whole.recipe)


if __name__ == "__main__":
    main()
