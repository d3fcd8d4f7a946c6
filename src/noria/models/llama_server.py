"""llama.cpp's server: how it is started in this process, asked, and understood.

It is asked by calls in the words of the OpenAI API, and through a UNIX socket for all else. Knows
nothing of who shares it.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from noria.errors import ModelError
from noria.models.usage import cached
from noria.types import Chat, Completion, Prompt, Sampling

QUIET = -1  # below llama.cpp's errors: standard output and error belong to the command line
PROMPT_CACHE_MIB = 256  # prompts of idle slots kept in memory; llama.cpp's own default is 8 GiB


def started(
    path: Path,
    adapters: Sequence[Path],
    socket: Path,
    key: str,
    context: int,
    parallel: int,
    threads: int,
    exact: bool = False,
) -> Any:
    """llama.cpp's server with the model loaded; raises ModelError if it cannot be."""
    import xllamacpp

    params = parameters(path, adapters, context, parallel, threads, exact)
    params.n_threads_http = 2  # only the tokenizer is asked over HTTP
    params.api_keys = [key]
    # httpx and llama.cpp speak through a file; Windows has the loopback and the key
    params.hostnames = ["127.0.0.1"] if os.name == "nt" else [str(socket)]
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        beside = "".join(f" with {adapter}" for adapter in adapters)
        raise ModelError(
            f"{path}{beside}: llama.cpp cannot load it ({error}); it may be damaged, larger than "
            "the memory, or of a kind this version does not know: fetch it again or choose another"
        ) from None


def parameters(
    path: Path,
    adapters: Sequence[Path],
    context: int,
    parallel: int,
    threads: int,
    exact: bool = False,
) -> Any:
    """What llama.cpp is told of the model; nothing of how it is reached."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(a), 0.0) for a in adapters]
    params.n_parallel = parallel
    params.n_ctx = context * parallel  # llama.cpp divides it among the slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    # On a CPU flash attention sums in 16 bits, and otherwise for other numbers of tokens and
    # threads: a greedy answer would depend on those, and on what was read before or beside it.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if exact:
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.verbosity = QUIET
    params.fit_params = False  # would load the model twice to guess sizes that are given here
    params.warmup = False
    params.cache_prompt = True
    # llama.cpp puts a prompt back that another adapter has read (its issue 26207): with adapters
    # there is only what a slot itself has read, which it forgets when another is chosen.
    params.cache_ram_mib = 0 if adapters else PROMPT_CACHE_MIB
    params.ui = params.endpoint_slots = False
    return params


def connected(address: str, key: str) -> Any:
    """An HTTP client for the server's address."""
    import httpx

    headers = {"Authorization": f"Bearer {key}"}
    if address.startswith("unix://"):
        # no connection is kept: one that outlives its model would be a socket nobody closes
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.HTTPTransport(uds=address.removeprefix("unix://"), limits=limits)
        return httpx.Client(transport=transport, base_url="http://llama", headers=headers)
    return httpx.Client(base_url=address, headers=headers, trust_env=False)


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def options(sampling: Sampling) -> dict[str, Any]:
    """A request's options in the words of the OpenAI API."""
    return {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "stop": list(sampling.stop),
        "seed": sampling.seed,
        "cache_prompt": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def messages(chat: Chat) -> list[dict[str, str]]:
    """A chat in the words of the OpenAI API."""
    return [{"role": message.role, "content": message.content} for message in chat]


class Reply:
    """Gathers the chunks of one answer; as a callback, returns True to stop the model."""

    def __init__(self, tell: Callable[[str], object], stop: threading.Event) -> None:
        self._tell, self._stop = tell, stop
        self._pieces: list[str] = []
        self._finish = ""
        self._usage: Mapping[str, Any] = {}
        self.alternatives: Mapping[int, float] = {}  # to the last token
        self.error: Mapping[str, Any] | None = None

    def __call__(self, chunk: Mapping[str, Any]) -> bool:
        """Take in one chunk."""
        self.error = chunk.get("error") or self.error
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            self._finish = choice.get("finish_reason") or self._finish
            piece = choice.get("text") or (choice.get("delta") or {}).get("content")
            if piece:
                self._pieces.append(piece)
                self._tell(piece)
            told = (choice.get("logprobs") or {}).get("content") or ()
            if told and len(told[-1]["top_logprobs"]) > 1:
                self.alternatives = {t["id"]: t["logprob"] for t in told[-1]["top_logprobs"]}
        return self._stop.is_set()

    def completion(self) -> Completion:
        """What was written. Stopped from outside counts as cut short."""
        return Completion(
            "".join(self._pieces),
            "stop" if self._finish == "stop" else "length",
            self._usage.get("prompt_tokens", 0),
            self._usage.get("completion_tokens", len(self._pieces)),
            cached(self._usage),
        )


def ask(
    server: Any,
    prompt: Prompt,
    wanted: Mapping[str, Any],
    tell: Callable[[str], object],
    stop: threading.Event,
) -> Reply:
    """Have the server continue a string or answer a chat, until it ends or ``stop`` is set.

    ``tell`` hears each piece. Raises ModelError for what the server refuses.
    """
    reply = Reply(tell, stop)
    if isinstance(prompt, str):
        server.handle_completions({**wanted, "prompt": prompt}, reply)
    else:
        server.handle_chat_completions({**wanted, "messages": messages(prompt)}, reply)
    if reply.error:
        raise ModelError(explained(reply.error))
    return reply


def explained(error: Mapping[str, Any]) -> str:
    """llama.cpp's error as a sentence."""
    if error.get("type") == "exceed_context_size_error":
        return (
            f"the prompt has {error.get('n_prompt_tokens')} tokens, "
            f"the window {error.get('n_ctx')}; shorten it, or raise models.context"
        )
    return f"llama.cpp refused: {error.get('message', error)}; check the prompt"
