"""Who asks: a key stands for a tenant, the groups that it may read as, and a rate.

A key is shown once, when it is made; what is kept is its digest. Whoever has none is told so, and
nothing else.
"""

import hashlib
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, insert, select, update

from noria.errors import UsageError
from noria.store.schema import NAME, keys
from noria.types import PUBLIC

FRESH = 1.0  # seconds for which a key is believed before it is looked up again
SECRET = 32  # bytes: nobody guesses them, so a plain digest is enough
KNOWN = 10_000  # keys that are remembered


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks. ``rate``: requests a minute, 0 for any number. ``key``: its id, for logs."""

    key: str
    tenant: str
    groups: frozenset[str] = PUBLIC
    rate: float = 0.0


LOCAL = Caller("none", "local")  # where there are no keys, and only this machine asks


@dataclass(frozen=True, slots=True)
class Kept:
    """A key as it is listed."""

    caller: Caller
    at: datetime
    revoked: datetime | None


class Keys:
    """The keys of one database."""

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self._engine, self._clock = engine, clock
        self._seen: dict[str, tuple[float, Caller | None]] = {}
        self._lock = threading.Lock()

    def add(
        self, tenant: str, groups: frozenset[str], rate: float, at: datetime
    ) -> tuple[str, Caller]:
        """A new key, which nobody can be told again, and whom it stands for."""
        if not tenant.strip():
            raise UsageError("a key without a tenant; expected a name")
        if len(tenant) > NAME:
            raise UsageError(f"a tenant of {len(tenant)} characters; expected {NAME} at most")
        key = f"nk-{secrets.token_urlsafe(SECRET)}"
        caller = Caller(f"k{secrets.token_hex(6)}", tenant, groups, rate)
        with self._engine.begin() as connection:
            connection.execute(
                insert(keys).values(
                    id=caller.key,
                    digest=digest(key),
                    tenant=tenant,
                    groups=json.dumps(sorted(groups)),
                    rate=rate,
                    at=at,
                )
            )
        return key, caller

    def revoke(self, id: str, at: datetime) -> None:
        """Let a key open nothing any more. Raises UsageError for an unknown one."""
        change = update(keys).where(keys.c.id == id, keys.c.revoked.is_(None)).values(revoked=at)
        with self._engine.begin() as connection:
            if not connection.execute(change).rowcount:
                raise UsageError(f"no key {id[:80]!r} that is in use; noria keys list names them")

    def list(self) -> tuple[Kept, ...]:
        """All keys, the oldest first."""
        with self._engine.connect() as connection:
            return tuple(
                Kept(caller_of(row), row.at, row.revoked)
                for row in connection.execute(select(keys).order_by(keys.c.at, keys.c.id))
            )

    def any(self) -> bool:
        """Whether a key was ever made: from then on nobody comes in without one."""
        with self._engine.connect() as connection:
            return bool(connection.execute(select(func.count()).select_from(keys)).scalar())

    def remembered(self, key: str) -> Caller | None:
        """Who came in with ``key`` a moment ago; None where that must be looked up."""
        return self._lately(key)[1]

    def admitted(self, key: str) -> Caller | None:
        """Who comes in with ``key``, or without any where it is empty; None for nobody.

        What changes is heeded after a second at most: a key that is revoked, or the first one.
        """
        known, caller = self._lately(key)
        if known:
            return caller
        query = select(keys).where(keys.c.digest == digest(key), keys.c.revoked.is_(None))
        with self._engine.connect() as connection:
            row = connection.execute(query).first() if key else None
        caller = caller_of(row) if row else None
        if caller is None and not self.any():
            caller = LOCAL
        with self._lock:
            if len(self._seen) >= KNOWN:
                self._seen.clear()
            self._seen[digest(key)] = self._clock(), caller
        return caller

    def _lately(self, key: str) -> tuple[bool, Caller | None]:
        """Whether it was looked up a moment ago who comes in with ``key``, and who does."""
        now = self._clock()
        with self._lock:
            since, caller = self._seen.get(digest(key), (now - 2 * FRESH, None))
        lately = now - since < FRESH
        return lately, caller if lately else None


class Rates:
    """Requests a minute by key: a bucket that holds a minute's worth, and fills evenly."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait(self, caller: Caller, default: float) -> float:
        """Take one request; the seconds to wait first, 0 where it may come in."""
        rate = caller.rate or default
        if not rate:
            return 0.0
        now = self._clock()
        with self._lock:
            room = max(rate, 1.0)  # of less than one a minute, one may still come
            left, since = self._left.get(caller.key, (room, now))
            left = min(room, left + (now - since) * rate / 60)
            if left < 1:
                self._left[caller.key] = left, now
                return (1 - left) * 60 / rate
            self._left[caller.key] = left - 1, now
        return 0.0


def caller_of(row: object) -> Caller:
    """Whom a row stands for."""
    groups = frozenset(json.loads(row.groups))  # type: ignore[attr-defined]
    return Caller(row.id, row.tenant, groups, row.rate)  # type: ignore[attr-defined]


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
