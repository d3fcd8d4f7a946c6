"""One tuning, from a file of examples to a registered release."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from noria.errors import UsageError
from noria.jobs import locked, silent, unheard
from noria.models import bert
from noria.models.parity import Parity
from noria.protocols import Clock, Progress
from noria.store.content import remove, write_json
from noria.store.mirror import Mirrored, mirror
from noria.store.releases import Run, environment, made
from noria.tune import weights
from noria.tune.asked import Taught, taught_of
from noria.tune.curve import Curve, curve_of
from noria.tune.data.store import digest, write
from noria.tune.estimate import Estimate, estimate, refused
from noria.tune.machine import machine
from noria.tune.material import Material, gathered
from noria.tune.objectives import Objective, lessons
from noria.tune.pace import Pace, measured, prior, probe
from noria.tune.pack import pack
from noria.tune.proof import proven
from noria.tune.render import Lesson, Renderer
from noria.tune.replay import beside
from noria.tune.sft import Lessons
from noria.tune.shape import shaped
from noria.tune.teaching import RECIPES, Teacher, searching, taught
from noria.tune.train import Recipe, looking, planned, train
from noria.tune.weights import Movable
from noria.tune.workshop import Workshop
from noria.types import Kind, Manner, Release

ADAPTER, MODEL, QUERIES = "adapter", "model", "queries"  # parts of a release
CHECKPOINTS, DONE = "checkpoints", "done.json"  # beside them, in a run's folder
GENERATOR = ("sft", "raft", "radit")  # objectives that move the generator
RETRIEVER: Mapping[str, Teacher] = {"radit": "likelihoods", "retriever": "contrast"}
Say = Callable[[str], object]
COMPARED = 8  # prompts that server and trainer are both given


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


@dataclass(frozen=True, slots=True)
class Result:
    """What was trained: the generator, the query encoder, or both, and what was measured of it."""

    metrics: Mapping[str, float]
    curve: Curve | None = None
    taught: Taught | None = None

    @property
    def seconds(self) -> float:
        """Of training the generator."""
        return self.curve.seconds if self.curve else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens that the generator read a second of training."""
        read = sum(point.read for point in self.curve.points) if self.curve else 0
        return read / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it. ``again``: it was made before, and nothing was trained."""

    release: Release
    parts: tuple[Release, ...]  # the adapter, the encoder
    dataset: Release
    result: Result
    problems: tuple[str, ...] = ()
    mirrored: Mirrored | None = None
    again: bool = False


def prepare(order: Order, at: Workshop, progress: Progress = silent) -> Prepared:
    """The lessons of an order. Raises UsageError where none is left."""
    material = gathered(
        order.file, order.held_out, order.share, order.most, order.recipe.seed, progress
    )
    if order.ingested:
        material = replace(material, texts=())
    teacher, notes = teaching(order, material)
    recipe = recipe_of(order, at, teacher)
    if order.objective not in GENERATOR:
        return Prepared(material, Lessons(()), Lessons(()), recipe, teacher, notes)
    tokenizer = at.tokenizer
    renderer = Renderer(tokenizer, longest(order, at))
    learnt, held_out = lessons(order.objective, order.manner, material, at, renderer, progress)
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
    able = searching(material.train) and searching(material.held_out)
    if order.objective in GENERATOR and teacher and not able:
        note = "the retriever stays as it is: no question here is answered from passages"
        return None, (note,)
    return teacher, ()


def longest(order: Order, at: Workshop) -> int:
    """Tokens of a lesson."""
    return min(order.limit or at.longest, at.longest)


def foreseen(order: Order, prepared: Prepared, at: Workshop, pace: Pace | None = None) -> Estimate:
    """Memory and time of training the generator; raises UsageError for what does not fit.

    ``pace``: of this machine, where it was measured; else a guess by its cores.
    """
    here = machine(at.device)
    plan = planned(prepared.train.lessons, order.recipe)
    rows = pack(prepared.held_out.lessons, order.recipe.row)
    looks = len(looking(len(plan), order.recipe.looks)) + 1  # one before training
    found = estimate(
        shaped(at.folder), order.movable, plan, rows, looks, pace or prior(here), here.device
    )
    refused(found, here.memory)
    return found


def tune(
    order: Order,
    prepared: Prepared,
    at: Workshop,
    now: datetime,
    clock: Clock = monotonic,
    progress: Progress = silent,
    say: Say = unheard,
) -> Tuned:
    """Train, prove that what is served is what was trained, and register it.

    A run that was interrupted goes on from its last checkpoint; one that was finished is told
    again. ``say`` hears how long it will take. Raises UsageError for what will not fit into memory,
    BusyError while another process runs the same.
    """
    folder = at.home / "training" / name_of(prepared, at)
    with locked(folder.with_suffix(".lock"), "training on these examples"):
        again = finished(folder / DONE, at)
        if not again:
            result = Running(order, prepared, at, folder, clock, progress, say).result()
            ids = registered(prepared, at, folder, result, now)
            write_json(folder / DONE, ids)
            for part in (CHECKPOINTS, ADAPTER, MODEL, QUERIES):
                remove(folder / part)
    tuned = recalled(folder / DONE, at, prepared)
    return replace(tuned, again=again, mirrored=mirror(at.registry, at.home))


@dataclass(frozen=True)
class Running:
    """One run, into ``folder``, and who hears of it."""

    order: Order
    prepared: Prepared
    at: Workshop
    folder: Path
    clock: Clock
    progress: Progress
    say: Say

    def result(self) -> Result:
        """Train what the objective moves, prove it, and write it into ``folder``."""
        curve, told, metrics = None, None, dict[str, float]()
        if self.order.objective in GENERATOR:
            curve = self.generator()
            parity = self.proven()
            metrics["held_out_loss_before"] = curve.looks[0].loss
            metrics["held_out_loss"] = curve.best.loss
            metrics["parity_max_kl"] = parity.max_kl
        if self.prepared.teacher:
            told = self.retriever(self.prepared.teacher)
            first, best = told.sights[0], told.sights[told.best]
            metrics |= {"recall@5_before": first.recall, "recall@5": best.recall}
            metrics |= {"mrr_before": first.mrr, "mrr": best.mrr}
        return Result(metrics, curve, told)

    def generator(self) -> Curve:
        """Train the generator, and write it into ``folder``."""
        order, prepared, at = self.order, self.prepared, self.at
        foreseen(order, prepared, at)
        bert.dismiss()  # what finds passages is done, and would be in the way
        precision = order.recipe.precision
        model = weights.prepared(at.folder, order.movable, order.recipe.seed, at.device, precision)
        if not (self.folder / CHECKPOINTS).exists():
            plan = planned(prepared.train.lessons, order.recipe)
            row = probe(model, precision)
            pace = measured(row, shaped(at.folder), order.movable, plan)
            self.say(str(foreseen(order, prepared, at, pace)))
        curve = train(
            model,
            prepared.train.lessons,
            prepared.held_out.lessons,
            order.recipe,
            self.folder / CHECKPOINTS,
            self.progress,
            self.clock,
        )
        weights.save(model, self.folder / part_of(order.movable), at.folder)
        return curve

    def proven(self) -> Parity:
        """The parity of what was trained and what will be served."""
        some = self.prepared.held_out.lessons[:COMPARED]
        movable = self.order.movable
        return proven(self.folder / part_of(movable), movable, self.at, some, self.progress)

    def retriever(self, teacher: Teacher) -> Taught:
        """Teach the query encoder, and write it into ``folder``."""
        seed, folder = self.order.recipe.seed, self.folder / QUERIES
        return taught(self.prepared.material, self.at, teacher, seed, folder, self.progress)


def part_of(movable: Movable) -> str:
    """What a method makes."""
    return MODEL if movable.method == "full" else ADAPTER


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
        marks.update(repr((lesson.before, lesson.after, lesson.weight)).encode())
    return marks.hexdigest()


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


def registered(
    prepared: Prepared,
    at: Workshop,
    folder: Path,
    result: Result,
    now: datetime,
) -> dict[str, Any]:
    """Register a release, its parts, and all that they were made from; the ids of all."""
    add, put = at.registry.add, at.registry.artifacts.put
    base = add(made("base", {"base": at.parts["base"]}, now, recipe={"base": at.source}))
    recipe = prepared.recipe
    data = {"dataset": prepared.material.whole.examples, "held_out": prepared.material.held_out}
    for name, examples in data.items():
        write(folder / name, examples)
    dataset = add(made("dataset", {name: put(folder / name) for name in data}, now, data))
    stored = {
        name: put(folder / name) for name in (ADAPTER, MODEL, QUERIES) if (folder / name).exists()
    }
    run = Run(curves(result), environment(), result.seconds)
    parts = []
    for name, stored_as in stored.items():
        kind: Kind = "encoder" if name == QUERIES else "adapter"
        pinned = ("encoder",) if name == QUERIES else ("base", "template")
        own = {name: stored_as, **{pin: at.parts[pin] for pin in pinned}}
        parts.append(
            add(made(kind, own, now, [name], [base.id, dataset.id], recipe, result.metrics), run)
        )
    whole = {**at.parts, **stored, "dataset": dataset.parts["dataset"]}
    told = {name: recipe[name] for name in ("objective", "base", "manner")}
    release = add(
        made("release", whole, now, stored, [part.id for part in parts], told, result.metrics)
    )
    ids = {"release": release.id, "parts": [part.id for part in parts], "dataset": dataset.id}
    return ids | {"result": asdict(result)}


def finished(note: Path, at: Workshop) -> bool:
    """Whether a run was finished, and the registry still knows what came of it."""
    if not note.exists():
        return False
    known = json.loads(note.read_text(encoding="utf-8"))
    there = {release.id for release in at.registry.list()}
    return {known["release"], known["dataset"], *known["parts"]} <= there


def recalled(note: Path, at: Workshop, prepared: Prepared) -> Tuned:
    """What a finished run noted."""
    known = json.loads(note.read_text(encoding="utf-8"))
    told = known["result"]
    curve = curve_of(told["curve"]) if told["curve"] else None
    taught = taught_of(told["taught"]) if told["taught"] else None
    get = at.registry.get
    return Tuned(
        get(known["release"]),
        tuple(map(get, known["parts"])),
        get(known["dataset"]),
        Result(told["metrics"], curve, taught),
        prepared.problems,
    )


def curves(result: Result) -> dict[str, tuple[tuple[int, float], ...]]:
    """What people look at afterwards."""
    found: dict[str, tuple[tuple[int, float], ...]] = {}
    if result.curve:
        found["loss"] = tuple((point.update, point.loss) for point in result.curve.points)
        found["held_out_loss"] = tuple((look.update, look.loss) for look in result.curve.looks)
    if result.taught:
        sights = result.taught.sights
        found["retriever_loss"] = tuple(enumerate(result.taught.losses, 1))
        found["retriever_recall@5"] = tuple((n, sight.recall) for n, sight in enumerate(sights))
        found["retriever_mrr"] = tuple((n, sight.mrr) for n, sight in enumerate(sights))
    return found
