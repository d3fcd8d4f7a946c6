"""Where the quotes of answers lie, and what answering costs beside encoder, store and model.

Asks SQuAD questions (version 1.1, articles of the given file) over an index of all its paragraphs,
until ``--questions`` of them had their gold paragraph among the passages shown to the model. Of the
quotes that those answers cite: the share that lies in the gold paragraph, and their length.

    python benchmarks/quotes.py --data DIR
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from noria.answer.answerer import Answerer
from noria.build import PARAGRAPH_END, House
from noria.config import load
from noria.corpus.index import PassageTable
from noria.corpus.snapshot import Snapshot
from noria.corpus.write import Work, write
from noria.funnel.funnel import Funnel
from noria.funnel.order import Diverse
from noria.funnel.rank import AsRetrieved
from noria.funnel.retrieve import Hybrid
from noria.types import Completion, Document, Prompt, Query, Sampling


class Timed:
    """Passes calls on and adds up the seconds spent in them."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.seconds = inner, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _timed(self, call: Any, *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            self.seconds += time.perf_counter() - started


class TimedEncoder(Timed):
    def encode_queries(self, texts: Sequence[str]) -> Any:
        return self._timed(self._inner.encode_queries, texts)

    def encode_passages(self, texts: Sequence[str]) -> Any:
        return self._timed(self._inner.encode_passages, texts)


class TimedLLM(Timed):
    def count(self, text: str) -> int:
        return int(self._timed(self._inner.count, text))

    def stream(self, prompt: Prompt, sampling: Sampling) -> Generator[str, None, Completion]:
        started = time.perf_counter()
        completion = yield from self._inner.stream(prompt, sampling)
        self.seconds += time.perf_counter() - started
        return completion


class TimedTable(Timed):
    """Snapshots whose reads are timed."""

    def snapshot(self) -> Any:
        return TimedSnapshot(self._timed(self._inner.snapshot), self)


class TimedSnapshot:
    def __init__(self, inner: Snapshot, account: TimedTable) -> None:
        self._inner, self._account, self.version = inner, account, inner.version
        self.encoder, self.languages = inner.encoder, inner.languages

    def lexical(self, *arguments: Any) -> Any:
        return self._inner.lexical(*arguments)  # beside the encoder: not waited for twice

    def dense(self, *arguments: Any) -> Any:
        return self._account._timed(self._inner.dense, *arguments)

    def passages(self, *arguments: Any) -> Any:
        return self._account._timed(self._inner.passages, *arguments)


def main() -> None:
    """Index, ask, and print the measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("NORIA_DATA"))
    parser.add_argument("--file", default="squad/dev-v1.1.partA.json")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="of the generator; 0: all cores")
    parser.add_argument("--show", action="store_true", help="print each answer on stderr")
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("give --data DIR or set NORIA_DATA")
    paragraphs, questions = squad(Path(arguments.data) / arguments.file)
    random.Random(arguments.seed).shuffle(questions)
    with tempfile.TemporaryDirectory() as home:
        settings = load()
        models = replace(settings.models, threads=arguments.threads)
        house = House(replace(settings, home=Path(home), models=models))
        encoder, llm = TimedEncoder(house.encoder), TimedLLM(house.llm)
        table = PassageTable(Path(home) / "passages", "passages_squad", encoder.dimension)
        table.create()
        parsed = ((Work(d.id, d.id, d.id), d) for d in paragraphs)
        write(table, house.splitter, house.encoder, parsed)
        table.fold()
        store = TimedTable(table)
        answer = house.settings.answer
        answerer = Answerer(
            funnel=Funnel(Hybrid(store, encoder), (), AsRetrieved(), Diverse()),
            llm=llm,
            encoder=encoder,
            release="benchmark",
            sampling=Sampling(max_tokens=answer.max_tokens, stop=PARAGRAPH_END),
            prompt_tokens=answer.prompt_tokens,
            abstain_below=answer.abstain_below,
        )
        print(json.dumps(measure(answerer, questions, arguments, encoder, llm, store)))


def squad(path: Path) -> tuple[list[Document], list[tuple[str, str, list[str]]]]:
    """Paragraphs, and questions with the id of their paragraph and their answers."""
    documents, questions = [], []
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            name = f"{article['title']}/{number}"
            documents.append(Document(name, name, paragraph["context"], "text/plain"))
            questions += [
                (qa["question"], name, [a["text"] for a in qa["answers"]])
                for qa in paragraph["qas"]
            ]
    return documents, questions


def measure(
    answerer: Answerer,
    questions: Sequence[tuple[str, str, list[str]]],
    arguments: argparse.Namespace,
    encoder: Timed,
    llm: Timed,
    store: Timed,
) -> dict[str, Any]:
    """Ask until enough questions had their gold paragraph, and count."""
    asked = found = abstained = cited = has_answer = 0
    lengths, overheads, totals = [], [], []
    right = 0
    for question, gold, answers in questions:
        if found == arguments.questions:
            break
        asked += 1
        query = Query(str(asked), question)
        slate = answerer.funnel.search(query)
        if gold not in {c.item.document for c in slate.candidates}:
            continue
        found += 1
        encoder.seconds = llm.seconds = store.seconds = 0.0
        started = time.perf_counter()
        answer = answerer.answer(query)
        total = time.perf_counter() - started
        totals.append(total)
        overheads.append((total - encoder.seconds - llm.seconds - store.seconds) / total)
        abstained += answer.abstained
        lengths += [len(c.quote.split()) for c in answer.citations]
        cited += len(answer.citations)
        right += sum(c.item.document == gold for c in answer.citations)
        has_answer += any(a.lower() in c.quote.lower() for c in answer.citations for a in answers)
        if arguments.show:
            quotes = [(c.item.document, c.quote) for c in answer.citations]
            print(question, "|", answers[0], "|", answer.text, "|", quotes, file=sys.stderr)
            print("   ", gold, f"{answer.confidence:.2f} {answer.grounded:.2f}", file=sys.stderr)
    return {
        "asked": asked,
        "gold_retrieved": found,
        "abstained": abstained,
        "quotes": cited,
        "quotes_in_gold_passage": right / cited if cited else 0.0,
        "answers_whose_quotes_hold_the_answer": has_answer / found,
        "quote_words_median": statistics.median(lengths) if lengths else 0,
        "overhead_share_median": statistics.median(overheads),
        "seconds_per_answer_median": statistics.median(totals),
    }


if __name__ == "__main__":
    main()
