"""Turns a comparison into what its page shows: words and places, nothing of HTML."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noria.evaluate.records import Record
from noria.evaluate.report import charts, forgot
from noria.evaluate.report.advice import advise, headline
from noria.evaluate.report.choose import is_gold, seconds, tokens
from noria.evaluate.report.failures import KINDS
from noria.evaluate.report.figures import change, count, duration, figure, span
from noria.evaluate.results import ArmResult, Comparison, Gap, Interval, Slice

RIGHT = "right"
SHOWN = 5  # examples of each kind of failure
LONG = 320  # characters of a text that are seen before it is unfolded
QUOTES = 3  # citations shown of an answer
RETRIEVAL = ("ndcg", "recall@", "mrr", "map", "precision@")
SURE = ("coverage", "risk", "aurc", "ece", "auroc")
SPENT = ("tokens", "seconds")
LABELLED = ("classification", "summarization", "translation")  # tasks shown labelled examples
MEANINGS = {
    "em": "share of answers that are exactly right, but for case, signs and articles",
    "f1": "overlap of the words of the answer and of the right one: 0 none, 1 the same words",
    "rouge1": "overlap of single words with the right text",
    "rouge2": "overlap of pairs of words with the right text",
    "rougeL": "longest sequence of words shared with the right text",
    "accuracy": "share of questions for which the right label or choice was given",
    "macro_f1": "F1 of each label, averaged, so that rare labels count as much as frequent ones",
    "entity_f1": "overlap of the names and numbers in the answer and in the right one",
    "chrf": "overlap of character sequences with the right translation, 0 to 100",
    "bleu": "overlap of word sequences with the right translation, 0 to 100",
    "distinct1": "share of words that are not repeated over all answers",
    "distinct2": "share of pairs of words that are not repeated over all answers",
    "self_bleu": "how much the answers are like each other, 0 to 100; lower is more diverse",
    "citation_precision": "share of citations that lead to a document that holds the answer",
    "citation_recall": "share of the sentences that a citation supports",
    "grounded": "how far the answers rest on the passages",
    "ndcg@10": "how early the documents that hold the answer stand among the first ten",
    "recall@10": "share of the documents that hold the answer that are among the first ten",
    "mrr@10": "1 divided by the place of the first document that holds the answer",
    "map": "precision, averaged over the places of the documents that hold the answer",
    "risk": "how wrong the answers given are, on average; lower is better",
    "aurc": "risk, averaged over all thresholds of confidence; lower is better",
    "ece": "how far confidence is from the share of right answers; lower is better",
    "tokens": "read and written for a question; lower is better",
    "seconds": "for a question; lower is better",
    "coverage": "share of questions that were answered, not abstained from",
    "auroc_answerable": "how well confidence tells answerable questions from others: 0.5 is chance",
}


def view(comparison: Comparison, records: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """What the template is given."""
    arms = list(comparison.arms.values())
    return {
        "verdict": verdict(comparison),
        "advice": comparison.advice or advise(comparison),
        "primary": comparison.primary,
        "meanings": {name: MEANINGS[name] for name in metric_names(arms) if name in MEANINGS},
        "questions": max((arm.questions for arm in arms), default=0),
        "arms": arms,
        "means": means(comparison),
        "differences": differences(comparison),
        "gold": [arm.name for arm in arms if is_gold(arm)],
        "costs": costs(comparison),
        "cost_rows": [
            (arm.name, count(tokens(arm)), duration(seconds(arm)), duration(arm.seconds),
             duration(arm.training_seconds) if arm.training_seconds else "none")
            for arm in arms
        ],
        "bars": [bar(arm) for arm in arms if arm.questions],
        "labelled": any(r.task in LABELLED for answered in records.values() for r in answered),
        "kinds": [(i, kind) for i, kind in enumerate((RIGHT, *kinds(arms))) if kind],
        "curves": confidence(arms),
        "tables": tables(arms),
        "forgetting": forgot.table(comparison.forgetting) if comparison.forgetting else None,
        "gaps": [(g, gap_text(g), figure(g.detectable)) for g in comparison.differences],
        "slices": slices(arms),
        "served_worse": sum(each.worse for arm in arms for each in arm.slices),
        "failures": [failures(arm, records.get(arm.name, ())) for arm in arms if arm.errors],
        "about": {name: in_words(value) for name, value in comparison.about.items()},
        "problems": comparison.problems,
        "box": charts,
    }  # fmt: skip


def verdict(comparison: Comparison) -> str:
    """The headline without its figures: they stand below it."""
    figures = rf" [(\[]|;|: {re.escape(comparison.primary)} "
    return re.split(figures, headline(comparison))[0].removesuffix(".")


def means(comparison: Comparison) -> charts.Dots:
    """The primary metric of each arm."""
    rows = []
    for arm in comparison.arms.values():
        of = arm.metrics.get(comparison.primary)
        if of is not None and known(of.mean, of.low, of.high):
            tone = "gold" if is_gold(arm) else "plain"
            text = f"{figure(of.mean)} {span(of.low, of.high)}"
            rows.append(charts.Figure(arm.name, text, of.mean, of.low, of.high, tone))
    return charts.dots(rows)


def differences(comparison: Comparison) -> charts.Dots:
    """The paired differences of the primary metric."""
    rows = []
    for gap in comparison.differences:
        if gap.metric != comparison.primary or not known(gap.mean, gap.low, gap.high):
            continue
        tone = "better" if gap.low > 0 else "worse" if gap.high < 0 else "unclear"
        label = f"{gap.b} against {gap.a}"
        rows.append(charts.Figure(label, gap_text(gap), gap.mean, gap.low, gap.high, tone))
    return charts.dots(rows, around_zero=True)


def gap_text(gap: Gap) -> str:
    """A difference with its interval, in words."""
    if not known(gap.mean, gap.low, gap.high):
        return "none"
    return change(gap.mean, gap.low, gap.high)


def costs(comparison: Comparison) -> list[charts.Scatter]:
    """The primary metric against each cost that was measured."""
    quality = {
        name: (of.mean, of.low, of.high)
        for name, arm in comparison.arms.items()
        if (of := arm.metrics.get(comparison.primary)) is not None
        and known(of.mean, of.low, of.high)
        and arm.questions
    }
    arms = {name: comparison.arms[name] for name in quality}
    spent = {name: seconds(arm) for name, arm in arms.items()}
    trained = {name: arm.training_seconds for name, arm in arms.items()}
    measured = {
        "tokens a question": {name: tokens(arm) for name, arm in arms.items()},
        f"{unit(spent)[0]} a question": scaled(spent),
        f"{unit(trained)[0]} of training": scaled(trained),
    }
    return [
        charts.scatter(title, cost, quality)
        for title, cost in measured.items()
        if any(cost.values())
    ]


def unit(times: Mapping[str, float]) -> tuple[str, float]:
    """The unit that fits the longest of ``times``, and its seconds.

    >>> unit({"base": 0.4, "rag": 3.0}), unit({"tuned": 840.0})
    (('seconds', 1.0), ('minutes', 60.0))
    """
    longest = max(times.values(), default=0.0)
    if longest < 120:
        return "seconds", 1.0
    return ("minutes", 60.0) if longest < 7200 else ("hours", 3600.0)


def scaled(times: Mapping[str, float]) -> dict[str, float]:
    """Times in the unit that fits them."""
    return {name: time / unit(times)[1] for name, time in times.items()}


def kinds(arms: Sequence[ArmResult]) -> list[str]:
    """The kinds of failure in their order, empty where there is none of it; unknown ones last."""
    seen = dict.fromkeys(kind for arm in arms for kind, number in arm.errors.items() if number)
    return [kind if kind in seen else "" for kind in KINDS] + [k for k in seen if k not in KINDS]


def bar(arm: ArmResult) -> charts.Bar:
    """What became of the questions of an arm."""
    right = arm.questions - sum(arm.errors.values())
    more = [kind for kind in arm.errors if kind not in KINDS]
    return charts.stacked(arm.name, {RIGHT: right, **arm.errors}, (RIGHT, *KINDS, *more))


def confidence(arms: Sequence[ArmResult]) -> charts.Curves | None:
    """The curves of the arms that say how sure they are."""
    by_arm = {arm.name: arm.curve for arm in arms if arm.curve}
    return charts.curves(by_arm, [arm.name for arm in arms]) if by_arm else None


@dataclass(frozen=True, slots=True)
class Table:
    """Metrics, a row each: the name, and a cell for each arm."""

    title: str
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def tables(arms: Sequence[ArmResult]) -> list[Table]:
    """All metrics: of the answers, of what was retrieved, of confidence and of cost."""
    names = metric_names(arms)
    groups: dict[str, list[str]] = {"Answers": []}
    for name in names:
        groups.setdefault(group(name), []).append(name)
    return [
        Table(title, tuple((n, tuple(cell(arm.metrics.get(n)) for arm in arms)) for n in some))
        for title, some in groups.items()
        if some
    ]


def group(name: str) -> str:
    """The table in which a metric stands."""
    if name.startswith(RETRIEVAL):
        return "Retrieval"
    if name.startswith(SURE):
        return "Confidence"
    return "Cost" if name in SPENT else "Answers"


def metric_names(arms: Sequence[ArmResult]) -> list[str]:
    """The metrics of any arm, in the order in which they come."""
    return list(dict.fromkeys(name for arm in arms for name in arm.metrics))


def cell(of: Interval | None) -> tuple[str, str]:
    """A metric and its interval."""
    if of is None or not known(of.mean):
        return ("", "")
    return figure(of.mean), span(of.low, of.high) if known(of.low, of.high) else "no interval"


def slices(arms: Sequence[ArmResult]) -> list[tuple[str, Slice, str]]:
    """All slices with the difference to the rest, those that are served worst first."""
    every = [(arm.name, each) for arm in arms for each in arm.slices]
    every.sort(key=lambda named: (not named[1].worse, named[1].low))
    return [
        (name, each, change(each.here.mean - each.rest.mean, each.low, each.high))
        for name, each in every
    ]


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it is seen; ``rest`` follows when it is unfolded."""

    first: str
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A question that went wrong."""

    id: str
    question: Text
    gold: Text
    answer: Text
    draft: Text
    quotes: tuple[tuple[str, Text], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong with an arm: each kind with its number and some examples."""

    arm: str
    kinds: tuple[tuple[str, int, tuple[Example, ...]], ...]


def failures(arm: ArmResult, records: Sequence[Record]) -> Failures:
    """The failures of an arm, the most frequent kind first."""
    by_id = {record.id: record for record in records}
    missing = {id for ids in arm.examples.values() for id in ids} - by_id.keys()
    if missing:
        raise ValueError(f"arm {arm.name!r}: examples without a record: {sorted(missing)[:3]}")
    frequent = sorted(arm.errors.items(), key=lambda kind: -kind[1])
    return Failures(
        arm.name,
        tuple(
            (kind, number, tuple(example(by_id[id]) for id in arm.examples.get(kind, ())[:SHOWN]))
            for kind, number in frequent
            if number
        ),
    )


def example(record: Record) -> Example:
    """What is shown of a record."""
    gold = " | ".join(dict.fromkeys(record.answers))
    notes = [f"confidence {figure(record.confidence)}"] if record.confidence is not None else []
    if record.grounded is not None:
        notes.append(f"grounded {figure(record.grounded)}")
    if record.retrieved:
        what, does = "passages", "holds the answer"
        if record.task in LABELLED:
            what, does = "examples", "has the right label"
        holds = {True: f", one {does}", False: f", none {does}", None: ""}[record.found]
        notes.append(f"{len(record.retrieved)} {what} shown{holds}")
    if record.error:
        notes.append(f"error: {record.error}")
    if record.cut:
        notes.append("cut off")
    notes += [f"{field} = {value}" for field, value in record.slice.items()]
    return Example(
        record.id,
        folded(record.question),
        folded("none: to abstain is right" if record.unanswerable else gold or "not known"),
        folded(record.answer),
        folded(record.draft if record.abstained else ""),
        tuple((c.document or c.id, folded(c.quote)) for c in record.citations[:QUOTES]),
        tuple(notes),
    )


def folded(text: str) -> Text:
    """A long text in two pieces, cut between words.

    >>> folded("short").rest, folded("word " * 100).first[-9:]
    ('', 'word word')
    """
    text = text.strip()
    if len(text) <= LONG:
        return Text(text)
    end = text.rfind(" ", LONG // 2, LONG)
    end = LONG if end < 0 else end
    return Text(text[:end], text[end:])


def in_words(value: object) -> str:
    """A setting as the page shows it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def known(*values: float) -> bool:
    """Whether all are numbers."""
    return all(math.isfinite(value) for value in values)
