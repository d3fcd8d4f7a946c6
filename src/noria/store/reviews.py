"""What reviewers found of answers: one row for each answer and reviewer, the last one counts.

Knows nothing of what is learnt from it.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from noria.store.journal import answer_of
from noria.store.schema import reviews
from noria.types import Review


class Reviews:
    """The reviews of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, review: Review) -> bool:
        """Keep a review in the place of the reviewer's last one; whether it says anything new.

        Raises UnknownAnswerError for an answer that its tenant was not given.
        """
        row = asdict(review) | {"passages": json.dumps(list(review.passages))}
        with self._engine.begin() as connection:
            answer_of(connection, review.tenant, review.answer)
            before = kept(connection, review)
            if before is None:
                try:
                    with connection.begin_nested():
                        connection.execute(insert(reviews).values(**row))
                    return True
                except IntegrityError:  # another process was the first: the last one counts
                    pass
            elif said(before) == said(row):
                return False
            connection.execute(update(reviews).where(*key(review)).values(**row))
        return True

    def __iter__(self) -> Iterator[Review]:
        """All of them, in the order of their time."""
        ordered = select(reviews).order_by(reviews.c.at, reviews.c.answer, reviews.c.reviewer)
        with self._engine.connect() as connection:
            for row in connection.execute(ordered):
                yield Review(**{**row._mapping, "passages": tuple(json.loads(row.passages))})


def key(review: Review) -> tuple[Any, Any]:
    """The condition for a review's row."""
    return reviews.c.answer == review.answer, reviews.c.reviewer == review.reviewer


def kept(connection: Connection, review: Review) -> dict[str, Any] | None:
    """The row that is there for the answer and the reviewer."""
    found = connection.execute(select(reviews).where(*key(review))).first()
    return None if found is None else dict(found._mapping)


def said(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says, whenever."""
    return {name: value for name, value in row.items() if name != "at"}
