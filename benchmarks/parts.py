"""Part SQuAD by article: what is learnt from, what settings are tuned on, what only measures.

    python benchmarks/parts.py OUT

writes train.json, dev.json and test.json. Train and dev hold the questions of 1.1 and the
unanswerable ones of 2.0; test holds those of 1.1 alone. No article is in two of them.
"""

import json
import random
from pathlib import Path
from typing import Any

from _common import arguments, show

TEST, DEV = 6, 3  # articles
SEED = 7


def main() -> None:
    """Write the parts, and print what is in them."""
    given = arguments(__doc__ or "", lambda parser: parser.add_argument("out", type=Path))
    out, squad = given.out, given.data / "squad"
    out.mkdir(parents=True, exist_ok=True)
    answerable = articles(squad / "dev-v1.1.partA.json")
    both = articles(squad / "dev-v2.0.partA.json")
    names = sorted(answerable)
    random.Random(SEED).shuffle(names)
    parts = {"test": names[:TEST], "dev": names[TEST : TEST + DEV], "train": names[TEST + DEV :]}
    told = {}
    for name, chosen in parts.items():
        data = [
            answerable[title] if name == "test" else joined(answerable[title], both.get(title))
            for title in chosen
        ]
        (out / f"{name}.json").write_text(json.dumps({"data": data}), encoding="utf-8")
        questions = [q for each in data for p in each["paragraphs"] for q in p["qas"]]
        told[name] = {
            "articles": sorted(chosen),
            "questions": len(questions),
            "unanswerable": sum(bool(q.get("is_impossible")) for q in questions),
        }
    show(told)


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


if __name__ == "__main__":
    main()
