"""How well `grounded` tells faithful answers from others, as the area under the ROC curve.

Altered answers: a faithful answer, and the same with one number or one name altered, to one that
stands in the same passage ("near") or to one that does not ("far": another number, or a name of
the same article). The faithful answers are of five sources:

- squad-sentence: the sentence of the paragraph that has the gold answer (a copy);
- squad-statement: a statement made of question and gold answer by rules, altered in the answer;
- squad-answer: the gold answer alone;
- dialogsum: a person's summary of a dialogue ("speaker": Person1 for Person2, counted apart);
- faithbench-consistent: a model's summary in which no annotator marked anything.

SQuAD answers are checked against their paragraph and three others of the article. The constants
were fitted on one half ("fitted": every second article of SQuAD, and DialogSum's training part);
the figures to quote are of the other ("held", articles between and DialogSum's dev part). The
faithful FaithBench summaries were looked at while fitting.

FaithBench: a summary counts as hallucinated if any annotator marked a span "Unwanted" (whatever
kind); the share `1 - grounded` is to find it. Intervals at 95 % resample the source passages, or
the summaries. "within": pairs of summaries of the same passage alone. The weight of words against
facts was chosen with an eye on these passages.

"sentences" is the older measure, the share of sentences with a citation, for comparison.

    python benchmarks/grounding.py --data DIR

A few minutes on one core, most of them spent in the encoder.
"""

import argparse
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _common
from noria.answer.grounding import Grounding, ground
from noria.answer.sentences import sentences
from noria.types import Candidate, Document

KINDS = ("number-far", "number-near", "name-far", "name-near")
NUMBER = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*(?![\w-])")
NAMES = re.compile(r"[A-Z][\w'-]*\w(?: [A-Z][\w'-]*\w)*")
CAPITALS = """
January February March April May June July August September October November December
Monday Tuesday Wednesday Thursday Friday Saturday Sunday The In It He She They This That
These Those And But For When While After Before There His Her Its Their What Who Where How
Which Why If On At As By An To From With Of We You Some Many Most Other Although However
During Since Hi Hello Oh Yes No Ok OK One WILL Mr Mrs Ms Miss I Well Thanks Thank Good Sure
"""
NO_NAMES = frozenset(CAPITALS.split())
BE = "is|was|are|were|has|had|have|can|could|will|would|may|must|should"
SUMMARY = "What does the text say?"
DRAWS = 2000


@dataclass(frozen=True)
class Case:
    """An answer to be judged. ``group``: its article, dialogue or source passage."""

    source: str
    kind: str
    group: str
    question: str
    passages: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Judged:
    """A case with both measures."""

    case: Case
    grounded: float
    sentences: float


class Remembering:
    """The encoder, asked only once for each text."""

    def __init__(self, inner: Any) -> None:
        self._inner, self._known = inner, {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode_passages(self, texts: Sequence[str]) -> Any:
        if new := [t for t in dict.fromkeys(texts) if t not in self._known]:
            self._known.update(zip(new, self._inner.encode_passages(new), strict=True))
        return np.stack([self._known[t] for t in texts])


def altered(
    answer: str, passage: str, others: str, rng: random.Random
) -> Iterator[tuple[str, str]]:
    """The answer with one number or name altered, by kind; ``others`` are the texts around."""
    found = [m.span() for m in NUMBER.finditer(answer)]
    if found:
        start, end = rng.choice(found)
        said, here = (set(NUMBER.findall(text)) for text in (answer, passage))
        if near := sorted(here - said):
            yield "number-near", answer[:start] + rng.choice(near) + answer[end:]
        if far := another(answer[start:end], said | here | set(NUMBER.findall(others)), rng):
            yield "number-far", answer[:start] + far + answer[end:]
    if spans := names(answer):
        start, end = rng.choice(spans)
        said, here = (set(re.findall(r"\w+", t.lower())) for t in (answer, passage))
        near, far = (
            sorted({n for n in listed(text) if not said & set(re.findall(r"\w+", n.lower()))})
            for text in (passage, others)
        )
        far = [n for n in far if not here & set(re.findall(r"\w+", n.lower()))]
        for kind, choice in (("name-near", near), ("name-far", far)):
            if choice:
                yield kind, answer[:start] + rng.choice(choice) + answer[end:]


def another(number: str, taken: set[str], rng: random.Random) -> str | None:
    """The number with one digit altered, so that it is not ``taken``."""
    digits = [i for i, c in enumerate(number) if c.isdigit()]
    for _ in range(50):
        at = rng.choice(digits)
        new = number[:at] + rng.choice("123456789") + number[at + 1 :]
        if new not in taken:
            return new
    return None


def listed(text: str) -> list[str]:
    """The names of a text."""
    return [text[start:end] for start, end in names(text)]


def names(text: str) -> list[tuple[int, int]]:
    """Spans of names: capitalised words, those that only begin a sentence excepted."""
    spans = []
    for begin, stop in sentences(text):
        for match in NAMES.finditer(text, begin, stop):
            words, start = match.group().split(), match.start()
            if words[0] in NO_NAMES:
                start += len(words.pop(0)) + 1
            if not words or NO_NAMES.intersection(words):
                continue
            alone = start == begin and len(words) == 1
            if not alone or re.search(rf"[a-z,] {re.escape(words[0])}\b", text):
                spans.append((start, start + len(" ".join(words))))
    return spans


def statement(question: str, answer: str) -> str | None:
    """Question and answer as one statement, where a rule fits; its grammar may limp.

    >>> statement("Who built the wheel?", "Ada"), statement("When was it built?", "1361")
    ('Ada built the wheel.', 'It was in 1361 that it built.')
    """
    asked = question.strip().rstrip("?").strip()
    rules = (
        (r"how many (.+?) (?:did|does|do) (.+)", lambda m: f"{upper(m[2])} {answer} {m[1]}."),
        (r"how many (.+)", lambda m: f"{answer} {m[1]}."),
        (r"(?:when|where|(?:in )?what year) (?:did|does|do) (.+)", lambda m: f"{upper(m[1])} {into(answer)}."),  # noqa: E501
        (r"(?:when|where|(?:in )?what year) (was|were|is|are) (.+)", lambda m: f"It {m[1]} {into(answer)} that {m[2]}."),  # noqa: E501
        (rf"who ((?:{BE}|\w+ed|\w+s|led|won|wrote|built|made|said|ran|held) .+)", lambda m: f"{upper(answer)} {m[1]}."),  # noqa: E501
        (rf"(?:what|which) (?!(?:{BE}|did|does|do) )(\w+(?: \w+)?) ((?:{BE}|\w+ed|won|led|made) .+)", lambda m: f"{upper(answer)} is the {m[1]} that {m[2]}."),  # noqa: E501
        (r"(?:what|which) (is|was|are|were) (.+)", lambda m: f"{upper(m[2])} {m[1]} {answer}."),
    )  # fmt: skip
    for pattern, made in rules:
        if match := re.fullmatch(pattern, asked, re.IGNORECASE):
            return made(match)
    return None


def upper(text: str) -> str:
    """The text with a capital."""
    return text[:1].upper() + text[1:]


def into(answer: str) -> str:
    """The answer after a preposition."""
    return (
        answer if re.match(r"(?:in|on|at|near|from)\b", answer, re.IGNORECASE) else f"in {answer}"
    )


def squad(path: Path, half: int, size: int, rng: random.Random) -> list[Case]:
    """``size`` faithful answers of each of three sources, and their alterations."""
    articles = json.loads(path.read_text(encoding="utf-8"))["data"][half::2]
    pool = [(a, p, qa) for a in articles for p in a["paragraphs"] for qa in p["qas"]]
    rng.shuffle(pool)
    cases: dict[str, list[Case]] = {"sentence": [], "statement": [], "answer": []}
    counts: dict[str, int] = defaultdict(int)
    used = set()
    for article, paragraph, qa in pool:
        text, gold = paragraph["context"], qa["answers"][0]
        others = [p["context"] for p in article["paragraphs"] if p is not paragraph]
        shown = [text, *rng.sample(others, min(3, len(others)))]
        rng.shuffle(shown)
        around = "\n\n".join(others)
        at = gold["answer_start"]
        copied = next((text[s:e] for s, e in sentences(text) if s <= at < e), "")
        for source, faithful in (
            ("sentence", copied),
            ("statement", statement(qa["question"], gold["text"])),
            ("answer", gold["text"]),
        ):
            if not faithful or counts[source] == size:
                continue
            if source == "sentence":
                if copied in used or not 6 <= len(copied.split()) <= 45:
                    continue
                used.add(copied)
                new = list(altered(copied, text, around, rng))
            else:
                new = list(altered(gold["text"], text, around, rng))
            if source == "statement":
                new = [(kind, statement(qa["question"], a) or a) for kind, a in new]
            if new:
                counts[source] += 1
                first = Case(
                    f"squad-{source}", "faithful", article["title"], qa["question"],
                    tuple(shown), faithful,
                )  # fmt: skip
                cases[source] += together(first, new)
    return [case for found in cases.values() for case in found]


def together(faithful: Case, new: Sequence[tuple[str, str]]) -> list[Case]:
    """A faithful answer and its alterations."""
    return [faithful, *(replace(faithful, kind=kind, answer=answer) for kind, answer in new)]


def dialogues(path: Path, size: int, rng: random.Random) -> list[Case]:
    """Summaries of dialogues with a name or number, and some that name speakers alone."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    cases: list[Case] = []
    count = 0
    for number, row in enumerate(rows):
        text, said = row["dialogue"].replace("#", ""), row["summary"].replace("#", "")
        others = " ".join(
            rows[(number + k) % len(rows)]["dialogue"].replace("#", "") for k in range(1, 20)
        )
        # Speakers in lower case are no names to `altered`.
        new = [
            (kind, a.replace("person_", "Person"))
            for kind, a in altered(*(t.replace("Person", "person_") for t in (said, text, others)), rng)  # noqa: E501
        ]  # fmt: skip
        speakers = [m.span() for m in re.finditer(r"Person[12]", said)]
        if not new and rng.random() < 0.7:
            continue
        if len({said[s:e] for s, e in speakers}) == 2:
            start, end = rng.choice(speakers)
            swapped = "Person2" if said[start:end] == "Person1" else "Person1"
            new.append(("speaker", said[:start] + swapped + said[end:]))
        if new:
            count += 1
            cases += together(
                Case("dialogsum", "faithful", row["fname"], SUMMARY, (text,), said), new
            )
        if count == size:
            break
    return cases


def faithbench(path: Path) -> list[Case]:
    """All summaries; the kind is the worst that an annotator saw."""
    cases = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        labels = {label.split(".")[0] for a in row["annotations"] for label in a["label"]}
        kind = next((k for k in ("Unwanted", "Questionable", "Benign") if k in labels), "faithful")
        # Two of the passages are one with a word between: by their beginning they are one group.
        text = row["source"]
        cases.append(Case("faithbench", kind, text[:60], SUMMARY, (text,), row["summary"].strip()))
    return cases


def consistent(cases: Sequence[Case], rng: random.Random) -> list[Case]:
    """The faithful summaries of FaithBench and their alterations."""
    around = "\n\n".join(sorted({c.passages[0] for c in cases}))
    made: list[Case] = []
    for case in cases:
        if case.kind == "faithful":
            new = list(altered(case.answer, case.passages[0], around, rng))
            made += together(replace(case, source="faithbench-consistent"), new) if new else []
    return made


def judged(cases: Sequence[Case], models: _common.Models, encoder: Any) -> list[Judged]:
    """Both measures of each case."""
    told, results = _common.Told(), []
    for done, case in enumerate(cases, 1):
        candidates = [
            Candidate(item, 1.0)
            for n, text in enumerate(case.passages)
            for item in models.splitter.split(Document(str(n), str(n), text, "text/plain"))
        ]
        found = ground(case.question, case.answer, candidates, encoder, "en")
        results.append(Judged(case, found.share, held(found)))
        told(case.source, done, len(cases))
    return results


def held(found: Grounding) -> float:
    """The share of sentences that have a citation."""
    return sum(s.holds for s in found.supports) / max(1, len(found.supports))


def auroc(faithful: Sequence[float], other: Sequence[float]) -> float:
    """How often a faithful answer has the higher figure; equal ones count half."""
    above = np.subtract.outer(np.array(faithful), np.array(other))
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def of_altered(results: Sequence[Judged], measure: str) -> dict[str, Any]:
    """AUROC by source and kind, by source, and of all."""
    by: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for r in results:
        by[r.case.source][r.case.kind].append(getattr(r, measure))
    told: dict[str, Any] = {source: of_source(kinds) for source, kinds in by.items()}
    pooled: dict[str, list[float]] = defaultdict(list)
    for kinds in by.values():
        for kind, values in kinds.items():
            pooled[kind] += values
    told["all"] = of_source(pooled)
    told["all"].pop("speaker", None)  # against answers of other sources it says nothing
    return told


def of_source(kinds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """AUROC by kind, of all kinds (speakers excepted), and with speakers."""
    faithful = kinds["faithful"]
    there = [k for k in (*KINDS, "speaker") if kinds.get(k)]
    told = {kind: auroc(faithful, kinds[kind]) for kind in there}
    every = [v for k in there if k != "speaker" for v in kinds[k]]
    told["all"] = auroc(faithful, every)
    if "speaker" in there:
        told["all with speakers"] = auroc(faithful, [*every, *kinds["speaker"]])
    return told | {"faithful answers": len(faithful), "altered answers": len(every)}


def of_faithbench(
    results: Sequence[Judged], measure: str, bad: frozenset[str], rng: np.random.Generator
) -> dict[str, Any]:
    """AUROC over all pairs with its intervals, and over pairs of the same passage."""
    scores = np.array([getattr(r, measure) for r in results])
    wrong = np.array([r.case.kind in bad for r in results])
    groups = np.array([r.case.group for r in results])
    members = [np.flatnonzero(groups == g) for g in sorted(set(groups))]
    by_passage = [
        np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        for _ in range(DRAWS)
    ]
    by_summary = [rng.integers(0, len(scores), len(scores)) for _ in range(DRAWS)]
    pairs = wins = 0.0
    for m in members:
        good, poor = scores[m][~wrong[m]], scores[m][wrong[m]]
        if len(good) and len(poor):
            pairs += len(good) * len(poor)
            wins += auroc(list(good), list(poor)) * len(good) * len(poor)
    return {
        "auroc": auroc(list(scores[~wrong]), list(scores[wrong])),
        "interval by passage": interval(scores, wrong, by_passage),
        "interval by summary": interval(scores, wrong, by_summary),
        "within passages": wins / pairs,
        "hallucinated": int(wrong.sum()),
        "summaries": len(scores),
        "passages": len(members),
    }


def interval(
    scores: NDArray[np.float64], wrong: NDArray[np.bool_], draws: Sequence[NDArray[np.int64]]
) -> str:
    """The middle 95 % of the AUROC over resamples; a draw of one class alone is left out."""
    figures = [
        auroc(list(scores[d][~wrong[d]]), list(scores[d][wrong[d]]))
        for d in draws
        if wrong[d].any() and not wrong[d].all()
    ]
    low, high = np.quantile(figures, [0.025, 0.975])
    return f"{low:.3f} to {high:.3f}"


def scale(results: Sequence[Judged]) -> dict[str, float]:
    """What values mean: of as many faithful as altered answers near one, the faithful share."""
    told = {}
    faithful = np.array([r.grounded for r in results if r.case.kind == "faithful"])
    other = np.array([r.grounded for r in results if r.case.kind in KINDS])
    for low in np.arange(0, 1, 0.2):
        high = low + 0.2 if low < 0.79 else 1.01
        good, poor = (float(((x >= low) & (x < high)).mean()) for x in (faithful, other))
        told[f"{low:.1f} to {low + 0.2:.1f}"] = good / (good + poor)
    return told


def seconds(results: Sequence[Judged], models: _common.Models) -> dict[str, float]:
    """What one call costs, encoder and all, for SQuAD's copied sentences."""
    spent = []
    chosen = [r.case for r in results if r.case.source == "squad-sentence"][:40]
    for case in chosen:
        candidates = [
            Candidate(item, 1.0)
            for n, text in enumerate(case.passages)
            for item in models.splitter.split(Document(str(n), str(n), text, "text/plain"))
        ]
        answer = f"{case.answer} {chosen[0].answer}"
        started = time.perf_counter()
        ground(case.question, answer, candidates, models.encoder, "en")
        spent.append(time.perf_counter() - started)
    return {"median": float(np.median(spent)), "0.9": _common.percentile(spent, 0.9)}


def main() -> None:
    """Judge all, and print the measures."""

    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--half", choices=["held", "fitted"], default="held")
        parser.add_argument("--size", type=int, default=150, help="faithful answers of a source")

    given = _common.arguments(__doc__, more)
    models = _common.models()
    encoder = Remembering(models.encoder)
    rng = random.Random(_common.SEED)
    half = int(given.half == "held")
    part = ("sft/dialogsum.train.jsonl", "sft/dialogsum.dev.jsonl")[half]
    summaries = faithbench(given.data / "grounding/faithbench.partA.jsonl")
    cases = [
        *squad(given.data / "squad/dev-v1.1.partA.json", half, given.size, rng),
        *dialogues(given.data / part, given.size, rng),
        *consistent(summaries, rng),
    ]
    results = judged(cases, models, encoder)
    written = judged(summaries, models, encoder)
    measures = ("grounded", "sentences")
    bad = frozenset({"Unwanted"})
    _common.show(
        {
            "half": given.half,
            "altered": {m: of_altered(results, m) for m in measures},
            "faithbench": {
                m: of_faithbench(written, m, bad, np.random.default_rng(_common.SEED))
                for m in measures
            },
            "faithbench, questionable counted as hallucinated": of_faithbench(
                written, "grounded", bad | {"Questionable"}, np.random.default_rng(_common.SEED)
            ),
            "faithful share by grounded": scale(results),
            "seconds": seconds(results, models),
        }
    )


if __name__ == "__main__":
    main()
