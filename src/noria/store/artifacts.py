"""Files and folders under the digest of their content. Knows nothing of what they hold.

An artifact is ``<root>/<digest>``: a file, or a folder. It is built under another name and renamed
when it is on disk and its digest is right, so what has its name is whole. What no row names is
garbage.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from noria.errors import NoriaError, UsageError
from noria.jobs import locked
from noria.store.content import combined, digests, remove, sync

DIGEST = re.compile(r"[0-9a-f]{64}")
# What no file system refuses, or takes for a path: an artifact can be carried anywhere.
UNFIT = re.compile(r"[\x00-\x1f\x7f\\:]")
LONGEST = 255  # bytes of a name


class Artifacts:
    """The artifacts of one folder.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_text("abc")
    >>> artifacts = Artifacts(folder / "artifacts")
    >>> digest = artifacts.put(folder / "a.txt")
    >>> digest[:8], artifacts.path(digest).read_text(), artifacts.size(digest)
    ('ba7816bf', 'abc', 3)
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: Path) -> str:
        """Store a file, or a folder with all its files, and say its digest.

        A file is stored without its name. Raises UsageError for what cannot be stored: nothing,
        an empty folder, pipes, names that other systems refuse.
        """
        fit(path)
        digest = combined(path, digests(path))
        if not self.has(digest):
            self.keep(digest, lambda target: copy(path, target))
        return digest

    def keep(self, digest: str, write: Callable[[Path], None]) -> None:
        """Store what ``write`` writes to the path that it is given, if its digest is this one.

        Raises UsageError if it is another, NoriaError if the disk does not take it.
        """
        final, building = self.root / checked(digest), self.root / "new"
        try:
            with locked(self.root / "lock", "storing an artifact", timeout=-1):
                if final.exists():
                    return
                remove(building)  # of a process that was killed
                try:
                    write(building)
                    same(digest_at(building), digest)
                    for part in [*building.rglob("*"), building]:
                        sync(part)
                    os.replace(building, final)
                finally:
                    remove(building)
                sync(self.root)
                sync(self.root.parent)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise NoriaError(
                f"{self.root}: an artifact cannot be stored: {reason}; nothing is half stored"
            ) from None

    def has(self, digest: str) -> bool:
        """Whether it is here."""
        return (self.root / checked(digest)).exists()

    def path(self, digest: str) -> Path:
        """Where its file or folder lies; not to be changed. Raises NoriaError if it is nowhere."""
        path = self.root / checked(digest)
        if not path.exists():
            raise NoriaError(
                f"{path}: the artifact is missing; import the release again, or restore the folder"
            )
        return path

    def files(self, digest: str) -> dict[str, Path]:
        """Its files by their path below it; a single file has the empty name."""
        path = self.path(digest)
        if path.is_file():
            return {"": path}
        found = (file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): file for file in sorted(found)}

    def size(self, digest: str) -> int:
        """Bytes of its files."""
        return sum(file.stat().st_size for file in self.files(digest).values())

    def verify(self, digest: str) -> None:
        """Read all of it; raise NoriaError if it is not what it was."""
        path = self.path(digest)
        if digest_at(path) != digest:
            raise NoriaError(
                f"{path}: the artifact was changed or damaged; remove it, and import or make it "
                "again"
            )


def checked(digest: str) -> str:
    """``digest``, if it is one; a name that is none could lead anywhere."""
    if not DIGEST.fullmatch(digest):
        raise NoriaError(f"expected a digest, 64 characters of 0-9 and a-f, got {digest[:80]!r}")
    return digest


def same(found: str, expected: str) -> None:
    """Raise UsageError if content does not have the digest that it should have."""
    if found != expected:
        raise UsageError(
            f"expected content with the digest {expected[:16]}…, got {found[:16]}…; it was "
            "damaged, or changed while it was read"
        )


def digest_at(path: Path) -> str:
    """Digest of a file or a folder, read now."""
    return combined(path, digests(path))


def fit(path: Path) -> None:
    """Raise UsageError for what cannot be an artifact."""
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder; expected one to store")
    parts = [path] if not path.is_dir() else sorted(path.rglob("*"))
    if path.is_dir() and not any(part.is_file() for part in parts):
        raise UsageError(f"{path}: the folder holds no file; expected some content to store")
    for part in parts:
        if not part.is_file() and not part.is_dir():
            raise UsageError(f"{part}: not a file; only files and folders can be stored")
        if path.is_dir() and not fit_name(part.relative_to(path).as_posix()):
            raise UsageError(f"{str(part)!r}: the name cannot be stored; rename the file")


def fit_name(name: str) -> bool:
    r"""Whether a path below an artifact is one on every system, and leads to nowhere else.

    >>> [fit_name(name) for name in ("a/b.txt", "../a", "/a", "a//b", "C:\\a", "")]
    [True, False, False, False, False, False]
    """
    try:
        sizes = [len(part.encode()) for part in name.split("/")]
    except UnicodeEncodeError:
        return False
    dots = any(part.rstrip(". ") != part for part in name.split("/"))  # Windows drops them
    return not (UNFIT.search(name) or dots or min(sizes) == 0 or max(sizes) > LONGEST)


def copy(path: Path, target: Path) -> None:
    """The files of ``path`` as ``target``: content alone, links followed."""
    if path.is_file():
        shutil.copyfile(path, target)
        return
    for file in path.rglob("*"):
        if file.is_file():
            to = target / file.relative_to(path)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)
