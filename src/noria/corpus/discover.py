"""Paths that a user gave -> the files to read, in an order that never changes.

Knows suffixes only; opens nothing.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from noria.corpus.load import refusal
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
    folders: set[tuple[int, int]] = set()
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


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder to look into."""

    id: str
    path: Path


def walk(folder: Path, folder_id: str, visited: set[tuple[int, int]]) -> Iterator[Found]:
    """Files of ``folder`` and below, however deep."""
    waiting = [listed(Folder(folder_id, folder), visited)]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
        elif isinstance(found, Folder):
            waiting.append(listed(found, visited))
        else:
            yield found


def listed(folder: Folder, visited: set[tuple[int, int]]) -> Iterator[Found | Folder]:
    """What is in ``folder``. ``visited``: a link back up is not followed twice."""
    try:
        # not its real path: to resolve that costs a look at each folder above
        at = os.stat(folder.path)
        if (at.st_dev, at.st_ino) in visited:
            return
        visited.add((at.st_dev, at.st_ino))
        entries = sorted(os.scandir(folder.path), key=lambda entry: entry.name)
    except OSError as error:
        yield Found(folder.id, folder.path, f"cannot be listed: {error.strerror}")
        return
    for entry in entries:
        if not entry.name.startswith("."):
            name = entry.name if folder.id == "." else f"{folder.id.rstrip('/')}/{entry.name}"
            yield looked_at(name, Path(entry.path))


def looked_at(name: str, path: Path) -> Found | Folder:
    """What is at ``path``."""
    try:
        return (
            Folder(name, path) if path.is_dir() else Found(name, path, reason_to_skip(path, name))
        )
    except OSError as error:  # a link to a name that is too long
        return Found(name, path, f"cannot be looked at: {error.strerror}")


def reason_to_skip(path: Path, name: str) -> str:
    """Why a file found in a folder is not taken; empty if it is."""
    if not path.is_file():
        return "not a regular file" if path.exists() else "broken link"
    if path.name.startswith("~$"):
        return "Office's mark that a file is open"
    return refusal(path) or unwritable(name)


def unwritable(name: str) -> str:
    """Why ``name`` cannot be an id; empty if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    return ""
