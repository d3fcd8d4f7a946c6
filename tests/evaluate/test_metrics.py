"""What is measured of which records; each figure is small enough to check by eye."""

from dataclasses import replace

import numpy as np
import pytest

from noria.evaluate import records as lines
from noria.evaluate.metrics.measures import LOWER, PERCENT, curve, measures, primary, threshold
from noria.evaluate.metrics.quality import quality
from noria.evaluate.records import Cited, Record

COST = {"tokens", "seconds"}
ABOUT_RETRIEVAL = {"ndcg@10", "recall@10", "mrr@10", "map"}
ABOUT_CITING = {"citation_precision", "citation_recall", "grounded"}
ABOUT_CONFIDENCE = {"aurc", "ece"}
UNKNOWN = "I don't know."


def record(answer="", *answers, task="qa", **known) -> Record:
    return Record("q", "?", answers, answer, task=task, **{"draft": answer, **known})


def abstaining(draft="", *answers, **known) -> Record:
    return replace(record(draft, *answers, **known), answer=UNKNOWN, abstained=True)


def figures(*answered: Record) -> dict[str, float]:
    everything = np.ones((1, len(answered)))
    return {name: float(m.figure(everything)[0]) for name, m in measures(answered).items()}


def cited(document, start, end) -> Cited:
    return Cited("p", document, 0, 1, "x", (start, end))


def test_nothing_was_asked():
    assert measures([]) == {}
    with pytest.raises(ValueError, match="no records"):
        primary([])


def test_questions():
    found = figures(record("Paris", "Paris"), record("in Rome, Italy", "Rome", "in Italy"))
    assert found["em"] == 0.5
    assert found["f1"] == pytest.approx((1 + 0.8) / 2)
    assert found["coverage"] == 1.0
    assert found["risk"] == pytest.approx(0.1)
    assert set(found) == {"em", "f1", "entity_f1", "coverage", "risk"} | COST


def test_a_failure_is_wrong_and_not_left_out():
    failed = record("", "Paris", error="the model is gone")
    found = figures(record("Paris", "Paris"), failed)
    assert (found["em"], found["f1"], found["entity_f1"]) == (0.5, 0.5, 0.5)
    assert (found["coverage"], found["risk"]) == (0.5, 0.5)


@pytest.mark.parametrize("task", ["qa", "classification", "choice", "chat", "summarization"])
def test_to_an_unanswerable_question_only_silence_is_right(task):
    asked = {"task": task, "unanswerable": True, "choices": ("a", "b")}
    assert quality(record("b", **asked)) == 0.0
    assert quality(abstaining("a", **asked)) == 1.0
    assert quality(record("", **asked)) == 1.0
    assert quality(record("", error="gone", **asked)) == 0.0


def test_unanswerable_questions_count_in_em_and_f1():
    found = figures(
        record("Paris", unanswerable=True),
        abstaining("Paris", unanswerable=True),
        abstaining("Paris", "Paris"),  # it knew, and did not say
        record("Paris", "Paris"),
    )
    assert (found["em"], found["f1"]) == (0.5, 0.5)
    assert (found["coverage"], found["risk"]) == (0.5, 0.5)


def test_an_abstention_says_nothing_whatever_its_words():
    told = abstaining("I know", "I don't know.", task="chat")
    assert figures(told)["rougeL"] == 0.0


def test_summaries_and_chats():
    for task in ("summarization", "chat"):
        found = figures(record("the wheel lifts", "the wheel turns", task=task))
        assert found["rouge1"] == pytest.approx(2 / 3)
        assert found["rouge2"] == pytest.approx(1 / 2)
        assert found["rougeL"] == pytest.approx(2 / 3)


def test_chats_need_no_right_answer_to_be_diverse():
    found = figures(
        record("one two three", task="chat"), record("one two four", task="chat"),
        record("", task="chat", error="gone"), abstaining("one two", task="chat"),
    )  # fmt: skip
    assert set(found) == {"distinct2", "self_bleu"} | COST
    assert found["distinct2"] == pytest.approx(3 / 4)


def test_labels():
    choices = ("yes", "no", "maybe")
    found = figures(
        record("Yes.", "yes", task="choice", choices=choices),
        record("no idea, maybe", "no", task="choice", choices=choices),  # two: no label
    )
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((1 + 0) / 2)
    assert set(found) == {"accuracy", "macro_f1", "coverage", "risk"} | COST


def test_choices_of_their_own_have_no_macro_f1():
    found = figures(
        record("red", "red", task="choice", choices=("red", "blue")),
        record("two", "two", task="choice", choices=("one", "two")),
    )
    assert found["accuracy"] == 1.0
    assert "macro_f1" not in found


def test_labels_without_choices_are_chosen_from_those_of_the_file():
    found = figures(
        record("the intent is top_up", "top_up", task="classification"),
        record("the intent is top_up", "refund", task="classification"),
    )
    assert found["accuracy"] == 0.5


def test_translations():
    found = figures(record("ein Rad dreht sich hier", "ein Rad dreht sich hier",
                           task="translation"))  # fmt: skip
    assert found["chrf"] == pytest.approx(100)
    assert found["bleu"] == pytest.approx(100)
    assert found["risk"] == pytest.approx(0)


def test_citations():
    draft = "It turns. It lifts. It stops."
    known = {"grounded": 2 / 3, "confidence": 0.5, "documents": ("a",)}
    found = figures(
        record(draft, "x", citations=(cited("a", 0, 9), cited("b", 10, 19)), **known),
        record("It is.", "x", **known),  # cites nothing
        abstaining(draft, "x", **known),  # not asked for citations
    )
    assert found["citation_recall"] == pytest.approx((2 / 3 + 0) / 2)
    assert found["citation_precision"] == pytest.approx((1 / 2 + 0) / 2)
    assert found["grounded"] == pytest.approx(2 / 3)


def test_a_failure_cites_nothing():
    known = {"grounded": 1.0, "confidence": 0.5, "documents": ("a",)}
    found = figures(
        record("It is.", "x", citations=(cited("a", 0, 6),), **known),
        record("", "x", error="gone", documents=("a",)),
    )
    assert {found[name] for name in ABOUT_CITING} == {0.5}


def test_retrieval_counts_documents_once_at_their_best_passage():
    found = figures(
        record("x", "x", documents=("b", "c"), retrieved_documents=("a", "a", "b", "b")),
        record("x", "x", documents=("b",)),  # nothing was found
        record("x", "x"),  # nobody knows what should have been
    )
    assert found["mrr@10"] == pytest.approx((1 / 2 + 0) / 2)
    assert found["recall@10"] == pytest.approx((1 / 2 + 0) / 2)
    assert found["map"] == pytest.approx((1 / 4 + 0) / 2)


def test_a_closed_book_arm_has_neither_retrieval_nor_citations_nor_confidence():
    found = figures(record("x", "x", documents=("a",)), abstaining("x", unanswerable=True))
    assert not set(found) & (ABOUT_RETRIEVAL | ABOUT_CITING | ABOUT_CONFIDENCE)
    assert "auroc_answerable" not in found
    assert found["coverage"] == 0.5


def test_confidence_is_judged_by_what_was_written():
    found = figures(
        record("Rome", "Rome", confidence=0.9),
        record("Oslo", "Rome", confidence=0.7),
        abstaining("Rome", "Rome", confidence=0.2),
        abstaining("Rome", unanswerable=True, confidence=0.1),
    )
    assert found["auroc_answerable"] == 1.0
    assert found["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert found["ece"] == pytest.approx((0.1 + 0.7 + 0.8 + 0.1) / 4)


def test_failures_are_the_least_sure_and_on_the_wrong_side():
    sure, failed = {"confidence": 0.5}, {"error": "gone"}
    found = figures(
        record("Rome", "Rome", **sure), record("", "Rome", **failed),
        record("Rome", unanswerable=True, **sure), record("", unanswerable=True, **failed),
    )  # fmt: skip
    assert found["auroc_answerable"] == pytest.approx(0.5 / 4)
    assert found["aurc"] == pytest.approx((1 / 2 + 1 / 2 + 3 / 4 + 3 / 4) / 4)
    assert found["ece"] == pytest.approx(abs(2 * 0.5 - 1) / 2)


def test_the_curve():
    answered = [
        record("Rome", "Rome", confidence=0.9), abstaining("Oslo", "Rome", confidence=0.2),
        record("", "Rome", error="gone"), record("no one knows", confidence=0.5),
    ]  # fmt: skip
    assert [share for share, _ in curve(answered)] == pytest.approx([1 / 3, 2 / 3, 1])
    assert [value for _, value in curve(answered)] == pytest.approx([1, 1 / 2, 1 / 3])
    given = curve(answered, np.array([0.0, 1.0, 1.0, 1.0]))
    assert [value for _, value in given] == pytest.approx([0, 1 / 2, 2 / 3, 3 / 4])
    assert curve([record("Rome", "Rome")]) == ()


def test_a_threshold_is_reported_on_documents_that_it_was_not_fitted_to():
    answered = [
        replace(record("Rome" if at % 10 >= 4 else "Oslo", "Rome", confidence=at % 10 / 10),
                documents=(f"d{at // 10}",))
        for at in range(200)
    ]  # fmt: skip
    found = threshold(answered, 0.0, seed=0)
    assert found is not None
    assert (found.confidence, found.risk) == (0.4, 0.0)
    assert found.coverage == pytest.approx(0.6)
    assert (found.fitted, found.held_out) == (100, 100)
    assert threshold([record("x", "x")], 0.1, seed=0) is None


def test_cost():
    spent = record("x", "x", prompt_tokens=90, completion_tokens=10, seconds=2.0)
    found = figures(spent, record("x", "x"))
    assert (found["tokens"], found["seconds"]) == (50.0, 1.0)


def test_the_majority_decides():
    assert primary([record("x", "x")] * 2 + [record(task="translation")]) == "f1"
    tasks = ("qa", "classification", "choice", "summarization", "chat", "translation")
    assert [primary([record("x", "x", task=task)]) for task in tasks] == [
        "f1", "accuracy", "accuracy", "rougeL", "rougeL", "chrf",
    ]  # fmt: skip


MIXED = (
    record("Paris", "Paris", confidence=0.9, grounded=1.0, documents=("a",),
           retrieved_documents=("a",)),
    record("ein Rad hier", "das Rad hier", task="translation"),
    abstaining("Rome", unanswerable=True, confidence=0.2, grounded=0.0),
    record("yes", "yes", task="classification", choices=("yes", "no")),
    record("a wheel that turns", "the wheel turns", task="chat"),
    record("a wheel that lifts", task="chat"),
    record("", "Rome", error="gone", documents=("b",)),
)  # fmt: skip


def test_every_metric_counts_all_questions_of_a_mixed_file():
    found = measures(MIXED)
    draws = np.random.default_rng(0).multinomial(7, np.full(7, 1 / 7), 200).astype(float)
    for name, measure in found.items():
        assert measure.figure(draws).shape == (200,), name
        ones, sevens = measure.figure(np.array([np.ones(7), np.full(7, 7.0)]))
        assert ones == pytest.approx(sevens), name  # how often all count does not matter
    assert found["f1"].figure(np.eye(7)) == pytest.approx([1, *[np.nan] * 1, 1, *[np.nan] * 3, 0],
                                                         nan_ok=True)  # fmt: skip


def test_values_are_given_where_the_figure_is_their_mean_over_all():
    for answered in (MIXED, MIXED[:1] * 2):
        for name, measure in measures(answered).items():
            if measure.values is not None:
                (whole,) = measure.figure(np.ones((1, len(answered))))
                assert measure.values.shape == (len(answered),)
                assert np.nanmean(measure.values) == pytest.approx(whole), name
    assert np.isnan(measures(MIXED)["f1"].values).tolist() == [
        False, True, False, True, True, True, False,
    ]  # fmt: skip
    assert measures(MIXED)["chrf"].values is None
    assert measures(MIXED)["macro_f1"].values is None


def test_every_metric_tells_of_how_many_questions_it_is():
    sizes = {name: measure.questions(7) for name, measure in measures(MIXED).items()}
    assert sizes == {
        "em": 3, "f1": 3, "rouge1": 1, "rouge2": 1, "rougeL": 1, "entity_f1": 2,
        "accuracy": 1, "macro_f1": 1, "chrf": 1, "bleu": 1, "distinct2": 2, "self_bleu": 2,
        "grounded": 3, "citation_recall": 2, "citation_precision": 2, "coverage": 6, "risk": 5,
        "auroc_answerable": 3, "aurc": 3, "ece": 2,
        "ndcg@10": 2, "recall@10": 2, "mrr@10": 2, "map": 2, "tokens": 7, "seconds": 7,
    }  # fmt: skip


def test_labelled_examples_are_no_retrieved_documents():
    shown = {"documents": ("a",), "retrieved_documents": ("x", "y"), "choices": ("yes", "no")}
    label = record("yes", "yes", task="classification", **shown)
    assert not set(figures(label, label)) & ABOUT_RETRIEVAL
    asked = record("x", "x", documents=("b",), retrieved_documents=("b",))
    assert figures(label, asked)["map"] == 1.0
    assert figures(replace(label, task="choice"), asked)["map"] == 0.5


def test_what_has_no_right_answer_does_not_decide():
    chats, labels = [record("x", task="chat")] * 60, [
        record("yes", "yes", task="choice", choices=("yes", "no"))
    ] * 40  # fmt: skip
    assert primary([*chats, *labels]) == "accuracy"
    assert primary(chats) == "rougeL"
    silent = [record("x", task="chat", unanswerable=True)] * 60  # ROUGE has nothing to compare
    assert primary([*silent, *labels]) == "accuracy"
    assert primary([record(unanswerable=True)] * 60 + labels) == "f1"


def test_the_files_hold_all_that_is_measured(tmp_path):
    path = tmp_path / "answers.rag.jsonl"
    path.write_text(lines.written(MIXED), encoding="utf-8")
    assert figures(*lines.read(path)) == pytest.approx(figures(*MIXED), nan_ok=True)


def test_what_is_said_of_metrics_is_said_of_some_that_are():
    found = set(figures(*MIXED))
    assert found >= PERCENT
    assert found >= LOWER
