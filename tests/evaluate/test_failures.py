"""Each wrong answer has one kind: what went wrong first."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.evaluate.records import Record, from_json
from noria.evaluate.report.failures import (
    ABSTAINED,
    ANSWERED,
    ERROR,
    FORMAT,
    KINDS,
    MISREAD,
    NOT_FOUND,
    WORDY,
    kind,
    sorted_failures,
)

READ = Record("1", "Who won?", ("Denver Broncos",), "Carolina", draft="Carolina",
              retrieved=("p1",), found=True)  # fmt: skip
LABEL = replace(READ, task="classification", answers=("card_arrival",), answer="card_linking",
                choices=("card_arrival", "card_linking", "card"))  # fmt: skip


def test_a_right_answer_is_no_failure() -> None:
    assert kind(replace(READ, answer="Denver Broncos"), 1.0) is None
    assert kind(replace(READ, answer="The Denver Broncos team"), 0.8) is None  # right enough


def test_what_was_read_was_misread() -> None:
    assert kind(READ, 0.0) == MISREAD


def test_what_was_not_found_could_not_be_read() -> None:
    assert kind(replace(READ, found=False), 0.0) == NOT_FOUND
    # to abstain without the passage is the consequence, not the cause
    assert kind(replace(READ, found=False, abstained=True), 0.0) == NOT_FOUND
    assert kind(replace(READ, found=False, answer="", draft=""), 0.0) == NOT_FOUND


def test_the_right_answer_inside_a_longer_text() -> None:
    said = "The Super Bowl was won by the Denver Broncos, who played in Santa Clara."
    assert kind(replace(READ, answer=said), 0.3) == WORDY
    assert kind(replace(READ, answer=said, found=False), 0.3) == WORDY  # it knew by itself
    assert kind(replace(READ, answer="Denver's Broncos or others won it"), 0.3) == MISREAD


def test_a_copied_passage_is_no_answer() -> None:
    assert kind(replace(READ, answer="The Denver Broncos won. " + "And so on. " * 20), 0.1) == (
        MISREAD
    )


def test_articles_and_case_do_not_hide_an_answer() -> None:
    asked = replace(READ, answers=("the Normans",))
    assert kind(replace(asked, answer="It was ruled by Normans for many long years."), 0.2) == WORDY


@pytest.mark.parametrize("answer", ["", "  \n"])
def test_nothing_written(answer: str) -> None:
    assert kind(replace(READ, answer=answer, draft=answer), 0.0) == FORMAT
    empty = replace(READ, answer="I found no answer.", draft=answer, abstained=True)
    assert kind(empty, 0.0) == FORMAT


def test_cut_off() -> None:
    assert kind(replace(READ, answer="First of all, let us", cut=True), 0.0) == FORMAT


def test_abstained_though_it_had_what_it_takes() -> None:
    refusal = replace(READ, answer="I do not know.", draft="Denver Broncos", abstained=True)
    assert kind(refusal, 0.0) == ABSTAINED
    assert kind(replace(refusal, found=None, retrieved=()), 0.0) == ABSTAINED


def test_unanswerable_questions() -> None:
    asked = replace(READ, answers=(), unanswerable=True, found=None)
    assert kind(asked, 0.0) == ANSWERED
    assert kind(asked, math.nan) == ANSWERED
    assert kind(replace(asked, abstained=True), 1.0) is None
    assert kind(replace(asked, abstained=True), math.nan) is None


def test_a_closed_book_is_simply_wrong() -> None:
    assert kind(replace(READ, found=None, retrieved=()), 0.0) == ANSWERED


def test_an_error_is_no_answer() -> None:
    assert kind(replace(READ, error="timed out", found=False), 0.0) == ERROR
    assert kind(replace(READ, error="timed out", unanswerable=True), 0.0) == ERROR


def test_labels() -> None:
    assert kind(LABEL, 0.0) == MISREAD  # an example of the right label was shown
    assert kind(replace(LABEL, found=False), 0.0) == NOT_FOUND
    assert kind(replace(LABEL, answer="The intent is card arrival."), 0.0) == WORDY
    assert kind(replace(LABEL, answer="Please tell me more"), 0.0) == FORMAT
    assert kind(replace(LABEL, answer="card_arrival or card_linking"), 0.0) == FORMAT
    assert kind(replace(LABEL, answer="card_linking", found=None, retrieved=()), 0.0) == ANSWERED


def test_labels_that_differ_in_case_or_signs_only() -> None:
    """What equals a choice names it, and is no longer text that holds another."""
    asked = replace(LABEL, choices=("Polish", "polish", "#"), answers=("Polish",), answer="polish")
    assert kind(asked, 0.0) == MISREAD
    assert kind(replace(asked, answer="#"), 0.0) == MISREAD
    assert kind(replace(asked, answer="it is polish"), 0.0) == FORMAT  # which cannot be told


def test_free_texts_need_not_repeat_the_gold_word_for_word() -> None:
    summary = replace(READ, task="summarization", found=None, retrieved=())
    assert kind(summary, 0.25) is None
    assert kind(summary, 0.05) == ANSWERED


def test_nothing_known_of_the_right_answer() -> None:
    assert kind(replace(READ, answers=()), math.nan) is None


def test_counts_and_examples() -> None:
    records = [replace(READ, id=str(i), found=i % 2 == 0) for i in range(20)]

    counts, examples = sorted_failures(records, [0.0] * 19 + [1.0])

    assert counts == {NOT_FOUND: 9, MISREAD: 10}
    assert list(counts) == [NOT_FOUND, MISREAD]  # in the order of KINDS
    assert examples[MISREAD] == ("0", "4", "8", "12", "16")


def test_each_record_needs_its_value() -> None:
    with pytest.raises(ValueError, match="shorter"):
        sorted_failures([READ, READ], [0.0])


def test_old_records_were_not_cut() -> None:
    line = READ.as_json()
    del line["cut"]
    assert from_json(json.loads(json.dumps(line))) == READ


@given(
    answer=st.sampled_from(["", "Carolina", "The Denver Broncos of old won it all"]),
    found=st.sampled_from([True, False, None]),
    abstained=st.booleans(),
    unanswerable=st.booleans(),
    error=st.sampled_from([None, "timed out"]),
    cut=st.booleans(),
)
def test_every_wrong_answer_has_a_kind(
    answer: str,
    found: bool | None,
    abstained: bool,
    unanswerable: bool,
    error: str | None,
    cut: bool,
) -> None:
    record = replace(
        READ, answer=answer, draft=answer, found=found, abstained=abstained,
        unanswerable=unanswerable, error=error, cut=cut,
    )  # fmt: skip
    right = error is None and unanswerable and abstained  # whatever the metric says

    assert (kind(record, 0.0) in KINDS) is not right
