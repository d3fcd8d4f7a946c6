"""Which arm a unit is in: the same one every time. Knows no traffic, and stores nothing.

A unit is whoever should meet one release only: a user, or a session where users are not known.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

from noria.errors import UsageError

LIVE = "live"
CANARY = "canary"

# a share is a sum of steps, so it may miss the number that was meant by some roundings
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is tried out. ``salt``: drawn anew for each, so that no two share their canary users.

    With one salt for all, the same users would be the first of every ramp, and one experiment's
    harm would be found again in the next one's figures (iter8, issue 744).
    """

    id: str
    salt: str


def place(unit: str, experiment: Experiment) -> float:
    """Where a unit lies on [0, 1): the same place every time, and another in each experiment.

    >>> round(place("ada", Experiment("shorter answers", "r7")), 3)
    0.805
    >>> round(place("ada", Experiment("shorter answers", "r8")), 3)
    0.128
    """
    # the zero bytes keep ("ab", "c") apart from ("a", "bc")
    told = "\0".join((experiment.salt, experiment.id, unit)).encode()
    # 53 bits are all that a float holds: with 64, the last places would be rounded up to 1.0
    return (int.from_bytes(hashlib.sha256(told).digest()[:8]) >> 11) / 2**53


@dataclass(frozen=True, slots=True)
class Split:
    """Who gets which arm: steps along [0, 1), one after the other; the rest stays live.

    A split is the history of its ramps. An arm that grows takes its new users from the rest, at
    the end of what was given away, so nobody who is in an arm leaves it.

    >>> both = Split().widened("a", 0.125).widened("b", 0.125).widened("a", 0.25)
    >>> both.steps
    (('a', 0.125), ('b', 0.125), ('a', 0.125))
    >>> [both.arm(at) for at in (0.1, 0.2, 0.3, 0.4)]
    ['a', 'b', 'a', 'live']
    """

    steps: tuple[tuple[str, float], ...] = ()

    def arm(self, at: float) -> str:
        """The arm of a unit whose ``place`` is ``at``.

        >>> Split((("canary", 0.05),)).arm(0.049), Split((("canary", 0.05),)).arm(0.05)
        ('canary', 'live')
        """
        for (arm, _), edge in zip(self.steps, self._edges(), strict=True):
            if at < edge:
                return arm
        return LIVE

    def share(self, arm: str) -> float:
        """How much of the traffic an arm gets.

        >>> Split((("a", 0.25), ("b", 0.25), ("a", 0.125))).share("a")
        0.375
        """
        if arm == LIVE:
            return 1 - sum(share for name, share in self.steps if name != LIVE)
        return sum(share for name, share in self.steps if name == arm)

    def returned(self, at: float) -> bool:
        """Whether the unit at ``at`` is live again since its arm ended: it is compared no more.

        >>> Split((("a", 0.1), ("b", 0.1))).without("a").returned(0.05)
        True
        """
        edges = zip(self.steps, self._edges(), strict=True)
        return next((arm == LIVE for (arm, _), edge in edges if at < edge), False)

    def beside_live(self, arm: str) -> float:
        """An arm's share of the units that are either its own or were always live.

        Other arms are left out, and those that ended: the share stays as it was.

        >>> both = Split((("a", 0.25), ("b", 0.5)))
        >>> both.beside_live("a"), both.without("b").beside_live("a")
        (0.5, 0.5)
        """
        always = 1 - sum(own for _, own in self.steps)
        return self.share(arm) / (self.share(arm) + always)

    def widened(self, arm: str, share: float) -> "Split":
        """The split in which ``arm`` has ``share``; only live users move, and only into ``arm``.

        Raises UsageError where the arm would shrink, which would take users out of it, or where
        there is not so much left.
        """
        more = share - self.share(arm)
        left = 1 - sum(own for _, own in self.steps)
        if arm == LIVE or more < -ROUNDING:
            raise UsageError(
                f"the arm {arm!r} has {self.share(arm):.1%} and was to get {share:.1%}; expected a "
                "larger share of an arm other than 'live'. To end an arm, use `without`"
            )
        if more > left + ROUNDING:
            raise UsageError(
                f"the arm {arm!r} was to get {more:.1%} more, but {left:.1%} of the traffic is "
                "left; end another arm first, or ask for less"
            )
        if more <= ROUNDING:
            return self
        return replace(self, steps=(*self.steps, (arm, more)))

    def without(self, arm: str) -> "Split":
        """The split in which ``arm``'s users are live again; the other arms keep theirs.

        >>> Split((("a", 0.1), ("b", 0.1))).without("a").steps
        (('live', 0.1), ('b', 0.1))
        """
        return replace(
            self, steps=tuple((LIVE if name == arm else name, own) for name, own in self.steps)
        )

    def _edges(self) -> Iterator[float]:
        return accumulate(share for _, share in self.steps)
