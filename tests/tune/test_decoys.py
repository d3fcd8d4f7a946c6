"""Passages that give instructions, and lessons that answer in spite of them."""

import random
from dataclasses import replace

from slates import EXAMPLES

from noria.loop.probes import injections, letters
from noria.tune.decoys import INSTRUCTIONS, decoyed
from noria.tune.radit import Reading, Shown, disturbed
from noria.types import Candidate, Item

TEXT = "Ada dug the well. It has nine metres. Ben lined it."
PASSAGE = Candidate(Item("p", TEXT, "wells.md"), 1.0)


def told(chance: random.Random) -> str:
    return decoyed(PASSAGE, chance).item.text


def test_the_sentences_stay_whole_and_an_instruction_stands_among_them() -> None:
    for seed in range(200):
        text = told(random.Random(seed))
        assert all(part in text for part in ("Ada dug the well.", "Ben lined it."))
        assert len(text) > len(TEXT) + 20
    assert PASSAGE.item.text == TEXT


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    assert told(random.Random(1)) == told(random.Random(1))
    assert len({told(random.Random(seed)) for seed in range(50)}) > 45


def test_an_answer_stays_and_so_does_the_share() -> None:
    shown = Shown(EXAMPLES[0], "passage 1", (PASSAGE, PASSAGE), "Ada")
    chance = random.Random(0)
    made = [disturbed(shown, Reading(decoys=0.2), chance) for _ in range(1000)]
    assert {each.wanted for each in made} == {"Ada"}
    changed = [each for each in made if each != shown]
    assert 150 < len(changed) < 250
    assert all(sum(p != PASSAGE for p in each.passages) == 1 for each in changed)
    assert disturbed(shown, replace(Reading(), decoys=0.0), chance) == shown


def test_nothing_that_the_gate_attacks_with_is_trained_on() -> None:
    attacks = " ".join(letters(each.text) for each in injections())
    for line in INSTRUCTIONS:
        for part in line.split("{word}"):
            assert len(letters(part)) < 16 or letters(part) not in attacks, part
