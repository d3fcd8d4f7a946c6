"""Citations and grounding of one answer, without a second model.

After ALCE (Gao et al. 2023): recall looks at the sentences, precision at the citations. ALCE asks a
model whether the cited text entails the sentence; here a sentence is supported if Noria's own
grounding found it a quote, and a citation is right if it is of a document that holds the answer.
So recall tells how much of an answer is backed, not that an independent judge agrees.
"""

from collections.abc import Sequence

from noria.answer.sentences import sentences
from noria.evaluate.metrics.partial import Part, part
from noria.evaluate.records import Record
from noria.evaluate.statistics.intervals import Measure


def measures(records: Sequence[Record]) -> dict[str, Measure]:
    """citation_precision, citation_recall and grounded, for arms whose answers were checked."""
    found: dict[str, Measure] = {}
    checked = grounding(records)
    if not checked.records:
        return found
    found["grounded"] = checked.mean(lambda r: r.grounded or 0.0)
    tasks = {r.task for r in checked.records}
    answered = part(records, lambda r: r.task in tasks and meant(r) and is_checked(r))
    if answered.records:
        found["citation_recall"] = answered.mean(cited)
    judged = part(records, lambda r: r.task in tasks and meant(r) and is_checked(r)
                  and bool(r.documents))  # fmt: skip
    if judged.records:
        found["citation_precision"] = judged.mean(rightly_cited)
    return found


def grounding(records: Sequence[Record]) -> Part:
    """The records that were checked against passages, and those of their tasks that failed."""
    tasks = {r.task for r in records if r.grounded is not None}
    return part(records, lambda r: r.task in tasks and is_checked(r))


def is_checked(record: Record) -> bool:
    """Whether the answer was checked against passages, or would have been but for a failure."""
    return record.grounded is not None or record.error is not None


def meant(record: Record) -> bool:
    """Whether an answer was given, or should have been but for a failure."""
    return not record.abstained or record.error is not None


def cited(record: Record) -> float:
    """The share of the draft's sentences that a citation supports; 0 without any sentence."""
    spans = [
        (start, end)
        for start, end in sentences(record.draft or record.answer)
        if any(c.isalnum() for c in (record.draft or record.answer)[start:end])
    ]
    if not spans:
        return 0.0
    supported = [c.supports for c in record.citations]
    held = [any(start < e and s < end for s, e in supported) for start, end in spans]
    return sum(held) / len(spans)


def rightly_cited(record: Record) -> float:
    """The share of the citations that are of the question's documents; 0 without a citation."""
    if not record.citations:
        return 0.0
    return sum(c.document in record.documents for c in record.citations) / len(record.citations)
