"""A tokenizer of bytes with a chat template that marks turns."""

from collections.abc import Sequence
from typing import Any

TEMPLATE = (
    "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)
SPECIAL = ("<s>", "</s>")
CHATML = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
MARKS = ("<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>")  # of CHATML


def byte_tokenizer(
    template: str | None = TEMPLATE, marks: Sequence[str] = SPECIAL, *, starts: bool = False
) -> Any:
    """Every byte is a token, and each mark is one, the last of which ends a text.

    ``starts``: it begins every text with its start token.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import PreTrainedTokenizerFast

    tokens = [*marks, *sorted(ByteLevel.alphabet())]
    made = Tokenizer(models.BPE({token: place for place, token in enumerate(tokens)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    if starts:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token=marks[-1], chat_template=template
    )
