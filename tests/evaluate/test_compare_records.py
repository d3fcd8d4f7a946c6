"""From records to what they say: figures of the right questions, and no claim beyond them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noria.evaluate.arms.arm import Arm
from noria.evaluate.compare import compare
from noria.evaluate.records import Record
from noria.evaluate.report.advice import headline
from noria.evaluate.report.report import as_json, report
from noria.evaluate.results import Comparison, Gap

ARMS = {name: Arm(name, reads, about=f"reads {reads}") for name, reads in
        {"base": "none", "rag": "retrieved", "gold-big": "gold"}.items()}  # fmt: skip
RIGHT = {"qa": "Orontes", "choice": "yes", "chat": "it turns in the river Orontes",
         "translation": "Das Rad dreht sich im Fluss", "classification": "top_up"}  # fmt: skip
WRONG = {"qa": "Nile", "choice": "no", "chat": "wheels", "translation": "Ein Auto",
         "classification": "refund"}  # fmt: skip
CHOICES = {"choice": ("yes", "no"), "classification": ("top_up", "refund")}


def asked(task: str, n: int, wrong: Sequence[int] = (), **known) -> list[Record]:
    """``n`` answers, those at ``wrong`` being wrong; with ``answers=()`` nobody knows."""
    return [
        Record(
            f"{task}-{at}", "?", known.get("answers", (RIGHT[task],)),
            (WRONG if at in wrong else RIGHT)[task], task=task, choices=CHOICES.get(task, ()),
            **{key: value for key, value in known.items() if key != "answers"},
        )
        for at in range(n)
    ]  # fmt: skip


def compared(records: Mapping[str, Sequence[Record]], problems: Sequence[str] = ()) -> Comparison:
    return compare(records, np.random.default_rng(0), {}, ARMS, problems)


def gap(found: Comparison, metric: str) -> Gap:
    (only,) = [each for each in found.differences if each.metric == metric]
    return only


def test_questions_that_a_metric_does_not_apply_to_do_not_count() -> None:
    """97 questions without a right answer do not make three with one a hundred."""
    unknown = asked("qa", 97, answers=())
    found = compared({
        "base": [*unknown, *asked("qa", 3, wrong=range(3))], "rag": [*unknown, *asked("qa", 3)],
    })  # fmt: skip

    assert headline(found).startswith("Not enough questions to tell: n = 3")
    f1, em = found.arms["rag"].metrics["f1"], found.arms["rag"].metrics["em"]
    assert (f1.n, em.n, gap(found, "f1").n) == (3, 3, 3)
    assert em.low < 0.5 < em.high == 1  # Wilson's, not a point
    assert found.arms["rag"].metrics["tokens"].n == 100


def test_each_metric_of_a_mixed_file_tells_its_own_number() -> None:
    records = [*asked("qa", 60, wrong=range(6)), *asked("translation", 40, wrong=range(4)),
               *asked("choice", 30)]  # fmt: skip
    other = [*asked("qa", 60, wrong=range(0, 60, 4)), *asked("translation", 40),
             *asked("choice", 30, wrong=range(5))]  # fmt: skip

    found = compared({"base": records, "rag": other})

    numbers = {name: of.n for name, of in found.arms["base"].metrics.items()}
    assert {name: numbers[name] for name in ("f1", "chrf", "bleu", "accuracy", "tokens")} == {
        "f1": 60, "chrf": 40, "bleu": 40, "accuracy": 30, "tokens": 130,
    }  # fmt: skip
    assert {name: gap(found, name).n for name in ("f1", "chrf", "accuracy", "coverage")} == {
        "f1": 60, "chrf": 40, "accuracy": 30, "coverage": 130,
    }  # fmt: skip
    alone = compared({"base": records[:60], "rag": other[:60]})
    assert gap(found, "f1").detectable == pytest.approx(gap(alone, "f1").detectable)
    assert found.arms["base"].metrics["em"] == alone.arms["base"].metrics["em"]
    sure = found.arms["base"].metrics["accuracy"]
    assert (sure.mean, sure.high) == (1, 1)
    assert 0.8 < sure.low < 0.95


def test_arms_that_answered_other_questions_differ_in_as_many_as_the_fewer() -> None:
    silent = [replace(r, abstained=at < 30) for at, r in enumerate(asked("qa", 50, range(5)))]
    found = compared({"base": asked("qa", 50, range(40, 50)), "rag": silent})

    assert found.arms["base"].metrics["risk"].n == 50
    assert found.arms["rag"].metrics["risk"].n == gap(found, "risk").n == 20
    assert np.isfinite(gap(found, "risk").detectable)


def test_the_arm_that_reads_the_gold_passage_is_never_advised() -> None:
    found = compared({
        "base": asked("qa", 60, wrong=range(50)), "rag": asked("qa", 60, wrong=range(30)),
        "gold-big": asked("qa", 60),
    })  # fmt: skip

    assert headline(found).startswith("Retrieve: rag is better than base")
    assert [arm.passages for arm in found.arms.values()] == ["none", "retrieved", "gold"]
    assert found.arms["gold-big"].about == "reads gold"


def test_an_arm_of_which_nothing_is_told() -> None:
    found = compare({"mine": asked("qa", 5)}, np.random.default_rng(0), {}, {})

    assert (found.arms["mine"].passages, found.arms["mine"].about) == ("", "")


def test_slices_do_not_blame_the_mixture_of_tasks() -> None:
    """Each task is as well served in both languages; but one language has more translations."""

    def spoken(task: str, n: int, languages: str) -> list[Record]:
        fields = [{"language": language} for language in languages]
        few = range(0, n, 2) if task == "translation" else ()
        return [
            replace(r, slice=fields[at // 2 % len(fields)])
            for at, r in enumerate(asked(task, n, wrong=few))
        ]

    some = [*spoken("qa", 80, "eeed"), *spoken("translation", 70, "eddd")]
    found = compared({"base": some, "rag": some})

    slices = found.arms["rag"].slices
    assert {(each.value, each.here.n, each.worse) for each in slices} == {
        ("e", 60, False), ("d", 20, False),
    }  # fmt: skip
    assert "served worse" not in found.advice


def test_slices_are_on_the_scale_of_the_metric() -> None:
    some = [
        replace(r, slice={"language": "d" if at < 20 else "e"})
        for at, r in enumerate(asked("translation", 60, wrong=range(20)))
    ]
    found = compared({"base": some})

    german, english = found.arms["base"].slices
    assert german.worse
    assert german.metric == "chrf"
    assert english.here.mean == pytest.approx(100)
    assert 0 < german.here.mean < 30
    assert german.high < -50


def test_sixty_chats_without_answers_do_not_hide_forty_labels() -> None:
    chats = asked("chat", 60, answers=())
    found = compared({
        "base": [*chats, *asked("choice", 40, wrong=range(30))],
        "rag": [*chats, *asked("choice", 40, wrong=range(4))],
    })  # fmt: skip

    assert found.primary == "accuracy"
    assert found.about["task"] == "choice"
    assert headline(found).startswith("Retrieve: rag is better than base (accuracy +0.65")
    assert headline(found).endswith("n = 40).")


@pytest.mark.parametrize(("task", "also"), [("chat", "the variety of answers"),
                                            ("qa", "retrieval")])  # fmt: skip
def test_where_nothing_is_known_to_be_right_the_report_says_so(
    task: str, also: str, tmp_path: Path
) -> None:
    documents = {"documents": ("a",)} if task == "qa" else {}
    base = asked(task, 30, answers=(), **documents)
    rag = [replace(r, retrieved_documents=("b", "a")) for r in base]

    found = compared({"base": base, "rag": rag})

    text = f"No question has a right answer: only {also}"
    assert found.advice.startswith(text)
    assert "cost were measured, so no arm can be called better" in found.advice
    assert "No question has a right answer" in report(found, {"base": base, "rag": rag})
    printed = as_json(found, tmp_path)
    assert printed["headline"].startswith(text)
    json.dumps(printed, allow_nan=False)


def test_computed_again_a_problem_stands_there_once() -> None:
    some = [replace(r, slice={"title": r.id}) for r in asked("qa", 40)]
    first = compared({"base": some}, ("line 3 was left out",))
    second = compared({"base": some}, first.problems)

    assert len(first.problems) == 2
    assert second.problems == first.problems
