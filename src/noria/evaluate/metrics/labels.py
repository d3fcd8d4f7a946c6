"""Whether a written answer names the right label."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from noria.evaluate.metrics.text import said, silent
from noria.evaluate.records import Record
from noria.evaluate.statistics.intervals import Measure, Values
from noria.words import PAIRED

LABELLED = ("classification", "choice")  # the tasks whose answers are labels
BETWEEN = re.compile(r"[\W_]+")
BEFORE, AFTER = rf"(?<![^\W_{PAIRED}])", rf"(?![^\W_{PAIRED}])"  # scripts with spaces have bounds


def label_of(answer: str, choices: Sequence[str]) -> str | None:
    """The one of ``choices`` that a written answer names; None if it names none, or several.

    An answer equal to a label names it; else one equal to it but for case; else but for
    punctuation; else the only label that stands in it as whole words. Inside a longer label a
    shorter one is not named.

    >>> label_of("Card arrival.", ["card_arrival", "card_linking"])
    'card_arrival'
    >>> label_of("It is not entailment", ["entailment", "not entailment"])
    'not entailment'
    >>> label_of("yes or no", ["yes", "no"]) is None
    True
    """
    exact = as_it_stands(answer, choices)
    if exact is not None:
        return exact
    forms = known_forms(tuple(choices))
    for named in (forms.bare.get(bare(answer)), forms.plain.get(plain(answer))):
        if named:
            return only(named)
    found = forms.any.findall(plain(answer)) if forms.plain else []
    return only(frozenset[str]().union(*(forms.plain[form] for form in found)))


def as_it_stands(answer: str, choices: Sequence[str]) -> str | None:
    """The choice that the answer is, letter by letter but for white space around.

    >>> as_it_stands(" polish ", ["Polish", "polish"])
    'polish'
    """
    return next((text for text in (answer, answer.strip()) if text in choices), None)


def only(labels: frozenset[str]) -> str | None:
    """The label, if it is one."""
    return next(iter(labels)) if len(labels) == 1 else None


@dataclass(frozen=True)
class Forms:
    """Labels by how they are written; ``any`` finds the plain ones, the longest first."""

    bare: Mapping[str, frozenset[str]]
    plain: Mapping[str, frozenset[str]]
    any: re.Pattern[str]


@lru_cache(maxsize=1024)  # a file of intents has the same 77 at each question
def known_forms(choices: tuple[str, ...]) -> Forms:
    """The forms of ``choices``."""
    plains = written(choices, plain)
    longest_first = sorted(plains, key=len, reverse=True)
    any_of = "|".join(map(re.escape, longest_first))
    return Forms(written(choices, bare), plains, re.compile(f"{BEFORE}(?:{any_of}){AFTER}"))


def written(choices: Sequence[str], form: Callable[[str], str]) -> dict[str, frozenset[str]]:
    """The choices by a form of theirs; those without any are left out."""
    found: dict[str, frozenset[str]] = {}
    for choice in choices:
        if form(choice):
            found[form(choice)] = found.get(form(choice), frozenset()) | {choice}
    return found


def bare(text: str) -> str:
    """Without capitals, and white space around."""
    return text.strip().casefold()


def plain(text: str) -> str:
    """Without capitals, and whatever is neither letter nor digit.

    >>> plain("  Card_arrival!")
    'card arrival'
    """
    return BETWEEN.sub(" ", text).strip().casefold()


def with_choices(records: Sequence[Record]) -> list[Record]:
    """The same records; where a label's choices are not told, they are all labels of the task."""
    labels = {
        task: tuple(sorted({a for r in records if r.task == task for a in r.answers}))
        for task in LABELLED
    }
    return [
        replace(r, choices=labels[r.task]) if r.task in LABELLED and not r.choices else r
        for r in records
    ]


def given(record: Record) -> str | None:
    """The label that the arm gave; None if none can be told."""
    return label_of(said(record), record.choices)


def gold(record: Record) -> str | None:
    """The right label: of several the one that was given; None where to abstain is right."""
    if record.unanswerable:
        return None
    of = {label_of(answer, record.choices) or answer: None for answer in record.answers}
    label = given(record)
    return label if label in of else next(iter(of))


def correct(record: Record) -> float:
    """1 if the right label was given, or rightly none."""
    if record.unanswerable:
        return float(silent(record))
    return float(record.error is None and given(record) == gold(record))


def macro_f1(golds: Sequence[str | None], labels: Sequence[str | None]) -> Measure:
    """The mean of each label's F1, over the labels that are right or given in a draw.

    An answer without a label misses its gold label, and is held against no other.

    >>> figure = macro_f1(["a", "a", "b"], ["a", None, "b"]).figure
    >>> round(float(figure(np.ones((1, 3)))[0]), 4)
    0.8333
    """
    names = sorted({name for name in (*golds, *labels) if name is not None})
    right, told = one_hot(golds, names), one_hot(labels, names)

    def figure(counts: Values) -> Values:
        both = counts @ (right * told)
        there = counts @ right + counts @ told  # twice the hits, and both kinds of error
        scores = np.divide(2 * both, there, out=np.zeros_like(there), where=there > 0)
        used = (there > 0).sum(axis=1)
        mean: Values = np.divide(
            scores.sum(axis=1), used, out=np.full(len(counts), np.nan), where=used > 0
        )
        return mean

    return Measure(figure)


def one_hot(labels: Sequence[str | None], names: Sequence[str]) -> Values:
    """A row a question, with a 1 under its label."""
    place = {name: at for at, name in enumerate(names)}
    found = np.zeros((len(labels), len(names)))
    for row, label in enumerate(labels):
        if label is not None:
            found[row, place[label]] = 1.0
    return found
