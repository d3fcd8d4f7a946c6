"""Paths that a user gave -> the files to read, in an order that never changes.

Knows suffixes only; opens nothing.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from noria.corpus.load import FORMATS, suffix_of
from noria.errors import UsageError


@dataclass(frozen=True, slots=True)
class Found:
    """A file under the paths that were given.

    ``id`` is its path as the user gave it, with ``/`` between names. ``skipped`` says why it is
    not taken; empty: read it.
    """

    id: str
    path: Path
    skipped: str = ""


def discover(paths: Sequence[str | Path]) -> Iterator[Found]:
    """Every file once, folders searched to the bottom, names sorted.

    Hidden files and folders below an argument are left out unseen, the state folder among them.
    A file named by the user is always taken: if its type is unknown, ``load`` says so. Files of
    unknown types inside folders come with the reason in ``skipped``. Raises UsageError at once
    when a path does not exist.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"{path}: no such file or folder; check the spelling")
    return distinct(paths)


def distinct(paths: Sequence[str | Path]) -> Iterator[Found]:
    """What is under ``paths``, each file under the first id that leads to it."""
    folders: set[str] = set()
    files: set[str] = set()
    for argument in paths:
        # normpath: 'docs', './docs' and 'docs/' are the same documents
        root = Path(os.path.normpath(argument))
        found = walk(root, root.as_posix(), folders) if root.is_dir() else named(root)
        for file in found:
            real = os.path.realpath(file.path)
            if real not in files:
                files.add(real)
                yield file


def named(path: Path) -> Iterator[Found]:
    """The file that the user named."""
    yield Found(path.as_posix(), path, unwritable(path.as_posix()))


def walk(folder: Path, folder_id: str, visited: set[str]) -> Iterator[Found]:
    """Files of ``folder`` and below. ``visited``: a link back up is not followed twice."""
    real = os.path.realpath(folder)
    if real in visited:
        return
    visited.add(real)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Found(folder_id, folder, f"cannot be listed: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = entry.name if folder_id == "." else f"{folder_id.rstrip('/')}/{entry.name}"
        path = Path(entry.path)
        if path.is_dir():
            yield from walk(path, name, visited)
        else:
            yield Found(name, path, reason_to_skip(path, name))


def reason_to_skip(path: Path, name: str) -> str:
    """Why a file found in a folder is not taken; empty if it is."""
    if not path.is_file():
        return "broken link" if path.is_symlink() else "not a regular file"
    if suffix_of(path) not in FORMATS:
        return f"unknown type '{suffix_of(path)}'" if suffix_of(path) else "no suffix"
    return unwritable(name)


def unwritable(name: str) -> str:
    """Why ``name`` cannot be an id; empty if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    return ""
