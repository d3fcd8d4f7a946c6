"""Drops candidates. The store has filtered already; these make sure, whatever the retriever."""

from collections.abc import Sequence

from noria.corpus.columns import tags
from noria.types import Candidate, Fields, Item, Query


class Groups:
    """Keeps what the query's groups may read; a restricted item needs a group in common."""

    def filter(self, query: Query, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Public items, and those that one of the query's groups may read."""
        return [c for c in candidates if readable(c.item, query.groups)]


class FieldsEqual:
    """Keeps items whose fields equal all of the query's, and all of those it was made with."""

    def __init__(self, **fields: str | int | float | bool) -> None:
        self._fields: Fields = fields

    def filter(self, query: Query, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Items that have every wanted field with that value."""
        wanted = set(tags({**self._fields, **query.fields}))  # compared as the store does
        return [c for c in candidates if wanted <= set(tags(c.item.fields))]


class Unseen:
    """Drops what the user has seen: wanted in a feed, not in answers."""

    def filter(self, query: Query, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Items that are not in ``query.seen``."""
        return [c for c in candidates if c.item.id not in query.seen]


def readable(item: Item, groups: frozenset[str]) -> bool:
    """Whether a reader in ``groups`` may see ``item``.

    >>> readable(Item("1", "", groups=frozenset({"hr"})), frozenset())
    False
    """
    return not item.groups or not item.groups.isdisjoint(groups)
