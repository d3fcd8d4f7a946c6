"""Releases in one file, to be carried elsewhere. Nothing in it is believed: all is checked.

A ZIP file without compression: ``manifest.json``, then ``artifacts/<digest>[/<path>]``. The same
release gives the same bytes. It holds the release, all that it was made from, and their artifacts.
"""

import json
import os
import shutil
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from noria.errors import DataError, NoriaError, UsageError
from noria.store.artifacts import DIGEST, fit_name
from noria.store.content import CHUNK, remove, sync
from noria.store.registry import Registry, spelled
from noria.store.releases import Run, as_json, from_json, run_as_json, run_from_json
from noria.types import Release

FORMAT = "noria-releases"
VERSION = 1
MANIFEST = "manifest.json"
FOLDER = "artifacts/"
NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP file can tell: the same bytes any day
MANIFEST_BYTES = 64 << 20
ENTRIES = 100_000
UTF8 = 0x800  # the only flag of an entry that this format has


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself: the releases, ancestors first, and how they were trained."""

    releases: tuple[Release, ...]
    runs: Mapping[str, Run]

    @property
    def artifacts(self) -> frozenset[str]:
        """Digests of all that is stored."""
        return frozenset(r.parts[name] for r in self.releases for name in r.stored)


def export(registry: Registry, release: str, file: Path) -> tuple[Release, ...]:
    """Write a release, its ancestors and their artifacts to ``file``; say which they are.

    Raises UsageError if the file exists or the release is unknown; NoriaError if an artifact was
    damaged, or if the disk does not take it.
    """
    if file.exists():
        raise UsageError(f"{file}: exists already; choose another name, or remove it")
    found = registry.lineage(registry.get(release))
    runs = {r.id: run for r in found if (run := registry.run(r.id))}
    manifest = Manifest(found, runs)
    for digest in sorted(manifest.artifacts):
        registry.artifacts.verify(digest)
    building = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(building, manifest, registry)
            os.replace(building, file)
        finally:
            remove(building)
        sync(file.parent)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise NoriaError(f"{file}: cannot be written: {reason}; nothing was written") from None
    return found


def write(file: Path, manifest: Manifest, registry: Registry) -> None:
    """Write the archive and put it on disk."""
    text = spelled(
        {
            "format": FORMAT,
            "version": VERSION,
            "releases": [as_json(release) for release in manifest.releases],
            "runs": {release: run_as_json(run) for release, run in manifest.runs.items()},
        }
    )
    with ZipFile(file, "w", ZIP_STORED) as archive:
        archive.writestr(entry(MANIFEST, 0), text)
        for digest in sorted(manifest.artifacts):
            for name, source in sorted(registry.artifacts.files(digest).items()):
                place = f"{FOLDER}{digest}/{name}".rstrip("/")
                information = entry(place, source.stat().st_size)
                with archive.open(information, "w") as target, source.open("rb") as content:
                    shutil.copyfileobj(content, target, CHUNK)
    sync(file)


def entry(name: str, size: int) -> ZipInfo:
    """An entry that is the same whenever and wherever it is written."""
    information = ZipInfo(name, NO_TIME)
    information.create_system = 3  # UNIX, on every system
    information.external_attr = (stat.S_IFREG | 0o644) << 16
    information.file_size = size
    return information


def take(registry: Registry, file: Path) -> tuple[Release, ...]:
    """Register the releases of an archive, ancestors first; the last is the one it was made for.

    Their artifacts are stored before. Raises DataError, and registers nothing, for a file that is
    no archive, has an entry that it should not have, or content with another digest than it says.
    """
    with reading(file) as archive:
        entries = checked_entries(archive, file)
        manifest = read_manifest(archive, entries.pop(MANIFEST, None), file)
        contents = by_artifact(entries, manifest.artifacts, file)
        free = shutil.disk_usage(nearest(registry.artifacts.root)).free
        if (wanted := sum(info.file_size for info in entries.values())) > free:
            raise NoriaError(
                f"{file}: needs {wanted} bytes in {registry.artifacts.root}, where {free} are free"
            )
        try:
            for digest, files in contents.items():
                registry.artifacts.keep(digest, partial(unpack, archive, files))
            registry.add_all(manifest.releases, manifest.runs)
        except UsageError as error:
            raise DataError(str(error), file) from None
    return manifest.releases


@contextmanager
def reading(file: Path) -> Iterator[ZipFile]:
    """A ZIP file; whatever is found wrong with it is told as a DataError."""
    if not file.is_file():
        raise DataError("no such file; expected one that 'noria releases export' wrote", file)
    try:
        with ZipFile(file) as archive:
            yield archive
    except (BadZipFile, NotImplementedError, EOFError, ValueError, struct.error) as error:
        raise DataError(
            f"damaged, or no archive of releases ({error}); export it again", file
        ) from None
    except OSError as error:
        reason = error.strerror or "not a whole file"
        raise DataError(f"cannot be read: {reason}", file) from None


def checked_entries(archive: ZipFile, file: Path) -> dict[str, ZipInfo]:
    """The entries by name, if they are plain files as ``write`` writes them."""
    listed = archive.infolist()
    if len(listed) > ENTRIES:
        raise DataError(f"{len(listed)} entries; expected {ENTRIES} at most", file)
    for info in listed:
        kind = stat.S_IFMT(info.external_attr >> 16)
        plain = info.compress_type == ZIP_STORED and info.file_size == info.compress_size
        if not plain or info.flag_bits & ~UTF8:
            raise DataError(f"entry {info.filename[:80]!r}: compressed or encrypted", file)
        if kind not in (0, stat.S_IFREG) or info.filename != info.orig_filename:
            raise DataError(f"entry {info.filename[:80]!r}: not a plain file", file)
        if not fit_name(info.filename):
            raise DataError(f"entry {info.filename[:80]!r}: a name that leads elsewhere", file)
    if len({info.filename for info in listed}) != len(listed):
        raise DataError("two entries have the same name", file)
    # entries are not compressed, so more than this would be read from the same bytes twice
    if sum(info.file_size for info in listed) > file.stat().st_size:
        raise DataError("its entries say that they hold more than the file has", file)
    return {info.filename: info for info in listed}


def read_manifest(archive: ZipFile, info: ZipInfo | None, file: Path) -> Manifest:
    """What the archive says of itself; raises DataError unless it is one of ours."""
    if info is None or info.file_size > MANIFEST_BYTES:
        raise DataError(f"no archive of releases: it has no {MANIFEST}, or a giant one", file)
    try:
        raw = json.loads(archive.read(info))
    except (ValueError, RecursionError):
        raise DataError(f"{MANIFEST} is no JSON", file) from None
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise DataError(f"{MANIFEST} is not one of an archive of releases", file)
    if raw.get("version") != VERSION:
        found = f"{raw.get('version')!r}"[:80]
        raise DataError(f"version {found}; this Noria reads {VERSION}: install a newer one", file)
    try:
        releases = tuple(from_json(release) for release in list(raw["releases"]))
        runs = {str(name): run_from_json(run) for name, run in dict(raw["runs"]).items()}
    except (UsageError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{MANIFEST}: {error}", file) from None
    if not releases or not runs.keys() <= {release.id for release in releases}:
        raise DataError(f"{MANIFEST} names no release, or a run of none", file)
    return Manifest(releases, runs)


def by_artifact(
    entries: Mapping[str, ZipInfo], wanted: frozenset[str], file: Path
) -> dict[str, dict[str, ZipInfo]]:
    """The files of each artifact by their path in it; raises DataError if any lacks, or is more."""
    found: dict[str, dict[str, ZipInfo]] = {digest: {} for digest in sorted(wanted)}
    for name, info in entries.items():
        digest, _, inside = name.removeprefix(FOLDER).partition("/")
        if not name.startswith(FOLDER) or not DIGEST.fullmatch(digest) or digest not in found:
            raise DataError(f"entry {name[:80]!r}: belongs to none of its releases", file)
        found[digest][inside] = info
    for digest, files in found.items():
        if not files or ("" in files and len(files) > 1) or nested(files):
            raise DataError(f"artifact {digest[:16]}…: missing, or both a file and a folder", file)
    return found


def nested(files: Mapping[str, ZipInfo]) -> bool:
    """Whether one of them would have to be a file and a folder."""
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    return any(name in folders for name in files)


def unpack(archive: ZipFile, files: Mapping[str, ZipInfo], target: Path) -> None:
    """Write the files of one artifact."""
    for name, info in files.items():
        place = target / name if name else target
        place.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, place.open("xb") as file:
            shutil.copyfileobj(source, file, CHUNK)


def nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
