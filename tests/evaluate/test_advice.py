"""Twelve tables whose right advice is known, and what the advice must never say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.evaluate.report.advice import advise, headline, needed
from noria.evaluate.results import ArmResult, Comparison, Gap, Interval, Slice

GOLDEN = Path(__file__).parent.parent / "golden" / "advice.txt"
SPREAD = 0.35  # standard deviation of a paired difference of F1
TOKENS = {
    "base": 80, "tuned": 75, "rag": 900, "rag-fewshot": 1400, "oracle": 400, "tuned+rag": 890,
    "reader": 890,
}  # fmt: skip


def table(
    means: Mapping[str, float],
    n: int = 400,
    primary: str = "f1",
    spread: float = SPREAD,
    errors: Mapping[str, Mapping[str, int]] | None = None,
    slices: Mapping[str, Sequence[Slice]] | None = None,
) -> Comparison:
    """A result of ``n`` questions on which the arms have these means."""
    half = 1.96 * spread / n**0.5
    arms = {
        name: ArmResult(
            name,
            {primary: Interval(mean, mean - half, mean + half, n)},
            seconds=n * TOKENS.get(name, 100) / 500,
            tokens=n * TOKENS.get(name, 100),
            questions=n,
            errors=(errors or {}).get(name, {}),
            slices=tuple((slices or {}).get(name, ())),
            training_seconds=840.0 if name.startswith("tuned") else 0.0,
        )
        for name, mean in means.items()
    }
    gaps = []
    for a, b in combinations(means, 2):
        mean = means[b] - means[a]
        gaps.append(Gap(a, b, primary, mean, mean - half, mean + half, n, half * 2.8 / 1.96))
    return Comparison(arms, tuple(gaps), primary, "")


def said(comparison: Comparison) -> str:
    """The advice, with plain signs, after what holds for every advice was checked."""
    text = advise(comparison)
    assert "\n" not in text
    assert text.startswith(headline(comparison))
    for low, high in re.findall(r"\[([+\u2212\d.]+), ([+\u2212\d.]+)\], n", text):
        assert re.fullmatch(r"[+\u2212]?\d+(\.\d+)?", low)
        assert re.fullmatch(r"[+\u2212]?\d+(\.\d+)?", high)
    return text.replace("\u2212", "-")


def test_too_few_questions_to_tell() -> None:
    text = said(table({"base": 0.30, "rag": 0.36}, n=40))

    assert text.startswith("Not enough questions to tell")
    assert "n = 40" in text
    assert "about 270 questions" in text  # 40 * (0.155 / 0.06) ** 2 = 267, rounded up
    assert "helps:" not in text
    assert "does not help" not in text


def test_retrieval_helps() -> None:
    text = said(table({"base": 0.20, "rag": 0.42}))

    assert text.startswith("Retrieve: rag")
    assert "+0.22 [+0.19, +0.25], n = 400" in text
    assert "not" not in headline(table({"base": 0.20, "rag": 0.42}))


def test_retrieval_does_not_help() -> None:
    text = said(table({"base": 0.50, "rag": 0.495}))

    assert "Retrieval does not help here" in text
    assert "take base" in text
    assert "f1 0.50 [0.47, 0.53], n = 400" in text
    assert "rag against base -0.01 [-0.04, +0.03]" in text
    assert "Retrieve:" not in text
    assert "hurts" not in text


def test_retrieval_hurts() -> None:
    text = said(table({"base": 0.50, "rag": 0.40}))

    assert "Retrieval hurts here" in text
    assert "rag against base -0.10 [-0.13, -0.07]" in text
    assert text.startswith("Do not retrieve: base answers best (f1 0.50")
    assert "Retrieve:" not in text
    assert "tune" not in text  # which nobody tried


def test_tuning_beats_retrieval() -> None:
    text = said(table({"base": 0.20, "rag": 0.35, "tuned": 0.55, "tuned+rag": 0.56}))

    assert text.startswith("Tune: tuned")
    assert "Not to be told apart from tuned, but dearer: tuned+rag (+0.01" in text
    assert "Do both" not in text


def test_both_beat_each() -> None:
    text = said(table({"base": 0.20, "rag": 0.35, "tuned": 0.45, "tuned+rag": 0.62}))

    assert text.startswith("Do both: tuned+rag")
    assert "the closest is tuned (f1 +0.17" in text
    assert "14 min" in text
    assert "Tune:" not in text


def test_the_passages_are_not_found() -> None:
    text = said(
        table(
            {"base": 0.10, "rag": 0.30, "oracle": 0.75},
            errors={"rag": {"passage not found": 180, "passage found but misread": 60}},
        )
    )

    assert "improve retrieval first" in text
    assert "240 wrong answers 180 had no passage" in text
    assert "+0.45" in text
    assert "misread: a better" not in text
    assert not text.startswith("Take oracle")


def test_the_passages_are_overlooked_among_others() -> None:
    """The gold passage alone is read well; among the retrieved ones it is there, and missed."""
    text = said(
        table(
            {"base": 0.10, "rag": 0.30, "oracle": 0.75},
            errors={"rag": {"passage not found": 60, "passage found but misread": 180}},
        )
    )

    assert "overlooked among others" in text
    assert "show fewer" in text
    assert "not found:" not in text


def test_the_passages_are_misread() -> None:
    text = said(
        table(
            {"base": 0.10, "rag": 0.28, "oracle": 0.30},
            errors={"rag": {"passage not found": 20, "passage found but misread": 220}},
        )
    )

    assert "a better index" in text
    assert "found but misread" in text
    assert "220 misread one" in text
    assert "improve retrieval first" not in text


def test_base_is_already_good() -> None:
    text = said(table({"base": 0.90, "rag": 0.91, "tuned": 0.905}))

    assert text.startswith("Neither retrieve nor tune: base already answers well (f1 0.90")
    assert "Retrieve:" not in text
    assert "Tune:" not in text


def test_examples_make_the_difference() -> None:
    text = said(table({"base": 0.20, "rag": 0.22, "rag-fewshot": 0.45}))

    assert text.startswith("Retrieve, and show examples in the prompt: rag-fewshot")
    assert "rag-fewshot is better than base and rag; the closest is rag (f1 +0.23 [+0.20" in text
    assert "Whether retrieval helps cannot be told: rag against base +0.02 [-0.01, +0.05]" in text
    assert "Retrieval does not help" not in text


def test_unanswerable_questions_are_answered() -> None:
    some = table(
        {"base": 0.10, "rag": 0.40},
        errors={"rag": {"answered wrongly": 150, "passage not found": 40}},
    )
    sure = {"auroc_answerable": Interval(0.6, 0.5, 0.7, 400)}  # both kinds were asked
    rag = replace(some.arms["rag"], metrics={**some.arms["rag"].metrics, **sure})
    text = said(replace(some, arms={**some.arms, "rag": rag}))

    assert text.startswith("Retrieve: rag")
    assert "150 of its 190 wrong answers are to questions that have no answer, or of which" in text
    assert "abstain" in text
    assert "no answer, or" not in said(some)  # every question has one


def test_an_arm_is_judged_by_what_it_reads_not_by_its_name() -> None:
    named = {"base": "none", "rag": "retrieved", "oracle": "gold", "gold-big": "gold"}
    some = table({"base": 0.20, "rag": 0.42, "oracle": 0.5, "gold-big": 0.95})
    arms = {name: replace(some.arms[name], passages=reads) for name, reads in named.items()}

    text = said(replace(some, arms=arms))

    assert text.startswith("Retrieve: rag is better than base")
    assert "gold-big" not in text


def test_built_in_names_may_stand_for_something_else() -> None:
    some = table({"base": 0.20, "rag": 0.42, "oracle": 0.6})
    arms = {name: replace(arm, passages="none") for name, arm in some.arms.items()}

    text = said(replace(some, arms=arms))

    assert text.startswith("Take oracle: oracle is better than base and rag")
    assert "rag helps: rag against base" in text
    assert "Retriev" not in text
    assert "gold passage" not in text


@pytest.mark.parametrize(
    ("metrics", "said_of"),
    [
        (("ndcg@10", "map", "tokens", "seconds"), "only retrieval and cost were measured"),
        (("distinct2", "self_bleu", "tokens"), "only the variety of answers and cost were"),
        (("tokens",), "only cost was measured"),
    ],
)
def test_without_right_answers_nothing_is_better(metrics: tuple[str, ...], said_of: str) -> None:
    some = table({"base": 0.20, "rag": 0.42})
    here = Interval(0.5, 0.4, 0.6, 400)
    arms = {n: replace(a, metrics=dict.fromkeys(metrics, here)) for n, a in some.arms.items()}

    text = said(replace(some, arms=arms, differences=()))

    assert text == (
        f"No question has a right answer: {said_of}{' measured' * (said_of[-4:] == 'were')}, "
        f"so no arm can be called better."
    )


def test_a_slice_is_served_worse() -> None:
    here, rest = Interval(0.2, 0.1, 0.3, 60), Interval(0.5, 0.45, 0.55, 340)
    german = Slice("language", "de", "f1", here, rest, -0.4, -0.2, True)
    french = replace(german, value="fr", worse=False)
    text = said(table({"base": 0.20, "rag": 0.42}, slices={"rag": [german, french]}))

    assert "served worse" in text
    assert "language = de" in text
    assert "-0.30 [-0.40, -0.20], n = 60" in text
    assert "fr" not in text.split("served worse")[1]


def test_neither_works() -> None:
    text = said(table({"base": 0.05, "rag": 0.06, "tuned": 0.055}, n=900))

    assert text.startswith("Neither works")
    assert "0.06" in text
    assert "already answers well" not in text


def test_all_are_equal() -> None:
    text = said(table({"rag": 0.50, "rag-fewshot": 0.505, "tuned+rag": 0.50}, n=900))

    assert text.startswith("All are equal")
    assert "take the cheapest, rag" in text


def test_a_handful_of_questions_tells_nothing_whatever_the_interval_says() -> None:
    text = said(table({"base": 0.0, "rag": 1.0}, n=8, spread=0.0))

    assert text.startswith("Not enough questions to tell")
    assert "Retrieve:" not in text


def test_the_cheaper_of_two_must_itself_beat_base() -> None:
    """It is no runner-up of what wins if it cannot be told from base."""
    some = table({"base": 0.40, "tuned": 0.43, "tuned+rag": 0.455})

    text = said(some)

    assert text.startswith("Do both: tuned+rag")
    assert "Not to be told apart from tuned+rag, but not shown to be better than base: tuned" in (
        text
    )


def test_the_cheaper_of_two_need_not_beat_what_is_dearer() -> None:
    """Tuning is as good as both, as far as can be told; that rag may be, too, changes nothing."""
    text = said(table({"base": 0.20, "rag": 0.56, "tuned": 0.60, "tuned+rag": 0.62}, n=250))

    assert text.startswith("Tune: tuned is better than base (f1 +0.40")
    assert (
        "Not to be told apart from tuned, but dearer: rag (-0.040 [-0.083, +0.003]), "
        "tuned+rag (+0.02 [-0.02, +0.06])."
    ) in text


def test_own_arms_are_compared_by_their_names() -> None:
    text = said(table({"base": 0.20, "my-model": 0.50}))

    assert text.startswith("Take my-model")
    assert "+0.30" in text


def test_a_difference_nobody_measured_is_not_claimed() -> None:
    without = replace(table({"base": 0.2, "rag": 0.9}), differences=())

    text = said(without)

    assert text.startswith("Nothing can be told")
    assert "helps" not in text


def test_one_arm_is_no_comparison() -> None:
    text = said(table({"base": 0.2, "oracle": 0.9}))

    assert text.startswith("Only base")


@pytest.mark.parametrize("n", [30, 120, 500, 3000])
def test_nothing_within_chance_is_claimed(n: int) -> None:
    """Of any two arms, the words that claim a difference stand only before an interval off zero."""
    for step in range(-6, 7):
        comparison = table({"base": 0.4, "rag": 0.4 + step / 40, "tuned": 0.4 - step / 60}, n=n)
        claims = re.findall(
            r"(?:helps: |hurts here: |: \S+ is better than)[^\[]*\[([^,]+), ([^\]]+)\]",
            said(comparison),
        )
        for low, high in claims:
            assert float(low) * float(high) > 0


@given(
    means=st.dictionaries(st.sampled_from([*TOKENS, "mine"]), st.floats(0, 1), min_size=1),
    n=st.integers(1, 2000),
    spread=st.floats(0, 0.5),
    primary=st.sampled_from(["f1", "accuracy", "rougeL"]),
)
def test_there_is_advice_for_every_table(
    means: dict[str, float], n: int, spread: float, primary: str
) -> None:
    comparison = table(means, n, primary, spread)

    text = said(comparison)

    assert text.endswith(".")
    assert "oracle is better" not in text
    best = re.match(r"[^:]+: (\S+) is better than", text)
    if best:  # what is recommended as better has not been beaten by anything
        assert not [g for g in comparison.differences if g.a == best[1] and g.low > 0
                    and g.b != "oracle"]  # fmt: skip


def test_questions_needed() -> None:
    gap = Gap("a", "b", "f1", 0.05, -0.05, 0.15, 100, 0.15)

    assert needed(gap) == 900
    assert needed(replace(gap, mean=0.0)) is None


def test_the_whole_paragraph() -> None:
    here, rest = Interval(0.31, 0.2, 0.42, 44), Interval(0.66, 0.6, 0.72, 156)
    comparison = table(
        {"base": 0.14, "rag": 0.41, "rag-fewshot": 0.47, "oracle": 0.71, "tuned": 0.33,
         "tuned+rag": 0.62},
        n=200,
        errors={"rag": {"passage not found": 71, "passage found but misread": 38, "format": 9},
                "tuned+rag": {"passage not found": 52, "passage found but misread": 20}},
        slices={"tuned+rag": [Slice("language", "de", "f1", here, rest, -0.47, -0.22, True)]},
    )  # fmt: skip

    assert advise(comparison) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_a_difference_next_to_nothing_asks_for_no_questions() -> None:
    assert needed(Gap("base", "tuned", "f1", 4.9e-296, -0.2, 0.2, n=20, detectable=0.3)) is None
    assert needed(Gap("base", "tuned", "f1", 0.0, 0.0, 0.0, n=20, detectable=0.0)) is None
