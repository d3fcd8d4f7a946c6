"""Where the weights of a version lie, base and adapter, for whoever makes one file of both.

A version names its base by source and digest; what was trained of it lies in the artifacts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from noria.errors import UsageError
from noria.models.adapters import CONFIG as ADAPTER_CONFIG
from noria.models.adapters import merged
from noria.models.cache import digest_of
from noria.models.gguf import converted, gguf_at
from noria.store.artifacts import Artifacts
from noria.store.registry import Registry
from noria.types import Release

WEIGHTS = "weights"  # the part of a base whose weights are stored: a GGUF file, or a folder
MODEL = "model"  # the part of a version all of whose weights moved: a Hugging Face folder
ADAPTER, BASE = "adapter", "base"

Fetch = Callable[[str], Path]  # from a source to a file or folder on this disk


@dataclass(frozen=True, slots=True)
class Whole:
    """The weights of a version, with the ``adapter`` that changes them, if there is one.

    ``weights``: a GGUF file or a Hugging Face folder. ``template``: the GGUF file that they came
    from, which says all else of the model.
    """

    weights: Path
    template: Path
    adapter: Path | None = None

    @property
    def bytes(self) -> int:
        """Size of all of it, as it lies there."""
        return sum(map(size, (self.weights, self.adapter)))


def whole_of(release: Release, artifacts: Artifacts, fetch: Fetch) -> Whole:
    """Where the weights of ``release`` lie; ``fetch`` is asked for the base that its recipe names.

    Raises UsageError for a version without weights of a generator, one that does not say which base
    it stands on, and where the source gives another base now.
    """
    paths = {name: artifacts.path(release.parts[name]) for name in release.stored}
    if WEIGHTS in paths:
        weights = paths[WEIGHTS]
        if not weights.is_dir():
            return Whole(weights, weights)
        raise UsageError(
            f"{release.id}: its weights are a folder, which only transformers reads; quantize "
            "the version that it was made from"
        )
    if release.kind not in ("base", "adapter", "release") or BASE not in release.parts:
        raise UsageError(
            f"{release.id} is a {release.kind} without weights of a generator; name a base, an "
            "adapter or a release: noria releases list"
        )
    base = base_of(release, fetch)
    template = gguf_at(base)
    if MODEL in paths:
        return Whole(paths[MODEL], template)
    return Whole(template, template, adapter_in(paths.get(ADAPTER), release))


def base_of(release: Release, fetch: Fetch) -> Path:
    """The base that ``release`` stands on, if the source still gives it."""
    source = release.recipe.get(BASE)
    if not isinstance(source, str) or not source:
        raise UsageError(
            f"{release.id}: its recipe does not name the source of its base, so its weights cannot "
            "be found; expected a recipe with 'base', as 'noria tune' writes it"
        )
    base = fetch(source)
    if (found := digest_of(base)) != release.parts[BASE]:
        raise UsageError(
            f"{release.id} stands on the weights {release.parts[BASE][:16]}…, but {source} gives "
            f"{found[:16]}…; restore the source that it was made with"
        )
    return base


def adapter_in(path: Path | None, release: Release) -> Path | None:
    """The adapter's folder, if there is one; raises UsageError for what is none."""
    if path is not None and not (path / ADAPTER_CONFIG).is_file():
        raise UsageError(f"{release.id}: no {ADAPTER_CONFIG} in its adapter; make it again")
    return path


def folder_of(whole: Whole, at: Path, cache: Path) -> Path:
    """The weights with the adapter added in, as a Hugging Face folder in float32.

    A GGUF file is converted once and kept in ``cache``; what an adapter changes is written below
    ``at``.
    """
    folder = whole.weights if whole.weights.is_dir() else converted(whole.weights, cache)
    if whole.adapter is None:
        return folder
    return merged(folder, whole.adapter, at / "merged")


def stored(registry: Registry, release: str) -> Path:
    """The weights that a version keeps, for the source ``release:ID``.

    Raises UsageError for a version that keeps none that a generator could be loaded from.
    """
    found = registry.get(release)
    if WEIGHTS in found.stored:
        path = registry.artifacts.path(found.parts[WEIGHTS])
        if path.is_file():
            return path
    raise UsageError(
        f"release:{release}: {found.id} is a {found.kind} that keeps no GGUF file; make one of it: "
        f"noria quantize {found.id} --to q8_0"
    )


def size(path: Path | None) -> int:
    """Bytes of a file, or of a folder's files; nothing has none."""
    if path is None:
        return 0
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
