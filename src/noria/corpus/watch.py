"""Keeps the index equal to what is below some paths, until it is told to stop.

Knows when to ingest, not how: ``take`` does it, and holds the lock only while it does. The
system's notices come through ``watchfiles``; without them, walking over the files goes on.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from noria.corpus.changes import Changes, Tree
from noria.corpus.ingest import Report
from noria.errors import BusyError, NoriaError

TICK = 0.1  # seconds between two looks at what has come to rest
BUSY = 0.5  # seconds until the lock is tried again
PATIENCE = (1.0, 60.0)  # seconds until a failed run is tried again: the first time, and at most
DEAF = 30.0  # seconds until notices are asked for again where the system refused them

Take = Callable[[Changes], Report]
Complain = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What was done while watching."""

    runs: int = 0
    added: int = 0
    updated: int = 0
    removed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.runs} runs while watching: {self.added} added, {self.updated} updated, "
            f"{self.removed} removed"
        )

    def and_then(self, report: Report) -> "Summary":
        """With one more run."""
        return Summary(
            self.runs + 1,
            self.added + report.added,
            self.updated + report.updated,
            self.removed + report.removed,
        )


def patiently(run: Callable[[], Report], complain: Complain) -> Report:
    """The report of ``run``, as soon as no other process ingests."""
    waiting = False
    while True:
        try:
            return run()
        except BusyError as error:
            if not waiting:
                complain(f"{error}; waiting for it")
            waiting = True
            time.sleep(BUSY)


def watch(
    tree: Tree,
    take: Take,
    complain: Complain,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Report]:
    """Take what changed in ``tree``, again and again; yields the report of each run.

    What goes wrong in a run is told to ``complain``, and tried again later: sooner when only the
    lock was held, and less and less often otherwise. Ends with the KeyboardInterrupt.
    """
    not_before, patience, waiting = 0.0, 0.0, False
    for heard in notices(tree, complain):
        try:
            tree.hear(heard)
            tree.glance()
            tree.look()
            changes = tree.settled() if clock() >= not_before else None
            if changes is None:
                continue
            report = take(changes)
        except BusyError as error:
            if not waiting:
                complain(f"{error}; waiting for it")
            waiting, not_before = True, clock() + BUSY
        except Exception as error:  # of whatever kind: a full disk must not end the watch
            if clock() >= not_before:
                soonest, latest = PATIENCE
                patience = min(max(2 * patience, soonest), latest)
                not_before = clock() + patience
                complain(f"{told(error)}; trying again in {patience:.0f} s")
        else:
            tree.taken(changes)
            patience, waiting = 0.0, False
            yield report


def notices(tree: Tree, complain: Complain) -> Iterator[set[str]]:
    """The absolute paths that something happened to; an empty set each tick without any.

    Tells of roots that vanish and come back, and of a system that gives no notice.
    """
    from watchfiles import watch as listen

    missing: set[str] = set()
    while True:
        places = tree.places()
        missing = tell_missing(tree, missing, complain)
        tree.doubt()
        heard_before = False
        try:
            for changes in listen(
                *places,
                watch_filter=None,
                debounce=int(TICK * 1000),
                rust_timeout=int(TICK * 1000),
                yield_on_timeout=True,
                ignore_permission_denied=True,
            ):
                heard_before = True
                yield {path for _, path in changes}
                if tree.places() != places:
                    break
        except (OSError, RuntimeError) as error:  # RuntimeError: watchfiles' own, of any cause
            if tree.places() != places or heard_before:
                continue  # a root that just vanished, or a name that it cannot spell
            complain(
                f"the system gives no notice of changes ({error}); looking at all files "
                f"again and again, which may take longer"
            )
            for _ in range(int(DEAF / TICK)):
                time.sleep(TICK)
                yield set()


def tell_missing(tree: Tree, before: set[str], complain: Complain) -> set[str]:
    """The roots that are missing now; tells of each that was not, or is no longer."""
    now = {str(root) for root in tree.folders if not tree.there(root)}
    for root in sorted(now - before):
        complain(f"{root}: gone; its documents stay in the index until it is back")
    for root in sorted(before - now):
        complain(f"{root}: back")
    return now


def told(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, NoriaError):
        return str(error)
    first = str(error).splitlines()[0] if str(error) else "no message"
    return f"unexpected {type(error).__name__}: {first}"
