from dataclasses import replace

import pytest

from noria.build import House
from noria.config import CorpusSettings, Settings
from noria.errors import ConfigError


def test_languages_without_an_analyzer_are_refused() -> None:
    wrong = replace(Settings(), corpus=CorpusSettings(languages=("en", "german")))
    with pytest.raises(ConfigError, match=r"corpus\.languages: no analyzer for 'german'"):
        House(wrong).languages  # noqa: B018


def test_languages_are_told_by_default() -> None:
    assert House(Settings()).languages == ()
