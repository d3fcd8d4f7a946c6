"""Whether a new index may take the old one's place."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from noria.corpus.columns import Row
from noria.corpus.index import PassageTable, Recipe
from noria.corpus.live import LivePassages
from noria.errors import DataError, IndexStoreError
from noria.evaluate.questions import Question, Questions, read
from noria.evaluate.recorded import Side, ranking, says, shared
from noria.evaluate.statistics.intervals import Difference, difference
from noria.evaluate.swap import Comparison, Trial, compare, verdict
from noria.models.fake import FakeEncoder
from noria.protocols import Encoder
from noria.store.state import State
from noria.types import Candidate, Item

NOW = datetime(2026, 11, 21, tzinfo=UTC)
TOPICS = [
    "buckets", "aqueducts", "cheese", "harvests", "lanterns", "bridges", "violins", "glaciers",
    "orchards", "printing", "pottery", "lighthouses", "compasses", "windmills", "salt", "silk",
]  # fmt: skip
QUESTIONS = [
    Question(f"q{i}", f"Who knows of {topic}?", documents=(f"{topic}.md",))
    for i, topic in enumerate(TOPICS)
]


class Noise(FakeEncoder):
    """Vectors that say nothing of the text: chance alone decides what is near."""

    @property
    def fingerprint(self) -> str:
        return "noise"

    def _encode(self, texts: Sequence[str]) -> np.ndarray:  # type: ignore[type-arg]
        seeds = [sum(map(ord, text)) for text in texts]
        rows = [np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds]
        matrix = np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


Build = Callable[[Encoder], PassageTable]


@pytest.fixture
def state() -> Iterator[State]:
    made = State("sqlite://")
    yield made
    made.close()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A table of sixteen short documents, one of them for some eyes only."""

    def built(encoder: Encoder) -> PassageTable:
        recipe = Recipe(encoder.fingerprint, "by hand")
        table = PassageTable(tmp_path / "index", recipe.table, encoder.dimension)
        table.create()
        texts = [f"Some people know of {topic}. They have 28 days for it." for topic in TOPICS]
        vectors = encoder.encode_passages(texts)
        rows = [
            Row(
                Item(f"{encoder.fingerprint}-{topic}", text, f"{topic}.md",
                     groups=frozenset({"hr"} if topic == "silk" else ())),
                f"/{topic}.md", "f", text, vector,
            )
            for topic, text, vector in zip(TOPICS, texts, vectors, strict=True)
        ]  # fmt: skip
        table.replace([row.source for row in rows], rows)
        return table

    return built


def compared(build: Build, old: Encoder, new: Encoder, questions: list[Question]) -> Comparison:
    sides = (Side(build(encoder), encoder) for encoder in (old, new))
    return compare(questions, *sides, np.random.default_rng(0))


def test_noise_is_refused(build: Build) -> None:
    found = compared(build, FakeEncoder(), Noise(), QUESTIONS)
    assert not found.swap
    assert "dense ndcg@10 went from" in found.reason
    assert (found.questions, found.judged, found.problems) == (16, 16, ())
    lost = found.metrics["dense"]["ndcg@10"]
    assert (lost.old, lost.high < 0, lost.low <= lost.difference <= lost.high) == (1, True, True)
    assert found.metrics["dense"]["mrr@10"].new < 0.5
    assert found.overlap["dense"] < 0.95


def test_a_wider_encoder_that_finds_the_same_is_taken(build: Build) -> None:
    found = compared(build, FakeEncoder(256), FakeEncoder(512), QUESTIONS)
    assert found.swap
    assert found.metrics["hybrid"]["recall@10"] == Difference(1, 1, 0, 0, 0)
    assert json.loads(json.dumps(found.as_json()))["metrics"]["dense"]["ndcg@10"]["new"] == 1


def test_better_is_taken(build: Build) -> None:
    found = compared(build, Noise(), FakeEncoder(), QUESTIONS)
    assert found.swap
    assert found.metrics["dense"]["ndcg@10"].low > 0


def test_an_index_is_like_itself(build: Build) -> None:
    found = compared(build, FakeEncoder(), FakeEncoder(), QUESTIONS)
    assert found.overlap == {"dense": 1, "hybrid": 1}
    assert found.swap


def test_answers_are_looked_for_where_no_document_is_named(build: Build) -> None:
    asked = [Question(f"q{i}", f"Who knows of {t}?", (f"know  of {t.upper()}",))
             for i, t in enumerate(TOPICS)]  # fmt: skip
    found = compared(build, FakeEncoder(), Noise(), asked)
    assert not found.swap
    assert found.metrics["dense"]["mrr@10"].old == 1


def test_without_answers_only_the_overlap_is_measured(build: Build) -> None:
    asked = [Question("q", "Who knows of silk?")]
    found = compared(build, FakeEncoder(), Noise(), asked)
    assert (found.swap, found.judged, found.metrics) == (True, 0, {})
    assert "only the overlap" in found.reason
    assert 0 < found.overlap["dense"] <= 1


def test_a_document_that_is_not_there_judges_nothing(build: Build) -> None:
    asked = [*QUESTIONS, Question("lost", "Where?", documents=("elsewhere.md",))]
    found = compared(build, FakeEncoder(), FakeEncoder(), asked)
    assert (found.questions, found.judged) == (17, 16)
    assert "'lost'" in found.problems[0]


def by(difference: float, high: float) -> dict[str, dict[str, Difference]]:
    same = {"ndcg@10": Difference(0.5, 0.5, 0, 0, 0)}
    return {"dense": {"ndcg@10": Difference(0.5, 0.5 + difference, difference, -1, high)},
            "hybrid": same}  # fmt: skip


@pytest.mark.parametrize(
    ("judged", "difference", "high", "swap", "says"),
    [
        (9, -0.5, -0.1, True, "too few questions"),
        (10, -0.5, -0.1, False, "worse beyond chance: dense ndcg@10 went from 0.500 to 0.000"),
        (49, -0.05, 0.01, True, "not worse beyond chance"),
        (50, -0.05, 0.01, False, "worse by more than 0.02"),
        (50, -0.01, 0.01, True, "not worse beyond chance"),
        (50, 0.1, 0.2, True, "not worse beyond chance"),
    ],
)
def test_verdicts(judged: int, difference: float, high: float, swap: bool, says: str) -> None:
    verdict_, reason = verdict(by(difference, high), judged)
    assert verdict_ is swap
    assert says in reason


def test_the_interval_narrows_with_more_questions() -> None:
    few, many = (
        difference(np.zeros(n), np.tile([0.0, 1.0], n // 2), np.random.default_rng(0))
        for n in (10, 1000)
    )
    assert few.difference == many.difference == 0.5
    assert many.high - many.low < (few.high - few.low) / 5
    assert difference(np.zeros(10), np.tile([0.0, 1.0], 5), np.random.default_rng(0)) == few


def test_the_first_passage_that_says_it_counts() -> None:
    found = [Candidate(Item(str(i), text, "d"), 1.0) for i, text in enumerate(["", "42.", "42"])]
    assert ranking(Question("q", "?", ("42",)), found) == ["0", "the answer", "2"]
    assert ranking(Question("q", "?", ("42",), ("d",)), found) == ["d"]
    assert says("1945年。", ["1945年"])
    assert not says("142", ["42"])
    assert shared(["a"], []) == 0


# what ingestion calls


def live_with(state: State, **row: str) -> None:
    state.make_live("passages", {"table": "t", "languages": ["en"], **row}, NOW)


def trial(state: State, questions: list[Question] | None, swap: bool = False) -> Trial:
    asked = Questions(tuple(questions), ("file:3: bad",)) if questions else None
    return Trial(state, Noise(), lambda source: FakeEncoder(), NOW, asked, swap)


def test_what_was_refused_stays_so_until_somebody_insists(build: Build, state: State) -> None:
    live_with(state, encoder=FakeEncoder().fingerprint, source="fake")
    old, new = build(FakeEncoder()), build(Noise())
    first = trial(state, QUESTIONS)
    assert not first(old, new)
    assert first.comparison is not None
    assert first.comparison.problems == ("file:3: bad",)
    again = trial(state, None)
    assert not again(old, new)
    assert again.refusal == first.refusal == first.comparison.reason
    assert trial(state, None)(new, old)  # another one was never refused
    assert trial(state, None)(old, new)  # and with that the refusal is over
    assert not trial(state, QUESTIONS)(old, new)
    insisting = trial(state, QUESTIONS, swap=True)
    assert insisting(old, new)
    assert insisting.comparison is not None
    assert insisting.refusal == ""
    assert trial(state, None)(old, new)


def test_an_encoder_that_cannot_be_had_is_told_before_the_work(state: State) -> None:
    live_with(state, encoder=FakeEncoder().fingerprint)
    with pytest.raises(IndexStoreError, match=r"where its encoder is from.*--swap"):
        trial(state, QUESTIONS)
    live_with(state, encoder="another", source="file:weights")
    with pytest.raises(IndexStoreError, match=r"file:weights is no longer the encoder.*--swap"):
        trial(state, QUESTIONS)
    assert trial(state, None).refusal == ""
    live_with(state, encoder="noise")  # the same encoder: only the splitter changed
    assert trial(state, QUESTIONS).refusal == ""


def test_before_the_first_ingestion_there_is_nothing_to_compare(state: State) -> None:
    assert trial(state, QUESTIONS).comparison is None


# the file


def test_questions_are_read_and_bad_lines_listed(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"id": 1, "question": "Who?", "answers": ["Ada"], "documents": ["a", ""]}\n'
        b'\n{"id": "2", "question": "What?", "answers": null, "slice": {}}\n'
        b'nonsense\n{"question": "no id"}\n{"id": "4", "question": " "}\n'
        b'{"id": "1", "question": "?"}\n{"id": "5", "question": "?", "answers": "Ada"}\n'
        b"\xff\n[1]\n"
    )
    found = read(path)
    assert found.asked == (Question("1", "Who?", ("Ada",), ("a",)), Question("2", "What?"))
    lines = [problem.removeprefix(f"{path}:").partition(": ") for problem in found.problems]
    assert [number for number, _, _ in lines] == ["4", "5", "6", "7", "8", "9", "10"]
    assert lines[3][2] == "\"id\" '1' was there before"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"nonsense\n", b'{"id": 1}\n'])
def test_a_file_without_questions(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"no questions in it.*\"question\""):
        read(path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read(tmp_path / "nowhere.jsonl")


def test_the_live_row_is_what_a_trial_reads(state: State, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    live = LivePassages(tmp_path, state, encoder.fingerprint, encoder.dimension)
    live.switch(Recipe(encoder.fingerprint, "s"), NOW)
    same = Trial(state, encoder, lambda source: Noise(), NOW, Questions(tuple(QUESTIONS)))
    assert same.refusal == ""
