"""What changed below some paths: by notice, by walking, and only when it has come to rest."""

import os
from pathlib import Path

import pytest

from noria.corpus.changes import GATHER, QUIET, RESTLESS, Changes, Tree


class Hours:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hours:
    return Hours()


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "a.md").write_text("a")
    (tmp_path / "docs" / "sub" / "b.md").write_text("b")
    return Path("docs")


def rested(tree: Tree, clock: Hours) -> Changes | None:
    clock.now += QUIET + 0.01
    return tree.settled()


def heard(tree: Tree, clock: Hours, *paths: Path) -> Changes | None:
    tree.hear({os.path.abspath(path) for path in paths})
    return rested(tree, clock)


def walked(tree: Tree, clock: Hours) -> Changes | None:
    tree.doubt()
    tree.look()
    return rested(tree, clock)


def changed(*paths: Path) -> Changes:
    return Changes(changed=paths)


def gone(*paths: Path) -> Changes:
    return Changes(gone=tuple(Path(os.path.abspath(path)) for path in paths))


def test_at_first_nothing_has_changed(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    assert walked(tree, clock) is None


@pytest.mark.parametrize("notices", [True, False])
def test_added_changed_and_removed(docs: Path, clock: Hours, notices: bool) -> None:
    tree = Tree(["./docs/"], clock)
    new, a, b = docs / "new.md", docs / "a.md", docs / "sub" / "b.md"

    def found() -> Changes | None:
        return heard(tree, clock, new, a, b) if notices else walked(tree, clock)

    new.write_text("new")
    a.write_text("longer")
    b.unlink()
    changes = found()
    assert changes == Changes((a, new), gone(b).gone)
    assert found() == changes  # until it is taken
    tree.taken(changes)
    assert found() is None
    b.write_text("again")
    assert found() == changed(b)


def test_what_is_taken_again_changes_again(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    (docs / "a.md").write_text("one more")
    changes = heard(tree, clock, docs / "a.md")
    assert changes == changed(docs / "a.md")
    (docs / "a.md").write_text("written while it was being taken")
    tree.taken(changes)
    assert heard(tree, clock, docs / "a.md") == changed(docs / "a.md")


def test_hidden_and_unknown_files_are_nothing(docs: Path, clock: Hours) -> None:
    tree = Tree(["."], clock)
    for name in (".noria/state.md", "docs/.a.md.swp", "docs/.git/x.md", "docs/a.xyz", "state.db"):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        assert heard(tree, clock, path, path.parent) is None
    assert walked(tree, clock) is None


def test_ids_are_spelled_as_the_user_spelled_the_root(docs: Path, clock: Hours) -> None:
    for root in (".", "docs", os.path.abspath("docs")):
        tree = Tree([root], clock)
        (docs / "new.md").write_text("new")
        spelled = Path(root, "docs" if root == "." else "", "new.md")
        assert heard(tree, clock, docs / "new.md") == changed(spelled)
        (docs / "new.md").unlink()


def test_an_atomic_save_is_one_change(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    draft = docs / "a.md~"
    draft.write_text("better")
    draft.rename(docs / "a.md")
    assert heard(tree, clock, draft, docs / "a.md") == changed(docs / "a.md")


def test_a_file_is_not_taken_while_it_is_written(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    new = docs / "new.md"
    for part in ("The", "The wheel", "The wheel lifts"):
        new.write_text(part)
        tree.hear([os.path.abspath(new)])
        clock.now += QUIET / 2
        assert tree.settled() is None
    clock.now += QUIET + 0.01
    assert tree.settled() == changed(new)


def test_a_file_that_grows_for_ever_is_taken_all_the_same(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    log = docs / "log.txt"
    taken_after = None
    for second in range(100):
        with log.open("a") as file:
            file.write("more\n")
        tree.hear([os.path.abspath(log)])
        clock.now += QUIET / 2
        if tree.settled():
            taken_after = second * QUIET / 2
            break
    assert taken_after == pytest.approx(RESTLESS, abs=QUIET)


def test_a_growing_file_does_not_hold_up_the_others(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    log, new = docs / "log.txt", docs / "new.md"
    new.write_text("new")
    waited, found = 0.0, None
    while found is None:
        with log.open("a") as file:
            file.write("more\n")
        tree.hear([os.path.abspath(log), os.path.abspath(new)])
        clock.now += QUIET / 2
        waited += QUIET / 2
        found = tree.settled()
    assert found == changed(new)
    assert waited == pytest.approx(GATHER, abs=QUIET)


def test_come_and_gone_is_nothing(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    (docs / "new.md").write_text("new")
    tree.hear([os.path.abspath(docs / "new.md")])
    (docs / "new.md").unlink()
    assert rested(tree, clock) is None
    assert heard(tree, clock, docs / "new.md") is None


def test_an_unchanged_file_with_an_older_time_is_looked_at(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    before = os.stat(docs / "a.md")
    (docs / "copy").write_text("z")  # as long as the old one
    os.utime(docs / "copy", ns=(before.st_atime_ns, before.st_mtime_ns))
    (docs / "copy").rename(docs / "a.md")
    assert walked(tree, clock) == changed(docs / "a.md")


@pytest.mark.parametrize("notices", [True, False])
def test_a_folder_comes_and_goes(docs: Path, clock: Hours, notices: bool, tmp_path: Path) -> None:
    tree = Tree([docs], clock)
    outside = tmp_path / "outside"

    def found(*paths: Path) -> Changes | None:
        return heard(tree, clock, *paths) if notices else walked(tree, clock)

    (docs / "sub").rename(outside)
    away = gone(docs / "sub" / "b.md")
    assert found(docs / "sub") == away
    tree.taken(away)
    outside.rename(docs / "other")
    come = changed(docs / "other" / "b.md")
    assert found(docs / "other") == come
    tree.taken(come)
    (docs / "other").rename(docs / "sub")
    assert found(docs / "other", docs / "sub") == Changes(
        (docs / "sub" / "b.md",), gone(docs / "other" / "b.md").gone
    )


def test_a_linked_folder_and_a_linked_file(docs: Path, clock: Hours, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "c.md").write_text("c")
    (docs / "link").symlink_to(outside)
    (docs / "d.md").symlink_to(outside / "c.md.txt")
    (outside / "c.md.txt").write_text("d")
    (docs / "loop").symlink_to(tmp_path / "docs")
    tree = Tree([docs], clock)
    (outside / "c.md").write_text("longer")
    seen = changed(docs / "link" / "c.md")
    assert walked(tree, clock) == seen
    tree.taken(seen)
    (docs / "link").unlink()
    away = gone(outside / "c.md")
    assert heard(tree, clock, docs / "link") == away
    tree.taken(away)
    (outside / "c.md.txt").unlink()
    assert walked(tree, clock) == gone(outside / "c.md.txt")


def test_a_root_that_vanishes_takes_nothing_with_it(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    places = tree.places()
    docs.rename("elsewhere")
    assert tree.places() == {}
    assert heard(tree, clock, docs, docs / "a.md") is None
    assert walked(tree, clock) is None
    Path("elsewhere", "a.md").unlink()
    Path("elsewhere").rename(docs)
    assert tree.places() == places
    assert walked(tree, clock) == gone(docs / "a.md")


def test_a_root_that_is_a_file(docs: Path, clock: Hours) -> None:
    note = docs / "note.xyz"  # named by the user: taken, whatever its suffix
    note.write_text("one")
    tree = Tree([note], clock)
    (docs / "a.md").write_text("not watched")
    note.write_text("one two")
    tree.glance()
    assert rested(tree, clock) == changed(note)
    tree.taken(changed(note))
    note.unlink()
    tree.glance()
    assert rested(tree, clock) == gone(note)


def test_a_long_walk_is_done_in_slices(docs: Path) -> None:
    for number in range(10):
        (docs / f"{number}.md").write_text("x")

    class Slow(Hours):
        def __call__(self) -> float:
            self.now += 0.02
            return self.now

    slow = Slow()
    tree = Tree([docs], slow)
    (docs / "9.md").write_text("longer")
    looks, found = 0, None
    while found is None:
        tree.look()
        slow.now += QUIET
        looks += 1
        found = tree.settled()
    assert found == changed(docs / "9.md")
    assert looks > 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_locked_folder_is_not_gone(docs: Path, clock: Hours) -> None:
    tree = Tree([docs], clock)
    os.chmod(docs / "sub", 0)
    try:
        assert walked(tree, clock) is None
    finally:
        os.chmod(docs / "sub", 0o755)
