"""Arms, made ready by a house: with the passages they read, and the model that writes for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from noria.answer.answerer import Answerer
from noria.build import PARAGRAPH_END, House
from noria.errors import UsageError
from noria.evaluate.arms.arm import READER, Arm
from noria.evaluate.arms.closed import ClosedBook
from noria.evaluate.arms.examples import Examples
from noria.evaluate.arms.gold import GoldRetriever
from noria.evaluate.arms.remember import Memory, Remembering, RememberingScorer
from noria.evaluate.arms.respond import Respondent
from noria.evaluate.contest import Ready
from noria.evaluate.forgetting.models import General, Speaker
from noria.evaluate.forgetting.suite import Suite
from noria.evaluate.questions import Question
from noria.evaluate.retrieval import Asked
from noria.funnel.funnel import Funnel
from noria.models import reader
from noria.models.openai import key_variable
from noria.models.sources import digest_of, is_endpoint
from noria.store.releases import from_json
from noria.store.versions import MOVED, Version, newest, version
from noria.types import Document, Sampling
from noria.writers import scorable


@dataclass(frozen=True)
class Entrants:
    """Makes arms ready to be asked. ``known``: versions under other names than the registry's."""

    house: House
    known: Mapping[str, Version | None] = field(default_factory=dict)

    def ready_for(self, groups: frozenset[str]) -> Ready:
        """Makes arms ready, as a reader of ``groups``."""
        return partial(self.respondents, groups=groups)

    def respondents(
        self,
        arms: Sequence[Arm],
        questions: Sequence[Question],
        corpus: Sequence[Document],
        pool: Sequence[Question],
        folds: Mapping[str, int],
        groups: frozenset[str] = frozenset(),
    ) -> list[Respondent]:
        """The arms, ready to be asked ``questions``.

        They read ``corpus``, or what was ingested where it is empty. ``pool``: the questions that
        may be worked examples; one of ``folds`` is never shown to another of its fold.
        """
        house = self.house
        encoder = Asked(house.encoder, house.progress)
        versions = {arm.release: self.version_of(arm.release) for arm in arms}
        found = self._funnels(versions, corpus, encoder)
        known = {question.id: question for question in questions}
        gold = {
            release: replace(funnel, retriever=GoldRetriever(known, funnel.retriever, encoder))
            for release, funnel in found.items()
        }
        examples = Examples(pool, folds, encoder)
        scored = any(question.task == "choice" for question in questions)
        sources = {arm.generator or house.settings.models.generator for arm in arms}
        for source in sources if scored else ():
            scorable(source)
        keys = sorted({self._key(arm) for arm in arms})
        writers = {key: self._writer(*key, versions, scored) for key in keys}
        return [
            Respondent(
                arm,
                house.answerer,
                (gold if arm.passages == "gold" else found)[arm.release],
                *writers[self._key(arm)],
                examples,
                groups,
                tuned.manner if (tuned := versions[arm.release]) else "together",
            )
            for arm in arms
        ]

    def released(self, arms: Sequence[Arm], releases: Sequence[str] = ()) -> list[Arm]:
        """The arms with the releases that answer.

        Of those named in ``releases``, or of all, an arm takes the newest of the first objective
        that it looks for. Raises UsageError where there is none.
        """
        registry = self.house.registry
        named = [registry.get(each) for each in releases]
        found = []
        for arm in arms:
            if not arm.objectives:
                found.append(arm)
                continue
            ranked = [r for o in arm.objectives for r in named if r.objective == o]
            ranked.sort(key=lambda r: (arm.objectives.index(r.objective), -r.at.timestamp()))
            release = ranked[0] if ranked else newest(registry, arm.objectives)
            if release is None or (named and not ranked):
                raise UsageError(
                    f"arm {arm.name!r} needs a release tuned for {' or '.join(arm.objectives)}; "
                    f"make one with: noria tune {arm.objectives[0]} DATA"
                )
            about = f"{arm.about} ({release.objective})"
            found.append(replace(arm, release=release.id, about=about))
        return found

    @property
    def usual(self) -> str:
        """The arm that answers unless another is named.

        The reader where it fits: it was made for the default generator alone.
        """
        models = self.house.settings.models
        if not models.reader or is_endpoint(models.generator):
            return "rag"
        return READER if self.house.parts["base"] == self._reader.base else "rag"

    def answerer_of(self, arm: Arm) -> Answerer | ClosedBook:
        """Answers as an arm of ``noria compare`` does, one question at a time.

        Raises UsageError for an arm that needs a file of questions.
        """
        if arm.examples or arm.passages == "gold":
            raise UsageError(
                f"arm {arm.name!r} needs a file of questions, for its worked examples or gold "
                "passages; use it in: noria compare"
            )
        if arm.objectives and not arm.release:
            (arm,) = self.released([arm])
        settings = self.house.settings
        at = replace(self.house, version=self.version_of(arm.release))
        if arm.generator:
            own = settings.models
            key = key_variable(arm.generator, own.generator, own.api_key_env)
            models = replace(own, generator=arm.generator, api_key_env=key)
            at = replace(at, settings=replace(settings, models=models))
        if arm.passages == "none":
            sampling = Sampling(max_tokens=settings.answer.max_tokens, stop=PARAGRAPH_END)
            return ClosedBook(at.llm, at.release, sampling)
        return at.answerer

    def judge_of(self, source: str) -> Remembering:
        """The model from ``source`` as a judge, which is asked nothing twice."""
        judge, _ = self._writer(source, "", {"": None}, scored=False)
        return judge

    def version_of(self, release: str) -> Version | None:
        """The version with this id; None for no id: what the settings name answers."""
        if release in self.known:
            return self.known[release]
        if release == READER:
            return self._reader
        return version(self.house.registry, release) if release else None

    def general(self, arms: Sequence[Arm], suite: Suite, per_set: int) -> General:
        """What is asked of the models behind ``arms``; nothing is loaded yet.

        Raises UsageError for a model that cannot be asked.
        """
        return General(
            suite,
            self._speaker("", ""),
            {arm.name: self._speaker(arm.generator, arm.release) for arm in arms},
            self._memory,
            per_set,
        )

    def _speaker(self, source: str, release: str) -> Speaker:
        """The model from ``source``, as ``release`` changed it; empty: the settings', unchanged."""
        house = self.house
        own = house.settings.models.generator
        wanted = source or own
        scorable(wanted)
        tuned = self.version_of(release)
        base = house.parts["base"] if wanted == own else digest_of(house.writers.weights(wanted))
        moved = tuned.release.stored & MOVED if tuned else ()
        if tuned is None or not moved:  # tuned was the retriever alone
            return Speaker(base, lambda: house.writers.scorer(wanted))
        house.writers.fits(wanted, tuned)
        (part,) = moved
        return Speaker(
            f"{base} {tuned.release.parts[part]}", lambda: house.writers.scorer(wanted, tuned)
        )

    @cached_property
    def _reader(self) -> Version:
        """The reading adapter that comes with Noria."""
        release = from_json(reader.told())
        return Version(release, release.parts["base"], reader.FOLDER)

    @cached_property
    def _memory(self) -> Memory:
        """Of all that was asked before."""
        return Memory(self.house.settings.home / "evaluations" / "answers.db")

    def _key(self, arm: Arm) -> tuple[str, str]:
        """What writes for an arm: the source of its model, and the release of it."""
        return arm.generator or self.house.settings.models.generator, arm.release

    def _funnels(
        self, versions: Mapping[str, Version | None], corpus: Sequence[Document], encoder: Asked
    ) -> dict[str, Funnel]:
        """What searches for each version: one that learnt to ask otherwise has a funnel of its own.

        Questions that both ask are embedded once.
        """
        house = self.house
        passages = house.passages_of(corpus)
        return {
            release: house.funnel_over(
                passages,
                Asked(house.asking(tuned), house.progress) if tuned and tuned.queries else encoder,
            )
            for release, tuned in versions.items()
        }

    def _writer(
        self, source: str, release: str, versions: Mapping[str, Version | None], scored: bool
    ) -> tuple[Remembering, RememberingScorer | None]:
        """The model from ``source`` that asks nothing twice; with its scorer, if one is needed.

        What was tuned of it answers instead, where ``release`` names it.
        """
        house, tuned = self.house, versions[release]
        as_set = source == house.settings.models.generator and tuned is None
        llm = house.llm if as_set else house.writers.one(source, tuned)
        writer = Remembering(llm, self._memory)
        if not scored:
            return writer, None
        scorer = partial(house.writers.scorer, source, tuned)  # made when it is first needed
        return writer, RememberingScorer(scorer, llm.fingerprint, self._memory)
