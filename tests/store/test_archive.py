import json
import stat
from datetime import UTC, datetime
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.errors import DataError, NoriaError, UsageError
from noria.store.archive import MANIFEST, export, take
from noria.store.artifacts import Artifacts
from noria.store.registry import Registry
from noria.store.releases import Run, made

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def opened(home):
    home.mkdir(parents=True, exist_ok=True)
    return Registry(f"sqlite:///{home / 'state.db'}", Artifacts(home / "artifacts"))


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A registry with an adapter, its data set and its base, of which there is only the digest."""
    home = tmp_path_factory.mktemp("here")
    at = opened(home)
    (home / "examples.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    folder = home / "adapter"
    (folder / "sub").mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "sub" / "weights").write_bytes(bytes(range(256)))
    base = at.add(made("base", {"base": "0f"}, NOW))
    examples = at.artifacts.put(home / "examples.jsonl")
    data = at.add(made("dataset", {"dataset": examples}, NOW, ["dataset"]))
    parts = {"adapter": at.artifacts.put(folder), "base": "0f", "dataset": examples}
    adapter = made(
        "adapter", parts, NOW, ["adapter", "dataset"], [base.id, data.id],
        {"objective": "sft"}, {"f1": 0.5},
    )  # fmt: skip
    at.add(adapter, Run({"loss": ((1, 2.0), (2, 1.0))}, {"torch": "2.13"}, 9.0))
    at.add(made("base", {"base": "another"}, NOW))
    yield at, adapter
    at.close()


@pytest.fixture(scope="module")
def archive(here, tmp_path_factory):
    at, adapter = here
    file = tmp_path_factory.mktemp("archive") / "a.noria"
    export(at, adapter.id[:8], file)
    return file


@pytest.fixture
def there(tmp_path):
    at = opened(tmp_path / "there")
    yield at
    at.close()


def nothing_in(at):
    return at.list() == ()


def test_the_same_release_exists_elsewhere(here, archive, there):
    at, adapter = here
    taken = take(there, archive)
    assert taken[-1] == adapter
    assert taken == at.lineage(adapter) == there.lineage(there.get(adapter.id))
    assert there.run(adapter.id) == at.run(adapter.id)
    for digest in (adapter.parts["adapter"], adapter.parts["dataset"]):
        there.artifacts.verify(digest)
        assert there.artifacts.files(digest).keys() == at.artifacts.files(digest).keys()
    assert take(there, archive) == taken
    assert len(there.list()) == 3


def test_the_same_release_gives_the_same_bytes(here, archive, there, tmp_path):
    _, adapter = here
    take(there, archive)
    export(there, adapter.id, tmp_path / "again.noria")
    assert (tmp_path / "again.noria").read_bytes() == archive.read_bytes()


def test_the_format_is_as_documented(archive):
    with ZipFile(archive) as file:
        names = [info.filename for info in file.infolist()]
        assert all(info.compress_type == ZIP_STORED for info in file.infolist())
        told = json.loads(file.read(MANIFEST))
    assert names[0] == MANIFEST
    assert names[1:] == sorted(names[1:])
    assert (told["format"], told["version"]) == ("noria-releases", 1)
    assert [release["kind"] for release in told["releases"]] == ["base", "dataset", "adapter"]


def test_an_existing_file_is_not_written_over(here, tmp_path):
    at, adapter = here
    (tmp_path / "x").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export(at, adapter.id, tmp_path / "x")
    assert (tmp_path / "x").read_text() == "mine"


def test_a_damaged_artifact_is_not_exported(archive, there, tmp_path):
    adapter = take(there, archive)[-1]
    (there.artifacts.path(adapter.parts["adapter"]) / "adapter_config.json").write_text("!")
    with pytest.raises(NoriaError, match="changed or damaged"):
        export(there, adapter.id, tmp_path / "out.noria")
    assert not list(tmp_path.glob("out*"))


def test_what_no_disk_takes_is_told(here, tmp_path):
    at, adapter = here
    (tmp_path / "file").write_text("")
    with pytest.raises(NoriaError, match="cannot be written"):
        export(at, adapter.id, tmp_path / "file" / "out.noria")


def rewritten(archive, target, change=None, manifest=None):
    """The archive, its entries changed by ``change(info, content)``, its manifest by another."""
    with ZipFile(archive) as old, ZipFile(target, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename == MANIFEST and manifest:
                raw = json.loads(content)
                manifest(raw)
                content = json.dumps(raw).encode()
            fresh = ZipInfo(info.filename)
            fresh.external_attr = info.external_attr
            for made_info, made_content in (change or alone)(fresh, content):
                new.writestr(made_info, made_content)
    return target


def alone(info, content):
    return [(info, content)]


def also(name, content=b"x", mode=stat.S_IFREG | 0o644, compression=ZIP_STORED):
    def change(info, old):
        extra = ZipInfo(name)
        extra.external_attr = mode << 16
        extra.compress_type = compression
        return [(info, old), (extra, content)] if info.filename == MANIFEST else [(info, old)]

    return change


def in_artifact(inner, **kind):
    def change(info, old):
        if not info.filename.endswith("adapter_config.json"):
            return [(info, old)]
        digest = info.filename.split("/")[1]
        return [
            (info, old),
            *also(f"artifacts/{digest}/{inner}", **kind)(ZipInfo(MANIFEST), b"")[1:],
        ]

    return change


def damaged(info, old):
    return [(info, old + b"!" if info.filename.endswith("weights") else old)]


def without_weights(info, old):
    return [] if info.filename.endswith("weights") else [(info, old)]


def renamed(info, old):
    if info.filename.endswith("weights"):
        info.filename = info.orig_filename = info.filename.replace("sub/weights", "weights")
    return [(info, old)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (also("../evil"), "leads elsewhere"),
        (also("/etc/evil"), "leads elsewhere"),
        (also("artifacts/../../evil"), "leads elsewhere"),
        (also("C:\\evil"), "leads elsewhere"),
        (also("folder/"), "leads elsewhere"),
        (in_artifact("../../../evil"), "leads elsewhere"),
        (also("artifacts/" + "0" * 64), "belongs to none"),
        (also("readme.txt"), "belongs to none"),
        (in_artifact("link", content=b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "not a plain"),
        (in_artifact("pipe", mode=stat.S_IFIFO | 0o644), "not a plain"),
        (in_artifact("bomb", content=bytes(1 << 22), compression=ZIP_DEFLATED), "compressed"),
        (in_artifact("more"), "expected content with the digest"),
        (in_artifact("sub"), "both a file and a folder"),
        (damaged, "expected content with the digest"),
        (renamed, "expected content with the digest"),
        (without_weights, "expected content with the digest"),
        (lambda i, c: [(i, c)] if i.filename == MANIFEST else [], "missing"),
        (lambda i, c: [] if i.filename == MANIFEST else [(i, c)], "it has no manifest.json"),
    ],
)  # fmt: skip
def test_a_hostile_entry_is_refused_and_nothing_registered(archive, there, tmp_path, change, said):
    file = rewritten(archive, tmp_path / "x.noria", change)
    with pytest.raises(DataError, match=said):
        take(there, file)
    assert nothing_in(there)
    assert not list(tmp_path.rglob("evil"))


def test_two_entries_with_one_name_are_refused(archive, there, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        file = rewritten(archive, tmp_path / "x", in_artifact("adapter_config.json"))
    with pytest.raises(DataError, match="same name"):
        take(there, file)


def test_entries_that_share_bytes_are_refused(archive, there, tmp_path):
    file = tmp_path / "x.noria"
    data = bytearray(archive.read_bytes())
    with ZipFile(archive) as zipped:
        one, two = zipped.infolist()[:2]
    # both the sizes of the second entry in the list of entries at the end
    place = data.rindex(two.filename.encode()) - 46
    for offset in (20, 24):
        data[place + offset : place + offset + 4] = (1 << 30).to_bytes(4, "little")
    file.write_bytes(data)
    with pytest.raises(DataError, match="more than the file has"):
        take(there, file)
    assert one.filename == MANIFEST
    assert nothing_in(there)


def version(raw):
    raw["version"] = 2


def another_format(raw):
    raw["format"] = "else"


def forged_id(raw):
    raw["releases"][-1]["id"] = "a" + "0" * 16


def forged_recipe(raw):
    raw["releases"][-1]["recipe"]["objective"] = "radit"


def forged_digest(raw):
    raw["releases"][1]["parts"]["dataset"] = "0" * 64


def orphan(raw):
    del raw["releases"][0]


def unordered(raw):
    raw["releases"].reverse()


def none_at_all(raw):
    raw["releases"] = []


def shapeless(raw):
    raw["releases"] = [7]


def run_of_none(raw):
    raw["runs"]["r" + "0" * 16] = {"curves": {}, "environment": {}, "seconds": 1.0}


def nested(raw):
    deep = []
    for _ in range(900):
        deep = [deep]
    raw["releases"][-1]["recipe"] = {"x": deep}


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (version, "version 2; this Noria reads 1"),
        (another_format, "not one of an archive of releases"),
        (forged_id, "its content has the id"),
        (forged_recipe, "its content has the id"),
        (forged_digest, "its content has the id"),
        (orphan, "which is not registered"),
        (unordered, "which is not registered"),
        (none_at_all, "names no release"),
        (shapeless, "expected the keys"),
        (run_of_none, "a run of none"),
        (nested, "its content has the id|recursion"),
    ],
)
def test_a_forged_manifest_is_refused(archive, there, tmp_path, manifest, said):
    file = rewritten(archive, tmp_path / "x.noria", manifest=manifest)
    with pytest.raises(DataError, match=said):
        take(there, file)
    assert nothing_in(there)


def test_a_manifest_that_is_deeper_than_any_is_refused(there, tmp_path):
    with ZipFile(tmp_path / "x", "w") as file:
        file.writestr(MANIFEST, "[" * 1_000_000)
    with pytest.raises(DataError, match="no JSON"):
        take(there, tmp_path / "x")


@pytest.mark.parametrize("content", [b"", b"PK", b"hello" * 100, b"PK\5\6" + bytes(18)])
def test_what_is_no_archive_is_told(there, tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match="no archive of releases"):
        take(there, tmp_path / "x")
    with pytest.raises(DataError, match="no such file"):
        take(there, tmp_path / "y")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_any_changed_bytes_are_refused_or_change_nothing(here, archive, tmp_path_factory, data):
    at, adapter = here
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    place = tmp_path_factory.mktemp("fuzz")
    (place / "x").write_bytes(content)
    there = opened(place / "home")
    try:
        taken = take(there, place / "x")
    except DataError:
        assert there.list() == ()
    else:
        # figures and times are no part of an id; all else is as it was
        assert [r.id for r in taken] == [r.id for r in at.lineage(adapter)]
        for release in taken:
            for name in release.stored:
                there.artifacts.verify(release.parts[name])
    finally:
        there.close()
