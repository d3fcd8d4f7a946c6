"""What is rehearsed beside the lessons: from a file, or in the model's own voice."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from noria.errors import DataError, ModelError, UsageError
from noria.models.fake import FakeLLM
from noria.tune import replay
from noria.tune.render import Lesson, Renderer
from noria.tune.replay import (
    ANSWERING,
    ROUND,
    Measured,
    Opening,
    OwnVoice,
    Said,
    beside,
    from_file,
    is_text,
    learnt,
    lessons_by,
    measured_in,
    opening,
    rehearsed,
)
from noria.types import Completion, Message, Prompt, Sampling

CHATML = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
BRACKETS = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)
MARKS = ("<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>")
STORY = "The wheel lifts water to the fields of the village every morning before sunrise. " * 4


def tokenizer(template: str | None, marks: Sequence[str] = MARKS, *, starts: bool = False) -> Any:
    """Bytes are tokens; ``starts``: it begins every text with its start token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({token: i for i, token in enumerate([*marks, *alphabet])}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    if starts:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="<|end|>", chat_template=template
    )


def lesson(number: int, tokens: int = 5, weight: float = 1.0) -> Lesson:
    return Lesson(str(number), (1, 2), (3,) * tokens, weight)


def said(number: int) -> Said:
    return Said((Message("user", f"What is thing {number}?"),), "x" * 40)


def by_length(each: Said) -> Lesson:
    return Lesson(f"replay/{each.response}", (1,), (9,) * len(each.response), each.weight)


@pytest.mark.parametrize(("share", "fewest"), [(0.1, 1), (0.1, 32), (0.5, 1)])
def test_the_share_is_of_what_is_learnt_and_exact(share: float, fewest: int) -> None:
    lessons = [lesson(n, 3 + n % 4, weight=0.5 if n % 2 else 1.0) for n in range(400)]
    found = rehearsed(lessons, share, map(said, range(1000)), by_length, fewest=fewest)
    whole = learnt(lessons) + learnt(found.lessons)
    assert learnt(found.lessons) / whole == pytest.approx(share)
    assert len(found.lessons) >= fewest
    if fewest == 1:  # no more than are needed
        assert learnt(found.lessons[:-1]) / whole < share
    assert found.problems == ()


def test_a_source_that_is_small_counts_more_and_says_so() -> None:
    lessons = [lesson(n) for n in range(400)]
    found = rehearsed(lessons, 0.5, map(said, range(10)), by_length, source="general.jsonl")
    assert len(found.lessons) == 10
    assert learnt(found.lessons) == pytest.approx(learnt(lessons))
    assert "each token of it counts 5.0 times" in found.problems[0]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 10.0])
def test_a_share_is_between_0_and_1(share: float) -> None:
    with pytest.raises(UsageError, match="expected a share between 0 and 1"):
        rehearsed([lesson(1)], share, [said(1)], by_length)


def test_what_is_measured_is_never_rehearsed(tmp_path: Path) -> None:
    general = tmp_path / "general"
    general.mkdir()
    asked = {"question": "What lifts water to fields?", "choices": ["a wheel", "a tax"]}
    (general / "wet.jsonl").write_text(json.dumps(asked | {"answer": 0}))
    (general / "stories.txt").write_text(STORY + "Nobody in the whole valley knows who built it.")
    measured = measured_in(general)
    clean = Said((Message("user", "Who digs wells in the hills?"),), "Somebody with a spade.")
    assert not measured.has(clean)
    question = "Answer this:\nQuestion: what lifts WATER to fields\nChoices: a wheel, a tax"
    assert measured.has(Said((Message("user", question),), "a wheel"))
    quoted = "It is told that nobody in the whole valley, knows who built it."
    assert not measured.has(Said((), quoted))  # ten words of a longer text are no copy
    longer = "every morning before sunrise. Nobody in the whole valley knows who built it"
    assert measured.has(Said(clean.chat, f"I read: {longer}!"))
    copies = [Said((Message("user", question),), "a wheel"), clean, Said((), STORY)]
    found = rehearsed([lesson(1)], 0.5, copies, by_length, measured, "mine.jsonl")
    assert [each.id for each in found.lessons] == ["replay/Somebody with a spade."]
    assert "mine.jsonl: 2 texts are left out" in found.problems[0]
    with pytest.raises(DataError, match=r"nothing in it can be rehearsed.*2 texts are left out"):
        rehearsed([lesson(1)], 0.5, [copies[0], copies[2]], by_length, measured, "mine.jsonl")


def test_short_questions_are_found_as_a_whole_only() -> None:
    measured = Measured(["Why?", "Who built it?"])
    assert measured.has(Said((Message("user", "who built it"),), "Anna."))
    assert not measured.has(Said((Message("user", "Tell me who built it and when."),), "Anna."))


def test_a_file_of_chats_in_an_order_drawn_by_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    records: list[dict[str, Any]] = [
        {"prompt": f"Tell me of thing {n}.", "response": f"Thing {n} is good."} for n in range(20)
    ]
    records[0] = {"instruction": "Sum up.", "context": "A long tale.", "response": "A tale."}
    records[1] = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "So."},
        ]
    }
    path.write_text("\n".join(map(json.dumps, records)))
    found, problems = from_file(path, seed=1)
    assert (len(found), problems) == (20, ())
    assert found == from_file(path, seed=1)[0] != from_file(path, seed=2)[0]
    known = {each.response: each for each in found}
    assert known["A tale."].chat == (Message("user", "A long tale.\n\nSum up."),)
    assert [turn.role for turn in known["So."].chat] == ["system", "user"]
    make = lessons_by(Renderer(tokenizer(CHATML), 500), tokenizer(CHATML), 500)
    made = make(known["So."])
    assert made.id.startswith("replay/")
    assert tokenizer(CHATML).decode(made.after) == "So.<|end|>"


@pytest.mark.parametrize("name", ["tales.txt", "tales.jsonl"])
def test_running_texts_are_continued(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = STORY + "Nobody knows who built it."
    path.write_text(text if name.endswith("txt") else json.dumps({"text": text}))
    found, problems = from_file(path)
    assert (found, problems) == ([Said((), text)], ())
    reader = tokenizer(CHATML, starts=True)
    made = lessons_by(Renderer(reader, 120), reader, 120)(found[0])
    assert reader.decode(made.before) == "<s>The"  # as whoever scores a text reads it
    assert reader.decode(made.after) == text[3 : 3 + 120 - 4]  # of a long text the beginning
    assert made.length == 120


def test_a_table_of_labels_is_no_text(tmp_path: Path) -> None:
    labels, texts = tmp_path / "labels.jsonl", tmp_path / "texts.jsonl"
    labels.write_text('{"text": "My card is gone.", "label": "lost card"}\n')
    texts.write_text('{"text": "The wheel turns.", "url": "https://example.org"}\n')
    assert (is_text(labels), is_text(texts)) == (False, True)
    with pytest.raises(DataError, match="nothing that can be used"):
        from_file(texts)  # too short to be read


def test_the_opening_is_the_templates_own() -> None:
    assert opening(tokenizer(CHATML)) == Opening("<|user|>\n", "<|end|>")
    assert opening(tokenizer(BRACKETS)) == Opening("<s>[INST] ", "[/INST]")
    # a reader that begins each text so itself is not given the start token twice
    assert opening(tokenizer(BRACKETS, starts=True)).before == "[INST] "
    marked = tokenizer(BRACKETS, (*MARKS, "[/INST]"))
    assert opening(marked).end == "[/INST]"


@pytest.mark.parametrize(
    "template",
    [None, "{{ messages[0]['role'] }}", "{% for m in messages %}{{ m['content'] }}{% endfor %}",
     "<|user|>{{ messages[0]['content'] }}{{ messages[0]['content'] }}<|end|>"],
)  # fmt: skip
def test_a_template_that_shows_no_turn_is_refused(template: str | None) -> None:
    with pytest.raises(ModelError, match="--replay-from"):
        opening(tokenizer(template))


TURN = Opening("<|user|>\n", "<|end|>")
THINGS = ("wheel", "mill", "well", "canal", "bridge", "tower", "garden", "harbour", "lamp", "road")


class Voice(FakeLLM):
    """Has a user ask of other things for other seeds; what it was asked is counted."""

    def __init__(self, prompts: dict[int, str] | None = None, answer: str = "") -> None:
        super().__init__()
        self.asked = 0
        self._prompts, self._said = prompts or {}, answer

    def batch(
        self, prompts: Sequence[Prompt], sampling: Sampling, done: Any = None
    ) -> list[Completion]:
        self.asked += len(prompts)
        return [self._completed(prompt, sampling) for prompt in prompts]

    def _completed(self, prompt: Prompt, sampling: Sampling) -> Completion:
        if isinstance(prompt, str):
            assert (prompt, sampling.stop) == (TURN.before, (TURN.end,))
            assert sampling.temperature > 0
            n = sampling.seed - 1
            usual = f"How do I paint {n} {THINGS[n % 10]}s {THINGS[n // 10 % 10]} number {n * n}?"
            text = self._prompts.get(n, usual)
        else:
            assert sampling == ANSWERING
            text = self._said or f"You paint it, as I said of {prompt[0].content}"
        ends = not text.endswith("…")
        return Completion(text, "stop" if ends else "length", 3, len(text.split()))


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


def test_all_of_it_together(tmp_path: Path) -> None:
    reader = tokenizer(CHATML)
    renderer, lessons = Renderer(reader, 400), [lesson(n, 500) for n in range(100)]
    general = tmp_path / "general"
    general.mkdir()
    asked = {"question": "How do I paint 0 wheels wheel number 0?", "choices": ["a", "b"]}
    (general / "painting.jsonl").write_text(json.dumps(asked | {"answer": 0}))

    def mixed(file: Path | None = None) -> replay.Replay:
        return beside(lessons, 0.1, renderer, reader, 400, Voice, tmp_path, file, general, seed=0)

    found = mixed()
    assert learnt(found.lessons) / (learnt(lessons) + learnt(found.lessons)) == pytest.approx(0.1)
    assert found.source == replay.OWN
    assert "the model's own voice: 1 text is left out" in found.problems[0]
    text = reader.decode(found.lessons[0].before + found.lessons[0].after)
    assert text.startswith("<|user|>\nHow do I paint 1 ")
    assert text.endswith("<|end|>")
    assert len(list((tmp_path / "replay").glob("*.json"))) == 1
    assert mixed() == found
    path = tmp_path / "mine.jsonl"
    path.write_text('{"prompt": "Who?", "response": "Anna."}\n{"prompt": "Broken"}\n')
    mine = mixed(path)
    assert [reader.decode(each.after) for each in mine.lessons] == ["Anna.<|end|>"]
    assert 'without "response"' in mine.problems[0]
    assert "each token of it counts" in mine.problems[1]
