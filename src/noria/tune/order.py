"""What a tuning is to do, and everything that it learns from, made ready before anything moves."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from noria.errors import UsageError
from noria.jobs import silent
from noria.protocols import Progress
from noria.tune.data.store import digest
from noria.tune.material import Material, answered, gathered
from noria.tune.objectives import Objective, lessons
from noria.tune.render import Lesson, Renderer
from noria.tune.replay import beside
from noria.tune.sft import Lessons
from noria.tune.teaching import RECIPES, Teacher, searching
from noria.tune.train import Recipe
from noria.tune.weights import Movable
from noria.tune.workshop import Workshop
from noria.types import Manner

LISTED = 10  # problems that are told one by one
GENERATOR = ("sft", "raft", "radit")  # objectives that move the generator
RETRIEVER: Mapping[str, Teacher] = {"radit": "likelihoods", "retriever": "contrast"}


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted.

    ``most``: examples to learn from at most; ``share``: of them held out, where no file is.
    ``ingested``: passages are those that were ingested, even where the examples bring texts.
    ``limit``: tokens of a lesson, at most what is served. ``manner``: how passages are read, in
    training and in service. ``replay``: share of general lessons, from the file ``replay_from`` or
    in the base's own voice; never of the folder ``general``, with which forgetting is measured.
    """

    objective: Objective
    file: Path
    held_out: Path | None = None
    share: float = 0.1
    most: int | None = None
    limit: int | None = None
    manner: Manner = "together"
    ingested: bool = False
    movable: Movable = field(default_factory=Movable)
    recipe: Recipe = field(default_factory=Recipe)
    replay: float = 0.0
    replay_from: Path | None = None
    general: Path | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is learnt, before anything moves. The retriever alone has no lessons.

    ``teacher``: who teaches the retriever, if it learns.
    """

    material: Material
    train: Lessons
    held_out: Lessons
    recipe: Mapping[str, Any]
    teacher: Teacher | None = None
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """All that was wrong with the data."""
        sides = self.train, self.held_out
        cut = [
            f"{lesson.id}: the prompt loses {lesson.lost} tokens of its middle; allow more "
            "(--limit), or ask for less"
            for side in sides
            for lesson in side.lessons
            if lesson.lost
        ]
        wrong = [problem for side in sides for problem in side.problems]
        return (*self.notes, *self.material.problems, *wrong, *cut)

    @property
    def listed(self) -> tuple[str, ...]:
        """The first of them, and how many more there are."""
        told, more = self.problems[:LISTED], len(self.problems) - LISTED
        return (*told, f"… and {more} more; noria data check lists them all") if more > 0 else told


def prepare(order: Order, at: Workshop, progress: Progress = silent) -> Prepared:
    """The lessons of an order. Raises UsageError where none is left."""
    material = gathered(
        order.file, order.held_out, order.share, order.most, order.recipe.seed, progress
    )
    if order.ingested:
        material = replace(material, texts=())
    if order.objective in GENERATOR:
        material = answered(material)
    teacher, notes = teaching(order, material)
    recipe = recipe_of(order, at, teacher)
    if order.objective not in GENERATOR:
        return Prepared(material, Lessons(()), Lessons(()), recipe, teacher, notes)
    tokenizer = at.tokenizer
    renderer = Renderer(tokenizer, longest(order, at))
    asked = order.objective, order.manner, material, at, renderer, order.recipe.seed
    learnt, held_out = lessons(*asked, progress)
    if not learnt.lessons or not held_out.lessons:
        first = next(iter((*learnt.problems, *held_out.problems)), "no example has a response")
        raise UsageError(f"{order.file}: nothing is left to learn or to hold out: {first}")
    if order.replay:
        replay = beside(
            learnt.lessons,
            order.replay,
            renderer,
            tokenizer,
            longest(order, at),
            at.base,
            at.home,
            order.replay_from,
            order.general,
            order.recipe.seed,
            progress,
        )
        learnt = Lessons((*learnt.lessons, *replay.lessons), (*learnt.problems, *replay.problems))
        recipe |= {"replay": round(replay.share, 4), "replay_source": replay.source}
    return Prepared(material, learnt, held_out, recipe, teacher, notes)


def teaching(order: Order, material: Material) -> tuple[Teacher | None, tuple[str, ...]]:
    """Who teaches the retriever, and a word where the data leave it as it is."""
    teacher = RETRIEVER.get(order.objective)
    if teacher is None or order.objective not in GENERATOR:
        return teacher, ()
    if all(searching(some, teacher) for some in (material.train, material.held_out)):
        return teacher, ()
    return None, ("the retriever stays as it is: no question here is answered from passages",)


def longest(order: Order, at: Workshop) -> int:
    """Tokens of a lesson."""
    return min(order.limit or at.longest, at.longest)


def recipe_of(order: Order, at: Workshop, teacher: Teacher | None) -> dict[str, Any]:
    """All settings that decide what is made, as a release names them."""
    recipe: dict[str, Any] = {
        "objective": order.objective,
        "base": at.source,
        "held_out": order.held_out.name if order.held_out else order.share,
        "manner": order.manner,
        "seed": order.recipe.seed,
    }
    if order.objective in GENERATOR:
        recipe |= {"limit": longest(order, at), **asdict(order.movable), **asdict(order.recipe)}
    if teacher:
        recipe |= {"teacher": teacher, "retriever": asdict(RECIPES[teacher])}
    return recipe


def name_of(prepared: Prepared, at: Workshop) -> str:
    """The folder of a run: the same for the same order, data and base."""
    material = prepared.material
    sides = [
        [digest(each) for each in examples] for examples in (material.train, material.held_out)
    ]
    learnt = [tokens(each.lessons) for each in (prepared.train, prepared.held_out)]
    passages = at.passages(material.texts).snapshot().version if prepared.teacher else ""
    parts = (dict(prepared.recipe), at.parts, sides, learnt, passages)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def tokens(lessons: Sequence[Lesson]) -> str:
    """Digest of the tokens that are learnt: retrieval and templates decide them too."""
    marks = hashlib.sha256()
    for lesson in lessons:
        marks.update(repr((lesson.before, lesson.after, lesson.weight, lesson.kept)).encode())
    return marks.hexdigest()
