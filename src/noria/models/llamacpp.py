"""Writes with llama.cpp in this process, opening no network port.

Its server is spoken to by calls and, for the tokenizer, through a UNIX socket in a private folder.
Adapters are loaded beside the weights and chosen by each request: one that did not name its choice
would be answered by whichever llama.cpp takes for all.
"""

import hashlib
import queue
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from noria.errors import ModelError, UsageError
from noria.jobs import unheard
from noria.models.cache import digest_of
from noria.models.gguf import gguf_at
from noria.models.heap import give_back
from noria.models.llama_server import ask, connected, cores, messages, options, started
from noria.models.openmp import let_threads_go
from noria.models.side import side_by_side, spelled
from noria.models.slots import Slots
from noria.types import Completion, Prompt, Sampling

EVERY = 1 << 20  # alternatives of a token: more than any model knows
PAUSE = 0.05  # seconds between two pieces: twenty in a second look smooth
COUNTED = 2048  # texts whose tokens are counted once: instructions, passages that many find


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model has read, and the log-probability of each token id that may come next."""

    ids: tuple[int, ...]
    logprobs: Mapping[int, float]


class Together:
    """Tells pieces together that come quickly; the first at once.

    Each waking of who reads takes a core from the model.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell, self._pieces, self._until = tell, list[str](), 0.0

    def __call__(self, piece: str) -> None:
        """One more piece."""
        self._pieces.append(piece)
        if monotonic() >= self._until:
            self.rest()

    def rest(self) -> None:
        """Tell what was not told yet."""
        if self._pieces:
            self._tell("".join(self._pieces))
            self._pieces.clear()
            self._until = monotonic() + PAUSE


class LlamaCpp:
    """A GGUF model in this process, streaming up to ``parallel`` answers side by side.

    ``context`` tokens of window belong to each of them. ``threads`` 0: the cores this process may
    use. A batch shares the threads out among servers of one slot each, at most ``parallel``, which
    are loaded when the first batch comes: an answer does not depend on what is beside it.
    Temperature 0 is greedy; above it llama.cpp's own top-k, top-p and min-p apply. ``adapters``
    are GGUF LoRA files, each of which answers through ``with_adapter``; this object itself answers
    without any. ``exact`` keeps what was read in 32 bits instead of 16: twice the memory, for
    comparisons. Raises SourceError for a missing file and ModelError for one that cannot be loaded.
    """

    def __init__(
        self,
        path: Path,
        *,
        context: int = 2048,
        parallel: int = 4,
        threads: int = 0,
        fingerprint: str | None = None,
        adapters: Sequence[Path] = (),
        exact: bool = False,
    ) -> None:
        self._exact = exact
        self._path = gguf_at(path)
        self._adapters = tuple(gguf_at(adapter) for adapter in adapters)
        self._threads = threads or cores()
        self._side_by_side = min(parallel, self._threads)
        self._fingerprint = fingerprint
        self._counts: dict[str, int] = {}
        self._folder = tempfile.mkdtemp(prefix="noria-")  # mode 700: the socket is ours alone
        self._key = secrets.token_urlsafe(32)
        self._server: Any = None
        self._slots = Slots(parallel)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()  # servers that write batches
        self._hiring, self._hired = threading.Lock(), 0
        try:
            self._server = self._started(context, parallel, self._threads)
            self._http = connected(self._server.listening_address, self._key)
            self._context = self._window()
        except BaseException:
            self.close()
            raise

    @property
    def fingerprint(self) -> str:
        """Digest of the weights."""
        if self._fingerprint is None:
            self._fingerprint = digest_of(self._path)
        return self._fingerprint

    @property
    def context(self) -> int:
        """Tokens of window of one prompt with its answer; never more than the model's own."""
        return self._context

    def count(self, text: str) -> int:
        """Exact number of tokens in ``text``, by the model's own tokenizer."""
        found = self._counts.get(text)
        if found is None:
            found = len(self._ask("POST", "/tokenize", {"content": text})["tokens"])
            if len(self._counts) >= COUNTED:
                self._counts.clear()
            self._counts[text] = found
        return found

    def with_adapter(self, place: int) -> "Adapted":
        """The same model with the adapter at ``place`` of ``adapters``, counted from 0.

        It can be asked beside the base and the other adapters, and is closed with this object.
        """
        if not 0 <= place < len(self._adapters):
            raise UsageError(f"adapter {place}: {len(self._adapters)} were loaded, from 0 on")
        return Adapted(self, place, self._adapters[place])

    def stream(
        self, prompt: Prompt, sampling: Sampling, adapter: int | None = None
    ) -> Generator[str, None, Completion]:
        """Yield pieces as they are written; closing the generator stops the model.

        ``adapter``: the place of one that was loaded, or None for the base alone. Raises
        ModelError for a prompt longer than the window.
        """
        wanted = options(sampling) | self._chosen(adapter)
        pieces: queue.SimpleQueue[str | Completion | BaseException] = queue.SimpleQueue()
        stop, told = threading.Event(), Together(pieces.put)

        def write() -> None:
            try:
                completion = self._written(prompt, wanted, sampling, adapter, told, stop)
                told.rest()
                pieces.put(completion)
            except BaseException as error:  # carried over to the thread that reads
                pieces.put(error)

        # A thread of its own, for a call into llama.cpp would keep Ctrl-C waiting.
        writer = threading.Thread(target=write, daemon=True)
        let_threads_go()
        writer.start()
        try:
            while True:
                piece = pieces.get()
                if isinstance(piece, Completion):
                    return piece
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            stop.set()
            writer.join()

    def batch(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        done: Callable[[int, Completion], None] | None = None,
        adapter: int | None = None,
    ) -> list[Completion]:
        """Complete ``prompts``, in their order, several side by side.

        Those that begin alike are written one after the other, for the common beginning is read
        once. Ctrl-C stops at the next token; a prompt that is being read is read to its end.
        """
        let_threads_go()
        wanted = options(sampling) | self._chosen(adapter)

        def alone(prompt: Prompt, stop: threading.Event) -> Completion:
            return self._written(prompt, wanted, sampling, adapter, unheard, stop)

        def beside(prompt: Prompt, stop: threading.Event) -> Completion:
            return self._write_beside(prompt, wanted, stop)

        if self._side_by_side == 1 or len(prompts) < 2:
            return side_by_side(prompts, alone, 1, done)
        self._hire()
        return side_by_side(prompts, beside, self._side_by_side, done)

    def ids(self, prompt: Prompt) -> tuple[int, ...]:
        """The token ids that the model reads for ``prompt``, with a chat's template."""
        if isinstance(prompt, str):
            text = prompt
        else:
            text = self._ask("POST", "/apply-template", {"messages": messages(prompt)})["prompt"]
        body = {"content": text, "add_special": True, "parse_special": True}
        return tuple(self._ask("POST", "/tokenize", body)["tokens"])

    def following(self, prompt: Prompt, adapter: int | None = None) -> Prediction:
        """How likely each known token is to follow ``prompt``, before any sampling.

        Raises ModelError where the ids of ``ids`` are not as many as were read.
        """
        forced = [[self.ids("a")[-1], 1e6]]  # of half a character llama.cpp would tell nothing
        every = {"max_tokens": 1, "n_probs": EVERY, "logprobs": EVERY, "logit_bias": forced}
        if not isinstance(prompt, str):
            every |= {"logprobs": True, "top_logprobs": EVERY}
        wanted = options(Sampling(max_tokens=1)) | every | self._chosen(adapter)
        reply = ask(self._alive(), prompt, wanted, unheard, threading.Event())
        ids, read = self.ids(prompt), reply.completion().prompt_tokens
        if len(ids) != read:
            raise ModelError(
                f"llama.cpp read {read} tokens of a prompt that has {len(ids)}; its template or "
                "its tokenizer is not the one it tells of: choose another model"
            )
        return Prediction(ids, reply.alternatives)

    def close(self) -> None:
        """Free the model. Calling it twice is fine."""
        self._server = None
        with self._hiring:
            self._idle, self._hired = queue.SimpleQueue(), 0
        if http := self.__dict__.pop("_http", None):
            http.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        give_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _written(
        self,
        prompt: Prompt,
        wanted: Mapping[str, Any],
        sampling: Sampling,
        adapter: int | None,
        tell: Callable[[str], object],
        stop: threading.Event,
    ) -> Completion:
        """Complete one prompt with all threads, in the slot where it is read soonest."""
        text = "\n".join(spelled(prompt))
        with self._slots.taken(text, adapter, sampling.max_tokens, stop) as slot:
            if slot is None:
                return Completion("", "length", 0, 0)
            reply = ask(self._alive(), prompt, {**wanted, "id_slot": slot}, tell, stop)
        found = reply.completion()
        if sampling.max_tokens > 1 and not stop.is_set():  # else it tells nothing of its length
            self._slots.wrote(adapter, found.completion_tokens)
        return found

    def _hire(self) -> None:
        """Load the servers that write batches, once."""
        self._alive()
        with self._hiring:
            while self._hired < self._side_by_side:
                self._idle.put(self._started(self._context, 1, self._threads // self._side_by_side))
                self._hired += 1

    def _started(self, context: int, parallel: int, threads: int) -> Any:
        socket = Path(self._folder, f"{secrets.token_hex(4)}.sock")
        rest = context, parallel, threads, self._exact
        return started(self._path, self._adapters, socket, self._key, *rest)

    def _chosen(self, adapter: int | None) -> dict[str, Any]:
        """The part of a request that chooses the adapter, or none: every one is named."""
        if adapter is not None and not 0 <= adapter < len(self._adapters):  # llama.cpp is silent
            raise UsageError(f"adapter {adapter}: {len(self._adapters)} were loaded, from 0 on")
        every = [
            {"id": place, "scale": float(place == adapter)} for place in range(len(self._adapters))
        ]
        return {"lora": every} if every else {}

    def _write_beside(
        self, prompt: Prompt, wanted: Mapping[str, Any], stop: threading.Event
    ) -> Completion:
        """Complete one prompt with a server that is idle."""
        idle = self._idle
        server = idle.get()
        try:
            return ask(server, prompt, wanted, unheard, stop).completion()
        finally:
            idle.put(server)

    def _window(self) -> int:
        return int(self._ask("GET", "/props")["default_generation_settings"]["n_ctx"])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        import httpx

        self._alive()
        try:
            response = self._http.request(method, path, json=body)
            response.raise_for_status()
            return response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ModelError(f"llama.cpp did not answer {path}: {error}; load it again") from None

    def _alive(self) -> Any:
        if self._server is None:
            raise ModelError(f"{self._path.name}: this model was closed; make a new LlamaCpp")
        return self._server


class Adapted:
    """A loaded model with one of its adapters: an LLM of its own, whose weights are shared."""

    def __init__(self, llama: LlamaCpp, place: int, path: Path) -> None:
        self._llama, self._place, self._path = llama, place, path

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the base's and the adapter's."""
        both = f"{self._llama.fingerprint}\0{digest_of(self._path)}"
        return hashlib.sha256(both.encode()).hexdigest()

    @property
    def context(self) -> int:
        """Tokens of window, as the base has."""
        return self._llama.context

    def count(self, text: str) -> int:
        """Exact number of tokens in ``text``."""
        return self._llama.count(text)

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        """Yield pieces as they are written, as ``LlamaCpp.stream`` does."""
        return self._llama.stream(prompt, sampling, self._place)

    def batch(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        done: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Complete ``prompts``, as ``LlamaCpp.batch`` does."""
        return self._llama.batch(prompts, sampling, done, self._place)
