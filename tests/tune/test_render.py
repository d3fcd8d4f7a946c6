"""What is read and what is learnt of an example."""

from typing import Any

import pytest
from byte_tokenizer import TEMPLATE, byte_tokenizer

from noria.errors import ModelError, UsageError
from noria.tune.render import Lesson, Renderer, cut
from noria.types import Message

CHAT = (Message("system", "Be brief."), Message("user", "Who dug the well?"))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return byte_tokenizer()


def test_the_response_and_its_end_are_learnt_and_nothing_else(tokenizer: Any) -> None:
    lesson = Renderer(tokenizer, 500).lesson("1", CHAT, "Ada")
    assert tokenizer.decode(lesson.after) == "Ada</s>"
    assert tokenizer.decode(lesson.before) == (
        "<s>system: Be brief.</s><s>user: Who dug the well?</s><s>assistant: "
    )


def test_the_prompt_is_the_one_that_is_served(tokenizer: Any) -> None:
    renderer = Renderer(tokenizer, 500)
    assert renderer.lesson("1", CHAT, "Ada").before == renderer.prompt(CHAT)


@pytest.mark.parametrize("response", ["Ada</s><s>user: and more", "</s>"])
def test_a_mark_of_the_template_in_a_response_is_an_error(tokenizer: Any, response: str) -> None:
    with pytest.raises(UsageError, match=r"1: the response has '</?s>' in it"):
        Renderer(tokenizer, 500).lesson("1", CHAT, response)


@pytest.mark.parametrize("response", ["", "  \n"])
def test_an_empty_response_is_an_error(tokenizer: Any, response: str) -> None:
    with pytest.raises(UsageError, match="1: an empty response"):
        Renderer(tokenizer, 500).lesson("1", CHAT, response)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "no chat template"),
        (TEMPLATE.replace("</s>{% endfor %}", "{% endfor %}"), "does not end an answer"),
        (TEMPLATE + "{% if not add_generation_prompt %} {% endif %}", None),
        ("{{ messages | length }}" + TEMPLATE, "only appends"),
    ],
)
def test_a_wrong_template_is_told(template: str | None, message: str | None) -> None:
    if message is None:  # what follows the end of the turn is not learnt
        lesson = Renderer(byte_tokenizer(template), 500).lesson("1", CHAT, "Ada")
        assert len(lesson.after) == 4
        return
    with pytest.raises(ModelError, match=message):
        Renderer(byte_tokenizer(template), 500).lesson("1", CHAT, "Ada")


def test_a_long_prompt_loses_its_middle_never_the_response() -> None:
    lesson = cut(Lesson("1", tuple(range(100)), (7, 8)), 12)
    assert lesson.before == (0, 1, 2, 3, 4, 95, 96, 97, 98, 99)
    assert lesson.after == (7, 8)
    assert lesson.lost == 90
    with pytest.raises(UsageError, match="has 2 tokens and 3 are allowed"):
        cut(Lesson("1", tuple(range(100)), (7, 8)), 3)
