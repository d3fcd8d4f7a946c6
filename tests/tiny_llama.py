"""A Llama, or a relative, of random weights: as a Hugging Face folder and as a GGUF file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFWriter, TokenType

CHAT = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}<s>assistant:"
# the same, but asked for an answer only where one is wanted, so that turns can be learnt from
TURNS = (
    "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)
MERGES = (("Ġ", "t"), ("h", "e"), ("Ġt", "he"))
SPECIAL = ("<s>", "</s>")
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


@dataclass(frozen=True)
class Tiny:
    """One model in both forms, with adapters for it in both forms."""

    folder: Path
    base: Path
    adapters: tuple[Path, ...]
    exported: tuple[Path, ...]


def tiny_models(at: Path) -> Tiny:
    """A model and two adapters, made below ``at``."""
    from noria.models.adapters import export

    folder = hugging_face(at / "model")
    base = gguf_file(at / "tiny.gguf", folder)
    adapters = tuple(adapter(at / f"adapter-{seed}", folder, seed) for seed in (1, 2))
    exported = tuple(export(each, base, at / "cache") for each in adapters)
    return Tiny(folder, base, adapters, exported)


def vocabulary() -> dict[str, int]:
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [*SPECIAL, *sorted(ByteLevel.alphabet()), *("".join(pair) for pair in MERGES)]
    return {token: place for place, token in enumerate(tokens)}


def hugging_face(
    folder: Path, seed: int = 0, kind: str = "llama", template: str = CHAT, **more: Any
) -> Path:
    """A folder that transformers reads: random weights, tokens of bytes and a few merges."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(vocabulary(), list(MERGES)))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", chat_template=template
    )
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        kind,
        **{
            **SHAPE,
            "vocab_size": len(vocabulary()),
            "tie_word_embeddings": True,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "head_dim": SHAPE["hidden_size"] // SHAPE["num_attention_heads"],
            "initializer_range": 0.15,  # large enough for one text to differ from another
            **more,
        },
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def gguf_file(path: Path, folder: Path, template: str = CHAT) -> Path:
    """The same model as llama.cpp reads it, written apart from Noria's own writer."""
    from safetensors.numpy import load_file
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    writer = GGUFWriter(path, config.model_type)
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(vocabulary()))
    writer.add_token_types(
        [TokenType.CONTROL if token in SPECIAL else TokenType.NORMAL for token in vocabulary()]
    )
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(template)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    if config.model_type != "llama":
        heads = {}
        writer.add_key_length(SHAPE["hidden_size"] // SHAPE["num_attention_heads"])
        writer.add_value_length(SHAPE["hidden_size"] // SHAPE["num_attention_heads"])
    for name, weight in load_file(folder / "model.safetensors").items():
        if name == "lm_head.weight":
            continue
        for part, count in heads.items():
            if part in name:
                weight = interleaved(weight, count)
        writer.add_tensor(NAMES.get(name) or in_block(name), weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
}
PARTS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def in_block(name: str) -> str:
    """llama.cpp's name of a layer's weight."""
    _, _, layer, *part, kind = name.split(".")
    return f"blk.{layer}.{PARTS['.'.join(part)]}.{kind}"


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head in pairs: row i of its first half, then row i of its second."""
    size = len(weight) // heads
    order = [
        head * size + half * size // 2 + row
        for head in range(heads)
        for row in range(size // 2)
        for half in (0, 1)
    ]
    return weight[order]


def adapter(folder: Path, base: Path, seed: int = 0, strength: float = 0.3, **more: Any) -> Path:
    """A LoRA on every linear layer whose second matrix is not zero."""
    import warnings

    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    options = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers by an old name
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
            LoraConfig(**{**options, **more}),
        )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, strength)
    model.save_pretrained(folder)
    return folder
