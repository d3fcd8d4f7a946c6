"""Which releases answer: one row, changed in one transaction with the note of why.

Whoever changes it names the state that the change was decided on; where that is no longer so,
nothing is changed. Knows nothing of what a release is made of.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from noria.errors import BusyError, NoriaError
from noria.store.schema import deployments, live
from noria.types import Rollout, Trial

ROW = "rollout"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the history: what was done, of which release, why, and what came of it."""

    at: datetime
    action: str
    release: str
    state: Rollout
    reason: Mapping[str, Any]


class Rollouts:
    """The row of one database, and its history."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def now(self) -> Rollout | None:
        """What answers; None before anything was promoted."""
        with self._engine.connect() as connection:
            value = connection.execute(select(live.c.value).where(live.c.name == ROW)).scalar()
        return None if value is None else from_json(json.loads(value))

    def change(
        self,
        before: Rollout | None,
        after: Rollout,
        action: str,
        release: str,
        reason: Mapping[str, Any],
        at: datetime,
    ) -> Rollout:
        """Make ``after`` what answers, if it still is ``before``; both rows, or none.

        ``before`` and ``after`` may be equal: then only the note is new. Raises BusyError where
        another process was quicker.
        """
        new = spelled(after)
        note = {"at": at, "action": action, "release": release, "state": new}
        with self._engine.begin() as connection:
            row = {"value": new, "at": at.astimezone(UTC)}
            if before is None:
                try:
                    connection.execute(insert(live).values(name=ROW, **row))
                except IntegrityError:
                    raise changed() from None
            else:
                still = update(live).where(live.c.name == ROW, live.c.value == spelled(before))
                if connection.execute(still.values(**row)).rowcount != 1:
                    raise changed()
            told = json.dumps(dict(reason), sort_keys=True, ensure_ascii=False)
            connection.execute(insert(deployments).values(**note, reason=told))
        return after

    def history(self, limit: int = 100) -> tuple[Change, ...]:
        """The last changes and decisions, the newest first."""
        query = select(deployments).order_by(deployments.c.id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return tuple(
                Change(
                    row.at,
                    row.action,
                    row.release,
                    from_json(json.loads(row.state)),
                    json.loads(row.reason),
                )
                for row in connection.execute(query)
            )


def trial_of(raw: Mapping[str, Any]) -> Trial:
    """A trial from JSON."""
    steps = tuple((str(release), float(share)) for release, share in raw["steps"])
    since = datetime.fromisoformat(raw["since"])
    return Trial(**{**raw, "steps": steps, "since": since})


def changed() -> BusyError:
    """Somebody else was quicker."""
    return BusyError("what is live was changed by another process meanwhile; look, and try again")


def spelled(state: Rollout) -> str:
    """The one JSON text of a state."""
    return json.dumps(as_json(state), sort_keys=True)


def as_json(state: Rollout) -> dict[str, Any]:
    """A state as JSON has it."""
    trial = state.trial and {
        "experiment": state.trial.experiment,
        "kind": state.trial.kind,
        "steps": [list(step) for step in state.trial.steps],
        "salt": state.trial.salt,
        "since": state.trial.since.astimezone(UTC).isoformat(),
        "stage": state.trial.stage,
        "plan": dict(state.trial.plan),
    }
    return {"live": state.live, "previous": state.previous, "trial": trial}


def from_json(raw: Any) -> Rollout:
    """A state from JSON; raises NoriaError for a row that was changed by hand."""
    try:
        trial = raw["trial"]
        return Rollout(raw["live"], raw["previous"], trial and trial_of(trial))
    except (KeyError, TypeError, ValueError) as error:
        raise NoriaError(
            f"the row {ROW!r} was changed by hand: {error}; promote a release again"
        ) from None
