"""What is learnt from passages: RAFT's slates and RA-DIT's."""

from dataclasses import replace

import pytest
from byte_tokenizer import byte_tokenizer
from slates import EXAMPLES, MILLS, ROADS, TEXTS, WELLS, Finds, asked, contents

from noria.answer.answerer import Answerer
from noria.answer.prompt import build
from noria.funnel.funnel import Funnel
from noria.funnel.order import ByScore
from noria.funnel.rank import AsRetrieved
from noria.models.fake import FakeEncoder, FakeLLM
from noria.tune.examples import Example
from noria.tune.pack import trees
from noria.tune.radit import Reading, radit
from noria.tune.raft import Slates, raft, together
from noria.tune.render import Lesson, Renderer
from noria.types import Candidate, Item, Sampling


class Room:
    """Makes lessons, and reads them again."""

    def __init__(self) -> None:
        self.tokenizer = byte_tokenizer()
        self.renderer = Renderer(self.tokenizer, 4000)
        self.funnel = Funnel(Finds(TEXTS), (), AsRetrieved(), ByScore())
        self.answerer = Answerer(
            self.funnel, FakeLLM([]), FakeEncoder(), "r1", Sampling(max_tokens=50)
        )

    def raft(self, slates: Slates, *examples: Example) -> dict[str, tuple[list[str], str]]:
        made = raft(examples, self.answerer, self.funnel, self.renderer, slates)
        assert not made.problems
        return {lesson.id: self.read(lesson) for lesson in made.lessons}

    def radit(self, reading: Reading, *examples: Example) -> dict[str, tuple[list[str], str]]:
        made = radit(examples, self.answerer, self.funnel, self.renderer, reading)
        assert not made.problems
        return {lesson.id: self.read(lesson) for lesson in made.lessons}

    def read(self, lesson: Lesson) -> tuple[list[str], str]:
        """The passages that a lesson shows, and what it teaches."""
        after = self.tokenizer.decode(lesson.after).removesuffix("</s>")
        return contents(self.tokenizer.decode(lesson.before)), after


@pytest.fixture(scope="module")
def room() -> Room:
    return Room()


def test_golden_passages_stand_among_distractors(room: Room) -> None:
    made = room.raft(Slates(passages=2, golden=1.0), *EXAMPLES)
    assert {id: learnt for id, (_, learnt) in made.items()} == {
        "1": "Ada",
        "2": "nine metres",
        "3": "Ben",
        "4": "I don't know.",
    }
    for id, golden in zip("1234", (WELLS, WELLS, MILLS, MILLS), strict=True):
        shown, _ = made[id]
        assert len(shown) == 2
        assert golden in shown


def test_without_the_golden_passage_it_learns_to_abstain(room: Room) -> None:
    made = room.raft(Slates(passages=2, golden=0.0), *EXAMPLES)
    assert {learnt for _, learnt in made.values()} == {"I don't know."}
    assert all(WELLS not in made[id][0] for id in "12")
    assert made["1"][0] == [MILLS, ROADS] or made["1"][0] == [ROADS, MILLS]


def test_a_share_of_the_slates_has_the_golden_passage(room: Room) -> None:
    many = [asked(str(n), f"Who dug well {n}?", "Ada", "wells") for n in range(400)]
    made = room.raft(Slates(golden=0.8, seed=1), *many)
    golden = sum(WELLS in shown for shown, _ in made.values())
    assert 280 <= golden <= 360


def test_the_order_is_retrievals_or_chance(room: Room) -> None:
    (first,) = (room.raft(Slates(golden=1.0), EXAMPLES[0])[id][0] for id in "1")
    assert first[0] == WELLS
    places = {
        room.raft(Slates(golden=1.0, ordered=False, seed=seed), EXAMPLES[0])["1"][0].index(WELLS)
        for seed in range(12)
    }
    assert places == {0, 1, 2}


def test_an_example_without_gold_text_is_told(room: Room) -> None:
    bare = replace(EXAMPLES[0], question=replace(EXAMPLES[0].question, context=None))
    made = raft([bare], room.answerer, room.funnel, room.renderer)
    assert made.lessons == ()
    assert made.problems == ("1: no gold text; RAFT needs one, or use radit",)


def test_questions_on_one_text_share_a_slate_and_are_read_once(room: Room) -> None:
    groups = list(together(EXAMPLES))
    assert [[each.id for each in group] for group in groups] == [["1", "2"], ["3", "4"]]
    made = raft(EXAMPLES, room.answerer, room.funnel, room.renderer, Slates(golden=1.0))
    assert [len(tree.lessons) for tree in trees(made.lessons, 4000)] == [2, 2]


def test_radit_makes_a_lesson_of_each_passage_and_of_the_slate(room: Room) -> None:
    made = room.radit(Reading(alone=2, slate=3, slated=1.0, abstaining=0.9), EXAMPLES[0])
    assert made == {
        "1 slate": ([WELLS, MILLS, ROADS], "Ada"),
        "1 passage 1": ([WELLS], "Ada"),
        "1 passage 2": ([MILLS], "I don't know."),
    }


def test_radit_bounds_the_share_that_abstains(room: Room) -> None:
    many = [asked(str(n), f"Who dug well {n}?", "Ada", "wells") for n in range(50)]
    made = room.radit(Reading(alone=3, slate=0, abstaining=0.2), *many)
    abstaining = sum(learnt == "I don't know." for _, learnt in made.values())
    assert (len(made), abstaining) == (62, 12)


def test_a_wrong_passage_of_the_right_document_teaches_to_abstain(room: Room) -> None:
    texts = {"wells": "The well has a roof.", "roads": ROADS}
    funnel = Funnel(Finds(texts), (), AsRetrieved(), ByScore())
    some = [EXAMPLES[0], asked("5", "Who paved the road?", "Cleo", "roads")]
    made = radit(some, room.answerer, funnel, room.renderer, Reading(1, 0, abstaining=0.9))
    taught = {lesson.id: room.read(lesson)[1] for lesson in made.lessons}
    assert taught == {"1 passage 1": "I don't know.", "5 passage 1": "Cleo"}


def test_the_prompt_is_the_one_that_the_answerer_makes(room: Room) -> None:
    (lesson,) = radit(
        EXAMPLES[:1], room.answerer, room.funnel, room.renderer, Reading(0, 1, slated=1.0)
    ).lessons
    candidate = Candidate(Item("wells", WELLS, "wells"), 1.0)
    chat, _ = build("Who dug the well?", [candidate], room.answerer.llm.count, 1200)
    assert lesson.before == room.renderer.prompt(chat)


def test_a_share_of_the_texts_has_slates(room: Room) -> None:
    many = [asked(str(n), f"Who dug well {n}?", "Ada", "wells") for n in range(8 * 100)]
    made = room.radit(Reading(alone=0, slated=0.2), *many)
    assert 8 * 10 <= len(made) <= 8 * 30


def test_what_answers_is_no_distractor_and_the_golden_passage_looks_like_the_others(
    room: Room,
) -> None:
    bare = replace(EXAMPLES[0], question=replace(EXAMPLES[0].question, documents=(), id="wells"))
    again = replace(bare, question=replace(bare.question, id="wells"))
    made = room.raft(Slates(golden=1.0), again)
    assert made["wells"] == ([WELLS, MILLS, ROADS], "Ada")
    without = room.raft(Slates(golden=0.0), again)
    assert without["wells"] == ([MILLS, ROADS], "I don't know.")


def test_an_answer_in_other_words_is_learnt_from_its_document(room: Room) -> None:
    told = asked("9", "Who dug the well?", "It was a woman called A.", "wells")
    made = room.radit(Reading(alone=2, abstaining=0.9), told, EXAMPLES[2])
    assert made["9 passage 1"] == ([WELLS], "It was a woman called A.")
    assert made["9 passage 2"][1] == "I don't know."


def test_a_response_written_for_an_unanswerable_question_is_learnt(room: Room) -> None:
    example = replace(EXAMPLES[3], response="Ask the town hall.")
    made = room.raft(Slates(golden=1.0), example)
    assert made["4"][1] == "Ask the town hall."
