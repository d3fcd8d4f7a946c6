"""A service on a real port, as uvicorn serves it, in a thread of the test's process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from served import Served


@contextmanager
def listening(at: Served) -> Iterator[int]:
    """The port. The service itself is closed by the application's end."""
    config = uvicorn.Config(at.app, port=0, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="uvicorn", daemon=True)
    thread.start()
    ends = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < ends
        time.sleep(0.01)
    try:
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)


def spoken(port: int, *parts: bytes, ends: bool = True, seconds: float = 20.0) -> bytes:
    """What comes back for these bytes until the other side closes; ``ends``: no more will come."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as talk:
        with suppress(OSError):  # it may have heard enough
            for part in parts:
                talk.sendall(part)
            if ends:
                talk.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while part := talk.recv(65536):
                heard += part
    return heard
