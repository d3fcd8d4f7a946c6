"""A package index and an OpenAI-like endpoint on the loopback, and a wheel to serve."""

import hashlib
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Reply = Callable[["Handler"], None]


@dataclass
class Site:
    """What the server was asked, and what it says: path -> a function of the request."""

    replies: dict[str, Reply] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    def count(self, part: str) -> int:
        return sum(part in path for path, _ in self.requests)

    def index(self, wheel: Path, page: str | None = None, kind: str = "text/html") -> None:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        link = f'<a href="../../files/{wheel.name}#sha256={digest}">{wheel.name}</a>'
        self.replies["/simple/tiny/"] = say(page or link, kind)
        self.replies[f"/files/{wheel.name}"] = ranged(wheel.read_bytes())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        self.site.requests.append((self.path, dict(self.headers)))
        self.site.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        reply = self.site.replies.get(self.path, say("nothing here", status=404))
        reply(self)

    do_POST = do_GET

    def send(self, status: int, body: bytes, headers: dict[str, str], length: int = -1) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        self.wfile.write(body)
        if length > len(body):  # a broken connection
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


def say(
    text: str | bytes | dict[str, object],
    kind: str = "text/html",
    status: int = 200,
    **headers: str,
) -> Reply:
    body = json.dumps(text) if isinstance(text, dict) else text
    data = body.encode() if isinstance(body, str) else body
    return lambda h: h.send(status, data, {"Content-Type": kind, **headers})


def ranged(data: bytes) -> Reply:
    """Serves ``data`` and honours Range."""

    def reply(handler: Handler) -> None:
        asked = handler.headers.get("Range")
        if not asked:
            return handler.send(200, data, {})
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(data):
            return handler.send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        mark = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return handler.send(206, data[start:], {"Content-Range": mark})

    return reply


def in_turn(*replies: Reply) -> Reply:
    """Each reply once; the last for ever."""
    left = list(replies)
    return lambda h: (left.pop(0) if len(left) > 1 else left[0])(h)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with a model file, a model folder, and code that must never run."""
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/__init__.py", "raise SystemExit('imported')")
        archive.writestr("tiny/model.gguf", b"GGUF" + bytes(range(256)) * 1000)
        archive.writestr("tiny/enc/config.json", "{}")
        archive.writestr("tiny/enc/sub/weights", b"w" * 10)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site) -> Path:
    for name in ("UV_DEFAULT_INDEX", "PIP_CERT", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple")
    monkeypatch.setenv("NORIA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"
