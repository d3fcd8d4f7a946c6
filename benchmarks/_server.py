"""Processes that serve, and what they cost: started, waited for, watched, ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

HERE = Path(__file__).parent
PATIENCE = 180.0  # seconds until a server must be ready


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has used: seconds of all cores, and memory in MiB."""

    cpu: float
    rss: float


class Server:
    """A process that listens at a port. ``command`` without the port, which is added."""

    def __init__(self, command: Sequence[str], log: Path, ready: str, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log.open("ab")
        words = [sys.executable, *command, "--port", str(self.port)]
        self.process = subprocess.Popen(words, stdout=self._log, stderr=self._log)
        self._measured = psutil.Process(self.process.pid)
        try:
            self._wait(f"{self.url}{ready}")
        except BaseException:
            self.end(signal.SIGKILL)
            raise

    def cost(self) -> Cost:
        """What it has used up to now."""
        with self._measured.oneshot():
            times, memory = self._measured.cpu_times(), self._measured.memory_info()
        return Cost(times.user + times.system, memory.rss / 2**20)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end, and wait for that; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._log.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _wait(self, url: str) -> None:
        """Until it answers. Raises RuntimeError for one that ended, or does not begin."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(url, timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError(f"the server did not begin; its log: {self._log.name}")


def noria(home: Path, ready: str = "/readyz") -> Server:
    """``noria serve`` on the settings and the state in ``home``."""
    return Server(["-m", "noria.cli", "serve", *at(home)], home / "serve.log", ready)


def instant(home: Path, *more: str, port: int = 0) -> Server:
    """The same with a model that writes at once."""
    command = [str(HERE / "_instant.py"), *at(home), *more]
    return Server(command, home / "serve.log", "/readyz", port)


def bare(home: Path) -> Server:
    """llama.cpp's own server with the weights that Noria serves."""
    return Server([str(HERE / "_bare.py"), *at(home)], home / "bare.log", "/health")


def run(home: Path, *words: str) -> str:
    """What a command of ``noria`` prints."""
    command = [sys.executable, "-m", "noria.cli", *words, *at(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"noria {' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def at(home: Path) -> list[str]:
    """The options that name the settings and the state in ``home``."""
    return ["--config", str(home / "noria.toml"), "--home", str(home / "state")]


def own_cpu() -> float:
    """Seconds of all cores that this process has used."""
    used = os.times()
    return used.user + used.system


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
