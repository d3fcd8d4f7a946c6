"""A sentence-transformers BERT of a few thousand random weights, in a folder like a publisher's."""

import json
from pathlib import Path

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", ":"]
WIDTH = 32


def tiny_encoder(
    path: Path,
    words: list[str],
    prompts: dict[str, str] | None = None,
    seed: int = 0,
    window: int = 12,
) -> Path:
    """Write the encoder, which knows ``words``, into ``path``."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    known = [*WORDS, *words]
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(known),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=32,
        max_position_embeddings=max(32, window),
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(path)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(known)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_max_length=max(32, window),
    ).save_pretrained(path)
    write(path / "sentence_bert_config.json", {"max_seq_length": window, "do_lower_case": False})
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{kind}"}
        for i, (p, kind) in enumerate(kinds.items())
    ]
    write(path / "modules.json", modules)
    (path / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True}
    write(path / "1_Pooling" / "config.json", pooling)
    write(path / "config_sentence_transformers.json", {"prompts": prompts or {}})
    return path


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
