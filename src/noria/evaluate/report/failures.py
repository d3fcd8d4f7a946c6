"""Sorts wrong answers by what went wrong first. Knows records; scores nothing."""

import math
from collections.abc import Iterable, Sequence

from noria.evaluate.metrics.labels import as_it_stands
from noria.evaluate.questions import Task
from noria.evaluate.records import Record
from noria.words import words

ERROR = "no answer: an error"
WORDY = "format: right answer inside a longer text"
FORMAT = "format: empty, cut off, or no single choice"
NOT_FOUND = "passage not found"
MISREAD = "passage found but misread"
ABSTAINED = "abstained wrongly"
ANSWERED = "answered wrongly"
KINDS = (NOT_FOUND, MISREAD, WORDY, FORMAT, ABSTAINED, ANSWERED, ERROR)

RIGHT: dict[Task, float] = {
    "qa": 0.5,
    "classification": 0.5,
    "choice": 0.5,
    "summarization": 0.2,
    "translation": 0.2,
    "chat": 0.2,
}  # from here on an answer counts as right; free texts say the same in many words
LONGEST = 50  # words; a longer answer is a copied passage, in which anything may stand
EXAMPLES = 5
ARTICLES = {"a", "an", "the"}  # as SQuAD's normalisation leaves them out


def kind(record: Record, value: float) -> str | None:
    """What went wrong with an answer of which the metric is ``value``, from 0 to 1; None: nothing.

    The first rule that fits decides; what comes earlier on the way to an answer stands first.

    1. An error kept the question from being answered: ``ERROR``.
    2. To abstain was right, and it did; or ``value`` is at least ``RIGHT`` of the task: None.
       Where ``value`` is NaN, nothing is known of the right answer: None.
    3. The question has no answer, and got one: ``ANSWERED``.
    4. A right answer stands word for word in the answer, which has at most 50 words, and no other
       choice does: ``WORDY``.
    5. Nothing shown holds the answer, though something was looked for: ``NOT_FOUND``. For labelled
       examples: none of those shown has the right label.
    6. It wrote nothing: ``FORMAT``.
    7. It abstained: ``ABSTAINED``.
    8. It was cut off; or there are choices, and it named none, or several: ``FORMAT``.
    9. What was shown holds the answer: ``MISREAD``.
    10. Nothing was shown by design, or nothing is known of what was: ``ANSWERED``.
    """
    if record.error is not None:
        return ERROR
    if record.unanswerable:
        return None if record.abstained or value >= RIGHT[record.task] else ANSWERED
    if value >= RIGHT[record.task] or math.isnan(value):
        return None
    if not record.abstained and holds(record):
        return WORDY
    if record.found is False:
        return NOT_FOUND
    wrote = record.draft if record.abstained else record.answer
    if not wrote.strip():
        return FORMAT
    if record.abstained:
        return ABSTAINED
    if record.cut or (record.choices and len(named(record)) != 1):
        return FORMAT
    return MISREAD if record.found else ANSWERED


def holds(record: Record) -> bool:
    """Whether a right answer stands in the answer word for word, and no other choice."""
    said = plain(record.answer)
    if len(said) > LONGEST:
        return False
    if as_it_stands(record.answer, record.choices) is not None:
        return False  # no longer text, but a choice and nothing else
    if record.choices:
        right = {" ".join(plain(answer)) for answer in record.answers}
        mentioned = [" ".join(plain(choice)) for choice in named(record)]
        return len(mentioned) == 1 and mentioned[0] in right
    return any(stands(plain(answer), said) for answer in record.answers)


def named(record: Record) -> list[str]:
    """The choices that the answer names; one that is part of another named does not count.

    >>> named(Record("1", "?", (), "I choose card arrival.", choices=("card_arrival", "card")))
    ['card_arrival']
    """
    exact = as_it_stands(record.answer, record.choices)
    if exact is not None:
        return [exact]
    said = plain(record.answer)
    found = {choice: plain(choice) for choice in record.choices if stands(plain(choice), said)}
    return [
        choice
        for choice, own in found.items()
        if not any(len(other) > len(own) and stands(own, other) for other in found.values())
    ]


def stands(some: Sequence[str], within: Sequence[str]) -> bool:
    """Whether the words ``some`` stand in ``within`` next to each other.

    >>> stands(["b", "c"], ["a", "b", "c"]), stands([], ["a"])
    (True, False)
    """
    size = len(some)
    places = range(len(within) - size + 1)
    return bool(some) and any(list(within[i : i + size]) == list(some) for i in places)


def plain(text: str) -> list[str]:
    """The words of a text without case, signs and articles.

    >>> plain("The card_arrival."), plain("A")
    (['card', 'arrival'], ['a'])
    """
    said = words(text)
    return [word for word in said if word not in ARTICLES] or said


def sorted_failures(
    records: Sequence[Record], values: Iterable[float]
) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
    """How many answers went wrong, by kind, and the ids of some of each.

    ``values``: the metric of each record, in their order. The examples are taken at even distances,
    since the questions of one document stand together.
    """
    ids: dict[str, list[str]] = {name: [] for name in KINDS}
    for record, value in zip(records, values, strict=True):
        if (name := kind(record, value)) is not None:
            ids[name].append(record.id)
    counts = {name: len(of) for name, of in ids.items() if of}
    return counts, {name: spread(ids[name]) for name in counts}


def spread(ids: Sequence[str], size: int = EXAMPLES) -> tuple[str, ...]:
    """At most ``size`` of ``ids``, from all over.

    >>> spread([str(i) for i in range(12)])
    ('0', '2', '4', '7', '9')
    """
    some = min(size, len(ids))
    return tuple(ids[i * len(ids) // some] for i in range(some))
