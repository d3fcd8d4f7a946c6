"""Looks at what a trial has shown so far, and does what the statistics say.

Rows in, one decision and the state that follows from it out; ``overseen`` alone writes. May be
called as often as one likes, by several processes: who is slower changes nothing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from noria.config import CanarySettings
from noria.errors import BusyError
from noria.loop.assign import CANARY, LIVE, Split
from noria.loop.decide import Decision, decide
from noria.loop.deploy import ended, promoted, widened
from noria.loop.ledger import QUALITY, Entry, Ledger, Outcome, read
from noria.loop.plan import LEAST, SHARES, Plan, ramp
from noria.loop.sequential.guardrail import too_slow
from noria.store.journal import Journal
from noria.store.rollouts import Rollouts
from noria.types import Exposure, Feedback, Rollout, Trial

# how an answer ended -> the guardrail that it failed
FAILURES = {
    "error": "errors",
    "timeout": "timeouts",
    "empty": "empty or ungrounded",
    "ungrounded": "empty or ungrounded",
}
SLOW = "slow"
UNENDED = timedelta(minutes=5)  # after that an answer without an end killed its server, or hangs
FOREVER = 1_000_000_000  # users of a trial that ends when somebody says so
PACED = 1000  # answers by which the live release's pace is told
NOTES = 10  # newest notes of an arm among which its last one is looked for
GROWN = 1.1  # a stage that holds is noted again when so many times as many units were seen


@dataclass(frozen=True, slots=True)
class Ramp:
    """What was settled when a trial began.

    ``gain``: a gate has measured that the release is worth having. ``slow_after``: seconds from
    which on an answer fails the guardrail "slow"; None where the live release's pace was not known.
    ``days``: how long a stage may take. ``by_hand``: the share is somebody's choice, so that only
    harm is acted on. ``rivals``: how many arms began; the chance of an error is shared among them,
    also when some have ended, since they had theirs.
    """

    shares: tuple[float, ...] = SHARES
    margin: float = 0.03
    least: int = LEAST
    most: int = 20_000
    gain: bool = False
    slow_after: float | None = None
    days: float = 14.0
    by_hand: bool = False
    rivals: int = 1

    def plan(self) -> Plan:
        """The statistics' view of it."""
        return Plan(
            self.shares, margin=self.margin, least=self.least, most=self.most, rivals=self.rivals
        )


def ramp_of(trial: Trial, release: str) -> Ramp:
    """What was settled for one that is tried.

    Begun by hand, or as one of several, it has its share as its only stage. By hand it ends when
    somebody says so: harm is looked for until then.
    """
    told = dict(trial.plan) or {"by_hand": True, "rivals": len(trial.releases)}
    if told.get("by_hand"):
        told |= {"most": FOREVER, "days": float(FOREVER)}
    elif trial.kind == "canary":
        return Ramp(**{**told, "shares": tuple(told["shares"])})
    share = Split(trial.steps).beside_live(release)
    return Ramp(**{**told, "shares": (min(share, 0.99),)})


def ramped(
    journal: Journal,
    live: str,
    canary: CanarySettings,
    shares: tuple[float, ...] = (),
    gain: bool = False,
    rivals: int = 1,
    by_hand: bool = False,
) -> Ramp:
    """What is settled for a trial beside ``live`` before its first user comes.

    ``shares``: of a trial that is no ramp; else where a ramp begins is told by the settings.
    """
    return Ramp(
        shares=shares or ramp(canary.judged_a_day, canary.days),
        margin=canary.margin,
        least=canary.least,
        most=canary.most,
        gain=gain,
        slow_after=slow_after(journal, live),
        by_hand=by_hand,
        rivals=rivals,
    )


def settled(own: Ramp) -> Mapping[str, Any]:
    """A ramp as it is kept with its trial."""
    return {**asdict(own), "shares": list(own.shares)}


def overseen(
    rows: Rollouts, journal: Journal, now: datetime, unended: timedelta = UNENDED
) -> tuple[Decision, Rollout] | None:
    """Decide on what is being tried, do it, and write it down; None where nothing is tried.

    ``unended``: the time after which an answer that has no end failed.

    Of several arms the first that something is to be done about: the next look finds the others.
    A decision to hold is written down when a stage begins, and each time a tenth more was seen.
    None, too, where another process was quicker, and of a shadow: nobody meets it, and people
    judge it.
    """
    before = rows.now()
    if before is None or before.trial is None or before.trial.kind == "shadow":
        return None
    trial = before.trial
    exposures, judged = journal.exposed(trial.experiment, trial.since)
    looks = []
    for release in trial.releases:
        found = decision(trial, release, before.live, exposures, judged, now, unended)
        looks.append((release, found, *followed(before, release, found, now)))
    looks.sort(key=lambda look: look[2] == "hold")  # what is only noted comes last
    notes = [note for note in rows.history(NOTES * len(looks)) if note.at >= trial.since]
    for release, found, action, after in looks:
        last = next((note for note in notes if note.release == release), None)
        if action == "hold" and last and noted(last.action, last.reason, found.units):
            continue
        try:
            rows.change(before, after, action, release, told(found), now)
        except BusyError:
            return None
        return found, after
    return looks[0][1], before


def decision(
    trial: Trial,
    release: str,
    live: str,
    exposures: Iterable[Exposure],
    judged: Iterable[Feedback],
    now: datetime,
    unended: timedelta = UNENDED,
) -> Decision:
    """What the rows of this stage say of one release that is tried."""
    own = ramp_of(trial, release)
    rows = (exposures, judged)
    ledger = ledger_of(trial.since, release, live, *rows, own.slow_after, now, unended)
    overdue = (now - trial.since) / timedelta(days=1) > own.days
    plan = own.plan()
    stage = min(trial.stage, len(plan.shares) - 1)
    return decide(plan, stage, ledger, gain=own.gain, overdue=overdue)


def followed(before: Rollout, release: str, found: Decision, now: datetime) -> tuple[str, Rollout]:
    """What is done on a decision, and the state that comes of it.

    Of a trial begun by hand only harm is acted on: whoever chose the share chooses the next.
    """
    by_hand = before.trial is not None and ramp_of(before.trial, release).by_hand
    if found.kind == "rollback":
        return "rollback", ended(before, release)
    if found.kind == "hold" or by_hand:
        return "hold", before
    if found.kind == "inconclusive":
        return "inconclusive", ended(before, release)
    if found.kind == "widen":
        return "widen", widened(before, release, found.to, now)
    return "promote", promoted(before, release)


def ledger_of(
    since: datetime,
    release: str,
    live: str,
    exposures: Iterable[Exposure],
    judged: Iterable[Feedback],
    slow_after: float | None = None,
    now: datetime | None = None,
    unended: timedelta = UNENDED,
) -> Ledger:
    """The ledger of a stage that began at ``since``.

    What has no end ``unended`` after its beginning failed then, where it is later ``now``: its
    server was killed, or it hangs. If it ends after all, its end counts.

    Whom another release answered, since the one that was drawn was not there, failed by error, and
    what they think of the other is not counted. Who met both releases, in the moment in which a
    stage began and the servers had not all heard of it, is left out.
    """
    arms = {release: CANARY, live: LIVE}
    rows = [row for row in exposures if row.at >= since and row.release in arms]
    met: dict[str, set[str]] = {}
    for row in rows:
        met.setdefault(row.unit, set()).add(row.release)
    rows = [row for row in rows if len(met[row.unit]) == 1]
    entries = [Entry(row.unit, arms[row.release], row.at) for row in rows]
    outcomes = [
        Outcome(row.unit, arms[row.release], kind, False, row.at)
        for row in rows
        for kind in failures(row, slow_after)
    ]
    outcomes += [
        Outcome(row.unit, arms[row.release], "errors", False, row.at + unended)
        for row in rows
        if row.outcome is None and now is not None and row.at + unended < now
    ]
    by_answer = {row.answer: row for row in rows if not row.fallback}
    outcomes += [
        Outcome(shown.unit, arms[shown.release], QUALITY, good, each.at)
        for each in judged
        if (shown := by_answer.get(each.answer)) and (good := opinion(each)) is not None
    ]
    return read(entries, outcomes)


def slow_after(journal: Journal, live: str) -> float | None:
    """From how many seconds on an answer is slow, by the last ones of the live release.

    None where they are too few to tell.
    """
    seconds = [float(event.payload["seconds"]) for event in journal.answers(live, PACED)]
    if len(seconds) < PACED // 10:
        return None
    return too_slow(sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1])


def failures(row: Exposure, slow_after: float | None) -> Sequence[str]:
    """The guardrails that an answer failed which has ended."""
    if row.fallback:
        return ["errors"]
    found = [FAILURES[row.outcome]] if row.outcome in FAILURES else []
    if slow_after is not None and row.seconds is not None and row.seconds > slow_after:
        found.append(SLOW)
    return found


def opinion(judged: Feedback) -> bool | None:
    """Whether somebody found an answer good; None where a judgement does not say.

    >>> from datetime import UTC
    >>> thumb = Feedback("f", datetime(2026, 1, 1, tzinfo=UTC), "t", "ada", "a", "thumb", 1.0)
    >>> opinion(thumb)
    True
    """
    if judged.kind == "thumb" and judged.value is not None:
        return judged.value > 0
    return False if judged.kind == "correction" else None


def noted(action: str, reason: Mapping[str, Any], units: int) -> bool:
    """Whether the last note says already what would be noted now."""
    return action == "hold" and units < GROWN * max(float(reason.get("units", 0)), 1.0)


def told(found: Decision) -> dict[str, Any]:
    """A decision with all its numbers, as JSON has them: what is not known is null."""

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    checks = [
        {name: plain(value) for name, value in asdict(check).items()} for check in found.checks
    ]
    return {**asdict(found), "checks": checks, "by": "the statistics"}
