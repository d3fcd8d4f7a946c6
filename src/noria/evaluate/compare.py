"""From the records of the arms to what they say: figures, differences, failures, advice.

Reads nothing but records, so that a report's folder is enough to compute all of it again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from noria.evaluate.metrics.confidence import curve
from noria.evaluate.metrics.measures import measures
from noria.evaluate.metrics.quality import primary, qualities
from noria.evaluate.questions import Task
from noria.evaluate.records import Record
from noria.evaluate.report.advice import advise
from noria.evaluate.report.failures import sorted_failures
from noria.evaluate.results import ArmResult, Comparison, Gap, Interval
from noria.evaluate.statistics.intervals import Measure, Values, gaps, intervals
from noria.evaluate.statistics.power import detectable, deviation
from noria.evaluate.statistics.slices import slices

if TYPE_CHECKING:
    import numpy as np

Records = Mapping[str, Sequence[Record]]


def compare(
    records: Records,
    rng: "np.random.Generator",
    about: Mapping[str, Any],
    abouts: Mapping[str, str],
    problems: Sequence[str] = (),
) -> Comparison:
    """The arms side by side. All must have answered the same questions, in the same order.

    ``about``: how they were run; ``abouts``: each arm in a few words.
    """
    first = next(iter(records.values()))
    size = len(first)
    measured = {name: measures(answered) for name, answered in records.items()}
    right = {name: qualities(answered) for name, answered in records.items()}
    decides = primary(first)
    sliced = slices(records, right, decides)
    arms = {
        name: replace(
            arm(name, answered, intervals(measured[name], size, rng), right[name]),
            about=abouts.get(name, ""),
            slices=sliced.arms.get(name, ()),
        )
        for name, answered in records.items()
    }
    found = Comparison(
        arms,
        differences(measured, size, rng),
        decides,
        advice="",
        about={**about, "task": task_of(first)},
        problems=(*problems, *sliced.problems),
    )
    return replace(found, advice=advise(found))


def task_of(records: Sequence[Record]) -> Task:
    """The task that most records have."""
    ((task, _),) = Counter(record.task for record in records).most_common(1)
    return task


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
    """Every two arms, in every metric that both have, over the same ``size`` questions."""
    found = []
    for (a, ours), (b, theirs) in combinations(measured.items(), 2):
        for metric, (mean, low, high) in gaps(ours, theirs, size, rng).items():
            least = detectable(deviations(ours[metric], theirs[metric], low, high, size), size)
            found.append(Gap(a, b, metric, mean, low, high, size, least))
    return tuple(found)


def deviations(
    ours: Measure, theirs: Measure, low: float, high: float, size: int
) -> "Values | float":
    """The differences question by question, or their deviation where the figures are no means."""
    import numpy as np

    if ours.values is None or theirs.values is None:
        return deviation(low, high, size)
    apart = theirs.values - ours.values
    return apart[np.isfinite(apart)]
