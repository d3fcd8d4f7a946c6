"""An arm whose model reads one passage after another, in batches."""

from pathlib import Path

from noria.answer.answerer import Answerer
from noria.evaluate.arms.arm import Arm
from noria.evaluate.arms.examples import Examples
from noria.evaluate.arms.remember import Memory, Remembering
from noria.evaluate.arms.respond import Respondent
from noria.evaluate.questions import Question
from noria.funnel.funnel import Funnel
from noria.funnel.order import ByScore
from noria.funnel.rank import AsRetrieved
from noria.models.fake import FakeEncoder, FakeLLM
from noria.types import Candidate, Item, Prompt, Query, Retrieval, Sampling

TEXTS = {
    "wells": "Ada dug the well in 1842.",
    "mills": "Ben built the mill in 1850.",
    "roads": "Cleo paved the road in 1861.",
}
QUESTIONS = [
    Question("well", "Who dug the well in 1842?", ("Ada",), ("wells",)),
    Question("road", "Who paved the road in 1861?", ("Cleo",), ("roads",)),
    Question("roof", "Who thatched the roof?", unanswerable=True),
]


class Shelf:
    """Finds everything, in one order."""

    def retrieve(self, query: Query, k: int) -> Retrieval:
        found = [Candidate(Item(n, t, n), 0.9 - i / 10) for i, (n, t) in enumerate(TEXTS.items())]
        return Retrieval(tuple(found[:k]), "shelf@1")


def reads(prompt: Prompt) -> str:
    """The name in the passage, if it has the question's last words."""
    shown = prompt[-1].content  # type: ignore[union-attr]
    asked = shown.rpartition("Question: ")[2].removesuffix("?").split()[-2:]
    text = next(text for text in TEXTS.values() if text in shown)
    return text.split()[0] if " ".join(asked) in text else "I don't know."


def respondent(llm: FakeLLM, path: Path) -> Respondent:
    funnel = Funnel(Shelf(), (), AsRetrieved(), ByScore())
    encoder = FakeEncoder()
    answerer = Answerer(funnel, llm, encoder, "r1", Sampling(max_tokens=20), abstain_below=0.0)
    writer = Remembering(llm, Memory(path))
    examples = Examples((), {}, encoder)
    arm = Arm("tuned+rag", "retrieved")
    return Respondent(arm, answerer, funnel, writer, None, examples, manner="in turn")


def test_each_question_reads_until_a_passage_answers(tmp_path: Path) -> None:
    llm = FakeLLM(reads)
    at = respondent(llm, tmp_path / "answers.db")
    heard: list[int] = []
    records = at.respond([at.prepare(each) for each in QUESTIONS], heard.append)
    assert [record.draft for record in records] == ["Ada", "Cleo", "I don't know."]
    every = ("wells", "mills", "roads")
    assert [record.retrieved for record in records] == [("wells",), every, every]
    assert [record.found for record in records] == [True, True, None]
    assert [record.abstained for record in records] == [False, False, True]
    assert len(llm.prompts) == 1 + 3 + 3
    assert heard == sorted(heard)
    assert heard[-1] == 3


def test_the_cost_is_that_of_all_passages_read(tmp_path: Path) -> None:
    at = respondent(FakeLLM(reads), tmp_path / "answers.db")
    first, second, _ = at.respond([at.prepare(each) for each in QUESTIONS], lambda count: None)
    assert second.prompt_tokens > 2 * first.prompt_tokens
    assert second.completion_tokens > first.completion_tokens


def test_a_second_run_asks_nothing_anew(tmp_path: Path) -> None:
    first = respondent(FakeLLM(reads), tmp_path / "answers.db")
    records = first.respond([first.prepare(each) for each in QUESTIONS], lambda count: None)
    llm = FakeLLM(reads)
    again = respondent(llm, tmp_path / "answers.db")
    found = again.respond([again.prepare(each) for each in QUESTIONS], lambda count: None)
    assert llm.prompts == []
    assert [record.answer for record in found] == [record.answer for record in records]


def test_a_passage_that_was_read_and_not_believed_was_found(tmp_path: Path) -> None:
    at = respondent(FakeLLM(lambda prompt: "I don't know."), tmp_path / "answers.db")
    prepared = at.prepare(QUESTIONS[0])
    (record,) = at.respond([prepared], lambda count: None)
    assert record.found
    assert record.seconds >= prepared.seconds
