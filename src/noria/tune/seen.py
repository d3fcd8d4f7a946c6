"""Which questions of a test a release has learnt from: what it answers of them proves nothing."""

from collections.abc import Sequence

from noria.evaluate.questions import Question
from noria.store.registry import Registry
from noria.tune.data.read import read
from noria.tune.data.repeats import Leaks, leaks
from noria.tune.examples import Example


def seen(registry: Registry, release: str, questions: Sequence[Question]) -> Leaks:
    """Places of the questions that are in the data sets of a release, word for word or nearly."""
    learnt: list[Example] = []
    for each in registry.lineage(registry.get(release)):
        if each.kind == "dataset":
            learnt += read(registry.artifacts.path(each.parts["dataset"])).examples
    return leaks([Example(question, "") for question in questions], learnt)
