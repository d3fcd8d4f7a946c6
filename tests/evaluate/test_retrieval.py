import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from noria.corpus.split import TokenSplitter
from noria.evaluate.beir import Collection, document
from noria.evaluate.retrieval import (
    Asked,
    documents,
    evaluate,
    indexed,
    measured,
    ranking,
    rankings,
)
from noria.funnel.retrieve import Dense, Lexical
from noria.models.fake import FakeEncoder
from noria.types import Candidate, Item, Query, Retrieval

NAMES = {"ndcg@10", "recall@10", "recall@100", "mrr@10"}
TEXTS = {
    "wheel": ("Water wheel", "A noria lifts water out of a stream."),
    "moon": ("Moon", "The moon circles the earth in a month."),
    "tax": ("Tax", "Every citizen pays income duties to the state."),
}


class Counting(FakeEncoder):
    """Counts what it is asked to embed."""

    def __init__(self) -> None:
        super().__init__()
        self.passages, self.questions = [], []

    def encode_passages(self, texts):
        self.passages += texts
        return super().encode_passages(texts)

    def encode_queries(self, texts):
        self.questions += texts
        return super().encode_queries(texts)


class Listed:
    """A retriever that knows its ranking: one passage for each name, of that document."""

    def __init__(self, *names: str) -> None:
        self.names, self.depths = names, []

    def retrieve(self, query: Query, k: int) -> Retrieval:
        self.depths.append(k)
        items = [Item(f"p{i}", "", document=name) for i, name in enumerate(self.names[:k])]
        return Retrieval(tuple(Candidate(item, 1.0) for item in items), "v1")


@pytest.fixture(scope="module")
def splitter(tmp_path_factory) -> TokenSplitter:
    """Counts words."""
    path = tmp_path_factory.mktemp("words") / "tokenizer.json"
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(path))
    return TokenSplitter(path, max_tokens=64, passage_tokens=32)


@pytest.fixture
def collection() -> Collection:
    return Collection(
        tuple(document(id, title, text) for id, (title, text) in TEXTS.items()),
        {"q1": "what lifts water", "q2": "what circles the earth"},
        {"q1": {"wheel": 1}, "q2": {"moon": 1}},
    )


@pytest.fixture
def folder(collection, tmp_path) -> Path:
    path = tmp_path / "set"
    (path / "qrels").mkdir(parents=True)
    corpus = [{"_id": id, "title": t, "text": x} for id, (t, x) in TEXTS.items()]
    questions = [{"_id": id, "text": text} for id, text in collection.questions.items()]
    for name, records in (("corpus", corpus), ("queries", questions)):
        (path / f"{name}.jsonl").write_text("\n".join(json.dumps(r) for r in records))
    (path / "qrels" / "test.tsv").write_text("q1\twheel\t1\nq2\tmoon\t1\n")
    return path


def test_every_retriever_finds_the_obvious(folder, splitter, tmp_path):
    result = evaluate(folder, FakeEncoder(), splitter, ["en"], tmp_path)
    perfect = dict.fromkeys(NAMES, 1.0)
    assert (result.lexical, result.dense, result.hybrid) == (perfect, perfect, perfect)
    assert result.queries == 2
    assert set(result.as_json()) == {"lexical", "dense", "hybrid", "queries", "seconds"}


def test_a_second_run_embeds_the_questions_only(collection, splitter, tmp_path):
    first, second = Counting(), Counting()
    one = evaluate(collection, first, splitter, ["en"], tmp_path)
    two = evaluate(collection, second, splitter, ["en"], tmp_path)
    assert len(first.passages) == 3
    assert second.passages == []
    assert (one.lexical, one.dense, one.hybrid) == (two.lexical, two.dense, two.hybrid)


def test_a_question_is_embedded_once_for_all_retrievers(collection, splitter, tmp_path):
    encoder = Counting()
    evaluate(collection, encoder, splitter, ["en"], tmp_path)
    assert sorted(encoder.questions) == sorted(collection.questions.values())


def test_an_interrupted_run_goes_on(collection, splitter, tmp_path, monkeypatch):
    monkeypatch.setattr("noria.corpus.write.COMMIT", 1)

    class Dying(Counting):
        def encode_passages(self, texts):
            if len(self.passages) == 2:
                raise KeyboardInterrupt
            return super().encode_passages(texts)

    with pytest.raises(KeyboardInterrupt):
        evaluate(collection, Dying(), splitter, ["en"], tmp_path)
    again = Counting()
    result = evaluate(collection, again, splitter, ["en"], tmp_path)
    assert len(again.passages) == 1
    assert result.hybrid["recall@10"] == 1.0


def test_collections_do_not_mix(collection, splitter, tmp_path):
    encoder = FakeEncoder()
    fewer = Collection(collection.documents[1:], collection.questions, collection.judgements)
    whole = indexed(collection, encoder, splitter, ["en"], tmp_path)
    part = indexed(fewer, encoder, splitter, ["en"], tmp_path)
    assert whole.name != part.name
    assert set(part.states()) == {"moon", "tax"}
    assert set(whole.states()) == {"wheel", "moon", "tax"}


def test_an_empty_document_is_never_found(splitter, tmp_path):
    empty = (document("a", "", " "), document("b", "", "Water."))
    encoder = Counting()
    for _ in range(2):
        table = indexed(Collection(empty, {}, {}), encoder, splitter, ["en"], tmp_path)
    assert set(table.states()) == {"b"}
    assert encoder.passages == ["Water."]


def test_a_long_document_counts_once(splitter, tmp_path):
    sentences = [f"The water wheel number {i} lifts water day and night." for i in range(40)]
    long, short = document("long", "", " ".join(sentences)), document("short", "", "Dry land.")
    encoder = FakeEncoder()
    table = indexed(Collection((short, long), {}, {}), encoder, splitter, ["en"], tmp_path)
    assert table.sizes()[1] > 10
    assert ranking(Dense(table, encoder), Query("q", "water wheel")) == ["long", "short"]
    assert ranking(Lexical(table), Query("q", "water wheel")) == ["long"]


def test_progress_names_each_stage(collection, splitter, tmp_path):
    told = []
    evaluate(collection, FakeEncoder(), splitter, ["en"], tmp_path,
             progress=lambda stage, done, total: told.append((stage, done, total)))  # fmt: skip
    assert [t for t in told if t[1] == t[2]] == [
        ("embedding", 3, 3), ("questions", 2, 2), ("lexical", 2, 2), ("dense", 2, 2),
        ("hybrid", 2, 2),
    ]  # fmt: skip


def test_one_question_is_no_wait_to_report():
    told = []
    encoder = Asked(FakeEncoder(), lambda *at: told.append(at))
    encoder.encode_queries(["Who?"])
    encoder.encode_queries(["Where?", "When?", "Who?"])
    assert told == [("questions", 2, 2)]


def test_documents_rank_by_their_best_passage():
    assert ranking(Listed("a", "a", "b", "a", "c"), Query("q")) == ["a", "b", "c"]


def test_more_passages_are_fetched_until_there_are_enough_documents():
    names = [f"d{i // 3}" for i in range(1000)]  # three passages of each document in a row
    retriever = Listed(*names)
    assert ranking(retriever, Query("q")) == [f"d{i}" for i in range(100)]
    assert retriever.depths == [100, 200, 400]


def test_a_deeper_search_only_fills_up():
    class Fickle(Listed):
        def retrieve(self, query: Query, k: int) -> Retrieval:
            self.names = self.names if k == 100 else tuple(reversed(self.names))
            return super().retrieve(query, k)

    assert ranking(Fickle(*["a"] * 99, "b", *["c"] * 30), Query("q")) == ["a", "b", "c"]


def test_a_question_that_is_a_document_does_not_find_itself():
    assert ranking(Listed("q", "a"), Query("q")) == ["a"]


def test_a_passage_without_a_document_stands_for_itself():
    assert documents([Candidate(Item("p1", ""), 1.0)]) == ["p1"]


def test_metrics_by_hand():
    judgements = {
        "early": {"a": 1, "b": 1},
        "late": {f"r{i}": 1 for i in range(4)},
        "graded": {"best": 3, "good": 1, "bad": 0},
        "missed": {"z": 1},
    }
    found = {
        "early": ["x", "a", "b"],
        "late": [*(f"x{i}" for i in range(10)), "r0", "r1", *(f"y{i}" for i in range(90)), "r2"],
        "graded": ["good", "bad", "best"],
    }

    def gain(grade: int, rank: int) -> float:
        return grade / math.log2(rank + 1)

    ndcg = [
        (gain(1, 2) + gain(1, 3)) / (gain(1, 1) + gain(1, 2)),
        0.0,
        (gain(1, 1) + gain(3, 3)) / (gain(3, 1) + gain(1, 2)),
        0.0,
    ]
    assert measured(judgements, found) == pytest.approx(
        {
            "ndcg@10": sum(ndcg) / 4,
            "recall@10": (1 + 0 + 1 + 0) / 4,
            "recall@100": (1 + 2 / 4 + 1 + 0) / 4,
            "mrr@10": (1 / 2 + 0 + 1 + 0) / 4,
        }
    )


def test_ties_do_not_change_the_order_that_is_measured():
    ids = [f"d{i}" for i in range(10)]
    for place, id in enumerate(ids, 1):
        assert measured({"q": {id: 1}}, {"q": ids})["mrr@10"] == pytest.approx(1 / place)


def test_asked_gives_the_encoders_own_vectors():
    encoder = Counting()
    asked = Asked(encoder)
    texts = ["one", "two", "one"]
    assert (asked.encode_queries(texts) == FakeEncoder().encode_queries(texts)).all()
    asked.encode_queries(["two"])
    assert sorted(encoder.questions) == ["one", "two"]
    assert asked.encode_queries([]).shape == (0, encoder.dimension)
    assert asked.count("one two") == 2
    assert asked.fingerprint == encoder.fingerprint


def test_questions_are_ranked_under_their_ids():
    found = rankings(Listed("a", "b"), {"q1": "x", "a": "y"})
    assert found == {"q1": ["a", "b"], "a": ["b"]}


def test_importing_the_room_loads_nothing_heavy():
    heavy = ["numpy", "lancedb", "pyarrow", "torch", "transformers", "ir_measures"]
    code = f"import sys, noria.evaluate; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
