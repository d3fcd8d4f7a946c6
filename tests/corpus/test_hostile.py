"""Each hostile file is read or listed with a reason, and the good file beside it is always taken.

Files are found, read in processes under small limits, and split, as ``noria ingest`` does.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hostile import KINDS, SECRET
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

from noria.corpus.discover import Found, discover
from noria.corpus.reading import Limits, Read, read_all
from noria.corpus.split import TokenSplitter
from noria.errors import ExtractionError
from noria.types import Document, Item

LIMITS = Limits(max_file_mb=25, max_seconds=2.0, max_memory_mb=500)
SPLIT = 30_000  # characters
GOOD = "The good file stands beside."
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()[]{}<>|/\\-+=*&%$#@~^_`"
WORDS = ("the", "wheel", "turns", "lifts", "water", "good", "file", "stands", "beside")


@pytest.fixture(scope="module")
def splitter(tmp_path_factory: pytest.TempPathFactory) -> TokenSplitter:
    """With a tokenizer of the kind that BERT has, small enough to be written down."""
    pieces = ["[UNK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS]
    tokenizer = Tokenizer(
        WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return TokenSplitter(path, 254)


@dataclass(frozen=True)
class Told:
    """What was found in a folder of one kind, and what came of each file that was to be read.

    ``error``: what the search raised; it must not break the tests of the other kinds.
    """

    found: list[Found]
    outcomes: dict[str, Read | ExtractionError]
    error: Exception | None


@pytest.fixture(scope="module")
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Told]]:
    """Of each kind that is to be tested: all are read together, each among the others."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    kinds = [item.callspec.params["kind"] for item in items if item.originalname == "test_hostile"]
    root = tmp_path_factory.mktemp("hostile")
    found: dict[str, list[Found]] = {}
    errors: dict[str, Exception] = {}
    for kind in kinds:
        (root / kind).mkdir()
        KINDS[kind](root / kind)
        (root / kind / "zz-good.txt").write_text(GOOD)
        found[kind] = []
        try:
            found[kind] += discover([root / kind])
        except Exception as error:
            errors[kind] = error
    wanted = [file for files in found.values() for file in files if not file.skipped]
    with closing(read_all(wanted, LIMITS, 2)) as answers:
        outcomes = {file.id: outcome for file, outcome in answers}
    yield {
        kind: Told(
            files, {f.id: outcomes[f.id] for f in files if f.id in outcomes}, errors.get(kind)
        )
        for kind, files in found.items()
    }
    # not shutil: it cannot go as deep as some of these folders
    subprocess.run(["chmod", "-Rf", "u+rwX", str(root)], check=False)
    subprocess.run(["rm", "-rf", str(root)], check=True)


def whole(document: Document, items: list[Item]) -> bool:
    """Whether the passages are pieces of the text, in order, with nothing but space between."""
    at = 0
    for item in items:
        if document.text[item.start : item.end] != item.text:
            return False
        if document.text[at : item.start].strip():
            return False
        at = item.end
    return not document.text[at:].strip()


@pytest.mark.parametrize("kind", KINDS)
def test_hostile(kind, told, splitter):
    found, outcomes = told[kind].found, told[kind].outcomes
    if told[kind].error:
        raise told[kind].error
    reasons = {file.id: file.skipped for file in found if file.skipped}
    reasons |= {name: str(o) for name, o in outcomes.items() if isinstance(o, ExtractionError)}
    taken = {name: o.document for name, o in outcomes.items() if isinstance(o, Read)}
    assert taken.keys() | reasons.keys() == {file.id for file in found}
    for reason in reasons.values():
        assert len(reason) > 5
        assert "\n" not in reason
        assert "its parser failed" not in reason, "known to the parser, and not foreseen in load.py"
    for document in taken.values():
        assert document.text.strip()
        assert SECRET not in document.text
        start = first_of(document)
        items = splitter.split(start)
        assert whole(start, items)
        storable(items)
    (good,) = (document for name, document in taken.items() if name.endswith("/zz-good.txt"))
    assert good.text == GOOD


def first_of(document: Document) -> Document:
    """As much of it as can be split in a moment; the rest is more of the same."""
    return replace(
        document,
        text=document.text[:SPLIT],
        headings=tuple(h for h in document.headings if h.start < SPLIT),
        pages=tuple(page for page in document.pages if page < SPLIT),
    )


def storable(items: list[Item]) -> None:
    """The store and the tokenizers are Rust and take whole characters only."""
    for item in items:
        assert "\0" not in item.text
        "".join((item.id, item.text, item.document or "", *item.headings)).encode()


def test_there_are_more_than_a_hundred_kinds():
    assert len(KINDS) > 100


@pytest.mark.parametrize("name", ["/dev/zero", "pipe"])
def test_what_is_no_file_is_not_opened(name, tmp_path):
    """Named by the user, so that no folder search has looked at it."""
    import os

    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / name  # an absolute name stands for itself
    ((_, outcome),) = read_all([Found(name, path)], LIMITS, 1)
    assert isinstance(outcome, ExtractionError)


@pytest.mark.skipif(shutil.which("ps") is None, reason="without ps nobody can look")
def test_nothing_climbed_out_of_an_archive():
    assert not Path("/tmp/climbed").exists()
