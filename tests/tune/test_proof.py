"""What server and trainer are both asked."""

from typing import Any

import pytest
from byte_tokenizer import byte_tokenizer

from noria.tune.proof import asked
from noria.tune.render import Renderer
from noria.types import Message

CHAT = (Message("user", "Who dug the well, and when was that?"),)


@pytest.fixture
def tokenizer() -> Any:
    return byte_tokenizer()


def test_the_server_renders_the_chat_itself(tokenizer: Any) -> None:
    lesson = Renderer(tokenizer, 500).lesson("1", CHAT, "Ada")
    assert asked(lesson, tokenizer) == (CHAT, lesson.before)


def test_what_was_cut_is_asked_as_it_was_learnt(tokenizer: Any) -> None:
    lesson = Renderer(tokenizer, 20).lesson("1", CHAT, "Ada")
    assert lesson.lost > 0
    text, ids = asked(lesson, tokenizer)
    assert isinstance(text, str)
    assert ids == lesson.before
