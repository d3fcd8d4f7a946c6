import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.errors import NoriaError, UsageError
from noria.models.cache import digest_of
from noria.store.artifacts import Artifacts, digest_at, fit_name

KILLS = 4
NAMES = st.sampled_from(["a.txt", "b", "sub/a.txt", "sub/deep/c.json", "ü.bin"])
FOLDERS = st.dictionaries(NAMES, st.binary(max_size=50), min_size=1)


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_a_file_is_stored_under_the_digest_that_everybody_computes(tmp_path):
    (tmp_path / "a.txt").write_text("abc")
    artifacts = Artifacts(tmp_path / "artifacts")
    digest = artifacts.put(tmp_path / "a.txt")
    assert digest == hashlib.sha256(b"abc").hexdigest()
    assert artifacts.path(digest).read_text() == "abc"
    assert artifacts.size(digest) == 3
    artifacts.verify(digest)


def test_a_folder_has_the_digest_that_weights_have(tmp_path):
    folder = lay(tmp_path / "adapter", {"adapter_config.json": b"{}", "sub/x": b"1"})
    digest = Artifacts(tmp_path / "artifacts").put(folder)
    assert digest == digest_of(folder, tmp_path / "cache")
    text = "".join(
        f"{name}\0{hashlib.sha256(content).hexdigest()}\n"
        for name, content in [("adapter_config.json", b"{}"), ("sub/x", b"1")]
    )
    assert digest == hashlib.sha256(text.encode()).hexdigest()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(one=FOLDERS, other=FOLDERS)
def test_the_same_content_is_one_artifact_and_other_content_is_another(
    tmp_path_factory, one, other
):
    place = tmp_path_factory.mktemp("law")
    artifacts = Artifacts(place / "artifacts")
    first = artifacts.put(lay(place / "one", one))
    again = artifacts.put(lay(place / "same", one))
    second = artifacts.put(lay(place / "other", other))
    assert first == again
    assert (first == second) == (one == other)
    assert read(artifacts.path(first)) == one
    assert read(artifacts.path(second)) == other
    kept = {p.name for p in artifacts.root.iterdir()} - {"lock"}
    assert kept == {first, second}
    assert artifacts.size(first) == sum(map(len, one.values()))


def test_links_are_followed_as_a_cache_of_weights_has_them(tmp_path):
    (tmp_path / "blob").write_bytes(b"weights")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.safetensors").symlink_to(tmp_path / "blob")
    artifacts = Artifacts(tmp_path / "artifacts")
    path = artifacts.path(artifacts.put(tmp_path / "folder"))
    (tmp_path / "blob").write_bytes(b"changed")
    assert not (path / "model.safetensors").is_symlink()
    assert (path / "model.safetensors").read_bytes() == b"weights"


def test_what_cannot_be_stored_is_refused(tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    with pytest.raises(UsageError, match="no such file"):
        artifacts.put(tmp_path / "nothing")
    lay(tmp_path / "empty" / "sub", {})
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds no file"):
        artifacts.put(tmp_path / "empty")
    os.mkfifo(lay(tmp_path / "pipe", {"a": b""}) / "p")
    with pytest.raises(UsageError, match="only files and folders"):
        artifacts.put(tmp_path / "pipe")
    for name in ("a\nb", "a:b", "a\\b", "dot.", b"\xff".decode("utf-8", "surrogateescape")):
        folder = lay(tmp_path / "bad", {name: b""})
        with pytest.raises(UsageError, match="rename the file"):
            artifacts.put(folder)
        (folder / name).unlink()


def test_a_digest_cannot_lead_elsewhere(tmp_path):
    for digest in ("../x", "", "A" * 64, "0" * 63, "0" * 64 + "\n"):
        with pytest.raises(NoriaError, match="expected a digest"):
            Artifacts(tmp_path).path(digest)


def test_what_was_changed_or_removed_is_told(tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    digest = artifacts.put(lay(tmp_path / "x", {"a": b"1", "b": b"2"}))
    (artifacts.path(digest) / "a").write_bytes(b"!")
    with pytest.raises(NoriaError, match="changed or damaged"):
        artifacts.verify(digest)
    with pytest.raises(NoriaError, match="missing"):
        artifacts.path("0" * 64)


def test_content_with_another_digest_is_not_kept(tmp_path):
    artifacts = Artifacts(tmp_path / "artifacts")
    with pytest.raises(UsageError, match="expected content with the digest"):
        artifacts.keep("0" * 64, lambda target: target.write_text("x"))
    assert [p.name for p in artifacts.root.iterdir()] == ["lock"]


def test_many_store_the_same_at_once(tmp_path):
    folder = lay(tmp_path / "x", {f"{n}": bytes([n]) * 1000 for n in range(20)})
    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(lambda _: Artifacts(tmp_path / "artifacts").put(folder), range(12)))
    (digest,) = found
    Artifacts(tmp_path / "artifacts").verify(digest)


PUT = """
import sys
from pathlib import Path
from noria.store.artifacts import Artifacts
print("ready", flush=True)
while True:
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        Artifacts(Path(sys.argv[2])).put(folder)
    print("all", flush=True)
"""


def test_killed_while_storing_everything_that_has_a_name_is_whole(tmp_path):
    chance = random.Random(5)
    for n in range(8):  # of many files: most of the time one is half there
        files = {f"{i}": chance.randbytes(1000) for i in range(100)}
        lay(tmp_path / "in" / str(n), files)
    artifacts, seen = Artifacts(tmp_path / "artifacts"), 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", PUT, str(tmp_path / "in"), str(artifacts.root)],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.02, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        named = [p for p in artifacts.root.glob("*") if len(p.name) == 64]
        assert all(digest_at(path) == path.name for path in named)
        assert len(named) >= seen
        seen = len(named)
    digests = {artifacts.put(folder) for folder in (tmp_path / "in").iterdir()}
    assert {p.name for p in artifacts.root.iterdir()} - {"lock"} == digests


@given(st.text(alphabet="ab./\\:\0\n ", max_size=12))
def test_a_fit_name_stays_below_its_folder(name):
    if fit_name(name):
        assert not {"", ".", ".."} & set(name.split("/"))
        assert os.path.normpath(f"/root/{name}") == f"/root/{name}"
