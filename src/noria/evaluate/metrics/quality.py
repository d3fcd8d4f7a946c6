"""How right one answer is, by the metric that decides for its task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from noria.evaluate.metrics import labels, text, translation
from noria.evaluate.questions import Task
from noria.evaluate.records import Record
from noria.evaluate.statistics.intervals import Values

PRIMARY: Mapping[Task, str] = {
    "qa": "f1",
    "classification": "accuracy",
    "choice": "accuracy",
    "summarization": "rougeL",
    "chat": "rougeL",
    "translation": "chrf",
}
WRITTEN = ("summarization", "chat", "translation")  # their metrics compare with a right text


def primary(records: Sequence[Record]) -> str:
    """The metric that decides: that of the ``decisive`` task. Raises ValueError without records."""
    return PRIMARY[decisive(records)]


def decisive(records: Sequence[Record]) -> Task:
    """The task of most records to which the metric of their task applies, of equals the first.

    Where it applies to none, that of most records. Raises ValueError without any record.
    """
    if not records:
        raise ValueError("no records; expected at least one, to know what was asked")
    told = [r for r in records if (answerable(r) if r.task in WRITTEN else known(r))] or records
    ((task, _),) = Counter(record.task for record in told).most_common(1)
    return task


def known(record: Record) -> bool:
    """Whether it is known what is right: an answer, or that there is none."""
    return bool(record.answers) or record.unanswerable


def answerable(record: Record) -> bool:
    """Whether there is a right answer, and it is known."""
    return bool(record.answers) and not record.unanswerable


def quality(record: Record) -> float:
    """How right an answer is, 0 to 1; 0 for a failure, NaN where nothing is known.

    By F1 for qa, the label for classification and choice, ROUGE-L for summarization and chat, and
    chrF of the sentence for translation. To an unanswerable question only silence is right.
    """
    if not known(record):
        return float("nan")
    if record.error is not None:
        return 0.0
    if record.task == "qa":
        return text.f1(text.said(record), wanted(record))
    if record.unanswerable:
        return float(text.silent(record))
    match record.task:
        case "classification" | "choice":
            return labels.correct(record)
        case "summarization" | "chat":
            return text.rouge_l(text.said(record), record.answers)
        case "translation":
            return translation.sentence_chrf(text.said(record), record.answers) / 100


def wanted(record: Record) -> Sequence[str]:
    """The right answers, of which an unanswerable question has none."""
    return () if record.unanswerable else record.answers


def qualities(records: Sequence[Record]) -> Values:
    """``quality`` of each record."""
    return np.array([quality(record) for record in labels.with_choices(records)], dtype=np.float64)


def drafts(records: Sequence[Record]) -> list[Record]:
    """The records as if the arm had never abstained: what was written counts as the answer."""
    return [replace(r, answer=r.draft, abstained=False) if r.abstained else r for r in records]
