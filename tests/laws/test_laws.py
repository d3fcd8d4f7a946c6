"""Every built-in runs through the laws of its seam, and the laws catch who breaks them."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from noria.corpus.formats import markdown
from noria.corpus.split import TokenSplitter
from noria.funnel.filter import FieldsEqual, Groups, Unseen
from noria.funnel.order import ByScore, Diverse
from noria.funnel.rank import AsRetrieved, CrossEncoder
from noria.funnel.retrieve import Dense, Hybrid, Lexical
from noria.models.fake import FakeEncoder, FakeLLM, FakeScorer
from noria.plugins import BUILT_IN, find
from noria.testing import (
    check_encoder,
    check_filter,
    check_llm,
    check_orderer,
    check_ranker,
    check_retriever,
    check_scorer,
    check_splitter,
)
from noria.types import Candidate, Completion, Document, Item, Likelihood, Message, Query, Retrieval

WORDS = ["wheel", "water", "bucket", "river", "mill", "tax", "moon", "pump", "the", "of"]
GROUPS = ["hr", "legal", "it's"]
GREEK = "\u03c4\u03c1\u03bf\u03c7\u03cc\u03c2"

words = st.lists(st.sampled_from([*WORDS, GREEK]), min_size=1, max_size=6).map(" ".join)
groups = st.frozensets(st.sampled_from(GROUPS))
fields = st.dictionaries(
    st.sampled_from(["lang", "year"]), st.sampled_from(["en", "de", 2026, "2026", True, 1.5])
)
questions = st.builds(
    Query,
    id=st.just("q"),
    text=st.one_of(words, st.text(max_size=12)),
    groups=groups,
    fields=fields,
    seen=st.frozensets(st.sampled_from([f"p{i}" for i in range(12)])),
)
items = st.builds(
    Item,
    id=st.integers(0, 11).map("p{}".format),
    text=words,
    document=st.sampled_from(["a", "b", None]),
    fields=fields,
    groups=groups,
)
candidates = st.lists(
    st.builds(Candidate, item=items, score=st.floats(-5, 5)),
    max_size=12,
    unique_by=lambda c: c.item.id,
)


def library() -> list[Item]:
    """Forty passages of four documents; some alike, some for a group, some with fields."""
    rng = np.random.default_rng(7)
    found = []
    for i in range(40):
        text = " ".join(rng.choice(WORDS, size=5)) if i % 5 else "the same water wheel"
        reader = frozenset(GROUPS[i % 4 : i % 4 + 1])  # every fourth is public
        known = {"lang": ["en", "de"][i % 2], "year": [2026, 1.5, True][i % 3]}
        found.append(Item(f"p{i}", text, f"d{i % 4}", fields=known, groups=reader))
    return found


@pytest.fixture(scope="module")
def corpus(index_of):
    return index_of(library())


RETRIEVERS = {
    "dense": lambda corpus, encoder: Dense(corpus, encoder),
    "lexical": lambda corpus, encoder: Lexical(corpus),
    "convex": lambda corpus, encoder: Hybrid(corpus, encoder),
    "convex alpha 0": lambda corpus, encoder: Hybrid(corpus, encoder, alpha=0.0),
    "convex alpha 0.5": lambda corpus, encoder: Hybrid(corpus, encoder, alpha=0.5),
    "convex alpha 1": lambda corpus, encoder: Hybrid(corpus, encoder, alpha=1.0),
    "rrf": lambda corpus, encoder: Hybrid(corpus, encoder, fusion="rrf"),
    "rrf alpha 0.3": lambda corpus, encoder: Hybrid(corpus, encoder, fusion="rrf", alpha=0.3),
}


@pytest.mark.parametrize("name", RETRIEVERS)
def test_retrievers(name, corpus, encoder) -> None:
    retriever = RETRIEVERS[name](corpus, encoder)

    @settings(max_examples=25, deadline=None)
    @given(questions, st.integers(1, 50))
    def law(query: Query, k: int) -> None:
        check_retriever(retriever, query, k)

    law()


@given(questions, candidates)
def test_filters(query: Query, given: list[Candidate]) -> None:
    for each in (Groups(), FieldsEqual(), FieldsEqual(lang="en"), Unseen()):
        check_filter(each, query, given)


@given(questions, candidates, st.integers(0, 5))
def test_rankers(query: Query, given: list[Candidate], depth: int) -> None:
    def by_length(pairs: list[tuple[str, str]]) -> Sequence[float]:
        return [float(len(passage)) for _, passage in pairs]

    check_ranker(AsRetrieved(), query, given)
    check_ranker(CrossEncoder(judge=by_length, depth=depth), query, given)


@given(questions, candidates, st.integers(0, 6), st.integers(0, 3), st.floats(0.1, 1))
def test_orderers(query, given, k, per_document, similarity) -> None:
    check_orderer(ByScore(), query, given, k)
    check_orderer(Diverse(similarity=similarity, per_document=per_document), query, given, k)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=5), st.sampled_from([1, 8, 256]))
def test_encoders(texts: list[str], dimension: int) -> None:
    check_encoder(FakeEncoder(dimension), texts)


@pytest.fixture(scope="module")
def splitter(tmp_path_factory):
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    path = tmp_path_factory.mktemp("splitter") / "tokenizer.json"
    tokenizer.save(str(path))
    return TokenSplitter(path, max_tokens=40, passage_tokens=24)


def test_splitters(splitter) -> None:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.one_of(words, words.map("# {}\n".format), st.just("\n\n")), max_size=20))
    def law(parts: list[str]) -> None:
        extract = markdown.extract(" ".join(parts).encode())
        document = Document(
            "a.md", "/a.md", extract.text, "text/markdown", {"lang": "en"}, frozenset({"hr"}),
            extract.headings,
        )  # fmt: skip
        check_splitter(splitter, document)

    law()


def test_llms() -> None:
    prompts = ["The wheel lifts water.\nWhat lifts water?", "Nothing.\nWhy?", ""]
    chat = (Message("user", "The moon is far.\nHow far is the moon?"),)
    check_llm(FakeLLM(), [*prompts, chat])
    check_llm(FakeLLM({"wheel": "A wheel, " * 40}), prompts)  # cut off by its tokens


def test_scorers() -> None:
    chat = (Message("user", "water wheel"),)
    check_scorer(FakeScorer(), ["water wheel", chat, ""], ["the wheel", "the moon", ""])


def test_every_built_in_of_the_funnel_is_tried_here() -> None:
    tried = {Dense, Lexical, Hybrid, Groups, FieldsEqual, Unseen, AsRetrieved, CrossEncoder,
             ByScore, Diverse}  # fmt: skip
    assert {find(kind, name, "here") for kind in BUILT_IN for name in BUILT_IN[kind]} == tried


# The laws against those who break them.

A, B, C = (
    Candidate(Item(name, f"text {name}", "d"), s) for name, s in [("a", 3), ("b", 2), ("c", 1)]
)
SECRET = Candidate(Item("s", "secret", groups=frozenset({"hr"})), 4)
QUERY = Query("q", "text", fields={})


class Says:
    """Retrieves, filters, ranks and orders as it is told, in turns."""

    def __init__(self, *turns: list[Candidate], version: str = "1") -> None:
        self.turns, self.version, self.asked = turns, version, 0

    def next(self) -> list[Candidate]:
        self.asked += 1
        return list(self.turns[(self.asked - 1) % len(self.turns)])

    def retrieve(self, query, k):
        return Retrieval(tuple(self.next()), self.version)

    def filter(self, query, candidates):
        return self.next()

    def rank(self, query, candidates):
        return self.next()

    def order(self, query, candidates, k):
        return self.next()


@pytest.mark.parametrize(
    ("broken", "query", "message"),
    [
        (Says([A, B, C]), QUERY, "at most 2"),
        (Says([A, A]), QUERY, "more than once.*'a'"),
        (Says([B, A]), QUERY, "best first"),
        (Says([A, B], [A, C]), QUERY, "then"),
        (Says([SECRET]), QUERY, "groups.*hr"),
        (Says([SECRET]), replace(QUERY, groups=frozenset({"legal"})), "groups.*hr"),
        (Says([A]), replace(QUERY, fields={"lang": "en"}), "wants lang = 'en'"),
        (Says([A], version=""), QUERY, "version"),
    ],
)
def test_broken_retrievers_are_caught(broken, query, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_retriever(broken, query, 2)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Says([A, SECRET]), "may only drop: s"),
        (Says([B, A]), "may only drop: a"),
        (Says([A, A]), "may only drop: a"),
        (Says([replace(A, score=0.0)]), "may only drop: a"),
        (Says([A, B], [A]), "dropped more"),
    ],
)
def test_broken_filters_are_caught(broken, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_filter(broken, QUERY, [A, B, C])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Says([A, B]), "dropped.*'c'"),
        (Says([A, B, C, SECRET]), "added.*'s'"),
        (Says([A, B, C, C]), "added.*'c'"),
        (Says([A, B, replace(C, item=replace(C.item, text="other"))]), "changed.*'c'"),
        (Says([A, B, C], [C, B, A]), "then as"),
    ],
)
def test_broken_rankers_are_caught(broken, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_ranker(broken, QUERY, [A, B, C])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Says([A, B, C]), "at most 2"),
        (Says([A, A]), "more than once"),
        (Says([SECRET]), "not given.*'s'"),
        (Says([A, B], [B, A]), "then as"),
    ],
)
def test_broken_orderers_are_caught(broken, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_orderer(broken, QUERY, [A, B, C], 2)


def test_who_sorts_the_list_he_was_given_is_caught() -> None:
    class InPlace:
        def rank(self, query, candidates):
            candidates.sort(key=lambda c: c.score)
            return candidates

    with pytest.raises(AssertionError, match="changed the list"):
        check_ranker(InPlace(), QUERY, [A, B, C])


class Long(FakeEncoder):
    def encode_queries(self, texts):
        return super().encode_queries(texts) * 2


class Double(FakeEncoder):
    def encode_passages(self, texts):
        return super().encode_passages(texts).astype(np.float64)


class Crowded(FakeEncoder):
    def encode_passages(self, texts):
        return super().encode_passages([" ".join(texts)] * len(texts))


class Narrow(FakeEncoder):
    def encode_queries(self, texts):
        return super().encode_queries(texts)[:, :8]


class Miscounting(FakeEncoder):
    def count(self, text):
        return -1


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Long(), "length 1"),
        (Double(), "float32"),
        (Crowded(), "beside it"),
        (Narrow(), "shape"),
        (Miscounting(), "count"),
    ],
)
def test_broken_encoders_are_caught(broken, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_encoder(broken, ["water wheel", "tax"])


class Cuts:
    fingerprint = "cuts"

    def __init__(self, *spans: tuple[int, int], shift: int = 0, named: str = "d") -> None:
        self.spans, self.shift, self.named = spans, shift, named

    def split(self, document):
        text = document.text
        return [
            Item(f"p{i}", text[start + self.shift : end + self.shift], self.named, start, end)
            for i, (start, end) in enumerate(self.spans)
        ]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Cuts((0, 5), (4, 8)), "before p0 ends"),
        (Cuts((4, 8), (0, 4)), "before p0 ends"),
        (Cuts((0, 5), shift=1), "not the document's text"),
        (Cuts((3, 3)), "empty"),
        (Cuts((0, 5), named="other"), "names the document"),
    ],
)
def test_broken_splitters_are_caught(broken, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_splitter(broken, Document("d", "/d", "water wheel", "text/plain"))


def test_a_splitter_that_makes_a_document_public_is_caught() -> None:
    secret = Document("d", "/d", "water wheel", "text/plain", groups=frozenset({"hr"}))
    with pytest.raises(AssertionError, match="lost the document's groups"):
        check_splitter(Cuts((0, 5)), secret)


def test_broken_llms_are_caught() -> None:
    class Reversed(FakeLLM):
        def batch(self, prompts, sampling, done=None):
            batch = super().batch(prompts, sampling)[::-1]
            for place, completion in enumerate(batch):
                done(place, completion)
            return batch

    class Mumbling(FakeLLM):
        def stream(self, prompt, sampling):
            yield "hm "
            return Completion("something else", "stop", 1, 1)

    prompts = ["The wheel turns.\nWhat turns?", "The moon is far.\nWhat is far?"]
    with pytest.raises(AssertionError, match="in a batch"):
        check_llm(Reversed(), prompts)
    with pytest.raises(AssertionError, match="returned 'something else'"):
        check_llm(Mumbling(), prompts)
    turns = FakeLLM([str(i) for i in range(20)])  # answers in turn do not repeat
    with pytest.raises(AssertionError, match="in a batch"):
        check_llm(turns, prompts)


def test_batches_that_tell_wrongly_are_caught() -> None:
    prompts = ["The wheel turns.\nWhat turns?", "The moon is far.\nWhat is far?"]

    class Telling(FakeLLM):
        """Tells what ``tell`` makes of a batch."""

        def __init__(self, tell) -> None:
            super().__init__()
            self._tell = tell

        def batch(self, prompts, sampling, done=None):
            batch = super().batch(prompts, sampling)
            if done:
                self._tell(batch, done)
            return batch

    def each(places):
        return lambda batch, done: [done(place, batch[place % 2]) for place in places if batch]

    def elsewhere(batch, done):
        thread = threading.Thread(target=each([0, 1]), args=(batch, done))
        thread.start()
        thread.join()

    check_llm(Telling(each([1, 0])), prompts)
    for tell, said in (
        (each([0]), "done was told"),
        (each([0, 1, 2]), "done was told"),
        (each([0, 1, 1]), "place 1 twice"),
        (lambda batch, done: each([0, 1])(batch[::-1], done), "done was told"),
        (elsewhere, "another thread"),
    ):
        with pytest.raises(AssertionError, match=said):
            check_llm(Telling(tell), prompts)


def test_broken_scorers_are_caught() -> None:
    class Fixed:
        def __init__(self, *found: Likelihood) -> None:
            self.found = found

        def score(self, prompts, continuations):
            return list(self.found)

    with pytest.raises(AssertionError, match="at most 0"):
        check_scorer(Fixed(Likelihood(1.0, 1)), ["a"], ["b"])
    with pytest.raises(AssertionError, match="1 pairs, 2"):
        check_scorer(Fixed(Likelihood(-1.0, 1), Likelihood(-1.0, 1)), ["a"], ["b"])
    with pytest.raises(AssertionError, match="0 tokens"):
        check_scorer(Fixed(Likelihood(-1.0, 0)), ["a"], ["b"])
