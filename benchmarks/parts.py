"""Part a data set: what is learnt from, what settings are tuned on, what only measures.

    python benchmarks/parts.py --data DIR OUT                 # SQuAD, by article
    python benchmarks/parts.py --data DIR --of banking77 OUT  # or pubmedqa, dialogsum

writes train, dev and test to OUT. Of SQuAD, train and dev hold the questions of 1.1 and the
unanswerable ones of 2.0, and test those of 1.1 alone; no article is in two of them. The other sets
are parted by question; an utterance that banking77 has twice is taken once.
"""

import argparse
import csv
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from _common import arguments, show
from noria.tune.data.alike import known

ARTICLES = {"test": 6, "dev": 3}  # of SQuAD
LABELLED = {"test": 600, "dev": 60}  # utterances of banking77
ABSTRACTS = {"test": 200, "dev": 50}  # of PubMedQA
DIALOGUES = {"test": 300, "dev": 100}  # of DialogSum's dev split; its train split is learnt from
SEED = 7


def main() -> None:
    """Write the parts, and print what is in them."""
    given = arguments(__doc__ or "", options)
    given.out.mkdir(parents=True, exist_ok=True)
    show(SETS[given.of](given.data, given.out))


def options(parser: argparse.ArgumentParser) -> None:
    """What can be chosen."""
    parser.add_argument("out", type=Path)
    parser.add_argument("--of", choices=sorted(SETS), default="squad")


def parted(
    found: Sequence[Any], sizes: Mapping[str, int], seed: int = SEED
) -> dict[str, list[Any]]:
    """``found``, shuffled, in parts of these sizes; what is left is learnt from."""
    drawn = list(found)
    random.Random(seed).shuffle(drawn)
    parts = {}
    for name, size in sizes.items():
        parts[name], drawn = drawn[:size], drawn[size:]
    return {**parts, "train": drawn}


def banking77(data: Path, out: Path) -> dict[str, int]:
    """Utterances with their intents."""
    with (data / "sft" / "banking77_train.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["text"].lower().strip(): row for row in csv.DictReader(file)}
    parts = parted(list(rows.values()), LABELLED)
    for name, some in parts.items():
        with (out / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["text", "category"])
            writer.writeheader()
            writer.writerows(some)
    return {name: len(some) for name, some in parts.items()}


def pubmedqa(data: Path, out: Path) -> dict[str, int]:
    """Questions on abstracts."""
    raw = json.loads((data / "pubmedqa" / "pqal_dev.json").read_text(encoding="utf-8"))
    parts = parted(sorted(raw), ABSTRACTS)
    for name, some in parts.items():
        (out / f"{name}.json").write_text(json.dumps({id: raw[id] for id in some}))
    return {name: len(some) for name, some in parts.items()}


def dialogsum(data: Path, out: Path) -> dict[str, int]:
    """Dialogues with their summaries; what is alike in both splits is not learnt from."""
    learnt, other = (
        list(map(json.loads, (data / "sft" / f"dialogsum.{split}.jsonl").open(encoding="utf-8")))
        for split in ("train", "dev")
    )
    twins = known([each["dialogue"] for each in learnt], [each["dialogue"] for each in other])
    apart = [each for each, twin in zip(learnt, twins, strict=True) if twin is None]
    parts = {**parted(other, DIALOGUES), "train": apart}
    for name, some in parts.items():
        lines = [
            json.dumps({"id": each["fname"], "question": each["dialogue"],
                        "answers": [each["summary"]], "task": "summarization"})
            for each in some
        ]  # fmt: skip
        (out / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {name: len(some) for name, some in parts.items()}


def squad(data: Path, out: Path) -> dict[str, Any]:
    """Paragraphs with their questions, by article."""
    answerable = articles(data / "squad" / "dev-v1.1.partA.json")
    both = articles(data / "squad" / "dev-v2.0.partA.json")
    told = {}
    for name, chosen in parted(sorted(answerable), ARTICLES).items():
        some = [
            answerable[title] if name == "test" else joined(answerable[title], both.get(title))
            for title in chosen
        ]
        (out / f"{name}.json").write_text(json.dumps({"data": some}), encoding="utf-8")
        questions = [q for each in some for p in each["paragraphs"] for q in p["qas"]]
        told[name] = {
            "articles": sorted(chosen),
            "questions": len(questions),
            "unanswerable": sum(bool(q.get("is_impossible")) for q in questions),
        }
    return told


def articles(path: Path) -> dict[str, Any]:
    """The articles of a file by title."""
    return {each["title"]: each for each in json.loads(path.read_bytes())["data"]}


def joined(article: dict[str, Any], other: dict[str, Any] | None) -> dict[str, Any]:
    """An article, with the unanswerable questions that 2.0 asks of the same paragraphs."""
    more: dict[str, list[Any]] = {}
    for paragraph in other["paragraphs"] if other else ():
        more.setdefault(paragraph["context"].strip(), []).extend(
            q for q in paragraph["qas"] if q.get("is_impossible")
        )
    own = [
        {**each, "qas": each["qas"] + more.pop(each["context"].strip(), [])}
        for each in article["paragraphs"]
    ]
    return {"title": article["title"], "paragraphs": own}


SETS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "banking77": banking77, "dialogsum": dialogsum, "pubmedqa": pubmedqa, "squad": squad,
}  # fmt: skip


if __name__ == "__main__":
    main()
