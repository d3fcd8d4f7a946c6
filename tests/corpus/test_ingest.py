"""Ingestion: what changed is read, what left is gone, and nothing half done shows."""

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from noria.corpus import write as write_module
from noria.corpus.ingest import Ingestion, parse_groups
from noria.corpus.live import LivePassages
from noria.corpus.split import passage_id
from noria.errors import BusyError, IndexStoreError, UsageError
from noria.models.fake import FakeEncoder
from noria.store.state import State
from noria.types import Item, Query

NOW = datetime(2026, 11, 21, tzinfo=UTC)
EVERYONE = frozenset({"hr", "legal"})


class Counting(FakeEncoder):
    """Remembers what it was asked to embed; breaks when told to."""

    def __init__(self, dimension: int = 32, break_after: int = -1) -> None:
        super().__init__(dimension)
        self.embedded: list[str] = []
        self.break_after = break_after

    def encode_passages(self, texts):
        if self.break_after == 0:
            raise KeyboardInterrupt
        self.break_after -= 1
        self.embedded += texts
        return super().encode_passages(texts)


@dataclass(frozen=True)
class Paragraphs:
    """A passage a paragraph."""

    fingerprint: str = "paragraphs 1"

    def split(self, document):
        found, at = [], 0
        for text in document.text.split("\n\n"):
            start = document.text.index(text, at)
            at = start + len(text)
            if text.strip():
                name = passage_id(document.source, start, at, text)
                found.append(Item(name, text, document.id, start, at, fields=document.fields,
                                  groups=document.groups))  # fmt: skip
        return found


class Place:
    """A folder of documents and a home to ingest them into."""

    def __init__(self, root) -> None:
        self.root, self.docs, self.home = root, root / "docs", root / "home"
        self.docs.mkdir()
        self.home.mkdir()
        self.state = State(f"sqlite:///{self.home / 'state.db'}")
        self.encoder = Counting()
        self.splitter = Paragraphs()

    @property
    def live(self):
        encoder = self.encoder
        return LivePassages(self.home / "index", self.state, encoder.fingerprint, encoder.dimension)

    @property
    def ingestion(self):
        lock = self.home / "ingest.lock"
        return Ingestion(self.live, self.encoder, self.splitter, ("en",), lock)

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.docs / f"{name}.txt").write_text(text, encoding="utf-8")

    def ingest(self, *paths, **options):
        self.encoder.embedded.clear()
        return self.ingestion.run(paths or (self.docs,), NOW, **options)

    def held(self, groups=EVERYONE, **fields) -> dict[str, frozenset[str]]:
        """The texts that a reader may see, with their groups."""
        query = Query("q", groups=groups, fields=fields)
        snapshot = self.live.snapshot()
        hits = snapshot.dense(self.encoder.encode_queries(["x"])[0], query, 1000)
        found = snapshot.passages(hits.rows)
        assert len({p.item.text for p in found}) == len(found)
        return {p.item.text: p.item.groups for p in found}


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.state.close()


def test_the_first_time(place) -> None:
    place.write(a="One.\n\nTwo.", b="Three.")
    (place.docs / "c.xyz").write_text("?")
    report = place.ingest()
    assert (report.documents, report.added, report.passages) == (2, 2, 3)
    assert (report.updated, report.removed, report.unchanged, report.failed) == (0, 0, 0, ())
    assert [(f.path[-5:], f.error) for f in report.skipped] == [("c.xyz", "unknown type '.xyz'")]
    assert place.held() == dict.fromkeys(["One.", "Two.", "Three."], frozenset())
    assert report.index_version == place.live.snapshot().version


def test_what_did_not_change_costs_nothing(place) -> None:
    place.write(a="One.\n\nTwo.", b="Three.")
    first = place.ingest()
    again = place.ingest()
    assert (again.added, again.updated, again.unchanged) == (0, 0, 2)
    assert place.encoder.embedded == []
    assert again.index_version == first.index_version


def test_only_changed_passages_are_embedded_again(place) -> None:
    place.write(a="One.\n\nTwo.\n\nThree.", b="Four.")
    place.ingest()
    place.write(a="Zero.\n\nOne.\n\nThree.")  # the spans move, the texts stay
    report = place.ingest()
    assert (report.updated, report.unchanged, report.passages) == (1, 1, 4)
    assert place.encoder.embedded == ["Zero."]
    assert set(place.held()) == {"Zero.", "One.", "Three.", "Four."}


def test_other_groups_take_effect_without_embedding(place) -> None:
    place.write(a="One.", b="Two.")
    place.ingest(groups=frozenset({"hr"}))
    assert place.held(groups=frozenset()) == {}
    report = place.ingest(place.docs / "a.txt", groups=frozenset({"legal"}))
    assert place.encoder.embedded == []
    assert report.updated == 1
    assert place.held() == {"One.": frozenset({"legal"}), "Two.": frozenset({"hr"})}
    place.ingest(groups=frozenset())
    assert set(place.held(groups=frozenset())) == {"One.", "Two."}


def test_groups_and_fields_left_out_are_kept(place) -> None:
    place.write(a="One.")
    place.ingest(groups=frozenset({"hr"}), fields={"lang": "en"})
    place.write(a="Won.", b="New.")
    place.ingest()
    assert place.held() == {"Won.": frozenset({"hr"}), "New.": frozenset()}
    assert set(place.held(lang="en")) == {"Won."}
    place.ingest(fields={"lang": "de"})
    assert place.held(lang="de") == {"Won.": frozenset({"hr"}), "New.": frozenset()}


def test_without_paths_all_that_is_known_is_brought_up_to_date(place) -> None:
    place.write(a="One.", b="Two.")
    place.ingest(place.docs / "a.txt")
    place.write(a="Won.")
    report = place.ingestion.run((), NOW)
    assert (report.updated, report.documents) == (1, 1)
    assert set(place.held()) == {"Won."}


def test_prune_removes_what_left_the_paths(place) -> None:
    other = place.root / "other.txt"
    other.write_text("Other.")
    place.write(a="One.", b="Two.")
    place.ingest(place.docs, other)
    (place.docs / "a.txt").unlink()
    other.unlink()
    kept = place.ingest()
    assert (kept.removed, kept.documents) == (0, 3)
    pruned = place.ingest(prune=True)
    assert (pruned.removed, pruned.documents, pruned.passages) == (1, 2, 2)
    assert set(place.held()) == {"Two.", "Other."}  # what lies elsewhere is not touched
    assert place.ingestion.run((), NOW, prune=True).removed == 1
    assert set(place.held()) == {"Two."}


def test_a_file_that_cannot_be_read_is_listed_and_its_passages_stay(place) -> None:
    place.write(a="One.", b="Two.")
    place.ingest()
    (place.docs / "a.txt").write_bytes(b"")
    report = place.ingest()
    assert [(f.path[-5:], f.error) for f in report.failed] == [("a.txt", "the file is empty")]
    assert (report.updated, report.unchanged, report.documents) == (0, 1, 2)
    assert set(place.held()) == {"One.", "Two."}
    assert [f.path[-5:] for f in place.ingest().failed] == ["a.txt"]  # tried again each time
    place.write(a="Won.")
    assert place.ingest().updated == 1
    assert set(place.held()) == {"Won.", "Two."}


def test_a_known_file_that_is_gone_is_listed_with_what_to_do(place) -> None:
    place.write(a="One.", b="Two.")
    place.ingest()
    (place.docs / "a.txt").unlink()
    report = place.ingestion.run((), NOW)
    assert [f.path[-5:] for f in report.failed] == ["a.txt"]
    assert "--prune" in report.failed[0].error


def test_a_path_that_does_not_exist_is_refused(place) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        place.ingest(place.docs / "nothing.txt")


def test_another_recipe_is_built_beside_and_swapped(place) -> None:
    place.write(a="One.\n\nTwo.", b="Three.")
    place.ingest(groups=frozenset({"hr"}))
    before = place.live.snapshot()
    old = place.live.name()
    place.encoder = Counting(dimension=64)
    with pytest.raises(IndexStoreError, match=r"another encoder.*noria ingest"):
        place.live.snapshot()
    report = place.ingest(place.docs / "a.txt")  # brings along the others that are known
    assert sorted(place.encoder.embedded) == ["One.", "Three.", "Two."]
    assert report.documents == 2
    assert place.live.name() != old
    assert place.held() == dict.fromkeys(["One.", "Two.", "Three."], frozenset({"hr"}))
    hits = before.dense(FakeEncoder(32).encode_queries(["One"])[0], Query("q", groups=EVERYONE), 9)
    assert len(before.passages(hits.rows)) == 3  # who still reads the old one may go on


def test_while_a_recipe_is_built_the_old_one_answers(place) -> None:
    place.write(a="One.\n\nTwo.", b="Three.")
    place.ingest()
    old = place.live.name()
    place.splitter = Paragraphs("paragraphs 2")
    place.encoder.break_after = 0
    with pytest.raises(KeyboardInterrupt):
        place.ingest()
    assert place.live.name() == old
    assert set(place.held()) == {"One.", "Two.", "Three."}
    place.encoder.break_after = -1
    place.ingest()
    assert place.live.name() != old
    assert set(place.held()) == {"One.", "Two.", "Three."}


def test_deleted_text_does_not_come_back_with_an_older_recipe(place) -> None:
    place.write(a="One.", b="Two.")
    place.ingest()
    one, two = place.splitter, Paragraphs("paragraphs 2")
    place.splitter = two
    place.ingest()
    (place.docs / "a.txt").unlink()
    assert place.ingest(prune=True).removed == 1
    place.splitter = one
    report = place.ingest()
    assert report.documents == 1
    assert set(place.held()) == {"Two."}


def test_a_document_pruned_while_the_recipe_changes_is_gone(place) -> None:
    place.write(a="One.", b="Two.")
    place.ingest()
    place.splitter = Paragraphs("paragraphs 2")
    (place.docs / "a.txt").unlink()
    report = place.ingest(prune=True)
    assert (report.removed, report.documents) == (1, 1)
    assert set(place.held()) == {"Two."}


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_an_interruption_leaves_whole_documents_and_a_rerun_completes(
    place, tmp_path_factory, monkeypatch, batches
) -> None:
    monkeypatch.setattr(write_module, "COMMIT", 2)
    texts = {f"d{i}": f"First {i}.\n\nSecond {i}." for i in range(5)}
    place.write(**texts)
    place.encoder.break_after = batches
    with pytest.raises(KeyboardInterrupt):
        place.ingest()
    assert len(place.held()) == 2 * batches  # a batch is one commit: whole documents
    place.encoder.break_after = -1
    report = place.ingest()
    assert report.unchanged == batches
    assert len(place.encoder.embedded) == 10 - 2 * batches  # nothing twice
    clean = Place(tmp_path_factory.mktemp("clean"))
    clean.write(**texts)
    clean.ingest()
    assert place.held() == clean.held()
    clean.state.close()
    assert report.passages == 10


def test_a_failing_update_in_the_middle_keeps_what_was(place, monkeypatch) -> None:
    monkeypatch.setattr(write_module, "COMMIT", 1)
    place.write(a="One.", b="Two.", c="Three.")
    place.ingest()
    place.write(a="Won.", b="Too.", c="Tree.")
    place.encoder.break_after = 1
    with pytest.raises(KeyboardInterrupt):
        place.ingest()
    assert set(place.held()) == {"Won.", "Two.", "Three."}
    place.encoder.break_after = -1
    assert (place.ingest().updated, set(place.held())) == (2, {"Won.", "Too.", "Tree."})


def test_two_at_once_are_refused(place) -> None:
    place.write(a="One.")
    inside, leave = threading.Event(), threading.Event()

    class Slow(Counting):
        def encode_passages(self, texts):
            inside.set()
            assert leave.wait(10)
            return super().encode_passages(texts)

    slow = replace(place.ingestion, encoder=Slow())
    first = threading.Thread(target=slow.run, args=([place.docs], NOW))
    first.start()
    try:
        assert inside.wait(10)
        with pytest.raises(BusyError, match="another process is ingesting"):
            place.ingest()
    finally:
        leave.set()
        first.join()
    assert place.ingest().unchanged == 1


def test_progress_is_told(place) -> None:
    place.write(a="One.", b="Two.")
    told = []
    watched = replace(place.ingestion, progress=lambda *step: told.append(step))
    watched.run([place.docs], NOW)
    assert told == [("looking", 1, 2), ("looking", 2, 2), ("embedding", 0, 2), ("embedding", 2, 2),
                    ("indexing", 0, 1), ("indexing", 1, 1)]  # fmt: skip


def test_names_with_quotes_are_names_like_others(place) -> None:
    name = 'it\'s "me"; drop table --'
    place.write(**{name: "One."}, other="Two.")
    place.ingest(groups=frozenset({"o'hr"}), fields={"it's": "l'eau"})
    assert place.held(groups=frozenset({"o'hr"}), **{"it's": "l'eau"}).keys() == {"One.", "Two."}
    place.write(**{name: "Won."})
    assert place.ingest().updated == 1
    (place.docs / f"{name}.txt").unlink()
    assert place.ingest(prune=True).removed == 1
    assert set(place.held(groups=frozenset({"o'hr"}))) == {"Two."}


def test_groups_as_they_are_written() -> None:
    assert parse_groups(None) is None
    assert parse_groups("") == frozenset()
    assert parse_groups(" hr , legal ") == {"hr", "legal"}
    for wrong in ("hr,,legal", ",", "hr,"):
        with pytest.raises(UsageError, match="commas"):
            parse_groups(wrong)


def test_the_same_name_for_files_of_two_folders(place, monkeypatch) -> None:
    """Ids are paths as the user gave them: from two working folders they may collide."""
    for folder in ("x", "y"):
        (place.root / folder / "docs").mkdir(parents=True)
        (place.root / folder / "docs" / "a.txt").write_text(f"Same.\n\nFrom {folder}.")
        monkeypatch.chdir(place.root / folder)
        place.ingest("docs")
    snapshot = place.live.snapshot()
    hits = snapshot.dense(place.encoder.encode_queries(["x"])[0], Query("q"), 100)
    texts = sorted(p.item.text for p in snapshot.passages(hits.rows))
    assert texts == ["From x.", "From y.", "Same.", "Same."]
