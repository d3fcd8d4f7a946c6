"""What a model has a user say, and how it answers."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from byte_tokenizer import CHATML, MARKS, byte_tokenizer
from voice import TURN, Voice

from noria.errors import ModelError
from noria.tune.own_voice import ROUND, Opening, OwnVoice, opening
from noria.tune.said import Said
from noria.types import Completion, Prompt, Sampling

BRACKETS = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)


def test_the_opening_is_the_templates_own() -> None:
    assert opening(byte_tokenizer(CHATML, MARKS)) == Opening("<|user|>\n", "<|end|>")
    assert opening(byte_tokenizer(BRACKETS, MARKS)) == Opening("<s>[INST] ", "[/INST]")
    # a reader that begins each text so itself is not given the start token twice
    assert opening(byte_tokenizer(BRACKETS, MARKS, starts=True)).before == "[INST] "
    marked = byte_tokenizer(BRACKETS, ("[/INST]", *MARKS))
    assert opening(marked).end == "[/INST]"


@pytest.mark.parametrize(
    "template",
    [None, "{{ messages[0]['role'] }}", "{% for m in messages %}{{ m['content'] }}{% endfor %}",
     "<|user|>{{ messages[0]['content'] }}{{ messages[0]['content'] }}<|end|>"],
)  # fmt: skip
def test_a_template_that_shows_no_turn_is_refused(template: str | None) -> None:
    with pytest.raises(ModelError, match="--replay-from"):
        opening(byte_tokenizer(template, MARKS))


def spoken(voice: OwnVoice, count: int) -> list[Said]:
    every: Iterator[Said] = iter(voice)
    return list(islice(every, count))


def test_what_the_model_says_is_kept_and_not_written_again(tmp_path: Path) -> None:
    llm = Voice()
    first = spoken(OwnVoice(llm, TURN, tmp_path), 5)
    assert len({each.chat[0].content for each in first}) == 5
    assert all(each.response.startswith("You paint") for each in first)
    count = llm.asked
    assert count == 2 * ROUND
    assert spoken(OwnVoice(llm, TURN, tmp_path), 5) == first
    assert llm.asked == count
    longer = spoken(OwnVoice(llm, TURN, tmp_path), ROUND + 2)  # goes on where it was
    assert (longer[:5], llm.asked) == (first, 2 * count)
    assert spoken(OwnVoice(Voice(), TURN, tmp_path / "other"), ROUND + 2) == longer
    other = spoken(OwnVoice(llm, TURN, tmp_path, seed=1), 5)
    assert not {each.chat for each in other} & {each.chat for each in longer}
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_a_killed_run_loses_a_round_at_most(tmp_path: Path) -> None:
    class Dying(Voice):
        def batch(
            self, prompts: Sequence[Prompt], sampling: Sampling, done: Any = None
        ) -> list[Completion]:
            if self.asked >= 3 * ROUND:
                raise KeyboardInterrupt
            return super().batch(prompts, sampling, done)

    dying = Dying()
    with pytest.raises(KeyboardInterrupt):
        spoken(OwnVoice(dying, TURN, tmp_path), 2 * ROUND)
    llm = Voice()
    found = spoken(OwnVoice(llm, TURN, tmp_path), 2 * ROUND)
    assert llm.asked == 2 * ROUND  # the second round
    assert found == spoken(OwnVoice(Voice(), TURN, tmp_path / "other"), 2 * ROUND)


def test_the_unusable_is_left_out(tmp_path: Path) -> None:
    wrong = {
        0: "How do I paint it without …",  # cut off
        1: "a mill and a mill and " * 9,  # round in circles
        2: "Hello!",  # nothing is asked
        3: "",
        5: "How do I paint 4 bridges wheel number 16!",  # as the one before it
    }
    found = spoken(OwnVoice(Voice(wrong), TURN, tmp_path), 4)
    assert [each.chat[0].content.split()[4] for each in found] == ["4", "6", "7", "8"]


@pytest.mark.parametrize("answer", ["It goes on and on …", "so it is and so it is and " * 9, " "])
def test_a_model_that_says_nothing_usable_is_told(tmp_path: Path, answer: str) -> None:
    with pytest.raises(ModelError, match=r"of 64 prompts .* 0 are usable.*--replay-from"):
        spoken(OwnVoice(Voice(answer=answer), TURN, tmp_path), 1)
