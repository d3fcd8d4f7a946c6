"""A client that costs little, so that it does not disturb what it measures: HTTP/1.1, kept alive.

Latencies count from the moment at which a request was due, not from when it could be sent: a server
that stalls is not spared the requests that it kept from being sent.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import _common

Heard = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The JSON of server-sent events, without the mark of the end."""
        lines = [line[6:] for line in self.body.split(b"\n") if line.startswith(b"data: ")]
        return [json.loads(line) for line in lines if line != b"[DONE]"]

    @property
    def done(self) -> bool:
        """Whether a stream came to its end, and without an error on the way."""
        return self.body.rstrip().endswith(b"[DONE]") and b'data: {"error"' not in self.body


class Client:
    """Connections to one server, opened when there is none to spare; of one event loop."""

    def __init__(self, port: int, key: str = "") -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._headers = "Host: localhost\r\nContent-Type: application/json\r\n"
        if key:
            self._headers += f"Authorization: Bearer {key}\r\n"

    async def post(self, path: str, body: Any, heard: Heard | None = None, **headers: str) -> Reply:
        """Send ``body`` as JSON. ``heard`` is told each part of the response as it comes.

        Raises OSError or EOFError where the connection broke.
        """
        content = json.dumps(body).encode()
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\n{self._headers}{more}Content-Length: {len(content)}\r\n"
        sent = head.encode() + b"\r\n" + content
        while self._idle:
            with suppress(StaleError):
                return await self._exchange(*self._idle.pop(), sent, heard)
        fresh = await asyncio.open_connection("127.0.0.1", self._port)
        return await self._exchange(*fresh, sent, heard)

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sent: bytes,
        heard: Heard | None,
    ) -> Reply:
        """One request and its response."""
        try:
            writer.write(sent)
            reply = await read(reader, heard)
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return reply

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._idle:
            self._idle.pop()[1].close()


class StaleError(EOFError):
    """The other side closed the connection before it said a word: it was idle for too long."""


async def read(reader: asyncio.StreamReader, heard: Heard | None = None) -> Reply:
    """One response."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        if getattr(error, "partial", b""):
            raise
        raise StaleError from None
    status = int(head[9:12])
    _, chunked, _ = head.partition(b"transfer-encoding: chunked")
    if not chunked:
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return Reply(status, await reader.readexactly(length))
    body = b""
    while size := int(await reader.readline(), 16):
        part = (await reader.readexactly(size + 2))[:-2]
        body += part
        if heard:
            heard(part)
    await reader.readline()
    return Reply(status, body)


@dataclass
class Timed:
    """Seconds of requests that were due at a steady rate."""

    latencies: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)  # from when it was due to when it was sent
    failed: int = 0

    def told(self) -> dict[str, float]:
        """In milliseconds."""
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        return {
            **{f"{name}_ms": 1000 * _common.percentile(self.latencies, share)
               for name, share in shares.items()},
            "sent_late_p99_ms": 1000 * _common.percentile(self.lags, 0.99),
            "requests": len(self.latencies),
            "failed": self.failed,
        }  # fmt: skip


async def steadily(send: Callable[[int], Awaitable[bool]], rate: float, seconds: float) -> Timed:
    """Send at ``rate`` a second, whatever has been answered; ``send`` says whether it went well."""
    clock, timed = asyncio.get_running_loop().time, Timed()

    async def one(place: int, due: float) -> None:
        timed.lags.append(clock() - due)
        try:
            timed.failed += not await send(place)
        except (OSError, EOFError):
            timed.failed += 1
        timed.latencies.append(clock() - due)

    begins = clock() + 0.1
    async with asyncio.TaskGroup() as sending:
        for place in range(round(rate * seconds)):
            due = begins + place / rate
            await asyncio.sleep(due - clock())
            sending.create_task(one(place, due))
    return timed
