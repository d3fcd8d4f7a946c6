"""The folder of fetched weights, with digests remembered. Knows nothing of where they come from.

An entry is ``<entry>/files/<name>`` beside ``<entry>/manifest.json``. It is filled under another
name and renamed when the manifest, written last, is on disk: an entry without one is garbage.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from noria.errors import SourceError
from noria.jobs import locked
from noria.store import content
from noria.store.content import FileDigest, combined, hashed, remove, sync, write_json

MANIFEST = "manifest.json"
FILES = "files"
REMEMBERED_BYTES = 1 << 20  # smaller files are hashed each time: as quick as looking them up


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an entry holds; ``files`` by path below the entry's ``files`` folder."""

    source: str
    name: str
    digest: str
    files: Mapping[str, FileDigest]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


def default_cache() -> Path:
    """Where weights are kept: ``models`` in ``NORIA_CACHE``, or in the user's cache folder."""
    import platformdirs

    chosen = os.environ.get("NORIA_CACHE")
    return (
        Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("noria")
    ) / "models"


def digest_of(path: Path, cache: Path | None = None) -> str:
    """Digest of the content of a file, or of a folder: names and content of its files.

    Cached weights are not read again: their manifest knows. For other large files the digest is
    remembered in ``cache`` until their size or time of change differs. Raises SourceError where
    there is nothing.
    """
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder; check the path")
    manifest = read_manifest(path.parent.parent)
    if manifest and manifest.name == path.name and path.parent.name == FILES:
        return manifest.digest
    return combined(path, digests(path, cache or default_cache()))


def digests(path: Path, cache: Path | None = None) -> dict[str, FileDigest]:
    """Digest of each file of ``path``, by its path below the folder that holds ``path``.

    Those of large files are remembered in ``cache``.
    """
    return content.digests(path, partial(sha256, cache=cache))


def sha256(path: Path, cache: Path | None = None) -> str:
    """SHA-256 of a file, remembered in ``cache`` when the file is large."""
    before = path.stat()
    if cache is None or before.st_size < REMEMBERED_BYTES:
        return hashed(path)
    place = str(path.resolve())
    note = cache / "digests" / f"{hashlib.sha256(place.encode()).hexdigest()[:32]}.json"
    stamp = [place, before.st_size, before.st_mtime_ns]
    with suppress(OSError, ValueError, KeyError, TypeError):  # a note lost or damaged is made again
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["stamp"] == stamp:
            return str(known["sha256"])
    digest = hashed(path)
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
        with suppress(OSError):  # a cache that cannot be written costs time, nothing else
            write_json(note, {"stamp": stamp, "sha256": digest})
    return digest


def read_manifest(entry: Path) -> Manifest | None:
    """The manifest of ``entry`` if the entry is whole: every file there, with its size."""
    try:
        raw = json.loads((entry / MANIFEST).read_text(encoding="utf-8"))
        files = {name: FileDigest(**file) for name, file in raw["files"].items()}
        manifest = Manifest(raw["source"], raw["name"], raw["digest"], files)
        sizes = {name: (entry / FILES / name).stat().st_size for name in files}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # absent or damaged: the entry is garbage and will be fetched again
    return manifest if all(files[name].size == size for name, size in sizes.items()) else None


@contextmanager
def filling(entry: Path) -> Iterator[Path]:
    """A new folder that becomes ``entry`` when the block ends well, and vanishes otherwise.

    The caller writes the files and, last, the manifest.
    """
    building = entry.with_name(f"{entry.name}.new")
    remove(building)
    (building / FILES).mkdir(parents=True)
    try:
        yield building
        remove(entry)
        os.replace(building, entry)
        sync(entry.parent)
    finally:
        remove(building)


def kept(entry: Path, source: str, doing: str, make: Callable[[Path], Path]) -> Path:
    """What ``make`` writes into the folder that it is given, made once and kept as ``entry``.

    ``make`` returns the path of its file or folder. Processes that ask at once wait for the first.
    """
    if held := read_manifest(entry):
        return entry / FILES / held.name
    with locked(entry.with_suffix(".lock"), doing, timeout=-1):
        held = read_manifest(entry)
        if held is None:
            with filling(entry) as building:
                made = make(building / FILES)
                files = digests(made)
                held = Manifest(source, made.name, combined(made, files), files)
                write_manifest(building, held)
    return entry / FILES / held.name


def write_manifest(entry: Path, manifest: Manifest) -> None:
    """Put the files on disk, then the manifest: from here on the entry is whole."""
    for name in manifest.files:
        sync(entry / FILES / name)
    write_json(entry / MANIFEST, asdict(manifest))
