"""What files are now, compared with what the index knows of them. Reads bytes, parses nothing."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

from noria.corpus.index import DocumentState
from noria.types import Fields

EXTRACTION = 2  # raise when the loaders read a file differently: it is then read again


@dataclass(frozen=True, slots=True)
class File:
    """A file to bring up to date: where it is, and who may read what is in it."""

    id: str
    path: Path
    source: str
    groups: frozenset[str]
    fields: Fields

    def fingerprint(self, digest: str) -> str:
        """Digest of all that decides the document's passages, besides the recipe."""
        parts = [*extraction(), digest, self.id, sorted(self.groups)]
        decided = json.dumps([*parts, dict(self.fields)], sort_keys=True)
        return hashlib.sha256(decided.encode()).hexdigest()[:32]


@cache  # asked for every file, and slow to find
def extraction() -> tuple[int, str]:
    """What reads a file: Noria's loaders, and the library below them."""
    return EXTRACTION, version("kreuzberg")


def missing(known: Collection[str], roots: Sequence[str | Path]) -> set[str]:
    """The known sources below ``roots`` (anywhere, without any) whose files are gone."""
    folders = {source_of(root) for root in roots}
    return {s for s in known if (not folders or below(s, folders)) and is_gone(s)}


def is_gone(source: str) -> bool:
    """Whether there is no such file, or now a link or a folder in its place.

    One that may not be looked at is not gone.
    """
    try:
        mode = os.lstat(source).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return stat.S_ISLNK(mode) or stat.S_ISDIR(mode)


def below(source: str, folders: Set[str]) -> bool:
    """Whether ``source`` is one of ``folders`` or lies in one."""
    return source in folders or not folders.isdisjoint(map(str, Path(source).parents))


def narrowed(state: DocumentState, groups: frozenset[str]) -> bool:
    """Whether the index shows the document to somebody who is not in ``groups``, its new ones."""
    return bool(groups) and not (state.groups and state.groups <= groups)


def inherited(file: File, digest: str, orphans: Sequence[DocumentState]) -> File:
    """``file`` with the groups and fields of the document that it was, if it was one of them."""
    for state in orphans:
        was = replace(file, id=state.document, groups=state.groups, fields=state.fields)
        if state.source == file.source or was.fingerprint(digest) == state.fingerprint:
            return replace(file, groups=state.groups, fields={**state.fields, **file.fields})
    return file


def source_of(path: str | Path) -> str:
    """What makes a document the same document: its absolute path, links resolved."""
    return os.path.realpath(path)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe, in place of a known file, never ends
        raise OSError(errno.EINVAL, "not a regular file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unlike(fingerprint: str, state: DocumentState | None) -> bool:
    """Whether the index does not hold the document as it is now."""
    return state is None or state.fingerprint != fingerprint
