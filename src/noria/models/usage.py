"""What a server that speaks the OpenAI API says of the tokens it used."""

from collections.abc import Mapping
from typing import Any


def cached(usage: Mapping[str, Any]) -> int:
    """Tokens of the prompt that need not be read again; 0 where the server does not tell.

    >>> cached({"prompt_tokens": 52, "prompt_tokens_details": {"cached_tokens": 51}})
    51
    >>> cached({"prompt_tokens_details": None})
    0
    """
    told = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return told if isinstance(told, int) and told > 0 else 0
