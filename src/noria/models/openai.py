"""Writes through any server that speaks the OpenAI API. The key is sent, and never shown."""

import hashlib
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from noria.errors import ConfigError, ModelError
from noria.models.side import side_by_side
from noria.models.usage import cached
from noria.models.wheels import trust, without_credentials
from noria.protocols import Clock
from noria.types import Completion, Prompt, Sampling

if TYPE_CHECKING:
    import httpx

PAUSE = 0.5  # seconds before the second attempt; doubles, with jitter
LONGEST_PAUSE = 30.0  # also the most that a Retry-After header is granted
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
SHOWN_REASON = 300  # characters of a server's complaint that an error repeats
BYTES_PER_TOKEN = 2
PORTS = {"http": 80, "https": 443}


class OpenAICompatible:
    """A model behind an OpenAI-compatible URL, such as ``http://localhost:8000/v1``.

    ``api_key_env`` names the variable that holds the key; without it none is sent. ``context`` is
    what the server's model is configured for. ``attempts`` counts the first one. Raises ModelError
    when the server is down, refuses, or answers nonsense.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        context: int = 2048,
        parallel: int = 4,
        attempts: int = 4,
        connect_timeout: float = 10.0,
        read_timeout: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Clock = time.time,
        rng: random.Random | None = None,
    ) -> None:
        import httpx

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("models.generator: expected a URL such as http://localhost:8000/v1")
        if not model:
            raise ConfigError("models.endpoint_model: an endpoint needs the name of its model")
        self._url = without_credentials(url).rstrip("/")
        self._model, self._context, self._parallel = model, context, parallel
        self._attempts, self._sleep, self._clock = attempts, sleep, clock
        self._rng = rng or random.Random()
        self._key_env, self._key = api_key_env, os.environ.get(api_key_env, "")
        password = (
            (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        )
        self._http = httpx.Client(
            base_url=self._url,
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            auth=None if self._key else password,
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            verify=trust(),
        )

    @property
    def fingerprint(self) -> str:
        """Digest of the URL and the model's name: the weights behind them cannot be seen."""
        return hashlib.sha256(f"{self._url}\0{self._model}".encode()).hexdigest()

    @property
    def context(self) -> int:
        """The window in tokens, as configured."""
        return self._context

    def count(self, text: str) -> int:
        """An over-estimate: one token for every two bytes of UTF-8.

        Byte-level BPE vocabularies take 3.5 to 4.5 bytes a token on prose, and rarely under 2 on
        code, digits and scripts they know little; no text is promised to stay below.
        """
        return len(text.encode()) // BYTES_PER_TOKEN + 1

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """Yield pieces as they arrive; a broken stream is an error, never started again."""
        body = self._body(prompt, sampling) | {
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        response = self._opened(path_of(prompt), body)
        answer = _Answer()
        try:
            for chunk in self._chunks(response):
                if piece := answer.take(chunk):
                    yield piece
        finally:
            response.close()
        if not answer.finish:
            raise ModelError(f"{self._url}: the answer broke off; ask again")
        return answer.completion(prompt, self.count)

    def batch(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        done: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Complete ``prompts``, in their order, ``parallel`` at a time."""

        def write(prompt: Prompt, stop: threading.Event) -> Completion:
            return self._complete(prompt, sampling)

        return side_by_side(prompts, write, self._parallel, done)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _complete(self, prompt: Prompt, sampling: Sampling) -> Completion:
        import httpx

        response = self._opened(path_of(prompt), self._body(prompt, sampling))
        try:
            answer = _Answer()
            answer.take(self._parsed(response.read()))
            return answer.completion(prompt, self.count)
        except httpx.HTTPError as error:
            raise self._broken(error) from None
        finally:
            response.close()

    def _body(self, prompt: Prompt, sampling: Sampling) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": self._model,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }
        if sampling.stop:
            asked["stop"] = list(sampling.stop)
        if isinstance(prompt, str):
            return asked | {"prompt": prompt}
        return asked | {"messages": [{"role": m.role, "content": m.content} for m in prompt]}

    def _opened(self, path: str, body: Mapping[str, Any]) -> "httpx.Response":
        """The response, its body unread, tried again while the server is down or busy."""
        import httpx

        reason = ""
        for attempt in range(self._attempts):
            after = None
            try:
                response = self._http.send(
                    self._http.build_request("POST", path, json=body), stream=True
                )
                if response.status_code < 400:
                    return response
                reason, after = self._complaint(response), response.headers.get("retry-after")
            except httpx.TransportError as error:
                reason = self._hidden(str(error) or type(error).__name__)
            if attempt + 1 < self._attempts:
                self._sleep(self._pause(attempt, after))
        raise ModelError(
            f"{self._url}: no answer in {self._attempts} attempts ({reason}); "
            "start the server, or change models.generator"
        )

    def _complaint(self, response: "httpx.Response") -> str:
        """Why the server refused, if asking again may help; raises ModelError otherwise."""
        status = response.status_code
        try:
            said = self._hidden(response.read().decode("utf-8", "replace"))[:SHOWN_REASON]
        finally:
            response.close()
        if status in RETRIED:
            return f"HTTP {status}"
        if status in (401, 403):
            raise ModelError(
                f"{self._url}: HTTP {status}, the key was refused; "
                f"put a valid one into the variable {self._key_env}"
            )
        if status == 404:
            raise ModelError(
                f"{self._url}: HTTP 404 ({said}); check models.generator and models.endpoint_model"
            )
        raise ModelError(f"{self._url}: HTTP {status}: {said}; change the request or the model")

    def _pause(self, attempt: int, after: str | None) -> float:
        """Seconds to wait: what the server asks, within bounds, or doubling with jitter."""
        asked = self._asked_pause(after)
        if asked is not None:
            return min(LONGEST_PAUSE, max(0.0, asked))
        longest: float = min(LONGEST_PAUSE, PAUSE * 2**attempt)
        return longest * self._rng.uniform(0.5, 1.0)

    def _asked_pause(self, after: str | None) -> float | None:
        if not after:
            return None
        try:
            return float(after)
        except ValueError:
            pass  # not seconds: an HTTP date
        try:
            return parsedate_to_datetime(after).timestamp() - self._clock()
        except ValueError:
            return None

    def _chunks(self, response: "httpx.Response") -> Iterator[Mapping[str, Any]]:
        """The events of a stream, up to its end mark."""
        import httpx

        try:
            for line in lines(response.iter_bytes()):
                data = line.removeprefix(b"data:").strip()
                if not line.startswith(b"data:") or not data:
                    continue  # comments, pings and other fields
                if data == b"[DONE]":
                    return
                yield self._parsed(data)
        except httpx.HTTPError as error:
            raise self._broken(error) from None

    def _parsed(self, data: bytes) -> Mapping[str, Any]:
        try:
            value = json.loads(data)
        except ValueError:
            value = None
        if not isinstance(value, dict) or not isinstance(value.get("choices", []), list):
            shown = self._hidden(data[:SHOWN_REASON].decode("utf-8", "replace"))
            raise ModelError(
                f"{self._url}: not an answer of the OpenAI API: {shown!r}; check models.generator"
            )
        if value.get("error"):
            raise ModelError(f"{self._url}: {self._hidden(str(value['error']))[:SHOWN_REASON]}")
        return value

    def _broken(self, error: Exception) -> ModelError:
        said = self._hidden(str(error)) or type(error).__name__
        return ModelError(f"{self._url}: the answer broke off ({said}); ask again")

    def _hidden(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text


class _Answer:
    """Puts an answer together from its chunks, or from its one message."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._usage: Mapping[str, Any] = {}
        self.finish = ""

    def take(self, chunk: Mapping[str, Any]) -> str:
        """Add a chunk; return the text it brought."""
        self._usage = chunk.get("usage") or self._usage
        said = ""
        for choice in chunk.get("choices", [])[:1]:
            self.finish = choice.get("finish_reason") or self.finish
            message = choice.get("delta") or choice.get("message") or {}
            said = choice.get("text") or message.get("content") or ""
        self._pieces.append(said)
        return said

    def completion(self, prompt: Prompt, count: Callable[[str], int]) -> Completion:
        """The whole; a server that gives no usage has it estimated."""
        text = "".join(self._pieces)
        asked = prompt if isinstance(prompt, str) else "".join(m.content for m in prompt)
        return Completion(
            text,
            "length" if self.finish == "length" else "stop",
            self._usage.get("prompt_tokens") or count(asked),
            self._usage.get("completion_tokens") or count(text),
            cached_tokens=cached(self._usage),
        )


def key_variable(url: str, own: str, variable: str) -> str:
    """The variable with the key for ``url``: ``variable`` at the server of ``own`` alone.

    Another server's key stands in a variable that has the server's name at its end, so that no
    server is ever sent the key of another one. ``own`` may be weights: then all are other servers.

    >>> key_variable("https://api.example.com/v2", "https://API.example.com:443/v1", "KEY")
    'KEY'
    >>> key_variable("http://judge.example.org:8000/v1", "https://api.example.com/v1", "KEY")
    'KEY_JUDGE_EXAMPLE_ORG_8000'
    """
    there = server_of(url)
    if not variable or there == server_of(own):
        return variable
    _, host, port = there
    name = host if port in PORTS.values() else f"{host}_{port}"
    return f"{variable}_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"


def server_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; raises ConfigError where the URL has none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:  # which may show a part of a password
        raise ConfigError(
            "models.generator: expected a URL such as http://localhost:8000/v1"
        ) from None


def path_of(prompt: Prompt) -> str:
    """A string is continued; a chat goes through the server's template."""
    return "/completions" if isinstance(prompt, str) else "/chat/completions"


def lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines ended by a line feed only: httpx's own also cut at U+2028, which JSON may contain."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest
