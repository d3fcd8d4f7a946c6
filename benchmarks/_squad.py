"""SQuAD's articles as documents, and the questions on them, for benchmarks of the service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = "squad/dev-v1.1.partA.json"
KEPT = 1181  # paragraphs of the file


def articles(data: Path) -> list[dict[str, Any]]:
    """All of them, as the file has them."""
    found: list[dict[str, Any]] = json.loads((data / FILE).read_text("utf-8"))["data"]
    return found


def write(data: Path, folder: Path) -> None:
    """One file an article."""
    folder.mkdir(parents=True, exist_ok=True)
    for article in articles(data):
        text = "\n\n".join(paragraph["context"] for paragraph in article["paragraphs"])
        title = article["title"]
        (folder / f"{title}.md").write_text(f"# {title}\n\n{text}\n", encoding="utf-8")


def questions(data: Path) -> list[str]:
    """One of each paragraph, then another of each: neighbours share no passages."""
    by_paragraph = [each for article in articles(data) for each in of_paragraphs(article)]
    longest = max(map(len, by_paragraph))
    return [each[n] for n in range(longest) for each in by_paragraph if n < len(each)]


def together(data: Path) -> list[str]:
    """All questions of a paragraph, then those of the next: neighbours share passages."""
    return [q for article in articles(data) for each in of_paragraphs(article) for q in each]


def of_paragraphs(article: dict[str, Any]) -> Iterator[list[str]]:
    """The distinct questions on each paragraph."""
    for paragraph in article["paragraphs"]:
        yield list(dict.fromkeys(qa["question"].strip() for qa in paragraph["qas"]))
