"""Permissions when a file cannot be read: they may hide too much, never show too much."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from noria.corpus.ingest import Ingestion
from noria.corpus.live import LivePassages
from noria.corpus.split import TokenSplitter
from noria.models.fake import FakeEncoder
from noria.store.state import State
from noria.types import Query

NOW = datetime(2026, 11, 21, tzinfo=UTC)
HR = frozenset({"hr"})


@pytest.fixture
def ingestion(tmp_path: Path) -> Ingestion:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoder = FakeEncoder()
    state = State(f"sqlite:///{tmp_path / 'state.db'}")
    live = LivePassages(tmp_path / "passages", state, encoder.fingerprint, encoder.dimension)
    splitter = TokenSplitter(tmp_path / "tokenizer.json", 256, 100)
    return Ingestion(live, encoder, splitter, ("en",), tmp_path / "lock")


def public_texts(ingestion: Ingestion) -> str:
    snapshot = ingestion.live.snapshot()
    hits = snapshot.dense(ingestion.encoder.encode_queries(["salary"])[0], Query("q"), 100)
    return " ".join(p.item.text for p in snapshot.passages(hits.rows))


def test_an_unreadable_file_given_other_groups_is_no_longer_public(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    file = tmp_path / "salaries.md"
    file.write_text("The salary is 9000 euro.")
    ingestion.run([file], NOW)
    assert "9000" in public_texts(ingestion)
    file.write_bytes(b"\x00\x01\x02" * 100)
    report = ingestion.run([file], NOW, groups=HR)
    assert [f.path for f in report.failed] == [file.as_posix()]
    assert "9000" not in public_texts(ingestion)


def test_a_restricted_file_that_fails_during_a_rebuild_never_comes_back_public(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    file = tmp_path / "salaries.md"
    file.write_text("The salary is 9000 euro.")
    ingestion.run([file], NOW, groups=HR)
    before = ingestion.live.name()
    file.write_bytes(b"\x00\x01\x02" * 100)
    other = replace(ingestion, splitter=replace(ingestion.splitter, passage_tokens=50))
    report = other.run([], NOW)
    assert len(report.failed) == 1
    assert other.live.name() == before  # the old index stays live, whole
    file.write_text("The salary is 9000 euro.")
    assert other.run([file], NOW).failed == ()
    assert other.live.name() != before
    assert "9000" not in public_texts(other)


def test_a_file_that_is_gone_leaves_with_prune_and_lets_the_rebuild_through(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    kept, lost = tmp_path / "kept.md", tmp_path / "lost.md"
    kept.write_text("Kept.")
    lost.write_text("Lost.")
    ingestion.run([kept, lost], NOW)
    lost.unlink()
    other = replace(ingestion, splitter=replace(ingestion.splitter, passage_tokens=50))
    assert len(other.run([], NOW).failed) == 1
    report = other.run([], NOW, prune=True)
    assert (report.failed, report.removed, report.documents) == ((), 1, 1)
    assert other.live.name() == other.recipe.table


def test_the_group_of_everybody_cannot_be_smuggled_in(ingestion: Ingestion, tmp_path: Path) -> None:
    file = tmp_path / "salaries.md"
    file.write_text("The salary is 9000 euro.")
    ingestion.run([file], NOW, groups=frozenset({"", "hr"}))
    assert "9000" not in public_texts(ingestion)
