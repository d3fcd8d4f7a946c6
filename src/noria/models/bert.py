"""The forward pass of BERT encoders on a processor: no padding, and a core for each batch.

Knows checkpoints of the BERT and RoBERTa families whose folder asks for a mean or the first token
of the last layer. Everything else is left to sentence-transformers: ``computes`` tells which it is.
The sums are those of transformers' ``BertModel`` in float32; only what is multiplied with padding,
and what threads wait for each other, is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from threading import Barrier, Lock
from typing import TYPE_CHECKING, Any

from noria.errors import ModelError
from noria.models.folder import kinds, modules, pooling_of, read
from noria.models.openmp import let_threads_go

if TYPE_CHECKING:
    from torch import Tensor

    from noria.protocols import Matrix

FAMILIES = {"bert", "roberta", "xlm-roberta", "camembert"}
POOLINGS = {"mean", "cls"}
WEIGHTS = "model.safetensors"
# Measured on MiniLM: below, products are too small; above, what is between two layers (1,536
# numbers a token) leaves the second-level cache, and 8,192 tokens cost 15 % of the speed.
BATCH_TOKENS = 1024
STARTING = Lock()  # threads of torch
POOLS: dict[str, ThreadPoolExecutor] = {}  # those that run, by their purpose
BLOCK = 1024  # texts tokenized and sorted together: their tokens are some 20 MB


@dataclass(frozen=True, slots=True)
class Layer:
    """The weights of one layer, each a pair of matrix and bias, or of scale and shift."""

    joined: "Dense"  # query, key and value in one product
    attended: "Dense"
    attended_norm: "tuple[Tensor, Tensor]"
    widened: "Dense"
    narrowed: "Dense"
    norm: "tuple[Tensor, Tensor]"


class Dense:
    """A matrix and its bias, multiplied by oneDNN where torch has it, in float32 too.

    Its products are 1.1 to 1.3 times as fast as MKL's on AMD's processors, and 2.3 times on those
    with AVX-512, for which MKL uses only half of it there. PyTorch's own compiler calls it so.
    For every new number of rows oneDNN writes machine code, which takes milliseconds and is kept
    (0.6 MB each), so that rows are filled up to one of a few numbers.
    """

    def __init__(self, weight: "Tensor", bias: "Tensor") -> None:
        import torch

        self._packed: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        self._weight, self._bias = weight, bias
        if self._packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(weight)

    def __call__(self, x: "Tensor") -> "Tensor":
        """The product with each row."""
        import torch

        if not self._packed:
            return torch.nn.functional.linear(x, self._weight, self._bias)
        rows = len(x)
        x = torch.nn.functional.pad(x, (0, 0, 0, filled(rows) - rows))
        found: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, "none", [], ""
        )
        return found[:rows]


def filled(rows: int) -> int:
    """The next number of rows that there is code for: four from each power of two to the next.

    >>> filled(3), filled(17), filled(130), filled(1000)
    (16, 32, 160, 1024)
    """
    step = max(16, (1 << (rows - 1).bit_length()) >> 3)
    return -(-rows // step) * step


class Bert:
    """Encodes on all cores; safe to share between threads.

    A row depends on its text alone, but for the rounding of float32: products of another shape
    are added up in another order, which moves numbers by less than 1e-6 (1e-5 is promised).
    Raises ModelError where the folder's weights are not those that its configuration tells of.
    """

    def __init__(self, path: Path, window: int) -> None:
        from tokenizers import Tokenizer

        config = read(path / "config.json")
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self._first = pooling_of(path) == "cls"
        self._tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(window)
        try:
            weights = weights_of(path / WEIGHTS)
            self._words = weights["embeddings.word_embeddings.weight"]
            self._places = places(weights, config)
            self._opening = pair(weights, "embeddings.LayerNorm")
            count = int(config["num_hidden_layers"])
            self._layers = [layer(weights, f"encoder.layer.{i}") for i in range(count)]
            let_threads_go()  # from here on each batch has one
        except (KeyError, OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path / WEIGHTS}: not the weights that config.json tells of ({error}); "
                "fetch it again, or choose another encoder"
            ) from None

    def encode(self, texts: Sequence[str], prompt: str) -> "Matrix":
        """One row of length 1 a text, in their order."""
        import numpy as np

        rows: Matrix = np.empty((len(texts), self._words.shape[1]), dtype=np.float32)
        for start in range(0, len(texts), BLOCK):
            block = [prompt + text for text in texts[start : start + BLOCK]]
            tokens = [found.ids for found in self._tokenizer.encode_batch_fast(block)]
            self._fill(rows[start : start + BLOCK], tokens)
        return rows

    def _fill(self, rows: "Matrix", tokens: Sequence[Sequence[int]]) -> None:
        """Write the vectors of ``tokens`` into ``rows``, batch by batch, a core for each.

        Two batches side by side, each on one core, are faster than one batch on two: the threads
        of one product wait for each other hundreds of times, and for whoever else has a core.
        """
        batches = list(batched([len(ids) for ids in tokens], BATCH_TOKENS))

        def encode(batch: Sequence[int]) -> None:
            rows[batch] = self._forward([tokens[i] for i in batch]).numpy()

        # A question does not queue behind the passages of an ingestion.
        threads = workers("passages" if len(batches) > 1 else "question")
        for _ in threads.map(encode, batches):
            pass

    def _forward(self, tokens: Sequence[Sequence[int]]) -> "Tensor":
        """Unit rows of ``tokens``, which are all laid end to end; the longest come first."""
        import torch
        from torch.nn.functional import gelu, layer_norm, normalize

        with torch.inference_mode():
            lengths = [len(ids) for ids in tokens]
            x = self._words[torch.tensor([i for ids in tokens for i in ids])]
            x += torch.cat([self._places[:n] for n in lengths])
            wide, epsilon = [x.shape[1]], self._epsilon
            x = layer_norm(x, wide, *self._opening, epsilon)
            for at in self._layers:
                seen = self._attention(at.joined(x), lengths)
                x = layer_norm(at.attended(seen).add_(x), wide, *at.attended_norm, epsilon)
                inner = gelu(at.widened(x))
                x = layer_norm(at.narrowed(inner).add_(x), wide, *at.norm, epsilon)
            texts = torch.split(x, lengths)
            pooled = torch.stack([t[0] if self._first else t.mean(0) for t in texts])
            return normalize(pooled, dim=1)

    def _attention(self, joined: "Tensor", lengths: Sequence[int]) -> "Tensor":
        """What each token sees of its own text; texts of one length are done together."""
        import torch
        from torch.nn.functional import scaled_dot_product_attention

        width = joined.shape[1] // 3
        same = [(length, len(list(those))) for length, those in groupby(lengths)]
        parts = torch.split(joined, [length * count for length, count in same])
        seen = []
        for part, (length, count) in zip(parts, same, strict=True):
            split = part.view(count, length, 3, self._heads, width // self._heads)
            query, key, value = split.permute(2, 0, 3, 1, 4)
            found = scaled_dot_product_attention(query, key, value)
            seen.append(found.transpose(1, 2).reshape(count * length, width))
        return torch.cat(seen)


def computes(path: Path) -> bool:
    """Whether ``Bert`` gives what the folder describes: a known transformer, simply pooled."""
    config = read(path / "config.json")
    return (
        config.get("model_type") in FAMILIES
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and (path / WEIGHTS).is_file()
        and kinds(path) in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
        and not modules(path)[0].get("path")
        and not read(path / "sentence_bert_config.json").get("do_lower_case")
        and pooling_of(path) in POOLINGS
    )


def batched(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Numbers of texts, the longest first, in batches of at most ``budget`` tokens, or of one text.

    >>> list(batched([3, 9, 4, 5], 10))
    [[1], [3, 2], [0]]
    """
    batch: list[int] = []
    tokens = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batch and tokens + lengths[i] > budget:
            yield batch
            batch, tokens = [], 0
        batch.append(i)
        tokens += lengths[i]
    if batch:
        yield batch


def workers(purpose: str) -> ThreadPoolExecutor:
    """As many threads as there are cores, in each of which torch works alone; made once.

    torch keeps the number of its threads for each thread of Python, and what was set last is also
    what others begin with. So it is set for these before anybody else can begin.
    """
    with STARTING:
        if purpose not in POOLS:
            POOLS[purpose] = started(purpose)
        return POOLS[purpose]


def started(purpose: str) -> ThreadPoolExecutor:
    """The threads, all of them running."""
    import torch

    cores = torch.get_num_threads()

    def alone() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # a thread that never asked would take what is set last after all

    pool = ThreadPoolExecutor(cores, f"noria-{purpose}", initializer=alone)
    together = Barrier(cores)
    list(pool.map(lambda _: together.wait(), range(cores)))
    torch.set_num_threads(cores)
    return pool


def dismiss() -> None:
    """End these threads, idle ones too; whoever encodes next starts new ones.

    While programs have more threads with libgomp than cores, it lets each sleep between two
    operations instead of waiting awake: a training beside idle ones takes a fifth longer. Nobody
    may be encoding.
    """
    with STARTING:
        while POOLS:
            POOLS.popitem()[1].shutdown()


def weights_of(path: Path) -> "Mapping[str, Tensor]":
    """The checkpoint in float32, its names without the family's prefix."""
    from safetensors.torch import load_file

    return {
        name.removeprefix("bert.").removeprefix("roberta."): value.float()
        for name, value in load_file(path).items()
        if value.is_floating_point()
    }


def places(weights: "Mapping[str, Tensor]", config: Mapping[str, Any]) -> "Tensor":
    """What each position adds to its token, the one kind of token included."""
    # RoBERTa counts positions from the padding token's id + 1.
    first = 0 if config["model_type"] == "bert" else int(config.get("pad_token_id", 1)) + 1
    positions = weights["embeddings.position_embeddings.weight"][first:]
    return positions + weights["embeddings.token_type_embeddings.weight"][0]


def layer(weights: "Mapping[str, Tensor]", name: str) -> Layer:
    """The weights of the layer ``name``."""
    import torch

    three = [pair(weights, f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
    return Layer(
        joined=Dense(torch.cat([w for w, _ in three]), torch.cat([b for _, b in three])),
        attended=Dense(*pair(weights, f"{name}.attention.output.dense")),
        attended_norm=pair(weights, f"{name}.attention.output.LayerNorm"),
        widened=Dense(*pair(weights, f"{name}.intermediate.dense")),
        narrowed=Dense(*pair(weights, f"{name}.output.dense")),
        norm=pair(weights, f"{name}.output.LayerNorm"),
    )


def pair(weights: "Mapping[str, Tensor]", name: str) -> "tuple[Tensor, Tensor]":
    """Weight and bias of the part ``name``."""
    return weights[f"{name}.weight"], weights[f"{name}.bias"]
