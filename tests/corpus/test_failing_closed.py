"""Permissions when a file cannot be read: they may hide too much, never show too much."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from noria.corpus import ingest
from noria.corpus.index import table_names
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


LEGAL = frozenset({"legal"})


def smaller(ingestion: Ingestion) -> Ingestion:
    """The same with another recipe."""
    return replace(ingestion, splitter=replace(ingestion.splitter, passage_tokens=50))


def test_a_new_recipe_does_not_give_the_groups_of_one_file_to_all(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    secret, readme = tmp_path / "secret.md", tmp_path / "readme.md"
    secret.write_text("The salary is 9000 euro.")
    readme.write_text("Welcome.")
    ingestion.run([secret], NOW, groups=HR, fields={"year": 2026})
    other = smaller(ingestion)
    other.run([readme], NOW, groups=frozenset(), fields={"year": 2027})
    assert other.live.name() == other.recipe.table
    assert public_texts(other) == "Welcome."
    state = other.live.table(other.recipe.table).states()[str(secret.resolve())]
    assert (state.groups, state.fields) == (HR, {"year": 2026})


@pytest.mark.parametrize("lost", ["gone", "a folder", "unreadable"])
def test_a_known_file_that_cannot_be_looked_at_is_no_longer_public(
    ingestion: Ingestion, tmp_path: Path, lost: str
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    file = folder / "salaries.md"
    file.write_text("The salary is 9000 euro.")
    ingestion.run([folder], NOW)
    file.unlink()
    if lost == "a folder":
        file.mkdir()
    elif lost == "unreadable":
        file.write_bytes(b"\x00\x01\x02" * 100)
    report = ingestion.run([folder], NOW, groups=HR)
    assert report.removed == 1
    assert public_texts(ingestion) == ""


def test_what_may_be_seen_by_more_people_than_before_stays_though_it_cannot_be_read(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    file = tmp_path / "salaries.md"
    file.write_text("The salary is 9000 euro.")
    ingestion.run([file], NOW, groups=HR)
    file.write_bytes(b"\x00\x01\x02" * 100)
    assert ingestion.run([file], NOW, groups=HR | LEGAL).removed == 0
    assert "9000" not in public_texts(ingestion)


def test_while_a_new_recipe_is_incomplete_the_old_table_shows_no_more_than_it_may(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    salaries, broken, old = tmp_path / "a.md", tmp_path / "b.md", tmp_path / "c.md"
    salaries.write_text("The salary is 9000 euro.")
    broken.write_text("Broken later.")
    old.write_text("Gone later.")
    ingestion.run([salaries, broken, old], NOW)
    before = ingestion.live.name()
    broken.write_bytes(b"\x00\x01\x02" * 100)
    old.unlink()
    other = smaller(ingestion)
    other.run([salaries], NOW, groups=HR)
    other.run([tmp_path], NOW, prune=True)
    assert other.live.name() == before
    assert public_texts(ingestion) == "Broken later."
    # and when the new table is complete at last, the groups are still what they were made
    broken.write_text("Mended.")
    other.run([tmp_path / "a.md", broken], NOW)
    assert other.live.name() != before
    assert public_texts(other) == "Mended."
    state = other.live.table(other.recipe.table).states()[str(salaries.resolve())]
    assert state.groups == HR


def test_two_documents_of_one_name_fail_each_for_itself(
    ingestion: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, text in (("x", "The salary is 9000 euro."), ("y", "The salary is 7000 euro.")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.md").write_text(text)
        monkeypatch.chdir(tmp_path / folder)
        ingestion.run(["a.md"], NOW)
    (tmp_path / "y" / "a.md").write_bytes(b"\x00\x01\x02" * 100)
    report = ingestion.run([], NOW, groups=HR)
    assert report.removed == 1
    kept = ingestion.live.table(ingestion.recipe.table).states()
    assert [Path(source).parent.name for source in kept] == ["x"]
    other = smaller(ingestion)
    (tmp_path / "x" / "a.md").write_bytes(b"\x00\x01\x02" * 100)
    monkeypatch.chdir(tmp_path)
    other.run(["x"], NOW)  # it has another name now, and fails: the old table must stay
    assert other.live.name() == ingestion.recipe.table


def test_a_restricted_file_that_is_renamed_stays_restricted(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "old.md").write_text("The salary is 9000 euro.")
    (folder / "other.md").write_text("Welcome.")
    ingestion.run([folder / "old.md"], NOW, groups=HR, fields={"year": 2026})
    (folder / "old.md").rename(folder / "new.md")
    report = ingestion.run([folder], NOW, prune=True)
    assert (report.added, report.removed) == (2, 1)
    assert public_texts(ingestion) == "Welcome."
    state = ingestion.live.table(ingestion.recipe.table).states()[str(folder / "new.md")]
    assert (state.groups, state.fields) == (HR, {"year": 2026})
    assert ingestion.run([folder], NOW, prune=True).unchanged == 2


def test_a_link_that_leads_elsewhere_when_it_is_read_is_not_taken(
    ingestion: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, secret, link = tmp_path / "p.txt", tmp_path / "s.txt", tmp_path / "link.txt"
    public.write_text("Welcome.")
    secret.write_text("The salary is 9000 euro.")
    ingestion.run([secret], NOW, groups=HR)
    link.symlink_to(public)
    looked = ingest.read_all

    def retarget(files, limits):
        link.unlink()
        link.symlink_to(secret)
        return looked(files, limits)

    monkeypatch.setattr(ingest, "read_all", retarget)
    report = ingestion.run([link], NOW)
    assert "changed while it was read" in report.failed[0].error
    assert public_texts(ingestion) == ""


def test_a_table_made_again_is_not_taken_for_the_one_before(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    file = tmp_path / "salaries.md"
    file.write_text("The salary is 9000 euro.")
    ingestion.run([file], NOW)
    reader = replace(ingestion)
    assert "9000" in public_texts(reader)
    later = NOW + timedelta(days=1)
    other = smaller(ingestion)
    other.run([], later)
    for _ in range(2):  # the first table is removed by the second run
        other.run([file], later + timedelta(hours=2), groups=HR)
    assert len(table_names(ingestion.live.folder)) == 1
    ingestion.run([], later + timedelta(days=1))
    assert "9000" not in public_texts(reader)


@pytest.mark.parametrize("text", ["The salary is 9000 euro.", "The salary is 9900 euro."])
def test_a_restricted_file_that_comes_back_is_still_restricted(
    ingestion: Ingestion, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "salaries.md"
    file.write_text("The salary is 9000 euro.")
    ingestion.run([file], NOW, groups=HR)
    file.unlink()
    assert ingestion.run([], NOW, gone=[file]).removed == 1
    file.write_text(text)
    assert ingestion.run([file], NOW).added == 1
    assert public_texts(ingestion) == ""
    assert ingestion.run([file], NOW, groups=frozenset()).updated == 1  # unless somebody says so
    assert public_texts(ingestion) == text


def test_a_restricted_folder_that_is_renamed_in_two_steps_stays_restricted(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    before, after = tmp_path / "pay", tmp_path / "wages"
    before.mkdir()
    (before / "a.md").write_text("The salary is 9000 euro.")
    ingestion.run([before], NOW, groups=HR)
    before.rename(after)
    ingestion.run([], NOW, gone=[before / "a.md"])
    ingestion.run([after / "a.md"], NOW)
    assert public_texts(ingestion) == ""


def test_what_was_given_groups_while_it_was_damaged_has_them_when_it_is_mended(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    file = folder / "salaries.md"
    file.write_text("The salary is 9000 euro.")
    ingestion.run([file], NOW)
    file.write_bytes(b"\x00\x01\x02" * 100)
    assert ingestion.run([file], NOW, groups=HR).removed == 1
    file.write_text("The salary is 9000 euro.")
    assert ingestion.run([folder], NOW).added == 1
    assert public_texts(ingestion) == ""


@pytest.mark.parametrize("instead", ["link", "folder"])
def test_what_was_replaced_by_a_link_or_a_folder_leaves_with_prune(
    ingestion: Ingestion, tmp_path: Path, instead: str
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    file, other = folder / "a.md", folder / "b.md"
    file.write_text("Old text.")
    other.write_text("Welcome.")
    ingestion.run([folder], NOW)
    file.unlink()
    if instead == "link":
        file.symlink_to(other)
    else:
        file.mkdir()
    assert ingestion.run([folder], NOW, prune=True).removed == 1
    assert public_texts(ingestion) == "Welcome."
