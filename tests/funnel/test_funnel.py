"""The composer: stages in their order, counts, seconds, and groups whatever the settings."""

import pytest

from noria.funnel.filter import FieldsEqual, Unseen
from noria.funnel.funnel import Funnel
from noria.funnel.order import ByScore, Diverse
from noria.funnel.rank import AsRetrieved, CrossEncoder
from noria.types import Candidate, Item, Query, Retrieval


def candidate(name: str, text: str = "", document: str | None = None, **item) -> Candidate:
    return Candidate(Item(name, text or f"text of {name}", document, **item), 1.0)


class Shelf:
    """Finds whatever stands on it, best first, without looking at who asks."""

    def __init__(self, *candidates: Candidate) -> None:
        self.candidates, self.asked = candidates, []

    def retrieve(self, query: Query, k: int) -> Retrieval:
        self.asked.append(k)
        return Retrieval(self.candidates[:k], "shelf@1", {"encode": 0.5})


def names(candidates) -> str:
    return "".join(c.item.id for c in candidates)


SHELF = Shelf(
    candidate("a"),
    candidate("b", groups=frozenset({"hr"})),
    candidate("c", fields={"lang": "de"}),
    candidate("d"),
    candidate("e", groups=frozenset({"hr", "legal"})),
)


def test_counts_say_how_many_each_stage_kept() -> None:
    funnel = Funnel(SHELF, [Unseen()], AsRetrieved(), ByScore(), k=10, slate=2)
    slate = funnel.search(Query("q", "?", seen=frozenset({"d"})))
    assert names(slate.candidates) == "ac"
    assert slate.counts == {"retrieve": 5, "filter": 2, "rank": 2, "order": 2}
    assert slate.version == "shelf@1"


def test_timings_name_every_stage_and_the_retrievers_own() -> None:
    slate = Funnel(SHELF, [], AsRetrieved(), ByScore()).search(Query("q", "?"))
    assert set(slate.timings) == {"retrieve", "filter", "rank", "order", "retrieve.encode"}
    assert slate.timings["retrieve.encode"] == 0.5
    assert all(seconds >= 0 for seconds in slate.timings.values())


@pytest.mark.parametrize(
    ("groups", "seen"), [(set(), "acd"), ({"hr"}, "abcde"), ({"legal"}, "acde"), ({"x"}, "acd")]
)
def test_groups_are_filtered_whatever_the_settings(groups, seen) -> None:
    funnel = Funnel(SHELF, [], AsRetrieved(), ByScore(), slate=9)
    slate = funnel.search(Query("q", "?", groups=frozenset(groups)))
    assert names(slate.candidates) == seen
    assert slate.counts["filter"] == len(seen)


def test_a_ranker_is_never_shown_what_the_reader_may_not_read() -> None:
    read = []

    def judge(pairs):
        read.extend(passage for _, passage in pairs)
        return [0.0] * len(pairs)

    Funnel(SHELF, [], CrossEncoder(judge=judge), ByScore()).search(Query("q", "?"))
    assert read == ["text of a", "text of c", "text of d"]


def test_fields_are_filtered_by_query_and_by_setting() -> None:
    asked = Query("q", "?", fields={"lang": "de"})
    by_query = Funnel(SHELF, [FieldsEqual()], AsRetrieved(), ByScore())
    by_setting = Funnel(SHELF, [FieldsEqual(lang="de")], AsRetrieved(), ByScore())
    assert names(by_query.search(asked).candidates) == "c"
    assert names(by_setting.search(Query("q", "?")).candidates) == "c"


def test_k_of_the_call_comes_before_the_slates_own() -> None:
    shelf = Shelf(*SHELF.candidates)
    funnel = Funnel(shelf, [], AsRetrieved(), ByScore(), k=2, slate=1)
    assert names(funnel.search(Query("q", "?")).candidates) == "a"
    assert names(funnel.search(Query("q", "?"), k=4).candidates) == "acd"
    assert shelf.asked == [2, 4]  # never fewer retrieved than wanted


def test_a_judge_reorders_the_first_and_leaves_the_rest() -> None:
    letters = [candidate(name) for name in "abcd"]
    ranker = CrossEncoder(depth=3, judge=lambda pairs: [1.0, 3.0, 3.0])
    ranked = ranker.rank(Query("q", "?"), letters)
    assert names(ranked) == "bcad"  # equal scores keep their order
    assert [c.score for c in ranked] == [3.0, 3.0, 1.0, 1.0]
    assert ranked[0].scores["rank"] == 3.0


def test_near_duplicates_are_taken_once() -> None:
    text = "the water wheel lifts ten buckets of water to the upper field every minute"
    letters = [
        candidate("a", text),
        candidate("b", text.upper() + "!"),
        candidate("c", "Note: " + text),
        candidate("d", "the moon pulls the tides twice a day"),
    ]
    assert names(Diverse().order(Query("q"), letters, 4)) == "ad"
    assert names(Diverse(similarity=1.01).order(Query("q"), letters, 4)) == "abcd"


def test_texts_that_share_words_but_not_sequences_are_no_duplicates() -> None:
    one = candidate("a", "wheels lift water and the river turns the wheels")
    other = candidate("b", "the river turns wheels and water and wheels lift the")
    assert names(Diverse().order(Query("q"), [one, other], 4)) == "ab"


def test_a_document_takes_three_places_before_others_are_preferred() -> None:
    letters = [candidate(name, document="long") for name in "abcde"] + [
        candidate("x", document="other")
    ]
    assert names(Diverse().order(Query("q"), letters, 4)) == "abcx"
    assert names(Diverse(per_document=1).order(Query("q"), letters, 2)) == "ax"
    assert names(Diverse(per_document=0).order(Query("q"), letters, 4)) == "abcd"


def test_free_places_are_filled_with_the_best_left_over() -> None:
    letters = [candidate(name, document="long") for name in "abcde"]
    assert names(Diverse(per_document=2).order(Query("q"), letters, 4)) == "abcd"


def test_nothing_in_nothing_out() -> None:
    slate = Funnel(Shelf(), [Unseen()], CrossEncoder(judge=lambda p: []), Diverse()).search(
        Query("q", "?")
    )
    assert slate.candidates == ()
    assert slate.counts == {"retrieve": 0, "filter": 0, "rank": 0, "order": 0}
