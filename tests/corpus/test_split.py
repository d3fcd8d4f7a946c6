from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import PreTokenizer, Split, Whitespace

from noria.corpus.breaks import mask
from noria.corpus.formats import markdown, plain
from noria.corpus.split import TokenSplitter, embedding_text
from noria.errors import ConfigError, ModelError
from noria.protocols import Splitter
from noria.types import Document, Heading, Item

BUDGET, READ = 24, 40


def saved(path: Path, pre_tokenizer: PreTokenizer) -> Path:
    """A tokenizer that knows no word, only how to cut them."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.enable_truncation(8)  # a model's file often has both on
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Counts words and marks."""
    path = saved(tmp_path_factory.mktemp("words") / "tokenizer.json", Whitespace())
    return TokenSplitter(path, max_tokens=READ, passage_tokens=BUDGET)


@pytest.fixture(scope="module")
def characters(tmp_path_factory):
    """Counts every character, white space too."""
    each = Split(Regex(r"[\s\S]"), "isolated")
    path = saved(tmp_path_factory.mktemp("characters") / "tokenizer.json", each)
    return TokenSplitter(path, max_tokens=READ, passage_tokens=BUDGET)


def guide(text: str, **changes) -> Document:
    found = markdown.structured(text)
    document = Document("guide.md", "/guide.md", found.text, "text/markdown")
    return replace(document, headings=found.headings, **changes)


def note(text: str) -> Document:
    headings = tuple(plain.headings(text))
    return Document("note.txt", "/note.txt", text, "text/plain", headings=headings)


LINES = st.sampled_from(
    [
        "# Pump", "## Parts", "### The bucket", "Title\n=====", "", "", "```", "1. First step",
        "- An item. It is short.", "A sentence that goes on for quite some time, line after",
        "line and ends. Another one begins. Is it short? It is.", "Mr. Wheel, e.g. one of oak.",
        "水は上がる。そして落ちる。", "\t", "---", "> quoted", "| a | b |", "x" * 90,
    ]
)  # fmt: skip
TEXTS = st.lists(LINES, max_size=40).map("\n".join) | st.text(max_size=400)
DOCUMENTS = TEXTS.map(guide) | TEXTS.map(note)


@pytest.mark.parametrize("counting", ["words", "characters"])
@settings(max_examples=150, deadline=None)
@given(document=DOCUMENTS)
def test_the_laws_of_splitting(counting, document, request):
    splitter: Splitter = request.getfixturevalue(counting)
    passages = splitter.split(document)
    for passage in passages:
        assert passage.text == document.text[passage.start : passage.end]
        assert passage.text == passage.text.strip() != ""
        embedded = embedding_text(passage, splitter.count, splitter.max_tokens)
        assert splitter.count(embedded) <= splitter.max_tokens
        assert embedded.endswith(passage.text)
    for before, after in pairwise(passages):
        assert before.end <= after.start
    said = "".join(passage.text for passage in passages)
    assert "".join(said.split()) == "".join(document.text.split())
    assert len({passage.id for passage in passages}) == len(passages)
    assert splitter.split(document) == passages


@settings(max_examples=150, deadline=None)
@given(document=DOCUMENTS)
def test_the_mask_has_the_texts_length_and_words(document):
    shown = mask(document.text, document.headings, document.media_type == "text/markdown")
    assert len(shown) == len(document.text)
    assert all(
        a == b or (a, b) in {("\n", " "), (".", ",")}
        for a, b in zip(document.text, shown, strict=True)
    )


GUIDE = """\
# Pump

## Setup

### Linux

Open the box. Take the pump out, with both hands, and put it on the floor.
Plug it in.

It hums when it is ready. If it does not hum, call us on any
working day before noon.

### macOS

Not yet.

### Windows

Never.
"""


def test_passages_follow_headings_and_sentences(words):
    assert [(p.headings, p.text) for p in words.split(guide(GUIDE))] == [
        (
            ("Pump", "Setup", "Linux"),
            "# Pump\n\n## Setup\n\n### Linux\n\nOpen the box.",
        ),
        (
            ("Pump", "Setup", "Linux"),
            "Take the pump out, with both hands, and put it on the floor.\nPlug it in.",
        ),
        (
            ("Pump", "Setup", "Linux"),
            "It hums when it is ready. If it does not hum, call us on any\n"
            "working day before noon.",
        ),
        (("Pump", "Setup"), "### macOS\n\nNot yet.\n\n### Windows\n\nNever."),
    ]


def test_a_new_chapter_is_not_joined_to_the_last(words):
    found = words.split(guide("# A\n\n## A1\n\nShort.\n\n# B\n\nAlso short.\n"))
    assert [p.text for p in found] == ["# A\n\n## A1\n\nShort.", "# B\n\nAlso short."]
    assert [p.headings for p in found] == [("A", "A1"), ("B",)]


def test_parts_of_a_long_section_are_about_even(words):
    sentences = "".join(f"This is sentence {i}. " for i in range(6))  # 5 tokens each, 30 in all
    assert [words.count(p.text) for p in words.split(note(sentences))] == [15, 15]


def test_a_numbered_step_keeps_its_number(words):
    steps = "\n".join(f"{i}. Turn the wheel until the water of the river comes" for i in range(5))
    assert all(p.text[:2] in {f"{i}." for i in range(5)} for p in words.split(note(steps)))


@pytest.mark.parametrize("word", ["A" * 5_000, "\u0301" * 3_000, "a." * 2_000])
def test_a_word_without_end_is_cut(words, word):
    """A line of base64 may be one unknown token, and is no passage."""
    passages = words.split(note(word))
    assert "".join(p.text for p in passages) == word
    assert max(len(p.text) for p in passages) <= 16 * BUDGET


def test_a_line_without_end_is_split_in_time(words):
    """text-splitter reads the rest of the line for each passage: n squared."""
    passages = words.split(note("[ " * 20_000 + "\n"))
    assert max(words.count(p.text) for p in passages) == BUDGET


def test_white_space_without_end_is_no_passage(words):
    found = words.split(note("up" + " " * 30_000 + "down"))
    assert [p.text for p in found] == ["up", "down"]
    assert words.split(note(" \n" * 20_000)) == []


def test_pages_count_from_one(words):
    one, two, three = [f"Page {n} is about the old pump." for n in ("one", "two", "three")]
    document = replace(note(f"{one}\n{two}\n{three}"), pages=(0, len(one) + 1, 2 * len(one) + 2))
    found = replace(words, passage_tokens=8).split(document)
    assert [(p.page, p.text) for p in found] == [(1, one), (2, two), (3, three)]


def test_passages_inherit_from_their_document(words):
    document = guide("Text.", groups=frozenset({"hr"}), fields={"year": 2026})
    (passage,) = words.split(document)
    assert (passage.document, passage.page, passage.headings) == ("guide.md", None, ())
    assert (passage.groups, passage.fields) == ({"hr"}, {"year": 2026})
    assert passage.id == words.split(document)[0].id != words.split(guide("Other."))[0].id


def count(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize(
    ("headings", "text", "embedded"),
    [
        ((), "Text.", "Text."),
        (("Guide", "Pump"), "Text.", "Guide > Pump\nText."),
        (("Guide", "Pump"), "## Pump\n\nText.", "Guide\n## Pump\n\nText."),
        (("Outer words here", "Inner"), "Text.", "Inner\nText."),  # 16 // 4: four tokens
        (("one two three four five six",), "Text.", "one two three four\nText."),
    ],
)
def test_what_the_encoder_reads(headings, text, embedded):
    assert embedding_text(Item("p", text, headings=headings), count, 16) == embedded


def test_the_fingerprint_names_all_that_decides_the_cuts(words, characters):
    same = TokenSplitter(words.tokenizer, READ, BUDGET)
    others = [replace(words, passage_tokens=16), replace(words, max_tokens=41), characters]
    assert words.fingerprint == same.fingerprint
    assert len({words.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_what_cannot_split_is_refused_at_the_door(tmp_path):
    with pytest.raises(ConfigError, match=r"corpus.passage_tokens: 4 tokens"):
        TokenSplitter(tmp_path / "none", max_tokens=254, passage_tokens=4)
    splitter = TokenSplitter(tmp_path / "none", max_tokens=254)
    with pytest.raises(ModelError, match="cannot be read"):
        splitter.fingerprint  # noqa: B018
    (tmp_path / "none").write_text("{}")
    with pytest.raises(ModelError, match="not a tokenizer"):
        splitter.split(Document("a", "/a", "text", "text/plain", headings=(Heading(0, 1, "a"),)))
