"""A person is forgotten: what is kept of them goes, and what was learnt from it is named."""

from collections.abc import Mapping
from dataclasses import dataclass

from noria.errors import UsageError
from noria.loop.feedback.shelf import Touched, touched
from noria.store.journal import Journal
from noria.store.registry import Registry


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased, how many rows of each kind, and what still holds something of it."""

    tenant: str
    rows: Mapping[str, int]
    touched: Touched


def tenant_of(journal: Journal, user: str, tenant: str | None = None) -> str:
    """The tenant whose user is meant; ``tenant``, where it is named.

    Raises UsageError for a name that no tenant has, or several: these are different persons.
    """
    if tenant is not None:
        return tenant
    known = {event.tenant for event in journal.events(user=user)}
    known |= {judged.tenant for judged in journal.feedback() if judged.user == user}
    if not known:
        raise UsageError(
            f"nothing is kept of a user {user!r:.80}; expected the name that clients send as "
            "'user'. Where all their requests failed, name the tenant: --tenant"
        )
    if len(known) > 1:
        raise UsageError(
            f"{user!r:.80} is a user of {', '.join(sorted(known))}, which may be different "
            "persons; name one with --tenant"
        )
    return known.pop()


def forgotten(
    journal: Journal, registry: Registry, tenant: str, user: str, unit: str | None = None
) -> Erased:
    """Erase a person.

    What holds something of theirs is found first: afterwards nobody could tell. Raises UsageError
    where nothing was kept.
    """
    held = touched(registry, ids_of(journal, tenant, user))
    rows = journal.forget(tenant, user, unit)
    if not any(rows.values()):
        raise UsageError(
            f"nothing is kept of a user {user!r:.80} of {tenant!r:.80}; expected the name that "
            "clients send as 'user'"
        )
    return Erased(tenant, rows, held)


def ids_of(journal: Journal, tenant: str, user: str) -> set[str]:
    """Ids of a person's answers, and of what they judged."""
    answers = {event.id for event in journal.events(tenant=tenant, user=user)}
    judged = {
        judgement.id
        for judgement in journal.feedback()
        if judgement.tenant == tenant and (judgement.user == user or judgement.answer in answers)
    }
    return answers | judged
