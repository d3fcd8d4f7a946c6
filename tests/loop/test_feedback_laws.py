"""What holds whatever people write, and whoever may read what."""

from collections.abc import Collection
from dataclasses import replace

from hypothesis import given as every
from hypothesis import settings
from hypothesis import strategies as st
from told import correction, everything, given, kept, review, thumb

from noria.corpus.snapshot import Named
from noria.loop.feedback.harvest import Policy, harvested
from noria.tune.data.store import lines
from noria.types import Item

# what a database keeps: no NUL, no half characters
written = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
GROUPS = st.frozensets(st.sampled_from(["hr", "law"]))
SECRETS = ("The bishop earns nine pounds.", "Ada dug the well.", "Cleo sues Ben.")


@every(written.filter(str.strip), written, written, st.lists(written, max_size=3), written)
@settings(max_examples=50)
def test_whatever_people_write_a_file_holds_it(
    question: str, answer: str, text: str, history: list[str], intent: str
) -> None:
    answers = [
        given("a-1", answer, question=question, history=tuple(history)),
        given("a-2", answer, question=f"{question} 2"),
        given("a-3", answer, question=f"{question} 3"),
    ]
    said = [correction("a-1", "x", text), thumb("a-2", "x", -1.0)]
    found = [review("a-3", "wrong", text=text, intent=intent, passages=("p1",))]
    harvest = harvested(kept(answers, said, found), everything)
    assert lines(harvest.examples).count("\n") >= len(harvest.examples)


@every(GROUPS, GROUPS, st.lists(st.tuples(GROUPS, st.booleans()), min_size=3, max_size=3))
def test_nothing_is_learnt_that_the_allowed_groups_may_not_read(
    reader: frozenset[str], allowed: frozenset[str], passages: list[tuple[frozenset[str], bool]]
) -> None:
    """The answer says all that its reader could see, some of which is gone since."""
    items = [Item(f"p{n}", SECRETS[n], groups=groups) for n, (groups, _) in enumerate(passages)]
    there = [item for item, (_, stays) in zip(items, passages, strict=True) if stays]
    read = [item for item in items if not item.groups or item.groups & reader]

    def look(ids: Collection[str], groups: frozenset[str]) -> Named:
        asked = [item for item in there if item.id in ids]
        seen = {i.id: i for i in asked if not i.groups or i.groups & groups}
        return Named(seen, frozenset(i.id for i in asked) - seen.keys())

    answer = given(
        "a-1",
        " ".join(item.text for item in read) or "Hello.",
        read=tuple(item.id for item in read),
        cited=(),
        groups=reader,
    )
    harvest = harvested(kept([answer], [thumb("a-1", "x")]), look, Policy(groups=allowed))
    for item in items:
        if item.groups and not item.groups & allowed:
            assert item.text not in lines(harvest.examples)


def test_a_flood_of_one_person_is_a_small_part_of_what_is_learnt() -> None:
    answers = [given(f"a-{n}", question=f"Who dug well number {n * 7919}?") for n in range(150)]
    flood = [thumb(each.id, "eve", -1.0, days=n) for n, each in enumerate(answers)]
    honest = [thumb(f"a-{n}", f"user {n % 40}") for n in range(100, 150)]
    policy = Policy()
    harvest = harvested(kept(answers, [*flood, *honest]), everything, policy)
    wrong = [each for each in harvest.examples if not each.response]
    assert len(wrong) <= policy.caps.few
    assert sum(bool(each.response) for each in harvest.examples) >= 49
    assert harvest.dropped["burst"] == 150 - policy.caps.few


def test_the_order_in_which_answers_were_given_changes_nothing() -> None:
    answers = [given(f"a-{n}", f"Nobody {n}", question=f"Who dug well {n}?") for n in range(5)]
    said = [thumb(each.id, "x") for each in answers]
    one = harvested(kept(answers, said), everything)
    other = harvested(kept([*reversed(answers)], said), everything)
    assert one == other
    assert replace(one, sources={}) == replace(other, sources={})
