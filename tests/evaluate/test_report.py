"""The page of a comparison is whole, safe and without scripts, and its files give all numbers."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from noria.errors import DataError
from noria.evaluate.records import Cited, Record, read
from noria.evaluate.report.advice import advise
from noria.evaluate.report.failures import sorted_failures
from noria.evaluate.report.report import as_json, file_name, report, write
from noria.evaluate.results import ArmResult, Comparison, Gap, Interval, Slice

QUESTIONS = 200
CLOSED = {"base", "tuned"}
SKILL = {"base": 0.12, "rag": 0.42, "rag-fewshot": 0.55, "oracle": 0.74}
TOKENS = {"base": (60, 40), "rag": (820, 30), "rag-fewshot": (1350, 12), "oracle": (310, 25)}
EVIL = "<script>alert('x')</script><img src=//evil.example/x.png onerror=alert(1)>"
ABOUT = {"base": "the base model alone, closed book", "rag": "reads what is retrieved"}
VOID = {"meta", "br", "img", "link", "input"}

Records = Mapping[str, Sequence[Record]]


def interval(values: Sequence[float]) -> Interval:
    mean, half = float(np.mean(values)), 1.96 * float(np.std(values)) / len(values) ** 0.5
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half), len(values))


def gap(a: str, b: str, paired: Sequence[float]) -> Gap:
    mean, half = float(np.mean(paired)), 1.96 * float(np.std(paired)) / len(paired) ** 0.5
    return Gap(a, b, "f1", mean, mean - half, mean + half, len(paired), half * 2.8 / 1.96)


def asked(arm: str, i: int, rng: np.random.Generator) -> tuple[Record, float]:
    """One answer of an arm, with its F1."""
    german = i % 5 == 0
    found = None if arm in CLOSED else arm == "oracle" or bool(rng.random() < 0.72)
    unanswerable = i % 12 == 0
    right = rng.random() < SKILL[arm] * (0.5 if german else 1.1) * (0.35 if found is False else 1.2)
    wordy = not right and rng.random() < 0.3
    abstained = not right and found is not None and rng.random() < 0.15
    gold = f"wheel {i}"
    said = gold if right else "another wheel altogether"
    if wordy:
        said = f"As the text explains at some length, the answer is {gold}, which is near the river"
    if unanswerable:
        said = "" if right else "a made-up answer"
    document = f"guide/{i % 7}.md"
    quote = f"The noria at the river Orontes has {gold}. " + "It lifts water, turn after turn. " * (
        12 if i % 9 == 0 else 1
    )
    spent = TOKENS[arm]
    sure = float(np.clip(rng.normal(0.7 if right else 0.5, 0.15), 0, 1))
    record = Record(
        id=f"q{i}",
        question=f"Which wheel lifts the water at place {i}?",
        answers=() if unanswerable else (gold, f"the {gold}"),
        answer="I found no answer in the documents." if abstained else said,
        draft=said,
        citations=()
        if found is None or abstained
        else (Cited(f"{document}#1", document, 0, len(quote), quote, (0, len(said))),),
        confidence=None if found is None else sure,
        grounded=None if found is None else 1.0,
        abstained=abstained or (unanswerable and right),
        retrieved=() if found is None else ("p1", "p2", "p3"),
        found=None if unanswerable else found,
        unanswerable=unanswerable,
        slice={"language": "de" if german else "en"},
        prompt_tokens=spent[0] + i % 9,
        completion_tokens=spent[1],
        seconds=spent[0] / 400 + spent[1] / 50,
        error="the model did not answer in 60 s" if i == 77 and arm == "rag" else None,
        documents=(document,),
    )  # fmt: skip
    value = 1.0 if right and not abstained else 0.3 if wordy and not abstained else 0.0
    return record, 0.0 if record.error else value


def made() -> tuple[Comparison, Records]:
    """A comparison of four arms on 200 questions, as a run gives it."""
    rng = np.random.default_rng(7)
    records: dict[str, list[Record]] = {}
    values: dict[str, list[float]] = {}
    arms = {}
    for arm in SKILL:
        answers = [asked(arm, i, rng) for i in range(QUESTIONS)]
        records[arm] = [record for record, _ in answers]
        values[arm] = [value for _, value in answers]
        counts, examples = sorted_failures(records[arm], values[arm])
        german = [v for r, v in answers if r.slice["language"] == "de"]
        english = [v for r, v in answers if r.slice["language"] == "en"]
        here, rest = interval(german), interval(english)
        off = float(np.mean(german) - np.mean(english))
        sure = sorted(
            ((r.confidence, v) for r, v in answers if r.confidence is not None), reverse=True
        )
        metrics = {
            "em": interval([float(v == 1) for v in values[arm]]),
            "f1": interval(values[arm]),
        }
        if arm not in CLOSED:
            metrics |= {
                "coverage": interval([float(not r.abstained) for r in records[arm]]),
                "auroc_answerable": Interval(0.71, 0.64, 0.78, QUESTIONS),
                "ndcg@10": Interval(0.66, 0.61, 0.71, QUESTIONS),
                "recall@10": Interval(0.72, 0.66, 0.78, QUESTIONS),
            }
        arms[arm] = ArmResult(
            arm,
            metrics,
            seconds=sum(r.seconds for r in records[arm]),
            tokens=sum(r.prompt_tokens + r.completion_tokens for r in records[arm]),
            questions=QUESTIONS,
            about=ABOUT.get(arm, ""),
            errors=counts,
            examples=examples,
            slices=(
                Slice("language", "de", "f1", here, rest, off - 0.1, off + 0.1, off < -0.1),
                Slice("language", "en", "f1", rest, here, -off - 0.1, -off + 0.1, False),
            ),
            curve=tuple(
                ((k + 1) / len(sure), float(np.mean([v for _, v in sure[: k + 1]])))
                for k in range(9, len(sure))
            ),
        )  # fmt: skip
    gaps = tuple(
        gap(a, b, np.subtract(values[b], values[a]).tolist()) for a, b in combinations(SKILL, 2)
    )
    about = {
        "questions": "questions.jsonl", "digest": "9f2c61d07a",
        "generator": "SmolLM2-135M-Instruct", "encoder": "all-MiniLM-L6-v2",
        "date": "2026-11-21", "seed": 0,
        "settings": {"passages": 4, "max_tokens": 64},
    }  # fmt: skip
    problems = ("questions.jsonl:12: not JSON; left out",)
    comparison = Comparison(arms, gaps, "f1", "", about, problems)
    return replace(comparison, advice=advise(comparison)), records


class Page(HTMLParser):
    """What a page consists of; raises for what is not closed as it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def result() -> tuple[Comparison, Records]:
    return made()


@pytest.fixture(scope="module")
def html(result: tuple[Comparison, Records]) -> str:
    return report(*result)


def test_the_page_is_whole_and_asks_the_network_for_nothing(html: str) -> None:
    page = Page(html)

    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "iframe", "object", "embed", "link", "img", "base", "form"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src", "xlink:href", "action"):
                assert (value or "").startswith("#")
    assert not re.search(r"url\(|@import|https?://", html)
    assert "default-src 'none'" in html


def test_links_lead_somewhere_and_ids_are_there_once(html: str) -> None:
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]

    assert len(set(ids)) == len(ids)
    assert {str(link)[1:] for link in links} <= set(ids)


def test_headings_are_in_order(html: str) -> None:
    levels = [int(tag[1]) for tag, _ in Page(html).tags if re.fullmatch(r"h\d", tag)]

    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_pictures_have_words(html: str) -> None:
    pictures = [attributes for tag, attributes in Page(html).tags if tag == "svg"]

    assert len(pictures) > 15
    for each in pictures:
        assert each.get("aria-hidden") == "true" or (each["role"] == "img" and each["aria-label"])


def test_all_figures_are_there(html: str, result: tuple[Comparison, Records]) -> None:
    comparison, _ = result
    text = Page(html).text

    assert " ".join(comparison.advice.split()) in text
    for arm in comparison.arms.values():
        of = arm.metrics["f1"]
        assert f"{of.mean:.2f} [{of.low:.2f}, {of.high:.2f}]" in text
        for kind, number in arm.errors.items():
            assert f"{kind} · {number}" in text
    assert "questions.jsonl:12: not JSON; left out" in text
    assert "answers.rag-fewshot.jsonl" in text
    assert "language = de ⚠ worse" in text
    assert "SmolLM2-135M-Instruct" in text


def test_what_strangers_wrote_is_shown_as_they_wrote_it() -> None:
    comparison, records = made()
    bad = {
        arm: [
            replace(
                record,
                id=EVIL,
                question=EVIL,
                answer=EVIL * 20,
                answers=(EVIL,),
                slice={EVIL: EVIL},
                error=EVIL,
                citations=(Cited(EVIL, EVIL, 0, 1, EVIL, (0, 1)),),
            )
            for record in of[:1]
        ]
        for arm, of in records.items()
    }
    here = Interval(0.1, 0.0, 0.2, 30)
    arms = {
        name + EVIL: replace(
            arm,
            name=name + EVIL,
            about=EVIL,
            metrics={**arm.metrics, EVIL: here},
            errors={EVIL: 10},
            examples={EVIL: (EVIL,)},
            slices=(Slice(EVIL, EVIL, EVIL, here, here, -0.1, 0.1, True),),
        )
        for name, arm in comparison.arms.items()
    }
    gaps = tuple(replace(g, a=g.a + EVIL, b=g.b + EVIL) for g in comparison.differences)
    worst = replace(
        comparison, arms=arms, differences=gaps, advice=EVIL, about={EVIL: EVIL}, problems=(EVIL,)
    )

    html = report(worst, {name + EVIL: of for name, of in bad.items()})

    page = Page(html)
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert "<script" not in html
    assert not [name for _, attributes in page.tags for name in attributes if name[:2] == "on"]
    assert page.text.count("alert('x')") > 50


def test_long_texts_are_unfolded() -> None:
    comparison, records = made()
    long = "a word and another, " * 100 + "the end"
    told = {arm: [replace(r, question=long) for r in of] for arm, of in records.items()}

    html = report(comparison, told)

    assert "the end</span></details>" in html
    assert " ".join(long.split()) not in Page(html).text.replace(" … ", "|")


def test_the_same_comparison_gives_the_same_page(
    html: str, result: tuple[Comparison, Records]
) -> None:
    assert report(*result) == html


def test_little_is_enough_for_a_page() -> None:
    """One arm without anything, one metric, no differences, no records."""
    arm = ArmResult("base", {"f1": Interval(0.2, 0.1, 0.3, 30)}, 0.0, 0, 30)
    text = Page(report(Comparison({"base": arm}, (), "f1", ""), {})).text

    assert "Only base was measured" in text
    assert "No two arms were compared." in text


def test_a_page_without_any_arm_says_so() -> None:
    text = Page(report(Comparison({}, (), "f1", "", {}, ("rag could not run",)), {})).text

    assert "Nothing can be compared" in text
    assert "rag could not run" in text


def test_what_was_not_measured_is_left_out() -> None:
    comparison, records = made()
    nothing = Interval(math.nan, math.nan, math.nan, 0)
    arms = dict(comparison.arms)
    arms["base"] = replace(arms["base"], metrics={"f1": nothing, "em": nothing})

    text = Page(report(replace(comparison, arms=arms), records)).text

    assert "nan" not in text.lower().split()


def test_half_a_character_does_not_stop_the_page(tmp_path: Path) -> None:
    comparison, records = made()
    told = {arm: [replace(r, question="broken \ud83d") for r in of] for arm, of in records.items()}

    write(comparison, told, tmp_path)

    assert "broken ?" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_example_without_a_record_is_a_mistake(result: tuple[Comparison, Records]) -> None:
    comparison, records = result

    with pytest.raises(ValueError, match="arm 'rag': examples without a record"):
        report(comparison, {**records, "rag": []})


def test_the_folder_holds_all_that_was_measured(
    tmp_path: Path, result: tuple[Comparison, Records]
) -> None:
    comparison, records = result
    folder = tmp_path / "new" / "report"

    printed = write(comparison, records, folder)

    names = {path.name for path in folder.iterdir()}
    assert names == {"metrics.json", "report.html", *map(file_name, records)}
    for arm, of in records.items():
        assert read(folder / f"answers.{arm}.jsonl") == tuple(of)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics == json.loads(json.dumps(printed))
    assert metrics["report"] == str(folder)
    assert metrics["advice"] == comparison.advice
    rag = metrics["arms"]["rag"]
    assert rag["metrics"]["f1"] == asdict(comparison.arms["rag"].metrics["f1"])  # not rounded
    assert rag["tokens"] == comparison.arms["rag"].tokens
    assert rag["seconds"] == comparison.arms["rag"].seconds
    first = metrics["differences"][0]
    assert first == asdict(comparison.differences[0])
    assert {"a", "b", "metric", "mean", "low", "high"} <= first.keys()


def test_numbers_that_are_none_are_null(tmp_path: Path) -> None:
    comparison, records = made()
    gaps = (Gap("base", "rag", "f1", math.nan, math.nan, math.inf, 0, math.nan),)

    write(replace(comparison, differences=gaps), records, tmp_path)

    (gap,) = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["differences"]
    assert (gap["mean"], gap["high"]) == (None, None)


def test_what_is_printed_has_no_numbers_that_are_none(tmp_path: Path) -> None:
    comparison, _ = made()
    gaps = (Gap("base", "rag", "f1", math.nan, -math.inf, math.inf, 0, math.nan),)
    told = replace(comparison, differences=gaps, about={"risk": (math.nan, 0.1)})

    printed = as_json(told, tmp_path)

    assert json.loads(json.dumps(printed, allow_nan=False)) == printed
    assert printed["differences"][0]["mean"] is printed["differences"][0]["low"] is None
    assert printed["about"] == {"risk": [None, 0.1]}


def test_all_arms_that_read_the_gold_passage_are_shown_as_such() -> None:
    comparison, records = made()
    arm = replace(comparison.arms["oracle"], name="gold-big", passages="gold")
    own = replace(comparison, arms={**comparison.arms, "gold-big": arm})

    text = Page(report(own, {**records, "gold-big": records["oracle"]})).text

    assert "gold-big , in grey, reads the right passage by design" in text


def test_without_the_page_there_are_no_metrics(tmp_path: Path) -> None:
    """metrics.json says that all the rest is there, so it goes first and comes last."""
    comparison, records = made()
    write(comparison, records, tmp_path)

    with pytest.raises(ValueError, match="without a record"):
        write(comparison, {**records, "oracle": []}, tmp_path)

    assert not (tmp_path / "metrics.json").exists()
    assert not list(tmp_path.glob(".*"))  # nor a draft


@pytest.mark.parametrize("name", ["tuned+rag", "../../etc/passwd", "a/b", "con:", ".", "é ü"])
def test_any_name_of_an_arm_makes_a_file_in_the_folder(tmp_path: Path, name: str) -> None:
    comparison, records = made()
    arm = replace(comparison.arms["rag"], name=name)
    one = replace(comparison, arms={name: arm}, differences=())

    write(one, {name: records["rag"]}, tmp_path / "report")

    assert len(list((tmp_path / "report").iterdir())) == 3
    assert read(tmp_path / "report" / file_name(name)) == tuple(records["rag"])
    assert as_json(one, tmp_path)["files"] == {name: file_name(name)}


def test_arms_that_differ_in_case_only(tmp_path: Path) -> None:
    comparison, records = made()
    arms = {name: replace(comparison.arms["rag"], name=name) for name in ("rag", "RAG")}

    with pytest.raises(DataError, match="differ in case only"):
        write(replace(comparison, arms=arms), records, tmp_path)
