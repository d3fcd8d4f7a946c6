"""The JSON shapes that commands print with ``--json``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from noria.corpus.ingest import Report
    from noria.types import Answer, Slate


def report_json(report: "Report") -> dict[str, Any]:
    """A report as ``noria ingest --json`` prints it: what was skipped is among what failed."""
    failed = [asdict(failure) for failure in (*report.failed, *report.skipped)]
    kept = {name: value for name, value in asdict(report).items() if name != "skipped"}
    return {**kept, "failed": failed}


def slate_json(slate: "Slate") -> dict[str, Any]:
    """A slate as ``noria search --json`` prints it."""
    return {
        "candidates": [
            {
                "id": c.item.id,
                "document": c.item.document,
                "start": c.item.start,
                "end": c.item.end,
                "score": c.score,
                "scores": dict(c.scores),
                "text": c.item.text,
            }
            for c in slate.candidates
        ],
        "index_version": slate.version,
        "timings": dict(slate.timings),
    }


def answer_json(answer: "Answer") -> dict[str, Any]:
    """An answer as ``noria ask --json`` prints it."""
    return {
        "id": answer.id,
        "answer": answer.text,
        "citations": [
            {
                "id": c.item.id,
                "document": c.item.document,
                "start": c.start,
                "end": c.end,
                "quote": c.quote,
            }
            for c in answer.citations
        ],
        "confidence": answer.confidence,
        "grounded": answer.grounded,
        "abstained": answer.abstained,
        "release": answer.release,
        "index_version": answer.index_version,
        "timings": dict(answer.timings),
    }
