from datetime import UTC, datetime
from pathlib import Path

import pytest

from noria.config import ModelSettings, Settings
from noria.errors import ConfigError, SourceError, UsageError
from noria.models.cache import digest_of
from noria.models.sources import describe, fetch, parse, pull
from noria.models.whole import folder_of, stored, whole_of
from noria.store.artifacts import Artifacts
from noria.store.registry import Registry
from noria.store.releases import made
from tiny_llama import Tiny

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path):
    at = Registry(f"sqlite:///{tmp_path / 'state.db'}", Artifacts(tmp_path / "artifacts"))
    yield at
    at.close()


def source(tiny: Tiny) -> str:
    return f"file:{tiny.base}"


def test_an_adapter_is_found_with_the_base_that_its_recipe_names(tiny: Tiny, registry) -> None:
    adapter = registry.artifacts.put(tiny.adapters[0])
    parts = {"adapter": adapter, "base": digest_of(tiny.base)}
    for kind in ("adapter", "release"):
        release = made(kind, parts, NOW, ["adapter"], recipe={"base": source(tiny)})
        found = whole_of(release, registry.artifacts, fetch)
        assert (found.weights, found.template) == (tiny.base, tiny.base)
        assert found.adapter == registry.artifacts.path(adapter)
        files = [tiny.base, *found.adapter.iterdir()]
        assert found.bytes == sum(file.stat().st_size for file in files if file.is_file())


def test_a_base_and_a_model_all_of_whose_weights_moved_are_found(
    tiny: Tiny, registry, tmp_path
) -> None:
    base = {"base": digest_of(tiny.base)}
    alone = made("base", base, NOW, recipe={"base": source(tiny)})
    found = whole_of(alone, registry.artifacts, fetch)
    assert (found.weights, found.adapter) == (tiny.base, None)
    model = registry.artifacts.put(tiny.folder)
    moved = made("release", {**base, "model": model}, NOW, ["model"], recipe={"base": source(tiny)})
    found = whole_of(moved, registry.artifacts, fetch)
    assert (found.weights, found.template) == (registry.artifacts.path(model), tiny.base)
    assert folder_of(found, tmp_path, tmp_path) == found.weights


@pytest.mark.parametrize(
    ("kind", "recipe", "says"),
    [
        ("dataset", {"base": "x"}, "is a dataset without weights of a generator"),
        ("adapter", {}, "does not name the source of its base"),
        ("adapter", {"base": "elsewhere"}, "restore the source that it was made with"),
    ],
)
def test_a_version_whose_weights_cannot_be_known_is_refused(
    tiny: Tiny, registry, tmp_path, kind, recipe, says
) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF of other weights")
    release = made(kind, {"base": digest_of(tiny.base)}, NOW, recipe=recipe)
    with pytest.raises(UsageError, match=says):
        whole_of(release, registry.artifacts, lambda source: other)


def test_a_version_that_keeps_weights_is_a_source(tiny: Tiny, registry, tmp_path) -> None:
    digest = registry.artifacts.put(tiny.base)
    release = registry.add(made("base", {"weights": digest}, NOW, ["weights"]))
    text = f"release:{release.id}"
    assert str(parse(text)) == text

    def at(name: str) -> Path:
        return stored(registry, name)

    path = fetch(text, tmp_path, releases=at)
    assert path.read_bytes() == tiny.base.read_bytes()
    assert fetch(f"release:{release.id[:6]}", tmp_path, releases=at) == path
    settings = Settings(models=ModelSettings(generator=text))
    (told,) = [w for w in describe(settings, tmp_path, at) if w.role == "generator"]
    assert (told.digest, told.path, told.cached) == (digest, path, True)
    (pulled,) = [w for w in pull(settings, ["generator"], tmp_path, releases=at) if w.path == path]
    assert pulled == told


def test_a_version_is_no_source_where_it_keeps_no_weights_or_nobody_knows_it(
    tiny: Tiny, registry, tmp_path
) -> None:
    release = registry.add(made("base", {"base": "0f"}, NOW))
    text = f"release:{release.id}"
    with pytest.raises(UsageError, match=rf"keeps no GGUF file.*noria quantize {release.id}"):
        fetch(text, tmp_path, releases=lambda name: stored(registry, name))
    with pytest.raises(SourceError, match="known to the registry of a home only"):
        fetch(text, tmp_path)
    with pytest.raises(ConfigError, match="release:id"):
        parse("release:../../etc")
