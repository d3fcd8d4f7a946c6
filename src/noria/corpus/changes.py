"""What changed below some paths since it was last taken. Compares files' stamps, reads none.

A notice that something happened makes it quick (``hear``), a walk over everything makes it sure
(``look``): notices get lost when too many come at once, and do not exist for network folders.
Knows nothing of the index, nor who gives notice.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from noria.corpus.discover import Found, distinct, reason_to_skip, walk

QUIET = 0.3  # seconds without a change after which a file counts as written
RESTLESS = 10.0  # seconds after which one that never comes to rest is taken as it is
GATHER = 1.0  # seconds that quiet files wait for others, so that a burst is taken at once
SLICE = 0.05  # seconds of walking at a time: notices must not wait for a large folder
SHARE = 50  # a walk may take one part in so many of the time
WALKS = (1.0, 300.0)  # seconds between two walks, at least and at most

Stamp = tuple[int, ...]  # size, times of change and inode
UNSEEN: Stamp = ()  # it is there, perhaps, but may not be looked at


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it was last taken; ``path`` as ``discover`` spells it."""

    path: Path
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Pending:
    """A file that differs from what was taken: since when, and when it last changed again."""

    path: Path
    stamp: Stamp | None
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What to bring up to date.

    ``changed``: files that are new or different, spelled as ``discover`` spells them. ``gone``:
    the absolute paths of files that left, links resolved, as the index knows them.
    """

    changed: tuple[Path, ...] = ()
    gone: tuple[Path, ...] = ()


class Tree:
    """The files below ``roots``. ``clock``: seconds, never going back.

    A root that vanishes takes nothing with it: an unmounted disk is not a deleted document. What
    was in it is compared again when it is back.
    """

    def __init__(
        self, roots: Sequence[str | Path], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        paths = [Path(os.path.normpath(root)) for root in roots]
        self.folders = [path for path in paths if os.path.isdir(path)]
        self._files = [path for path in paths if not os.path.isdir(path)]
        self._mounts = {path for path in self.folders if os.path.ismount(path)}
        # as a notice may spell them, which is absolute, and on macOS without links
        spellings = [(f(root), root) for f in (os.path.abspath, os.path.realpath)
                     for root in self.folders]  # fmt: skip
        self._tops = [(os.path.join(top, ""), root) for top, root in spellings]
        self._seen: dict[str, Seen] = {}  # by the real path
        self._pending: dict[str, Pending] = {}
        self._holders: set[Path] = set()  # folders and links: if one goes, files go with it
        self._reals: dict[Path, str] = {}
        self._walk: Iterator[None] | None = None
        self._spent = 0.0
        self._next_walk = 0.0  # at once: whoever gives notice may begin later than this
        for file in self._found():
            stamp = stamp_of(file.path)
            if stamp:
                self._seen[self._source(file.path)] = Seen(file.path, stamp)

    def there(self, root: Path) -> bool:
        """Whether the folder ``root`` is there, and what was mounted on it too."""
        return os.path.isdir(root) and (root not in self._mounts or os.path.ismount(root))

    def places(self) -> dict[Path, tuple[int, int]]:
        """The folders among the roots that are there, and which ones they are."""
        found = {}
        for root in self.folders:
            if self.there(root):
                with suppress(OSError):  # gone since
                    folder = os.stat(root)
                    found[root] = folder.st_dev, folder.st_ino
        return found

    def doubt(self) -> None:
        """Walk over all files anew: notices may have been lost."""
        self._walk, self._next_walk = None, 0.0

    def hear(self, paths: Iterable[str]) -> None:
        """Look at ``paths``, absolute, of which somebody says that something happened to them."""
        self._reals.clear()
        walked: set[Path] = set()
        left: set[Path] = set()
        for name in sorted(paths):  # folders before what is in them
            path = self._spelled(name)
            if path is None or walked & {path, *path.parents}:
                continue
            if os.path.isdir(path):
                walked.add(path)
                self._meet(walk(path, path.as_posix(), set()))
            elif (stamp := stamp_of(path)) is None:
                self._note(self._source(path), path, None)
                left |= {path} & self._holders
            elif not reason_to_skip(path, path.as_posix()):
                self._note(self._source(path), path, stamp)
        if left:
            self._miss([s for s, f in self._seen.items() if left & {f.path, *f.path.parents}])

    def glance(self) -> None:
        """Look at the roots that are files: nobody gives notice of those."""
        self._meet(Found(path.as_posix(), path) for path in self._files)

    def look(self) -> None:
        """Go on with the walk over all files, if it is time for one; returns soon."""
        started = self._clock()
        if self._walk is None:
            if started < self._next_walk:
                return
            self._walk, self._spent = self._walked(), 0.0
        for _ in self._walk:
            if self._clock() - started >= SLICE:
                self._spent += self._clock() - started
                return
        ended = self._clock()
        self._spent += ended - started
        soonest, latest = WALKS
        self._next_walk = ended + min(max(self._spent * SHARE, soonest), latest)
        self._walk = None

    def settled(self) -> Changes | None:
        """What has come to rest, or never will; None while there is nothing, or more to come."""
        now = self._clock()
        for source in self._ripe(now):  # once more: not every change is noticed
            file = self._pending[source]
            stamp = stamp_of(file.path)
            if stamp is None and self._lost_with_its_root(file.path):
                del self._pending[source]
            else:
                self._note(source, file.path, stamp)
        ripe = self._ripe(now)
        if not ripe:
            return None
        oldest = min(self._pending[source].first for source in ripe)
        if len(ripe) < len(self._pending) and now - oldest < GATHER:
            return None
        files = {source: self._pending[source] for source in ripe}
        changed = sorted(file.path for file in files.values() if file.stamp is not None)
        gone = sorted(Path(source) for source, file in files.items() if file.stamp is None)
        return Changes(tuple(changed), tuple(gone))

    def taken(self, changes: Changes) -> None:
        """Remember that ``changes``, the last that had settled, are in the index."""
        changed, gone = set(changes.changed), set(map(str, changes.gone))
        for source, file in list(self._pending.items()):
            if file.stamp is not None and file.path in changed:
                self._seen[source] = Seen(file.path, file.stamp)
                del self._pending[source]
            elif file.stamp is None and source in gone:
                del self._seen[source], self._pending[source]

    def _note(self, source: str, path: Path, stamp: Stamp | None) -> None:
        """The file is as ``stamp`` says now; None: it is gone."""
        if stamp == UNSEEN:
            return
        seen, file = self._seen.get(source), self._pending.get(source)
        if stamp == (seen.stamp if seen else None):  # as it was, or come and gone meanwhile
            self._pending.pop(source, None)
        elif file is None:
            now = self._clock()
            self._pending[source] = Pending(seen.path if seen else path, stamp, now, now)
        elif file.stamp != stamp:
            self._pending[source] = Pending(file.path, stamp, file.first, self._clock())

    def _meet(self, found: Iterable[Found]) -> None:
        for file in found:
            if not file.skipped:
                self._note(self._source(file.path), file.path, stamp_of(file.path))

    def _miss(self, sources: Iterable[str]) -> None:
        for source in sources:
            path = self._seen[source].path
            if stamp_of(path) is None:
                self._note(source, path, None)

    def _walked(self) -> Iterator[None]:
        """Look at every file that is there, then at every one that was; a step is a file."""
        self._reals.clear()
        met = set()
        for file in self._found():
            source = self._source(file.path)
            met.add(source)
            self._note(source, file.path, stamp_of(file.path))
            yield
        for source in [source for source in self._seen if source not in met]:
            if source in self._seen and not self._lost_with_its_root(self._seen[source].path):
                self._miss([source])
            yield

    def _found(self) -> Iterator[Found]:
        there = [root for root in self.folders if self.there(root)]
        files = [path for path in self._files if os.path.exists(path)]
        return (file for file in distinct([*there, *files]) if not file.skipped)

    def _ripe(self, now: float) -> list[str]:
        return [
            source
            for source, file in self._pending.items()
            if now - file.last >= QUIET or now - file.first >= RESTLESS
        ]

    def _spelled(self, name: str) -> Path | None:
        """``name`` as ``discover`` spells it; None for what it would not find."""
        for top, root in self._tops:
            if name == top.rstrip(os.sep):
                return root
            if name.startswith(top):
                rest = name[len(top) :]
                hidden = any(part.startswith(".") for part in rest.split(os.sep))
                return None if hidden else root / rest
        return None

    def _source(self, path: Path) -> str:
        """The real path, which is what the index knows a document by."""
        folder = path.parent
        if folder not in self._reals:
            self._reals[folder] = os.path.realpath(folder)
            self._holders |= {folder, *folder.parents}
        if os.path.islink(path):
            self._holders.add(path)
            return os.path.realpath(path)
        return os.path.join(self._reals[folder], path.name)

    def _lost_with_its_root(self, path: Path) -> bool:
        roots = [root for root in self.folders if root in path.parents]
        return bool(roots) and not any(map(self.there, roots))


def stamp_of(path: Path) -> Stamp | None:
    """What tells one state of a file from the next; None when there is no such file."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:  # a folder that may not be searched: nobody said that the file is gone
        return UNSEEN
    if stat.S_ISDIR(found.st_mode):
        return None
    # the time of status change: copies and archives may bring an older time of modification
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
