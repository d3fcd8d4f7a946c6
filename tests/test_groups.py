"""A reader of group A searching what only group B may read: never a hit, never a count."""

import numpy as np
import pytest

from noria.funnel.filter import readable
from noria.funnel.funnel import Funnel
from noria.funnel.order import ByScore, Diverse
from noria.funnel.rank import AsRetrieved
from noria.funnel.retrieve import Dense, Hybrid, Lexical
from noria.types import Item, Query

CASES = 1000
WORDS = ["wheel", "water", "bucket", "river", "mill", "tax", "moon", "pump", "gear", "rope"]
NAMES = ["a", "b", "c", "a b", "A", "it's", "", "*"]  # "": how the store marks what is public
LIBRARY = 60


def some(rng: np.random.Generator, names: list[str], most: int) -> frozenset[str]:
    return frozenset(rng.choice(names, size=rng.integers(0, most + 1)).tolist())


@pytest.fixture(scope="module")
def library() -> list[Item]:
    """Sixty passages of random groups; each has a word of its own, to ask for it by name."""
    rng = np.random.default_rng(2)
    named = [name for name in NAMES if name]
    return [
        Item(f"p{i}", f"secret{i} " + " ".join(rng.choice(WORDS, 5)), f"d{i}",
             groups=some(rng, named, 2))
        for i in range(LIBRARY)
    ]  # fmt: skip


@pytest.mark.parametrize("leg", ["dense", "lexical", "hybrid"])
def test_never_a_hit_or_a_count(leg, library, index_of, encoder) -> None:
    corpus = index_of(library)
    retriever = {
        "dense": Dense(corpus, encoder),
        "lexical": Lexical(corpus),
        "hybrid": Hybrid(corpus, encoder),
    }[leg]
    by_score = Funnel(retriever, [], AsRetrieved(), ByScore(), k=LIBRARY, slate=LIBRARY)
    diverse = Funnel(retriever, [], AsRetrieved(), Diverse(), k=LIBRARY)
    rng = np.random.default_rng([7, len(leg)])
    for case in range(CASES // 3 + 1):  # with three legs, a thousand cases
        target = library[int(rng.integers(LIBRARY))]
        readers = some(rng, NAMES, 3)
        query = Query("q", f"{target.text} {rng.choice(WORDS)}", groups=readers)
        visible = {item.id for item in library if readable(item, readers)}
        everything = by_score.search(query)
        for slate in (everything, diverse.search(query)):
            shown = {c.item.id for c in slate.candidates}
            assert shown <= visible, f"case {case}: {readers} saw {shown - visible}"
            assert max(slate.counts.values()) <= len(visible)
            assert slate.counts["retrieve"] == slate.counts["filter"]  # the store filtered already
        found = {c.item.id for c in everything.candidates}
        assert (target.id in found) == (target.id in visible)
        if leg != "lexical":  # nearness has no threshold: all that may be seen is found
            assert found == visible


def test_a_group_only_the_store_knows_opens_nothing(index_of, encoder) -> None:
    corpus = index_of([Item("p", "water wheel", "d", groups=frozenset({"hr"}))])
    for readers in ([], [""], ["HR"], ["h"], ["hr "], ["'hr'"], ["hr') OR (1=1"], ["%"]):
        query = Query("q", "water wheel", groups=frozenset(readers))
        assert Hybrid(corpus, encoder).retrieve(query, 5).candidates == ()
