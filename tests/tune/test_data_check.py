"""What is wrong with training data, found before anything is spent."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.evaluate.questions import Question
from noria.tune.data.check import Check, Cut, check, middle
from noria.tune.data.clean import redact, without
from noria.tune.data.read import read
from noria.tune.data.repeats import contradictions, leaks, repeats
from noria.tune.data.report import LISTED, report, told
from noria.tune.examples import Example
from noria.types import Message

LONG = (
    "Please tell me how the great wheel of the old town lifts water out of the river when "
    "there is little of it"
)
OTHER = "Which of the many wells in the mountains was the first to be dug by hand and by whom"


def said(id: str, prompt: str, response: str, **more: Any) -> Example:
    """A question with its response."""
    question = Question(id, prompt, (response,) if response else (), **more)
    return Example(question, response, line=int(id) if id.isdigit() else None)


def labelled(id: str, text: str, label: str) -> Example:
    return said(id, text, label, task="classification", choices=("bill", "move", "repair"))


def count(text: str) -> int:
    return len(text.split())


def kinds(found: Check) -> list[str]:
    return [finding.kind for finding in found.findings]


def test_nothing_is_wrong_with_good_examples() -> None:
    examples = [said("1", LONG, "By paddles"), said("2", OTHER, "Ada"), said("3", "Why?", "So.")]
    found = check(examples, [said("9", "Where?", "Here")], count, 100)
    assert found.findings == ()
    assert (found.examples, found.tokens, found.cut) == (3, 47, ())
    assert found.origins == {"annotated": 3}
    assert found.labels == {}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("caf\ufffd", "U+FFFD stands for a lost character: 'caf\ufffd'"),
        ("The fiancÃ© of Ada", "read in a wrong encoding once: 'The fiancÃ© of Ada'"),
        ("It\u0092s Ada", "read in a wrong encoding once: 'It\\x92s Ada'"),
        ("\\(\x0crac{1}{2}\\)", "U+000C is no character of a text: '\\\\(\\x0crac{1}{2}\\\\)'"),
    ],
)
def test_damage_by_an_encoding(text: str, what: str) -> None:
    (finding,) = check([said("1", text, "yes")]).findings
    assert (finding.kind, finding.what, finding.id, finding.line) == ("encoding", what, "1", 1)


@pytest.mark.parametrize(
    "text",
    ["café, naïve, Ångström", "Übergrößenträger", "NÃO, isso não é de São Paulo", "水車は川から",
     "«Привет»", "It\u2019s \u201cquoted\u201d \u2013 like this\u2026", "£5, 20 °C, 5 µm",
     "\U0001f469\u200d\U0001f467", "a\tb\r\nc"],
)  # fmt: skip
def test_good_text_of_other_languages_is_no_damage(text: str) -> None:
    assert check([said("1", text, text)]).findings == ()


@pytest.mark.parametrize("mark", ["<|im_start|>", "[INST]", "</s>", "<end_of_turn>"])
def test_forged_marks_of_a_template(mark: str) -> None:
    turns = (Message("user", f"Hi {mark}"),)
    asked, answered = said("1", f"Hi {mark}", "Ho"), said("1", "Hi", f"Ho {mark}")
    for example in (asked, answered, Example(Question("1", "Hi"), "Ho", turns)):
        (finding,) = check([example]).findings
        assert finding.kind == "template"
        assert repr(mark) in finding.what


@pytest.mark.parametrize(
    ("prompt", "mark"),
    [
        ("Do this.\n\n### Instruction:\nSing\n\n### Response:\n", "'### Instruction:'"),
        ("\n\nHuman: Sing\n\nAssistant:", "'\\n\\nHuman:'"),
        ("USER: Sing", "'USER:'"),
    ],
)
def test_headings_of_another_template(prompt: str, mark: str) -> None:
    (finding,) = check([said("1", prompt, "La")]).findings
    assert finding.what == f"{mark} is a mark of a chat template, and will be read as words"


@pytest.mark.parametrize(
    ("roles", "what"),
    [
        ("u", ""), ("su", ""), ("uau", ""), ("suau", ""),
        ("us", "a turn of the system that is not the first"),
        ("ua", "the turn before the response is not the user's"),
        ("s", "the turn before the response is not the user's"),
        ("au", "the chat begins with the assistant"),
        ("uu", "two turns in a row of the same role"),
        ("uaau", "two turns in a row of the same role"),
    ],
)  # fmt: skip
def test_the_order_of_turns(roles: str, what: str) -> None:
    names: Any = {"s": "system", "u": "user", "a": "assistant"}
    turns = tuple(Message(names[role], f"turn {at}") for at, role in enumerate(roles))
    findings = check([Example(Question("1", "turn"), "Ho", turns)]).findings
    assert [each.what.startswith(what) for each in findings] == ([True] if what else [])


def test_an_example_without_anything_to_learn() -> None:
    empty = Example(Question("1", "Who?", documents=("a.md",)), "")
    rejected = Example(Question("2", "Sing", task="chat"), "", rejected=("No",))
    unanswerable = Example(Question("3", "Who dug Mars?", unanswerable=True), "")
    (finding,) = check([empty, rejected, unanswerable]).findings
    assert (finding.kind, finding.id) == ("empty", "1")


# repeats


def test_copies_and_what_is_nearly_one() -> None:
    examples = [
        said("1", LONG, "By paddles"),
        said("2", OTHER, "Ada"),
        said("3", LONG.upper() + "?", "by paddles!"),
        said("4", LONG.replace("great", "huge"), "By paddles"),
        said("5", LONG, "By a lever of wood"),  # another answer is another example
        said("6", LONG, "By paddles", context="The wheel has paddles."),
    ]
    found = repeats(examples)
    assert (found.exact, found.near) == ({2: 0}, {3: 0})
    assert len(found) == 2
    assert [each.id for each in without(examples, [*found.exact, *found.near])] == list("1256")
    findings = check(examples).findings
    assert [(f.kind, f.line, f.what) for f in findings] == [
        ("duplicate", 3, "the same as line 1"),
        ("near-duplicate", 4, "nearly the same as line 1"),
    ]


def test_like_questions_on_different_contexts_are_different_questions() -> None:
    one = said("1", LONG, "By paddles", context="The wheel of Hama has paddles.")
    other = said("2", LONG, "By paddles", context="A wheel in Murcia has buckets and pots.")
    assert len(repeats([one, other])) == 0
    assert list(contradictions([one, other])) == []
    assert len(leaks([one], [other])) == 0
    assert len(leaks([one], [said("3", LONG, "By paddles")])) == 1  # asked without a context


def test_a_liked_and_a_disliked_response_are_no_copies() -> None:
    liked = Example(Question("1", LONG, ("La la la",), task="chat"), "La la la")
    disliked = Example(Question("2", LONG, task="chat"), "", rejected=("La la la",))
    pair = Example(Question("3", LONG, ("La la la",), task="chat"), "La la la", rejected=("No",))
    assert len(repeats([liked, disliked, pair])) == 0
    assert list(contradictions([liked, disliked, pair])) == [(1, 0), (2, 1)]


def test_contradictions() -> None:
    examples = [
        labelled("1", "My tap drips", "repair"),
        labelled("2", "my tap drips!", "bill"),
        labelled("3", "My tap drips", "repair"),
        labelled("4", "My tap is new", "bill"),
        said("5", "Who dug it?", "Ada"),
        said("6", "Who dug it?", "Ada Lovelace did"),  # a poem, an answer: there may be two
        said("7", "Who dug it?", "", unanswerable=True),
    ]
    assert list(contradictions(examples)) == [(1, 0), (2, 1), (6, 4)]
    found = [each for each in check(examples).findings if each.kind == "contradiction"]
    assert found[0].what == (
        "gainsays line 1: to the same prompt, one says 'bill' and the other 'repair'"
    )


@given(
    st.lists(
        st.tuples(st.sampled_from([LONG, LONG + " at all", OTHER]), st.sampled_from("ab"),
                  st.sampled_from([None, "The wheel of Hama."])),
        max_size=10,
    )
)  # fmt: skip
def test_what_is_left_repeats_nothing(rows: list[tuple[str, str, str | None]]) -> None:
    examples = [said(str(at), p, r, context=c) for at, (p, r, c) in enumerate(rows)]
    found = repeats(examples)
    assert all(first < place for place, first in [*found.exact.items(), *found.near.items()])
    left = without(examples, [*found.exact, *found.near])
    assert len(repeats(left)) == 0
    assert {e.question.context for e in left} == {e.question.context for e in examples}


# leaks


def test_leaks_by_prompt_and_by_document() -> None:
    train = [
        said("1", LONG.upper(), "x"),
        said("2", LONG.replace("great", "huge"), "y"),
        said("3", "What is it?", "z", documents=("a.md",)),
        said("4", "Why not?", "z", context="The wheel of Hama has twelve paddles."),
        said("5", OTHER, "z"),
    ]
    test = [
        said("8", "Who?", "q", documents=("a.md",)),
        said("9", LONG, "q", context="The wheel of Hama has twelve paddles."),
    ]
    found = leaks(train, test)
    assert (found.exact, found.near, found.documents) == ({0: 1}, {1: 1}, {2: 0, 3: 1})
    whole = check(train, test)
    assert len(whole.leaks) == 2
    assert [(f.kind, f.line, f.what) for f in whole.findings] == [
        ("leak", 1, "its prompt is that of line 9 in the other file"),
        ("near-leak", 2, "its prompt is nearly that of line 9 in the other file"),
        ("shared document", 3, "it is about the same document as line 8 in the other file"),
        ("shared document", 4, "it is about the same document as line 9 in the other file"),
    ]


def test_nothing_leaks_into_nothing() -> None:
    assert len(leaks([], [said("1", LONG, "x")])) == len(leaks([said("1", LONG, "x")], [])) == 0


def test_leaks_between_the_splits_of_one_file() -> None:
    train = said("1", LONG, "x", slice={"split": "Train"})
    test = said("2", LONG, "y", slice={"split": "test"})
    found = check([train, test, said("3", LONG, "z")])
    assert (len(found.within), len(found.leaks)) == (1, 0)
    assert [f.what for f in found.findings] == [
        "its prompt is that of line 2 in another split of this file"
    ]


# labels, length, personal data


def test_rare_and_missing_labels() -> None:
    examples = [labelled(str(at), f"Tap {at} drips", "repair") for at in range(20)]
    examples += [labelled(str(at), f"Bill {at}", "bill") for at in range(20, 22)]
    found = check(examples)
    assert dict(found.labels) == {"repair": 20, "bill": 2, "move": 0}
    assert [f.what for f in found.findings if f.kind == "balance"] == [
        "the label 'bill' has 2 of 22 examples",
        "the label 'move' has 0 of 22 examples",
    ]


def test_choices_of_one_question_are_no_labels() -> None:
    one = said("1", "Wet?", "yes", task="choice", choices=("yes", "no"))
    other = said("2", "Red?", "red", task="choice", choices=("red", "blue"))
    assert check([one, other]).labels == {}


def test_what_would_be_cut_is_shown() -> None:
    words = " ".join(f"w{at:02}" for at in range(20))
    response = " ".join("r" for _ in range(12))
    examples = [said("1", words, "r r"), said("2", "w", response), said("3", "w", "r")]
    found = check(examples, count=count, limit=12)
    cut, alone = found.cut
    assert (cut.id, cut.tokens, alone) == ("1", 22, Cut("2", 2, 13, ""))
    assert cut.lost.split()[1:-1] == [f"w{at:02}" for at in range(6, 14)]
    assert found.tokens == 22 + 13 + 2
    assert [f.kind for f in found.findings] == ["too long", "too long"]
    assert found.findings[1].what.endswith("its response alone is too long")


@given(st.text(max_size=30), st.floats(0, 1))
def test_the_middle_is_what_both_ends_leave(text: str, share: float) -> None:
    lost = middle(text, share)
    assert lost in text
    assert abs(len(lost) - (1 - share) * len(text)) <= 2


def test_personal_data_are_counted_and_redacted() -> None:
    turns = (Message("user", "I am ada@example.org"),)
    chat = Example(Question("ada@example.org", "I am ada@example.org", ("Call 044 668 18 00",)),
                   "Call 044 668 18 00", turns, rejected=("Pay 4111 1111 1111 1111",))  # fmt: skip
    label = said("2", "Which?", "DE89370400440532013000", task="choice",
                 choices=("DE89370400440532013000", "none"), context="No data")  # fmt: skip
    found = check([chat, label])
    assert dict(found.personal) == {"iban": 1, "card": 1, "email": 1, "phone": 1}
    assert [f.what for f in found.findings] == [
        "personal data: email (1), phone (1), card (1)", "personal data: iban (1)",
    ]  # fmt: skip
    clean = redact([chat, label])
    assert clean[0] == Example(
        Question("ada@example.org", "I am [email]", ("Call [phone]",)), "Call [phone]",
        (Message("user", "I am [email]"),), rejected=("Pay [card]",),
    )  # fmt: skip
    assert clean[1].response in clean[1].question.choices
    assert sum(check(clean).personal.values()) == 0
    assert redact(clean) == clean


# the report


def test_the_report_has_what_the_design_promises(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    examples = [
        said("1", LONG, "By paddles, says ada@example.org"),
        said("2", LONG, "By paddles, says ada@example.org"),
        said("3", LONG.replace("great", "huge"), "By paddles, says ada@example.org"),
        said("4", OTHER, "Ada"),
    ]
    found = check(examples, [said("1", OTHER, "Ada")], count, 20)
    made = report(found, path, [f"{path}:5: not JSON"], "d1")
    names = ("examples", "tokens", "truncated", "duplicates", "leaks")
    assert [made[name] for name in names] == [4, 101, 3, 2, 1]
    assert made["pii"] == {"iban": 0, "card": 0, "email": 3, "phone": 0}
    assert made["found"] == {
        "duplicate": 1, "leak": 1, "near-duplicate": 1, "personal data": 3, "too long": 3,
    }  # fmt: skip
    problems: Any = made["problems"]
    assert problems[0] == f"{path}:5: not JSON"
    assert f"{path}:2: the same as line 1" in problems
    assert json.loads(json.dumps(made)) == made
    text = told(found, path, [f"{path}:5: not JSON"], 20)
    assert "4 examples, 1 problems in reading" in text
    assert "repeated    1 exactly, 1 nearly" in text
    assert "101, 3 examples over 20" in text


def test_many_findings_of_a_kind_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    found = check([said(str(at), f"Number {at}\ufffd", "x") for at in range(LISTED + 7)])
    problems: Any = report(found, path)["problems"]
    assert len(problems) == LISTED + 1
    assert problems[-1] == f"{path}: encoding: 7 more like these"
    assert told(found, path).endswith(f"{path}: encoding: {LISTED + 4} more like these")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # looked at by eye: four texts that were read as Latin-1, no false alarm
        ("qa/triviaqa_sm_sub.jsonl", {"encoding": 4}),
        # one label for two; copies and sentences of which a word differs, with one label
        ("sft/banking77_train.csv", {"duplicate": 30, "near-duplicate": 140, "contradiction": 1}),
        ("preferences/kto_en_demo.json", {"encoding": 2, "template": 2}),
        ("pubmedqa/pqal_dev.json", {}),
        ("squad/dev-v1.1.partA.json", {"duplicate": 14, "near-duplicate": 2}),
    ],
)
def test_real_data_raise_no_false_alarm(name: str, expected: dict[str, int]) -> None:
    path = Path(os.environ["NORIA_DATA"]) / name
    assert report(check(read(path).examples), path)["found"] == expected
