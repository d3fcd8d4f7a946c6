import pytest

from noria import plugins
from noria.config import Stage, answers_funnel
from noria.errors import ConfigError
from noria.funnel.filter import FieldsEqual
from noria.funnel.order import Diverse
from noria.types import Candidate, Item, Query

EVERY = [(kind, name) for kind, names in plugins.BUILT_IN.items() for name in names]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_built_in_can_be_found(kind, name) -> None:
    assert callable(plugins.find(kind, name, "here"))


def test_the_defaults_are_built_in() -> None:
    funnel = answers_funnel()
    stages = {"retrieve": [funnel.retrieve], "filter": funnel.filter, "rank": [funnel.rank],
              "order": [funnel.order]}  # fmt: skip
    for kind, named in stages.items():
        assert all(stage.kind in plugins.BUILT_IN[kind] for stage in named)


def test_options_reach_the_plug_in() -> None:
    made = plugins.create("filter", Stage("fields", {"lang": "de"}), "funnel.answers.filter[0]")
    assert isinstance(made, FieldsEqual)
    german = Candidate(Item("a", "", fields={"lang": "de"}), 1.0)
    assert made.filter(Query("q"), [german, Candidate(Item("b", ""), 1.0)]) == [german]
    order = plugins.create("order", Stage("diverse", {"k": 9}), "here")
    assert isinstance(order, Diverse)
    assert order.k == 9


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^here: unknown kind 'hybird'; did you mean 'hybrid'\?"):
        plugins.create("retrieve", Stage("hybird"), "here")
    with pytest.raises(ConfigError, match="known: diverse, score"):
        plugins.create("order", Stage("zzz"), "here")


def test_an_unknown_option_is_an_error_of_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"^here: 'diverse' does not take these.*'kk'"):
        plugins.create("order", Stage("diverse", {"kk": 9}), "here")
