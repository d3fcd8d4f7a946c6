"""Documents of several languages in one index, each found by its own words."""

import os
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from noria.corpus.columns import Row
from noria.corpus.index import PassageTable
from noria.funnel.retrieve import Hybrid, Lexical
from noria.models.fake import FakeEncoder
from noria.types import Item, Query
from noria.words import detect

TEXTS = {
    "rad": "Die Schöpfräder in den Flüssen heben Wasser auf die Felder, und es rauscht dabei.",
    "haus": "In den alten Häusern der Stadt wohnen heute viele Familien mit ihren Kindern.",
    "wheel": "The water wheels of the city are turned by the river, and they lift water.",
    "cells": "In the body cells die every day, and they are replaced by other cells.",
    "roues": "Les roues de la ville sont tournées par la rivière, car elles élèvent l'eau.",
    "물레": "물레방아는 강에서 밭으로 물을 끌어올린다. 수백 년 동안 밤낮으로 돌고 있다.",
    "水車": "水車は川から畑へ水をくみ上げる。何百年も昼も夜も回り続けている。",
}


def index(folder: Path, texts: Sequence[tuple[str, str]], among: Sequence[str] = ()):
    encoder = FakeEncoder()
    table = PassageTable(folder, "passages_languages", encoder.dimension)
    table.create()
    vectors = encoder.encode_passages([text for _, text in texts])
    table.replace(
        [name for name, _ in texts],
        [
            Row(Item(name, text, name), name, "as it was", text, vector, detect(text, among))
            for (name, text), vector in zip(texts, vectors, strict=True)
        ],
    )
    table.fold()
    return table


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return index(tmp_path_factory.mktemp("index"), list(TEXTS.items()))


def found(table, text: str) -> list[str]:
    return [c.item.id for c in Lexical(table).retrieve(Query("q", text), 10).candidates]


def test_each_document_has_its_own_language(table) -> None:
    assert set(table.snapshot().languages) == {"de", "en", "fr", "ko", "ja"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("Schöpfrad", ["rad"]),
        ("schopfrades", ["rad"]),
        ("Haus", ["haus"]),
        ("Wo ist das Haus?", ["haus"]),
        ("Kind", ["haus"]),
        ("wheel", ["wheel"]),
        ("roue tournée", ["roues"]),
        ("물레방아", ["물레"]),
        ("밤낮", ["물레"]),
        ("水車", ["水車"]),
        ("何百年", ["水車"]),
        ("how do cells die?", ["cells"]),
        ("lightning", []),
    ],
)
def test_a_word_in_another_form_finds_its_document(table, asked, expected) -> None:
    assert found(table, asked) == expected


def test_a_language_that_is_set_is_not_told(tmp_path) -> None:
    table = index(tmp_path, list(TEXTS.items()), ["de"])
    assert table.snapshot().languages == ("de",)
    assert found(table, "Haus") == ["haus"]
    assert found(table, "물레방아") == ["물레"]  # whatever the language


def test_hybrid_weighs_words_by_the_language_of_the_passage(table) -> None:
    weights = {}

    class Watched(Hybrid):
        def _weights(self, meant, pool):
            weights[self] = super()._weights(meant, pool)
            return weights[self]

    hybrid = Watched(table, FakeEncoder())
    hybrid.retrieve(Query("q", "Steht das Rad, und wo steht das Haus?"), 5)
    # the question's words are "steht", "rad" and "haus"; the only hit has "haus"
    assert weights[hybrid][0] == pytest.approx((1 / 3) ** 2)


@pytest.mark.shared
def test_korean_files_are_found_by_their_own_words(tmp_path) -> None:
    from noria.corpus.load import load

    folder = Path(os.environ["NORIA_DATA"]) / "docs" / "autorag"
    texts = [(path.name, load(path, path.name).text) for path in sorted(folder.glob("*.pdf"))]
    table = index(tmp_path, texts)
    assert set(table.snapshot().languages) == {"ko", "en"}
    chance = random.Random(0)
    for name, text in texts:
        words = re.findall(r"[\uac00-\ud7a3]{2,}", text)
        for start in [chance.randrange(len(words) - 3) for _ in range(20)] if words else []:
            phrase = words[start : start + 3]
            best = dict(texts)[found(table, " ".join(phrase))[0]]
            assert all(word in best for word in phrase), (name, phrase)
            shorter = found(table, " ".join(word[:2] for word in phrase))  # without particles
            assert name in shorter
