"""From a file of examples to those to learn from, those held out, and the texts they are about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from noria.errors import UsageError
from noria.evaluate import beir
from noria.evaluate.questions import Question
from noria.evaluate.sample import by_importance
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.data import read as reading
from noria.tune.data.repeats import leaks
from noria.tune.data.split import by_split, split
from noria.tune.data.store import dataset
from noria.tune.examples import Dataset, Example
from noria.types import Document

HELD_OUT = 256  # examples that are held out at most: enough to see a loss rise


@dataclass(frozen=True, slots=True)
class Material:
    """What is learnt from and what is held out, with what was wrong.

    ``whole``: both, as the data set that the release names. ``texts``: the contexts that come with
    the examples, from which passages are retrieved; empty where examples bring none.
    """

    whole: Dataset
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    texts: tuple[Document, ...]
    problems: tuple[str, ...] = ()


def gathered(
    file: Path,
    held_out: Path | None,
    share: float,
    most: int | None,
    seed: int,
    progress: Progress = silent,
) -> Material:
    """The material in ``file``; held out is ``share`` of it, or what the file ``held_out`` holds.

    ``most``: examples to learn from at most, a stratified sample of them. Examples to learn from
    that are held out too, word for word or nearly, are left out and told. Raises DataError for a
    file without examples, UsageError where none can be held out.
    """
    progress("reading", 0, 2)
    found = reading.read(file)
    problems = list(found.problems)
    learnt = of_training(found.examples, problems)
    if held_out is None:
        train, apart = split(learnt, share, seed)
    else:
        other = reading.read(held_out)
        problems += other.problems
        train, apart = without(learnt, other.examples, problems)
    progress("reading", 2, 2)
    train, apart = sampled(train, most, seed), sampled(apart, HELD_OUT, seed)
    if not train or not apart:
        why = f" ({problems[-1]})" if problems else ""
        raise UsageError(
            f"{len(train)} examples to learn from and {len(apart)} held out; expected some of "
            f"each{why}"
        )
    whole = dataset((*train, *apart))
    return Material(whole, train, apart, texts((*learnt, *apart)), tuple(problems))


def answered(material: Material) -> Material:
    """The material without examples of which only a wrong answer is known."""
    sides = material.train, material.held_out
    kept = [tuple(each for each in side if each.says_what_is_right) for side in sides]
    if not (left_out := sum(map(len, sides)) - sum(map(len, kept))):
        return material
    told = f"{left_out} examples only say which answer is wrong; nothing is learnt from them here"
    train, held_out = kept
    return replace(material, train=train, held_out=held_out, problems=(*material.problems, told))


def of_training(examples: Sequence[Example], problems: list[str]) -> tuple[Example, ...]:
    """The examples but for those that the file says to be of another split; these are told."""
    _, others = by_split(examples)
    if others:
        problems.append(
            f"{len(others)} examples are of another split than train; they are left out"
        )
    left_out = {each.id for each in others}
    kept = tuple(each for each in examples if each.id not in left_out)
    if others and not kept:
        raise UsageError(f"nothing to learn from: {problems[-1]}")
    return kept


def without(
    examples: Sequence[Example], apart: Sequence[Example], problems: list[str]
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The examples that are not in ``apart`` too, whose ids are made its own; what left is told."""
    leaked = leaks(examples, apart)
    places = leaked.exact.keys() | leaked.near.keys()
    if places:
        problems.append(
            f"{len(places)} examples are held out too ({len(leaked.exact)} word for word); "
            "they are not learnt from"
        )
    kept = tuple(each for place, each in enumerate(examples) if place not in places)
    taken = {each.id for each in kept}
    renamed = tuple(
        replace(each, question=replace(each.question, id=f"held out {each.id}"))
        if each.id in taken
        else each
        for each in apart
    )
    return kept, renamed


def sampled(examples: Sequence[Example], most: int | None, seed: int) -> tuple[Example, ...]:
    """At most so many, by importance: of each stratum its share, in the order that they had.

    Examples on one text are taken together as far as they go, since they are read together.
    """
    if most is None or len(examples) <= most:
        return tuple(examples)
    texts: dict[str, list[Example]] = {}
    for each in examples:
        texts.setdefault(each.question.context or each.id, []).append(each)
    first = {group[0].id: group for group in texts.values()}
    order = by_importance([group[0].question for group in texts.values()], seed)
    kept: set[str] = set()
    for question in order:
        for each in first[question.id]:
            if len(kept) < most:
                kept.add(each.id)
    return tuple(each for each in examples if each.id in kept)


def texts(examples: Sequence[Example]) -> tuple[Document, ...]:
    """The distinct contexts as the documents that their questions name; of one document, joined."""
    titles: dict[str, str] = {}
    parts: dict[str, dict[str, None]] = {}
    for each in examples:
        question = each.question
        if question.context is not None:
            name = document_of(question)
            titles.setdefault(name, question.slice.get("article", "").replace("_", " "))
            parts.setdefault(name, {})[question.context] = None
    return tuple(
        beir.document(name, titles[name], "\n\n".join(contexts)) for name, contexts in parts.items()
    )


def document_of(question: Question) -> str:
    """The document that a question's context is a part of; without a name, it is one by itself."""
    return question.documents[0] if question.documents else question.id
