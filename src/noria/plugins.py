"""Kind and name -> factory, imported only when asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from noria.config import Stage, suggest
from noria.errors import ConfigError

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "retrieve": {
        "dense": "noria.funnel.retrieve:Dense",
        "lexical": "noria.funnel.retrieve:Lexical",
        "hybrid": "noria.funnel.retrieve:Hybrid",
    },
    "filter": {
        "groups": "noria.funnel.filter:Groups",
        "fields": "noria.funnel.filter:FieldsEqual",
        "seen": "noria.funnel.filter:Unseen",
    },
    "rank": {
        "none": "noria.funnel.rank:AsRetrieved",
        "cross-encoder": "noria.funnel.rank:CrossEncoder",
    },
    "order": {
        "score": "noria.funnel.order:ByScore",
        "diverse": "noria.funnel.order:Diverse",
    },
}


def create(kind: str, stage: Stage, where: str, **given: Any) -> Any:
    """The plug-in that ``stage`` names, made with its options and what the house gives it.

    ``where`` is the setting's place, for errors. Raises ConfigError for an unknown name or option.
    """
    factory = find(kind, stage.kind, where)
    try:
        return factory(**given, **stage.options)
    except TypeError as error:
        raise ConfigError(f"{where}: {stage.kind!r} does not take these options: {error}") from None


def find(kind: str, name: str, where: str) -> Callable[..., Any]:
    """The factory of that name.

    >>> find("rank", "cros-encoder", "funnel.answers.rank")
    Traceback (most recent call last):
    noria.errors.ConfigError: funnel.answers.rank: unknown kind 'cros-encoder'; did you mean 'cross-encoder'?
    """  # noqa: E501
    known = BUILT_IN[kind]
    if name not in known:
        raise ConfigError(f"{where}: unknown kind {name!r}; {suggest(name, list(known))}")
    module, _, attribute = known[name].partition(":")
    factory: Callable[..., Any] = getattr(import_module(module), attribute)
    return factory
