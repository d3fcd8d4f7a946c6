"""Digests of content, and files that a crash cannot halve. Knows nothing of what they hold."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileDigest:
    """SHA-256 and size of one file."""

    sha256: str
    size: int


def hashed(path: Path) -> str:
    """SHA-256 of a file, read now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(path: Path, hashing: Callable[[Path], str] = hashed) -> dict[str, FileDigest]:
    """Digest of each file of ``path``, by its path below the folder that holds ``path``."""
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file())
    return {
        file.relative_to(path.parent).as_posix(): FileDigest(hashing(file), file.stat().st_size)
        for file in files
    }


def combined(path: Path, files: Mapping[str, FileDigest]) -> str:
    """One digest for ``path``: the file's own, or that of a folder's sorted names and digests."""
    if path.is_file():
        return files[path.name].sha256
    prefix = f"{path.name}/"  # the folder's own name does not count
    lines = (f"{name.removeprefix(prefix)}\0{files[name].sha256}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_json(path: Path) -> Any:
    """The JSON in a file; None where there is none to read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_text(json.dumps(value, indent=1, sort_keys=True), encoding="utf-8")
    sync(temporary)
    os.replace(temporary, path)


def sync(path: Path) -> None:
    """Ask the system to put a file, or a folder's names, on disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Delete a file or a folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
