from collections.abc import Sequence
from dataclasses import replace

import pytest

from noria.answer.answerer import UNKNOWN, Answerer
from noria.funnel.funnel import Funnel
from noria.funnel.order import ByScore
from noria.funnel.rank import AsRetrieved
from noria.models.fake import FakeEncoder, FakeLLM
from noria.types import Candidate, Item, Query, Retrieval, Sampling

WHEEL = Item("p1", "A noria lifts water out of a stream.", "wheels.md", end=36)
SECRET = Item("p2", "The secret noria lifts gold.", "secret.md", groups=frozenset({"board"}))


class Shelf:
    """Finds everything, permissions disregarded."""

    def __init__(self, *items: Item) -> None:
        self._items = items

    def retrieve(self, query: Query, k: int) -> Retrieval:
        found = [Candidate(i, 0.9 - n / 10, {"dense": 0.9}) for n, i in enumerate(self._items)]
        return Retrieval(tuple(found[:k]), "shelf@1")


def answerer(llm: FakeLLM, items: Sequence[Item] = (WHEEL,)) -> Answerer:
    funnel = Funnel(Shelf(*items), (), AsRetrieved(), ByScore())
    return Answerer(funnel, llm, FakeEncoder(), "r1", Sampling(max_tokens=50))


def test_an_answer_cites_and_names_what_made_it() -> None:
    answer = answerer(FakeLLM(["A noria lifts water."])).answer(Query("7", "What lifts water?"))
    assert answer.text == "A noria lifts water."
    assert [c.quote for c in answer.citations] == ["A noria lifts water out of a stream."]
    assert (answer.id, answer.release, answer.index_version) == ("a-7", "r1", "shelf@1")
    assert answer.grounded == 1.0
    assert not answer.abstained
    assert {"prompt", "generate", "ground", "search.retrieve"} <= answer.timings.keys()


def test_streaming_yields_the_text_in_pieces() -> None:
    writing = answerer(FakeLLM(["A noria lifts water."])).stream(Query("7", "What lifts water?"))
    assert "".join(writing).strip() == "A noria lifts water."


def test_it_abstains_when_the_model_says_it_does_not_know() -> None:
    answer = answerer(FakeLLM(["I don't know."])).answer(Query("7", "What lifts water?"))
    assert (answer.text, answer.citations, answer.abstained) == (UNKNOWN, (), True)


def test_it_abstains_when_nothing_was_found_and_asks_no_model() -> None:
    llm = FakeLLM(["Anything."])
    answer = answerer(llm, ()).answer(Query("7", "What lifts water?"))
    assert answer.abstained
    assert answer.confidence == 0.0
    assert llm.prompts == []


def test_it_abstains_below_the_threshold() -> None:
    sure = replace(answerer(FakeLLM(["Cheese grows on the moon."])), abstain_below=0.99)
    assert sure.answer(Query("7", "What lifts water?")).abstained


def test_an_unsupported_answer_has_no_citation_and_less_confidence() -> None:
    made_up = answerer(FakeLLM(["Cheese grows on trees."])).answer(Query("7", "What lifts water?"))
    told = answerer(FakeLLM(["A noria lifts water."])).answer(Query("7", "What lifts water?"))
    assert made_up.citations == ()
    assert made_up.grounded < 0.01
    assert made_up.confidence < told.confidence


def test_a_restricted_passage_reaches_neither_prompt_nor_citation() -> None:
    llm = FakeLLM(["The secret noria lifts gold."])
    answer = answerer(llm, (SECRET, WHEEL)).answer(Query("7", "What lifts gold?"))
    assert "secret" not in str(llm.prompts)
    assert all(c.item != SECRET for c in answer.citations)
    insider = Query("8", "What lifts gold?", groups=frozenset({"board"}))
    told = answerer(FakeLLM(["The secret noria lifts gold."]), (SECRET, WHEEL)).answer(insider)
    assert [c.item for c in told.citations] == [SECRET]


RAD = Item("p3", "Das Schöpfrad ist ein Rad, und es hebt das Wasser der Flüsse auf die Felder.")


@pytest.mark.parametrize("languages", [(), ("de",), ("en", "de")])
def test_a_german_answer_is_supported_by_the_inflected_words_of_its_passage(languages) -> None:
    llm = FakeLLM(["Das Wasser eines Flusses."])
    german = replace(answerer(llm, [RAD]), languages=languages)
    answer = german.answer(Query("7", "Was heben die Schöpfräder?"))
    assert [c.quote for c in answer.citations] == [RAD.text]


def test_a_language_that_is_set_is_used() -> None:
    llm = FakeLLM(["Das Wasser eines Flusses."])
    english = replace(answerer(llm, [RAD]), languages=("en",), abstain_below=0.0)
    assert english.answer(Query("7", "Was heben die Schöpfräder?")).citations == ()


MILL = Item("p3", "Ben built the mill in 1850.", "mills.md")
ROAD = Item("p4", "Cleo paved the road in 1861.", "roads.md")


def reader(prompt: object) -> str:
    """Answers what stands in its one passage, as a model that learnt to."""
    shown = prompt[-1].content  # type: ignore[index]
    return "Ben." if MILL.text in shown else "I don't know."


def test_passages_are_read_one_after_another_until_one_answers() -> None:
    llm = FakeLLM(reader)
    at = replace(answerer(llm, [WHEEL, MILL, ROAD]), manner="in turn")
    answer = at.answer(Query("7", "Who built the mill in 1850?"))
    assert (answer.text, answer.abstained) == ("Ben.", False)
    assert [c.item.id for c in answer.citations] == ["p3"]
    asked = [prompt[-1].content for prompt in llm.prompts]  # type: ignore[union-attr]
    assert [[i.id for i in (WHEEL, MILL, ROAD) if i.text in text] for text in asked] == [
        ["p1"],
        ["p3"],
    ]


def test_it_abstains_when_no_passage_answers() -> None:
    llm = FakeLLM(reader)
    at = replace(answerer(llm, [WHEEL, ROAD]), manner="in turn")
    assert at.answer(Query("7", "Who built the mill?")).abstained
    assert len(llm.prompts) == 2


def test_together_one_refusal_is_the_answer() -> None:
    llm = FakeLLM(lambda prompt: "I don't know.")
    assert answerer(llm, [WHEEL, MILL]).answer(Query("7", "Who built the mill?")).abstained
    assert len(llm.prompts) == 1
