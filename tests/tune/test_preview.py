"""Examples as the model reads them."""

import io
import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from noria.tune.preview import as_json, coloured, harmless, preview, shown
from noria.tune.render import Lesson

USER, END, ASSISTANT = 300, 301, 302
SPECIAL = {USER: "<|user|>", END: "<|end|>", ASSISTANT: "<|assistant|>"}


class Bytes:
    """A tokenizer whose tokens are bytes, and a few special ones. It drops a space at the start."""

    all_special_ids = tuple(SPECIAL)

    def __call__(self, text: str) -> tuple[int, ...]:
        return tuple(text.encode())

    def decode(self, ids: list[int], **options: Any) -> str:
        assert options == {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
        whole, run = "", b""
        for token in [*ids, None]:
            if token is None or token in SPECIAL:
                whole += run.decode(errors="replace") + SPECIAL.get(token or 0, "")
                run = b""
            else:
                run += bytes([token])
        return whole.removeprefix(" ")


BYTES = Bytes()


def lesson(asked: str, answer: str, id: str = "q1", weight: float = 1.0) -> Lesson:
    return Lesson(id, (USER, *BYTES(asked), END, ASSISTANT), (*BYTES(answer), END), weight)


def test_what_is_learnt_stands_between_marks_with_its_end_of_turn() -> None:
    assert coloured(preview([lesson("Who?", " Ada.", weight=2.0)], BYTES)).plain == (
        "q1: 7 tokens read, 6 learnt, between ⟦ and ⟧, weight 2\n"
        "<|user|>Who?<|end|><|assistant|>⟦ Ada.<|end|>⟧\n\n"
    )


def test_only_the_first_are_shown() -> None:
    some = [lesson("Who?", "Ada.", str(n)) for n in range(5)]
    assert [each.id for each in preview(some, BYTES, 2)] == ["0", "1"]
    assert preview([], BYTES) == ()


def test_a_long_prompt_loses_its_middle_and_says_how_much() -> None:
    (each,) = preview([lesson("a" * 500 + "b" * 500, "Ada.")], BYTES, 1, head=10, tail=20)
    assert [(segment.kind, segment.tokens) for segment in each.segments] == [
        ("special", 1),
        ("read", 9),
        ("left out", 973),
        ("read", 18),
        ("special", 2),
        ("learnt", 4),
        ("learnt special", 1),
    ]
    assert each.segments[2].text == "\n[… 973 tokens are read here, and not shown …]\n"
    assert each.segments[3].text == "b" * 18
    assert each.read == 1003


def test_letters_of_several_tokens_stay_whole() -> None:
    (each,) = preview([lesson("Où?", "À Żelazowa Wola 🎹.")], BYTES)
    assert each.segments[1].text == "Où?"
    assert each.segments[3].text == "À Żelazowa Wola 🎹."


EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\x08\u202edorw\u2066\u2028⟧ \tkept\n"


def test_nothing_that_a_terminal_would_obey_comes_through() -> None:
    evil = lesson(EVIL, EVIL, id="\x1b[31mid")
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=200)
    console.print(coloured(preview([evil], BYTES)), soft_wrap=True)
    for told in (coloured(preview([evil], BYTES)).plain, console.file.getvalue()):  # type: ignore[attr-defined]
        assert not set(told) & set("\x1b\x07\x9b\r\x08\u202e\u2066\u2028")
        assert r"\x1b[2J\x1b]0;owned\x07\x9b31m\r\x08\u202edorw\u2066\u2028\u27e7" in told
        assert told.count("⟧") == 2  # the title's and the one that ends what is learnt


def test_colours_do_not_change_the_words() -> None:
    some = preview([lesson("Who?", "Ada.")], BYTES)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)
    console.print(coloured(some), soft_wrap=True)
    assert "\x1b[1;32m⟦" in console.file.getvalue()  # type: ignore[attr-defined]
    assert {str(span.style) for span in coloured(some).spans} >= {"bold green", "dim cyan"}


def test_markup_in_data_stays_text() -> None:
    assert "[red]Who?[/red]" in coloured(preview([lesson("[red]Who?[/red]", "Ada.")], BYTES)).plain


def test_the_json_form_says_the_same() -> None:
    (each,) = json.loads(json.dumps(as_json(preview([lesson("Who?", "Ada.")], BYTES))))
    assert (each["id"], each["read"], each["learnt"]) == ("q1", 7, 5)
    assert each["segments"][-2:] == [
        {"kind": "learnt", "text": "Ada.", "tokens": 4},
        {"kind": "learnt special", "text": "<|end|>", "tokens": 1},
    ]


TOKENS = st.lists(st.one_of(st.integers(0, 255), st.sampled_from(list(SPECIAL))), min_size=1)


@settings(deadline=None)
@given(TOKENS, TOKENS, st.integers(0, 9), st.integers(0, 9))
def test_every_token_is_counted_once_wherever_the_middle_is_cut(
    before: list[int], after: list[int], head: int, tail: int
) -> None:
    each = shown(Lesson("q", tuple(before), tuple(after)), BYTES, head, tail)
    read = [s for s in each.segments if "learnt" not in s.kind]
    learnt = [s for s in each.segments if "learnt" in s.kind]
    assert sum(s.tokens for s in read) == each.read == len(before)
    assert sum(s.tokens for s in learnt) == each.learnt == len(after)
    assert sum(s.tokens for s in read if s.kind != "left out") == min(len(before), head + tail)
    assert list(each.segments) == read + learnt


@settings(deadline=None)
@given(st.text())
def test_what_is_written_out_can_be_printed_anywhere(text: str) -> None:
    told = harmless(text)
    assert not any(
        unicodedata.category(each) in {"Cc", "Cs"} for each in told if each not in "\n\t"
    )
    told.encode()
    assert harmless(told) == told


@pytest.mark.parametrize("text", ["Wörter, 言葉, कथा, 👩‍🚀, naïve", "a\tb\nc", "می‌خواهم"])
def test_writing_of_all_peoples_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text
