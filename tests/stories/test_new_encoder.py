"""A new encoder is compared with the old one on recorded questions, then swapped in or not."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noria import build, cli
from noria.config import load
from noria.models.fake import FakeEncoder
from noria.types import Query

TOPICS = [
    "buckets", "aqueducts", "cheese", "harvests", "lanterns", "bridges", "violins", "glaciers",
    "orchards", "printing", "pottery", "lighthouses", "compasses", "windmills", "salt", "silk",
]  # fmt: skip


class Noise(FakeEncoder):
    """Vectors that say nothing of the text."""

    @property
    def fingerprint(self) -> str:
        return "noise"

    def _encode(self, texts: Any) -> Any:
        seeds = [sum(map(ord, text)) for text in texts]
        rows = [np.random.default_rng(seed).normal(size=self.dimension) for seed in seeds]
        matrix = np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)
        return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


ENCODERS = {"file:good": FakeEncoder(), "file:noise": Noise(), "file:wide": FakeEncoder(512)}


@pytest.fixture
def houses(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], build.House]]:
    """A house with the encoder that noria.toml names; sixteen documents, and questions."""
    made = []

    class ByName(build.House):
        @cached_property
        def encoder(self) -> FakeEncoder:  # type: ignore[override]
            return self.encoder_of(self.settings.models.encoder)

        def encoder_of(self, source: str) -> FakeEncoder:  # type: ignore[override]
            return ENCODERS[source]

        def __post_init__(self) -> None:
            made.append(self)

    monkeypatch.setattr(build, "House", ByName)
    for topic in TOPICS:
        text = f"Some people know of {topic}. They have 28 days for it.\n"
        (desk / "handbook" / f"{topic}.md").write_text(text)
    lines = [
        {"id": i, "question": f"Who knows of {topic}?", "documents": [f"handbook/{topic}.md"]}
        for i, topic in enumerate(TOPICS)
    ]
    Path("questions.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\nnonsense\n")
    configure("good")
    yield lambda: build.House(load(None, None))
    for house in made:
        house.state.close()


def configure(encoder: str) -> None:
    Path("noria.toml").write_text(f'[models]\nencoder = "file:{encoder}"\n')


@pytest.fixture
def ingest(
    houses: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Types ``noria ingest …``; gives exit status, stdout and stderr."""

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["noria", "ingest", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return typed


def found(house: build.House) -> tuple[str, str]:
    """Which index a search reads, and its best document."""
    slate = house.funnel.search(Query("q", "Who knows of glaciers?"), 10)
    return slate.version, str(slate.candidates[0].item.document)


def test_a_worse_encoder_is_refused_until_somebody_insists(houses: Any, ingest: Any) -> None:
    ingest("handbook")
    reader = houses()
    before = found(reader)

    configure("noise")
    code, out, err = ingest("--questions", "questions.jsonl", "--json")
    report = json.loads(out)
    assert code == 1
    assert report["index_version"] == before[0]
    comparison = report["comparison"]
    assert (comparison["swap"], comparison["judged"]) == (False, 16)
    assert comparison["metrics"]["dense"]["ndcg@10"]["high"] < 0
    assert comparison["problems"] == ["questions.jsonl:17: not JSON: Expecting value: line 1 "
                                      "column 1 (char 0)"]  # fmt: skip
    assert "worse beyond chance: dense ndcg@10 went from 1.000" in err
    assert "noria ingest --swap" in err
    assert found(reader) == before

    code, _, err = ingest()  # without questions, it is remembered
    assert (code, "worse beyond chance" in err) == (1, True)
    assert found(reader) == before
    assert found(houses()) == before  # asked with the old encoder, whatever noria.toml says

    code, out, _ = ingest("--swap", "--json")
    assert (code, "comparison" in json.loads(out)) == (0, False)
    assert found(houses())[0] == json.loads(out)["index_version"] != before[0]


def test_going_back_after_a_refusal(houses: Any, ingest: Any) -> None:
    ingest("handbook")
    before = found(houses())
    configure("noise")
    assert ingest("--questions", "questions.jsonl")[0] == 1
    configure("good")
    Path("handbook", "new.md").write_text("Some people know of kites.\n")
    code, out, _ = ingest("handbook", "--json")
    assert (code, json.loads(out)["added"]) == (0, 1)
    assert found(houses())[1] == before[1]


def test_a_good_one_is_swapped_in_under_a_running_reader(houses: Any, ingest: Any) -> None:
    ingest("handbook")
    reader = houses()
    before = found(reader)
    seen: list[tuple[str, str]] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            seen.append(found(reader))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        configure("wide")
        code, out, _ = ingest("--questions", "questions.jsonl")
    finally:
        ended.set()
        thread.join()
    assert code == 0
    assert "not worse beyond chance" in out
    assert "overlap of the ten best documents" in out
    after = found(reader)
    assert after == found(houses())
    assert before[1] == after[1] == "handbook/glaciers.md"
    tables = [version.partition("@")[0] for version, _ in [before, *seen, after]]
    swaps = sum(one != other for one, other in pairwise(tables))
    assert swaps == 1  # the old one, then the new one, and never anything else
    assert {document for _, document in seen} == {before[1]}


def test_without_questions_it_is_swapped(houses: Any, ingest: Any) -> None:
    ingest("handbook")
    before = found(houses())
    configure("wide")
    code, out, _ = ingest("--json")
    report = json.loads(out)
    assert (code, "comparison" in report) == (0, False)
    assert found(houses())[0] == report["index_version"] != before[0]


def test_nothing_new_is_nothing_to_compare(houses: Any, ingest: Any) -> None:
    ingest("handbook")
    code, out, err = ingest("--questions", "questions.jsonl", "--json")
    assert (code, "comparison" in json.loads(out)) == (0, False)
    assert "nothing was compared" in err


def test_questions_that_cannot_be_read_stop_it_at_once(houses: Any, ingest: Any) -> None:
    Path("bad.jsonl").write_text("nonsense\n")
    code, out, err = ingest("handbook", "--questions", "bad.jsonl")
    assert (code, out) == (2, "")
    assert "bad.jsonl:1: not JSON" in err
    assert houses().passages.name() is None
