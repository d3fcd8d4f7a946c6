"""Takes judgements and reviews from a file. What is wrong is listed, and the rest goes on."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from noria.corpus.ingest import storable
from noria.errors import DataError, UsageError
from noria.evaluate.readers import jsonlines
from noria.evaluate.readers.entries import PROBLEMS, Entry, Place, shown
from noria.evaluate.readers.files import first_line, whole
from noria.loop.feedback.given import Given
from noria.loop.feedback.kinds import KINDS, lacking
from noria.loop.feedback.label_studio import LONGEST, NAME, is_task, reviews_of
from noria.store.journal import Journal
from noria.store.reviews import Reviews
from noria.types import Feedback

KEYS = ("answer", "kind", "value", "text", "ranking", "user", "at", "key")


@dataclass(frozen=True, slots=True)
class Taken:
    """How much was new, how much was known already, and what is wrong with the rest."""

    judgements: int = 0
    reviews: int = 0
    known: int = 0
    problems: tuple[str, ...] = ()


@dataclass
class Desk:
    """Where judgements and reviews are handed in."""

    journal: Journal
    reviews: Reviews
    answers: Mapping[str, Given]
    now: datetime

    def take(self, path: Path) -> Taken:
        """Keep what a file holds: Label Studio's export, or judgements as JSON Lines.

        The same file again changes nothing. Raises DataError for a file that cannot be read.
        """
        judgements = reviews = known = 0
        problems: list[str] = []
        for entry in entries(path):
            try:
                if isinstance(entry, DataError):
                    raise entry
                place, record = entry
                if is_task(record):
                    for new in self.reviewed(place, record):
                        reviews, known = reviews + new, known + (not new)
                else:
                    new = self.judged(place, record)
                    judgements, known = judgements + new, known + (not new)
            except DataError as error:
                problems.append(str(error))
        if (more := len(problems) - PROBLEMS) > 0:
            problems[PROBLEMS:] = [f"{path}: {more:,} more problems are not listed"]
        return Taken(judgements, reviews, known, tuple(problems))

    def reviewed(self, place: Place, record: Any) -> list[bool]:
        """Keep a task's reviews; of each whether it is new."""
        return [self.reviews.keep(r) for r in reviews_of(record, self.answers, place, self.now)]

    def judged(self, place: Place, record: object) -> bool:
        """Keep a judgement; whether it is new."""
        feedback, key = feedback_of(place, record, self.answers, self.now)
        try:
            return self.journal.judge(feedback, key).result() == feedback.id
        except UsageError as error:  # an answer that went meanwhile, a key used for something else
            raise place.wrong(str(error)) from None


def entries(path: Path) -> Iterable[Entry | DataError]:
    """What a file holds: the entries of a JSON list, or the lines."""
    if first_line(path)[:1] != b"[":
        return jsonlines.entries(path)
    document = whole(path)
    if not isinstance(document, list):
        raise DataError("expected a list of tasks, or JSON Lines", path)
    return [(Place(path, f"[{at}]"), record) for at, record in enumerate(document)]


def feedback_of(
    place: Place, record: object, answers: Mapping[str, Given], now: datetime
) -> tuple[Feedback, str]:
    """A judgement, and the key by which it is known again; raises DataError for what is none."""
    if not isinstance(record, dict):
        raise place.wrong(f"expected an object, got {shown(record)}")
    if unknown := [key for key in record if key not in KEYS]:
        raise place.wrong(f"unknown key {unknown[0]!r:.60}; expected some of {', '.join(KEYS)}")
    given = answers.get(text(place, record, "answer") or "")
    if given is None:
        raise place.wrong(f"no answer {shown(record.get('answer'))} was given here")
    kind, value = text(place, record, "kind"), record.get("value")
    if kind not in KINDS:
        raise place.wrong(f'expected one of {", ".join(KINDS)} as "kind", got {shown(kind)}')
    if value is not None and (isinstance(value, bool) or value not in (1, -1)):
        raise place.wrong(f'expected 1 or -1 as "value", got {shown(value)}')
    ranking = record.get("ranking") or []
    if not isinstance(ranking, list) or not all(isinstance(each, str) for each in ranking):
        raise place.wrong(f'expected ids of answers as "ranking", got {shown(ranking)}')
    words = text(place, record, "text", LONGEST)
    if wrong := lacking(kind, value, words, ranking):
        raise place.wrong(wrong)
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    feedback = Feedback(
        id=f"f-{uuid4().hex}",
        at=moment(place, record, now),
        tenant=given.tenant,
        user=text(place, record, "user"),
        answer=given.id,
        kind=kind,
        value=None if value is None else float(value),
        text=words,
        ranking=tuple(ranking),
    )
    return feedback, text(place, record, "key") or f"import-{digest[:48]}"


def text(place: Place, record: Mapping[str, Any], key: str, longest: int = NAME) -> str | None:
    """A text of a record; None where it is not there."""
    value = record.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not storable(value) or "\0" in value or len(value) > longest:
        raise place.wrong(
            f'expected a text of at most {longest:,} characters as "{key}", got {shown(value)}'
        )
    return value


def moment(place: Place, record: Mapping[str, Any], now: datetime) -> datetime:
    """When a judgement was made; in UTC, where it names no zone."""
    told = text(place, record, "at")
    if told is None:
        return now
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise place.wrong(
            f'expected a time such as 2026-11-29T12:00:00Z as "at", got {shown(told)}'
        ) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
