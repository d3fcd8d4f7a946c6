"""What every request passes: an id, a bound on its body, a line in the log, the counters."""

import json
import logging
import re
from contextvars import ContextVar
from time import perf_counter
from typing import Any
from uuid import uuid4

from starlette.exceptions import HTTPException

from noria.serve.observe import Observed
from noria.serve.refusals import body

SANE = re.compile(r"[\w.-]{1,64}", re.ASCII)
request_id: ContextVar[str] = ContextVar("request_id", default="-")
log = logging.getLogger("noria.access")


class Stamped(logging.Filter):
    """Gives each record of a log the id of the request that it belongs to, or ``-``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp it, and let it through."""
        record.request = request_id.get()
        return True


class Door:
    """ASGI middleware. ``limit``: bytes of a body."""

    def __init__(self, app: Any, limit: int, observed: Observed) -> None:
        self._app, self._limit, self._observed = app, limit, observed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        id = given if SANE.fullmatch(given) else uuid4().hex
        request_id.set(id)
        began, status = perf_counter(), 500

        async def tell(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
            await send(message)

        try:
            length = headers.get(b"content-length", b"0")
            if not length.isdigit() or int(length) > self._limit:
                await self._too_large(tell)
            else:
                await self._app(scope, Bounded(receive, self._limit), tell)
        finally:
            seconds = perf_counter() - began
            route = scope.get("route")
            path = getattr(route, "path", "other")  # a path that is not here is no label
            self._observed.requested(path, scope["method"], status, seconds)
            log.info("%s %s %d %.1f ms", scope["method"][:10], path, status, 1000 * seconds)

    async def _too_large(self, tell: Any) -> None:
        error = TooLargeError(self._limit)
        content = json.dumps(body(error.detail, error.code)).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await tell({"type": "http.response.start", "status": 413, "headers": headers})
        await tell({"type": "http.response.body", "body": content})


class TooLargeError(HTTPException):
    """A body that is, or grows, beyond the limit, whatever its length was said to be."""

    code = "request_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body has more than {limit} bytes; send less")


class Bounded:
    """Receives a body, up to a limit."""

    def __init__(self, receive: Any, limit: int) -> None:
        self._receive, self._limit, self._left = receive, limit, limit

    async def __call__(self) -> Any:
        """The next part of it."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLargeError(self._limit)
        return message
