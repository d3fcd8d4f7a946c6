"""Erases a person: what they did, and what others thought of answers to them."""

from sqlalchemy import Connection, delete, select

from noria.store.schema import events, exposures, feedback, reviews


def erased(connection: Connection, tenant: str, user: str, unit: str | None) -> dict[str, int]:
    """Erase a tenant's user; how many rows of each table are gone.

    ``unit``: what experiments keep them under, also where no answer came of an exposure.
    """
    theirs = select(events.c.id).where(events.c.tenant == tenant, events.c.user == user)
    gone = {
        "exposures": delete(exposures).where(
            exposures.c.answer.in_(theirs) | (exposures.c.unit == unit)
        ),
        "reviews": delete(reviews).where(reviews.c.answer.in_(theirs)),
        "feedback": delete(feedback).where(
            feedback.c.tenant == tenant,
            (feedback.c.user == user) | feedback.c.answer.in_(theirs),
        ),
        "events": delete(events).where(events.c.tenant == tenant, events.c.user == user),
    }
    return {name: connection.execute(change).rowcount for name, change in gone.items()}
