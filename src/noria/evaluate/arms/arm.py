"""The ways to answer that are compared. An arm is configuration, not code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from noria.config import ArmSettings
from noria.errors import UsageError


@dataclass(frozen=True, slots=True)
class Arm:
    """A way to answer.

    ``passages``: what the model may read: nothing (closed book), what the funnel retrieves, or the
    gold passage. For labelled tasks, what is retrieved are the nearest labelled examples.
    ``examples``: how many worked examples stand before the question, the same for all questions.
    ``generator``: the source of the model that writes; empty for the one of the settings.
    ``objectives``: what the release that writes was tuned for, the first that there is; none: the
    model as it was. ``release``: the id of that release, when it is known, or ``READER``.
    """

    name: str
    passages: str = "none"
    examples: int = 0
    generator: str = ""
    about: str = ""
    objectives: tuple[str, ...] = ()
    release: str = ""


READER = "reader"  # in place of an id: the release that comes with Noria
BUILT_IN = {
    arm.name: arm
    for arm in (
        Arm("base", about="the base model alone, closed book"),
        Arm("rag", "retrieved", about="the base model reads what is retrieved"),
        Arm("rag-fewshot", "retrieved", 3, about="as rag, after three worked examples"),
        Arm("oracle", "gold", about="the base model reads the gold passage"),
        Arm(
            "tuned",
            about="the tuned model alone, closed book",
            objectives=("sft", "radit", "raft"),
        ),
        Arm(
            "tuned+rag",
            "retrieved",
            about="the tuned model reads what is retrieved",
            objectives=("radit", "raft", "sft", "retriever"),
        ),
        Arm(
            "reader",
            "retrieved",
            about="the base model reads with the adapter that comes with Noria",
            release=READER,
        ),
    )
}


def chosen(names: Sequence[str], configured: Mapping[str, ArmSettings]) -> tuple[Arm, ...]:
    """The arms of these names; ``configured`` are those of the settings.

    Raises UsageError for an unknown name, or one given twice.

    >>> [arm.passages for arm in chosen(["base", "rag"], {})]
    ['none', 'retrieved']
    """
    if taken := sorted(BUILT_IN.keys() & configured.keys()):
        raise UsageError(f"arms.{taken[0]}: this name has a meaning of its own; choose another")
    own = {
        name: Arm(
            name,
            each.passages,
            each.examples,
            each.generator,
            each.about,
            release=each.release,
        )
        for name, each in configured.items()
    }
    known = {**BUILT_IN, **own}
    if not names:
        raise UsageError(f"no arms; expected some of: {', '.join(known)}")
    for name in names:
        if name not in known:
            raise UsageError(f"unknown arm {name!r}; known: {', '.join(known)}")
    if len({name.casefold() for name in names}) < len(names):  # as some disks see their files
        raise UsageError(f"an arm is named twice in {','.join(names)}; name each once")
    return tuple(known[name] for name in names)
