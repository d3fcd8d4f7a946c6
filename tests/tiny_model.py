"""A Llama of 20 thousand weights."""

from typing import Any


def tiny(seed: int = 0, **more: Any) -> Any:
    """Random weights, drawn by ``seed``; ``more`` changes its configuration."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    shape = {
        "vocab_size": 96,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    }
    return LlamaForCausalLM(LlamaConfig(**(shape | more))).eval()
