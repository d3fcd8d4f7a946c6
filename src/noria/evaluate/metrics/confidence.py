"""What an arm's confidence is worth: the curve of coverage and risk, and a threshold to abstain at.

An answer counts as it was written, abstained or not: else the confidence would be judged by the
threshold that was set before. Arms that tell no confidence, such as closed book, have none of this.
"""

from collections.abc import Sequence

import numpy as np

from noria.evaluate.metrics import abstention
from noria.evaluate.metrics.abstention import Threshold
from noria.evaluate.metrics.partial import placed
from noria.evaluate.metrics.quality import drafts, qualities
from noria.evaluate.records import Record
from noria.evaluate.statistics.intervals import Measure, Values


def measures(records: Sequence[Record]) -> dict[str, Measure]:
    """auroc_answerable where both kinds are there, aurc, and ece."""
    sure, right = confidences(records), qualities(drafts(records))
    found: dict[str, Measure] = {}
    told = np.flatnonzero(~np.isnan(sure) & ~np.isnan(right))
    if len(told):
        found["aurc"] = placed(records, told).lifted(abstention.aurc(sure[told], right[told]))
    given = told[np.isfinite(sure[told])]  # a failure foretold nothing
    if len(given):
        found["ece"] = placed(records, given).lifted(abstention.ece(sure[given], right[given]))
    either = np.flatnonzero(~np.isnan(sure))
    able = np.array([not records[at].unanswerable for at in either.tolist()], dtype=np.bool_)
    if able.any() and not able.all():
        # a failure is on the wrong side of all others, whichever side is right
        ranked = np.where(able | np.isfinite(sure[either]), sure[either], np.inf)
        found["auroc_answerable"] = placed(records, either).lifted(abstention.auroc(ranked, able))
    return found


def curve(
    records: Sequence[Record], metric_values: Values | None = None
) -> tuple[tuple[float, float], ...]:
    """Share of questions answered, and the metric on those, by falling confidence.

    ``metric_values``: one number a record; by default the quality of what was written, abstained
    or not. Records without confidence, or without a number, are left out; failures come last.
    """
    values = qualities(drafts(records)) if metric_values is None else metric_values
    sure = confidences(records)
    told = ~np.isnan(sure) & ~np.isnan(values)
    return abstention.points(sure[told], values[told])


def threshold(records: Sequence[Record], risk: float, seed: int) -> Threshold | None:
    """The confidence below which to abstain at a mean ``risk``; fitted on half of the questions.

    ``risk`` is 1 minus the quality of what is answered. What the threshold gives is measured on the
    other half, which has other documents. None for an arm that tells no confidence. Raises
    UsageError where all questions share documents.
    """
    sure, right = confidences(records), qualities(drafts(records))
    told = np.flatnonzero(~np.isnan(sure) & ~np.isnan(right))
    if not len(told):
        return None
    documents = [records[at].documents or (records[at].id,) for at in told.tolist()]
    return abstention.fitted(sure[told], right[told], documents, risk, seed)


def confidences(records: Sequence[Record]) -> Values:
    """The confidence of each record, and NaN where none is told.

    A failure in a task whose other records tell theirs: minus infinity, so that it comes last.
    """
    tasks = {r.task for r in records if r.confidence is not None}
    sure = np.array(
        [np.nan if r.confidence is None else r.confidence for r in records], dtype=np.float64
    )
    failed = [r.error is not None and r.task in tasks for r in records]
    return np.where(failed, -np.inf, sure)
