"""From the records of the arms to what they say: figures, differences, failures, advice.

Reads nothing but records, so that a report's folder is enough to compute all of it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from noria.evaluate.arms.arm import Arm
from noria.evaluate.metrics.confidence import curve
from noria.evaluate.metrics.measures import PERCENT, measures
from noria.evaluate.metrics.quality import decisive, primary, qualities
from noria.evaluate.questions import Task
from noria.evaluate.records import Record
from noria.evaluate.report.advice import advise
from noria.evaluate.report.failures import sorted_failures
from noria.evaluate.results import ArmResult, Comparison, Forgetting, Gap, Interval
from noria.evaluate.statistics.intervals import Measure, Values, fewer, gaps, intervals
from noria.evaluate.statistics.power import detectable, deviation
from noria.evaluate.statistics.slices import Sliced, slices

if TYPE_CHECKING:
    import numpy as np

Records = Mapping[str, Sequence[Record]]


def compare(
    records: Records,
    rng: "np.random.Generator",
    about: Mapping[str, Any],
    configured: Mapping[str, Arm],
    problems: Sequence[str] = (),
    forgetting: Forgetting | None = None,
) -> Comparison:
    """The arms side by side. All must have answered the same questions, in the same order.

    ``about``: how they were run; ``configured``: the arms of these names, as far as they are known.
    ``forgetting``: what the models behind them forgot, where it was measured.
    """
    first = next(iter(records.values()))
    size = len(first)
    measured = {name: measures(answered) for name, answered in records.items()}
    right = {name: qualities(answered) for name, answered in records.items()}
    task, decides = decisive(first), primary(first)
    sliced = slices_of(records, right, task, decides)
    unknown = Arm("", passages="")
    arms = {
        name: replace(
            arm(name, answered, intervals(measured[name], size, rng), right[name]),
            about=configured.get(name, unknown).about,
            passages=configured.get(name, unknown).passages,
            slices=sliced.arms.get(name, ()),
        )
        for name, answered in records.items()
    }
    found = Comparison(
        arms,
        differences(measured, size, rng),
        decides,
        advice="",
        about={**about, "task": task},
        problems=tuple(dict.fromkeys((*problems, *sliced.problems))),  # those may be a report's
        forgetting=forgetting,
    )
    return replace(found, advice=advise(found))


def slices_of(records: Records, right: Mapping[str, "Values"], task: Task, metric: str) -> Sliced:
    """The slices of the questions of one task: some tasks are harder, and would seem served worse.

    On the scale of ``metric``, which decides for that task.
    """
    scale = 100.0 if metric in PERCENT else 1.0
    own = {name: [at for at, r in enumerate(of) if r.task == task] for name, of in records.items()}
    return slices(
        {name: [records[name][at] for at in places] for name, places in own.items()},
        {name: right[name][places] * scale for name, places in own.items()},
        metric,
    )


def arm(
    name: str, answered: Sequence[Record], metrics: Mapping[str, Interval], right: "Values"
) -> ArmResult:
    """What one arm did, by its records; ``right``: how right each answer is."""
    counts, examples = sorted_failures(answered, right.tolist())
    return ArmResult(
        name,
        metrics,
        seconds=sum(record.seconds for record in answered),
        tokens=sum(record.prompt_tokens + record.completion_tokens for record in answered),
        questions=len(answered),
        errors=counts,
        examples=examples,
        curve=curve(answered),
    )


def differences(
    measured: Mapping[str, Mapping[str, Measure]], size: int, rng: "np.random.Generator"
) -> tuple[Gap, ...]:
    """Every two arms, in every metric that both have, over the same ``size`` questions.

    Each tells how many of them the metric applies to, in the arm with fewer.
    """
    found = []
    for (a, ours), (b, theirs) in combinations(measured.items(), 2):
        for metric, (mean, low, high) in gaps(ours, theirs, size, rng).items():
            n = fewer(ours[metric], theirs[metric], size)
            least = detectable(deviations(ours[metric], theirs[metric], low, high, n), n)
            found.append(Gap(a, b, metric, mean, low, high, n, least))
    return tuple(found)


def deviations(
    ours: Measure, theirs: Measure, low: float, high: float, size: int
) -> "Values | float":
    """The differences question by question, or their deviation where the figures are no means."""
    import numpy as np

    if ours.values is None or theirs.values is None:
        return deviation(low, high, size)
    apart = theirs.values - ours.values
    paired = np.isfinite(apart)
    if paired.sum() < min(ours.questions(0), theirs.questions(0)):  # not of the same questions
        return deviation(low, high, size)
    return apart[paired]
