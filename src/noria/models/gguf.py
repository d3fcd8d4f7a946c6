"""A GGUF file, and its other forms: one that a CPU reads fast, and a Hugging Face folder.

Each form is made once and kept in the cache, by the digest of the file that it was made of.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from noria.errors import ModelError, SourceError
from noria.models.cache import digest_of, kept
from noria.store.content import read_json, write_json

MAGIC = b"GGUF"  # how such a file begins
# Kinds of weights for which llama.cpp has no fast product of matrices on a CPU.
SLOW = ("Q4_1", "Q5_0", "Q5_1")
LARGEST = 1 << 30  # bytes of a copy that is made unasked
CONVERSION = 2  # what a folder made of a file is named after: another way to make it is another one
DIGITS_APART = ("smollm",)  # llama.cpp's names of tokenizers that cut each digit off first
# Fields that are written anew.
OWN = ("general.architecture", "general.file_type")


def gguf_at(path: Path) -> Path:
    """The GGUF file at ``path``, or the only one in that folder."""
    if not path.exists():
        raise SourceError(
            f"{path}: no such model; check models.generator, or run: noria models pull"
        )
    found = sorted(path.glob("*.gguf")) if path.is_dir() else [path]
    if len(found) != 1:
        raise SourceError(
            f"{path}: expected one GGUF file, found {len(found)}; name the file in the source"
        )
    with found[0].open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ModelError(f"{found[0]}: not a GGUF file; choose one that llama.cpp can read")
    return found[0]


def fast(path: Path, cache: Path) -> Path:
    """``path``, or a copy of its weights in 8 bits (Q8_0) where a CPU reads those faster.

    Copied are files of mostly Q4_1, Q5_0 or Q5_1 whose copy has 1 GB at most: the default generator
    then reads a prompt 1.5 times as fast. A weight moves by some 1/254 at most of the largest of
    the 32 that it is rounded with. Raises ModelError for a damaged file, or where no copy can be
    kept.
    """
    note = cache / "q8_0" / f"{digest_of(path, cache)[:32]}.json"
    known = read_json(note)  # for reading a file's list of tensors takes seconds
    if not isinstance(known, bool):
        known = gains(read(path))
        with suppress(OSError):  # a cache that cannot be written costs time, nothing else
            write_json(note, known)
    try:
        return requantized(path, cache) if known else path
    except OSError as error:
        raise ModelError(
            f"{path.name}: no copy in 8 bits can be kept in {cache} ({error}); "
            "make room there, or set models.fast_copy = false"
        ) from None


def gains(reader: Any) -> bool:
    """Whether a copy in 8 bits is read faster, and is not too large to be made unasked."""
    sizes = [(tensor.tensor_type.name, int(tensor.n_elements)) for tensor in reader.tensors]
    every = sum(size for _, size in sizes)
    slow = sum(size for kind, size in sizes if kind in SLOW)
    return slow * 2 > every and every * 34 / 32 <= LARGEST  # 34 bytes for 32 weights


def requantized(path: Path, cache: Path) -> Path:
    """A copy of a GGUF file whose slow kinds of weights are rounded to 8 bits (Q8_0)."""
    digest = digest_of(path, cache)

    def make(files: Path) -> Path:
        target = files / f"{path.stem}.as.Q8_0.gguf"
        requantize(read(path), target)
        return target

    entry = cache / "q8_0" / f"{digest[:32]}.weights"
    return kept(entry, f"q8_0:{digest}", f"rounding {path.name} to 8 bits", make)


def requantize(reader: Any, target: Path) -> None:
    """Write what ``reader`` reads with its slow kinds of weights in Q8_0, all else as it is."""
    from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType
    from gguf.quants import dequantize, quantize

    fast = GGMLQuantizationType.Q8_0
    writer = GGUFWriter(target, reader.fields["general.architecture"].contents())
    copy_fields(reader, writer)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    for tensor in reader.tensors:
        kind, data = tensor.tensor_type, tensor.data
        if kind.name in SLOW:
            kind, data = fast, quantize(dequantize(data, kind), fast)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    close(writer)


def copy_fields(reader: Any, writer: Any) -> None:
    """Copy all that a GGUF file says of itself but its architecture and the kind of its weights."""
    from gguf import GGUFValueType

    for name, field in reader.fields.items():
        if name not in OWN and not name.startswith("GGUF."):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)


def close(writer: Any) -> None:
    """Write all that was added."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(path: Path) -> Any:
    """A reader of the file. Raises ModelError where it is damaged."""
    from gguf import GGUFReader

    try:
        return GGUFReader(path)
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise ModelError(
            f"{path}: not a whole GGUF file ({error}); fetch it again or choose another"
        ) from None


def converted(path: Path, cache: Path) -> Path:
    """A Hugging Face folder made of a GGUF file.

    The weights are those of the file, de-quantized to float32: some 20 s for 135 million
    parameters, once. Raises ModelError if transformers cannot read the file.
    """
    digest = digest_of(path, cache)

    def make(files: Path) -> Path:
        convert(path, files / path.stem)
        return files / path.stem

    entry = cache / "converted" / f"{digest[:32]}-{CONVERSION}.weights"
    return kept(entry, f"gguf:{digest}", f"converting {path.name}", make)


def convert(path: Path, folder: Path) -> None:
    """Write a GGUF file's weights and tokenizer as a Hugging Face folder."""
    import io
    from contextlib import redirect_stderr

    from transformers import AutoTokenizer

    from noria.models.quiet import quiet

    try:
        # The bar of the de-quantization cannot be switched off, only sent elsewhere.
        with quiet(), redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
            if pre_tokenized(path) in DIGITS_APART:
                tokenizer.backend_tokenizer.pre_tokenizer = digits_apart()
            model = dequantized(path)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except Exception as error:  # a damaged file breaks its readers in every way
        raise ModelError(
            f"{path}: transformers cannot read this GGUF ({error}); "
            "give the scorer a Hugging Face folder"
        ) from None


def pre_tokenized(path: Path) -> str:
    """How the file's tokenizer cuts a text before it looks for tokens, by llama.cpp's name."""
    field = read(path).get_field("tokenizer.ggml.pre")
    return str(field.contents()) if field else ""


def digits_apart() -> Any:
    r"""Cuts each digit off, then as GPT-2 does.

    Transformers forgets the first when it reads a GGUF file, so that white space before a digit
    became other tokens than llama.cpp reads.

    >>> [piece for piece, _ in digits_apart().pre_tokenize_str("so.\n\n71")]
    ['so', '.', 'ĊĊ', '7', '1']
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])


def dequantized(path: Path) -> Any:
    """A model with a GGUF file's weights in float32.

    ``from_pretrained(gguf_file=…)`` would need accelerate, take half as long again, and return a
    model flagged as quantized that refuses to be saved.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    config = AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    read = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=model)
    result = model.load_state_dict(read["tensors"], strict=False)
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    wrong = (set(result.missing_keys) - tied) | set(result.unexpected_keys)
    if wrong:
        raise ValueError(f"weights that do not fit: {', '.join(sorted(wrong)[:3])}")
    model.tie_weights()
    return model
