"""One tuning, from an order to a registered release."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import monotonic

from noria.jobs import locked, silent, unheard
from noria.models.parity import Parity
from noria.protocols import Clock, Progress
from noria.store.content import remove, write_json
from noria.store.mirror import mirror
from noria.tune import weights
from noria.tune.asked import Taught
from noria.tune.curve import Curve
from noria.tune.estimate import Estimate, estimate, refused
from noria.tune.machine import machine
from noria.tune.order import GENERATOR, Order, Prepared, name_of
from noria.tune.outcome import (
    ADAPTER,
    MODEL,
    QUERIES,
    Result,
    Tuned,
    finished,
    recalled,
    registered,
)
from noria.tune.pace import Pace, measured, prior, probe
from noria.tune.pack import pack
from noria.tune.proof import proven
from noria.tune.shape import shaped
from noria.tune.teaching import NothingToTeachError, Teacher, taught
from noria.tune.train import looking, planned, train
from noria.tune.weights import Movable
from noria.tune.workshop import Workshop

CHECKPOINTS, DONE = "checkpoints", "done.json"  # beside a release's parts, in a run's folder
Say = Callable[[str], object]
COMPARED = 8  # prompts that server and trainer are both given


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
        if self.prepared.teacher and (told := self.retriever(self.prepared.teacher)):
            first, best = told.sights[0], told.sights[told.best]
            metrics |= {"recall@5_before": first.recall, "recall@5": best.recall}
            metrics |= {"mrr_before": first.mrr, "mrr": best.mrr}
        return Result(metrics, curve, told)

    def generator(self) -> Curve:
        """Train the generator, and write it into ``folder``."""
        order, prepared, at = self.order, self.prepared, self.at
        foreseen(order, prepared, at)
        at.rest()  # asking is done; what is idle would take memory, and slow down all threads
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

    def retriever(self, teacher: Teacher) -> Taught | None:
        """Teach the query encoder, and write it into ``folder``; the trained generator teaches.

        Where there is nothing to teach it, a generator that was trained is not lost for that.
        """
        try:
            return self.lesson(teacher)
        except NothingToTeachError as error:
            if self.order.objective not in GENERATOR:
                raise
            self.say(f"the retriever stays as it is: {error}")
            return None

    def lesson(self, teacher: Teacher) -> Taught:
        """The query encoder as its teacher would have it."""
        seed, folder = self.order.recipe.seed, self.folder / QUERIES
        trained = self.folder / part_of(self.order.movable) if teacher == "likelihoods" else None
        return taught(
            self.prepared.material, self.at, teacher, seed, folder, self.progress, trained
        )


def part_of(movable: Movable) -> str:
    """What a method makes."""
    return MODEL if movable.method == "full" else ADAPTER
