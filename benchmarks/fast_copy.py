"""What the 8-bit copy of the default generator gains and costs, beside the file that it is made of.

Prompts are those of ``batch.py``. Speed: tokens of a prompt that one core reads in a second, the
two in turn, by CPU time, which stays true while others use the machine. Cost: how far the
distribution of the first token is from that of the file's weights in float32 (Kullback-Leibler
divergence, nats), and whether the likeliest token is the same.

    python benchmarks/fast_copy.py --data DIR [--questions 40]
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import _common
import batch
from noria.config import GENERATOR
from noria.models.cache import default_cache
from noria.models.gguf import converted, fast
from noria.models.llama_server import messages, options, started
from noria.models.sources import fetch
from noria.models.transformers import loaded
from noria.types import Chat, Sampling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONTEXT = 2048
FIRST = Sampling(max_tokens=1)
NEVER = -60.0  # log-probability of a token that the server does not list


def more(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--questions", type=int, default=40)


def ask(server: Any, chat: Chat, more: Mapping[str, object]) -> list[Any]:
    """The chunks of an answer of one token; nothing is taken from the cache."""
    chunks: list[Any] = []
    wanted = options(FIRST) | {"cache_prompt": False, "messages": messages(chat)} | dict(more)
    server.handle_chat_completions(wanted, lambda chunk: chunks.append(chunk) or False)
    return chunks


def speed(server: Any, chat: Chat) -> float:
    """Tokens of the prompt read in a second of one core."""
    began = process_time()
    chunks = ask(server, chat, {})
    spent = process_time() - began
    return next(c["usage"]["prompt_tokens"] for c in reversed(chunks) if c.get("usage")) / spent


def served(server: Any, chat: Chat, size: int) -> "NDArray[np.float64]":
    """Log-probabilities of the first token, as llama.cpp has them; normalised."""
    import numpy as np

    found = np.full(size, NEVER)
    for chunk in ask(server, chat, {"logprobs": True, "top_logprobs": size, "n_probs": size}):
        for choice in chunk.get("choices") or ():
            for token in (choice.get("logprobs") or {}).get("content") or ():
                for each in token["top_logprobs"]:
                    found[each["id"]] = each["logprob"]
    normalised: NDArray[np.float64] = found - np.log(np.exp(found).sum())
    return normalised


def exact(tokenizer: Any, model: Any, chat: Chat) -> "NDArray[np.float64]":
    """Log-probabilities of the first token in float32."""
    import torch

    text = tokenizer.apply_chat_template(messages(chat), tokenize=False, add_generation_prompt=True)
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        last = model(input_ids=ids, logits_to_keep=1).logits[0, -1]
    found: NDArray[np.float64] = last.double().log_softmax(0).numpy()
    return found


def main() -> None:
    """Measure and print."""
    import numpy as np

    given = _common.arguments(__doc__, more)
    path = fetch(GENERATOR)
    files = {"as it is": path, "8 bits": fast(path, default_cache())}
    chats, _ = batch.prompts(path, given)
    tokenizer, model = loaded(converted(path, default_cache()))
    folder = Path(tempfile.mkdtemp())
    servers = {
        name: started(file, folder / f"{number}.sock", "key", CONTEXT, 1, 1)
        for number, (name, file) in enumerate(files.items())
    }
    speeds: dict[str, list[float]] = {name: [] for name in servers}
    apart: dict[str, list[float]] = {name: [] for name in servers}
    same = dict.fromkeys(servers, 0)
    for number, chat in enumerate(chats):
        right = exact(tokenizer, model, chat)
        for name, server in servers.items():
            speeds[name].append(speed(server, chat))
            found = served(server, chat, len(right))
            apart[name].append(float((np.exp(right) * (right - found)).sum()))
            same[name] += int(right.argmax() == found.argmax())
        _common.tell(f"{number + 1} of {len(chats)} prompts")
    _common.show({
        "prompts": len(chats),
        "files": {
            name: {
                "megabytes": files[name].stat().st_size / 1e6,
                "tokens_read_per_cpu_second": statistics.median(speeds[name]),
                "kl_mean": statistics.mean(apart[name]),
                "kl_max": max(apart[name]),
                "same_likeliest_token": same[name],
            }
            for name in servers
        },
    })  # fmt: skip


if __name__ == "__main__":
    main()
