"""Where the weights of a release lie, for whoever serves them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from noria.errors import UsageError
from noria.store.registry import Registry
from noria.types import Manner, Release

MOVED = frozenset({"adapter", "model", "weights"})  # parts that change what the generator says
ROUNDED = "to"  # in the recipe of a release whose weights were rounded: to what


@dataclass(frozen=True, slots=True)
class Version:
    """The stored parts of a release.

    ``base``: digest of the weights that it stands on, where it names them. ``adapter``: a folder as
    PEFT writes it. ``model``: a whole Hugging Face folder, where all weights moved. ``weights``:
    one GGUF file of base and adapter, in fewer bits. ``queries``: a sentence-transformers folder
    that encodes questions.
    """

    release: Release
    base: str = ""
    adapter: Path | None = None
    model: Path | None = None
    queries: Path | None = None
    weights: Path | None = None

    @property
    def manner(self) -> Manner:
        """How it learnt to read passages; as all models do where it does not say."""
        return "in turn" if self.release.recipe.get("manner") == "in turn" else "together"

    @property
    def id(self) -> str:
        """The release's."""
        return self.release.id


def version(registry: Registry, release: str) -> Version:
    """The version with this id, or the beginning of it. Raises UsageError for one without weights.

    A release names everything that answers; an adapter or an encoder alone is taken as well.
    """
    found = registry.get(release)
    paths = {name: registry.artifacts.path(found.parts[name]) for name in found.stored}
    if not paths.keys() & {*MOVED, "queries"}:
        raise UsageError(
            f"{found.id} is a {found.kind} without tuned weights, so it cannot answer; "
            "'noria releases list --kind release' names some that can"
        )
    return Version(
        found,
        found.parts.get("base", ""),
        paths.get("adapter"),
        paths.get("model"),
        paths.get("queries"),
        paths.get("weights"),
    )


def newest(registry: Registry, objectives: Sequence[str]) -> Release | None:
    """The newest release of the first objective that has one.

    Not one whose weights were rounded afterwards: that one answers where it is named.
    """
    found = (each for objective in objectives for each in registry.list("release", objective))
    return next((release for release in found if ROUNDED not in release.recipe), None)
