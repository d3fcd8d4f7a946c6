"""The steps of a turn, done with what one configuration makes.

``loop/turn`` says in which order; here is what each step stands on.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from noria.build import House
from noria.config import TurnSettings
from noria.entrants import Entrants
from noria.errors import UsageError
from noria.evaluate.again import records_in
from noria.evaluate.arms.arm import Arm
from noria.evaluate.arms.respond import Respondent
from noria.evaluate.contest import Budget, contest
from noria.evaluate.forgetting.models import General
from noria.evaluate.forgetting.suite import Suite
from noria.evaluate.questions import Question
from noria.evaluate.results import Comparison
from noria.loop.deploy import tried
from noria.loop.feedback import shelf
from noria.loop.feedback.harvest import Harvest, Policy, harvested
from noria.loop.gate import Pace, Probe, Verdict, validated
from noria.loop.oversee import ramped, settled
from noria.loop.pace import paced
from noria.loop.probes import attacked, documents
from noria.loop.turn import TURN, Evidence
from noria.shipyard import ReleaseYard, begun, drawn_anew
from noria.store.jobs import RUNNING, Jobs
from noria.store.journal import Journal
from noria.store.registry import Registry
from noria.store.reviews import Reviews
from noria.store.rollouts import as_json
from noria.store.versions import MOVED
from noria.types import Document, Release, Rollout

if TYPE_CHECKING:
    from noria.tune.order import Order

LIVE, NEW = "live", "new"  # the arms that the gate compares
HELD = 200  # general questions of each set, and texts, that both models are asked
OWN = 64  # conversations of the base's own, where no folder of general questions is named
NAMED = 5  # tenants that an error names
NOTES = 10_000  # newest notes among which a turn looks for its own
MEASURED = 1_000_003  # added to the seed: what is measured with is never what was rehearsed


@dataclass(frozen=True)
class Wheel:
    """Does the steps of a turn. ``say`` hears what is wrong with files, and how long it takes."""

    house: House
    jobs: Jobs
    journal: Journal
    reviews: Reviews
    now: Callable[[], datetime]
    say: Callable[[str], object]

    @property
    def settings(self) -> TurnSettings:
        """Those of a turn."""
        return self.house.settings.turn

    @property
    def registry(self) -> Registry:
        """What was made."""
        return self.house.registry

    @cached_property
    def yard(self) -> ReleaseYard:
        """Where releases are frozen and loaded."""
        return ReleaseYard(self.house)

    @property
    def questions(self) -> Path:
        """What releases are judged by."""
        return questions_of(self.settings)

    def evidence(self) -> Evidence:
        """What there is to learn from, and how much of it no turn has learnt from."""
        seen: set[str] = set()
        for job in self.jobs.list(TURN):
            if job.state != RUNNING and "dataset" in job.record:
                seen |= {*shelf.ids_of(self.registry, self.registry.get(job.record["dataset"]))}
        found = self.harvest
        told = [each for each in found.examples if each.says_what_is_right]
        fresh = sum(each.id not in seen for each in told)
        return Evidence(len(told), fresh, found.origins, found.dropped)

    @cached_property
    def harvest(self) -> Harvest:
        """The examples that people's judgements and the files of the settings come to."""
        asked = shelf.examples_of([self.questions], self.say)
        tests = [*asked, *shelf.held_out(self.registry)]
        more = shelf.examples_of(map(Path, self.settings.more), self.say)
        kept = shelf.kept_in(self.journal, self.reviews, self.tenants())
        return harvested(kept, self.house.passages_named, self.policy, tests, more)

    def tenants(self) -> tuple[str, ...]:
        """Whose users a release learns from: it answers all of them.

        Raises UsageError where several have judged, and the settings name none.
        """
        if self.settings.tenants:
            return self.settings.tenants
        told = [*self.journal.feedback(), *self.reviews]
        known = sorted({each.tenant for each in told})
        if len(known) > 1:
            raise UsageError(
                f"users of {len(known)} tenants have judged ({', '.join(known[:NAMED])}), and one "
                "release answers all of them: what one tenant's users wrote could be told to "
                'another\'s. Name those that may be learnt from: [turn] tenants = ["…"]'
            )
        return tuple(known)

    @property
    def policy(self) -> Policy:
        """What may be learnt."""
        return Policy(frozenset(self.settings.groups), self.settings.voices)

    def tried(self) -> str | None:
        """The first release that is being tried, if one is."""
        state = self.house.rollouts.now()
        return state.trial.releases[0] if state and state.trial else None

    def live(self) -> str:
        """The release that answers; the usual one, where none was ever promoted."""
        return self._rollout().live

    def _rollout(self) -> Rollout:
        return begun(self.yard, self.house.rollouts, self.now())

    def build(self) -> str:
        """Put what was harvested on the shelf."""
        home = self.house.settings.home
        return shelf.shelved(self.harvest, self.registry, self.policy, home, self.now()).id

    def tune(self, dataset: str) -> str:
        """Tune on a data set; a tuning that was interrupted goes on."""
        from noria.tune.machine import ask_for_large_pages
        from noria.tune.order import prepare
        from noria.tune.tune import tune

        ask_for_large_pages()
        at, progress = self.house.workshop, self.house.progress
        order = self.order(dataset)
        ready = prepare(order, at, progress)
        for line in ready.listed:
            self.say(line)
        done = tune(order, ready, at, self.now(), progress=progress, say=self.say)
        if done.mirrored and done.mirrored.problem:
            self.say(done.mirrored.problem)
        self.house.rest()
        return done.release.id

    def order(self, dataset: str) -> "Order":
        """What is to be tuned, as the settings say."""
        from noria.tune.objectives import MANNERS, OBJECTIVES
        from noria.tune.order import Order
        from noria.tune.train import Recipe
        from noria.tune.weights import Movable, device, quickest, rate

        own = self.settings
        objective = next((each for each in OBJECTIVES if each == own.objective), None)
        if objective is None:
            known = ", ".join(OBJECTIVES)
            raise UsageError(f"turn.objective: expected one of {known}, got {own.objective!r}")
        digest = self.registry.get(dataset).parts[shelf.DATASET]
        return Order(
            objective,
            self.registry.artifacts.path(digest),
            manner=MANNERS.get(objective, "together"),
            ingested=True,
            movable=Movable("lora", own.rank, 2 * own.rank),
            recipe=Recipe(rate("lora"), own.epochs, precision=quickest(device()), seed=own.seed),
            replay=own.replay,
            general=Path(own.general) if own.general else None,
        )

    def register(self, tuned: str) -> str:
        """Freeze it with the settings that it is to be served with."""
        return self.yard.freeze(tuned, self.now()).id

    def validate(self, release: str, live: str) -> dict[str, Any]:
        """Ask both releases the questions, measure what was forgotten, attack both; the verdict."""
        folder = self.house.settings.home / "reports" / f"{release}-against-{live}"
        new = self.registry.get(release)
        moved = bool(new.stored & MOVED)
        arms = [
            Arm(name, "retrieved", about=f"release {id}", release=id)
            for name, id in ((LIVE, live), (NEW, release))
        ]
        compared = self._compared(arms, folder, moved)
        probes = {arm.name: self._attacked(arm.release) for arm in arms}
        records = records_in(folder)
        pace = self._paced(live, release, [each.question for each in records[LIVE]])
        told = compared.forgetting
        lost = next((each for each in told.models if NEW in each.arms), None) if told else None
        found = validated(
            compared, records, LIVE, NEW, lost, self._parity(new), pace, probes, moved
        )
        return {**spelled(found), "report": str(folder)}

    def _compared(self, arms: Sequence[Arm], folder: Path, moved: bool) -> Comparison:
        """Both, side by side on the questions, as they would be served now."""
        houses = {arm.release: self.yard.house_of(arm.release) for arm in arms}

        def ready(
            arms: Sequence[Arm],
            questions: Sequence[Question],
            corpus: Sequence[Document],
            pool: Sequence[Question],
            folds: Mapping[str, int],
        ) -> list[Respondent]:
            found = []
            for arm in arms:
                own = houses[arm.release]
                alone = own.beside(own.settings, None)
                entrants = Entrants(alone, {arm.release: own.version})
                found += entrants.respondents([arm], questions, corpus, pool, folds)
            return found

        general = self._general(arms[1], houses[arms[1].release]) if moved else None
        return contest(
            self.questions,
            arms,
            ready,
            folder,
            monotonic,
            ingested=True,
            budget=Budget(self.settings.most),
            seed=self.settings.seed,
            about={"date": f"{self.now():%Y-%m-%d %H:%M} UTC"},
            progress=self.house.progress,
            general=general,
        )

    def _general(self, new: Arm, own: House) -> General:
        """What shows whether the new model forgot something."""
        from noria.evaluate.forgetting.suite import read as suite_in

        entrants = Entrants(own.beside(own.settings, None), {new.release: own.version})
        folder = self.settings.general
        return entrants.general([new], suite_in(Path(folder)) if folder else self._own(), HELD)

    def _own(self) -> Suite:
        """What the base says itself, before it is tuned; other conversations than are rehearsed."""
        from noria.tune.own_voice import OwnVoice, opening, spoken
        from noria.tune.replay import ORIGIN

        at = self.house.workshop
        seed = self.settings.seed + MEASURED
        folder, progress = at.home / ORIGIN, self.house.progress
        voice = OwnVoice(at.base(), opening(at.tokenizer), folder, seed, progress, OWN)
        return spoken(voice, OWN)

    def _parity(self, new: Release) -> float | None:
        """How far server and trainer were apart when it was tuned; None where nobody looked."""
        tuned = [each for each in self.registry.lineage(new) if "parity_max_kl" in each.metrics]
        return tuned[-1].metrics["parity_max_kl"] if tuned else None

    def _paced(self, live: str, new: str, questions: Sequence[str]) -> Pace:
        """How long both take, loaded as a server loads them."""
        fleet = self.yard.fleet([live, new])
        try:
            at = fleet.answerers
            return paced(at[live], at[new], questions, monotonic, self.house.progress)
        finally:
            fleet.close()

    def _attacked(self, release: str) -> Sequence[Probe]:
        """How often attacks get through to a release, on a corpus of their own."""
        own = self.yard.house_of(release)
        try:
            passages = own.passages_of(documents())
            funnel = own.funnel_over(passages, own.asking(own.version))
            return attacked(replace(own.answerer, funnel=funnel), self.house.progress)
        finally:
            own.rest()

    def opened(self, turn: str) -> dict[str, Any] | None:
        """What answered when this turn opened its canary."""
        notes = self.house.rollouts.history(NOTES)
        return next((as_json(n.state) for n in notes if n.reason.get("turn") == turn), None)

    def open(self, release: str, verdict: Mapping[str, Any], turn: str) -> dict[str, Any]:
        """Try it on some users, on the ramp that the settings say."""
        before = self._rollout()
        own = self.house.settings.canary
        plan = settled(ramped(self.journal, before.live, own, gain=bool(verdict["gain"])))
        shares = {release: plan["shares"][0]}
        after = tried(before, shares, *drawn_anew(), self.now(), plan)
        why = {"by": "a turn", "turn": turn, "verdict": dict(verdict)}
        self.house.rollouts.change(before, after, "canary", release, why, self.now())
        return as_json(after)


def questions_of(settings: TurnSettings) -> Path:
    """What releases are judged by. Raises UsageError where the settings name nothing."""
    if not settings.questions:
        raise UsageError(
            "a turn needs questions with known answers, by which releases are judged and from "
            'which none ever learns; name a file in noria.toml: [turn] questions = "…" '
            "(noria synthesize writes some from your documents)"
        )
    path = Path(settings.questions)
    if not path.exists():
        raise UsageError(f"turn.questions: {path}: no such file; expected questions")
    return path


def spelled(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON has it: what was not measured is null."""
    told: dict[str, Any] = json.loads(json.dumps(asdict(verdict)), parse_constant=lambda _: None)
    return told
