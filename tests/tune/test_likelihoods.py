"""The generator's opinion of passages is what each pair alone would give, and is read once."""

import math
from functools import cached_property
from typing import Any

import pytest
import torch

from noria.answer.prompt import build
from noria.errors import ModelError, UsageError
from noria.tune import likelihoods as room
from noria.tune.likelihoods import Reading, entropy, flat, likelihoods, opinions, temperature, trust
from noria.tune.render import Renderer
from noria.types import Candidate, Item
from tiny_model import tiny

TEMPLATE = (
    "{% for m in messages %}<s> {{ m['role'] }} {{ m['content'] }} </s> {% endfor %}"
    "{% if add_generation_prompt %}<s> assistant {% endif %}"
)
TEXTS = [" ".join(f"w{(7 * n + i * (n + 2)) % 40}" for i in range(60)) for n in range(4)]
PASSAGES = [Candidate(Item(str(n), text), 1.0) for n, text in enumerate(TEXTS)]
READINGS = [
    Reading("a", "w1 w2 w3", "w4 w5", tuple(PASSAGES)),
    Reading("b", "w1 w9", "w6", tuple(PASSAGES[::-1])),
    Reading("c", "w30", "w31 w32 w33", tuple(PASSAGES[:2])),
]
BUDGET = 1000


class House:
    """A tiny model with a tokenizer of words."""

    @cached_property
    def tokenizer(self) -> Any:
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        words = ["[UNK]", "<s>", "</s>", *(f"w{n}" for n in range(40)), "Question", ":", "."]
        known = {word: place for place, word in enumerate(words)}
        tokenizer = Tokenizer(models.WordLevel(known, "[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        made = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="[UNK]", bos_token="<s>", eos_token="</s>"
        )
        made.chat_template = TEMPLATE
        return made

    def count(self, text: str) -> int:
        return len(self.tokenizer(text)["input_ids"])

    @cached_property
    def renderer(self) -> Renderer:
        return Renderer(self.tokenizer, 1000)

    @cached_property
    def model(self) -> Any:
        return tiny(initializer_range=0.3)


@pytest.fixture(scope="module")
def house() -> House:
    return House()


def test_each_is_the_loss_of_its_pair_alone(house: House) -> None:
    found = likelihoods(house.model, house.renderer, READINGS, house.count, BUDGET)
    assert [len(each) for each in found] == [4, 4, 2]
    for reading, each in zip(READINGS, found, strict=True):
        for candidate, likelihood in zip(reading.passages, each, strict=True):
            chat, _ = build(reading.question, [candidate], house.count, BUDGET)
            lesson = house.renderer.lesson("x", chat, reading.answer)
            ids = torch.tensor([lesson.before + lesson.after[:-1]])
            labels = ids.clone()
            labels[0, : len(lesson.before)] = -100
            with torch.inference_mode():
                loss = house.model(input_ids=ids, labels=labels).loss
            assert likelihood == pytest.approx(-float(loss), abs=1e-4)


def test_passages_tell_likelihoods_apart(house: House) -> None:
    found = likelihoods(house.model, house.renderer, READINGS, house.count, BUDGET)
    assert all(max(each) - min(each) > 1e-3 for each in found)


def test_a_passage_is_read_once_for_all_its_questions(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    whole = room.scored

    def counted(model: Any, tree: Any, precision: Any) -> dict[str, float]:
        read.append(tree.length)
        return whole(model, tree, precision)

    monkeypatch.setattr(room, "scored", counted)
    many = [Reading(str(n), f"w{n} w7", "w9", tuple(PASSAGES)) for n in range(8)]
    likelihoods(house.model, house.renderer, many, house.count, BUDGET)
    alone = sum(
        room.lesson_of(reading, 0, number, house.renderer, house.count, BUDGET).length
        for reading in many
        for number in range(4)
    )
    assert len(read) == 4
    assert sum(read) < alone / 4


def test_a_likelihood_that_is_no_number_is_said(house: House) -> None:
    broken = tiny(initializer_range=0.3)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="no number"):
        likelihoods(broken, house.renderer, READINGS[:1], house.count, BUDGET)


def test_an_empty_answer_is_said(house: House) -> None:
    with pytest.raises(UsageError, match="empty response"):
        likelihoods(
            house.model,
            house.renderer,
            [Reading("a", "w1", " ", tuple(PASSAGES[:1]))],
            house.count,
            BUDGET,
        )


def test_temperature_gives_half_of_the_greatest_entropy() -> None:
    scores = [[-1.0, -1.2, -3.0, -0.9], [-0.2, -5.0, -4.0, -2.0], [-7.0, -6.9, -6.5, -7.2]]
    found = temperature(scores)
    shares = [list(trust(each, range(4), found).values()) for each in scores]
    assert sum(map(entropy, shares)) / 3 == pytest.approx(0.5, abs=1e-3)
    assert temperature([[10 * each for each in row] for row in scores]) == pytest.approx(10 * found)


def test_without_two_passages_there_is_nothing_to_compare() -> None:
    with pytest.raises(UsageError, match="two passages"):
        temperature([[-1.0], [-2.0]])


def test_a_teacher_without_an_opinion_is_flat() -> None:
    assert flat({1: 0.25, 2: 0.26, 3: 0.25, 4: 0.24})
    assert flat({1: 1.0})
    assert not flat({1: 0.7, 2: 0.3})
    assert not flat({1: 1.0, 2: 0.0})


def test_trust_does_not_underflow_and_sums_to_one() -> None:
    shares = trust([-900.0, -901.0, -905.0], [3, 5, 8], 0.5)
    assert math.fsum(shares.values()) == pytest.approx(1.0)
    assert max(shares, key=shares.__getitem__) == 3
    assert trust([-1.0, -1.0], [3, 3], 0.5) == pytest.approx({3: 1.0})


def test_questions_whose_teacher_is_flat_are_left_out() -> None:
    scores = [[-1.0, -4.0], [-2.0, -2.0], [-3.0], []]
    found = opinions(["sharp", "flat", "alone", "none"], [[4, 7], [1, 2], [3], []], scores, 1.0)
    assert [each.text for each in found] == ["sharp"]
    assert found[0].trust == pytest.approx({4: 0.9526, 7: 0.0474}, abs=1e-4)
