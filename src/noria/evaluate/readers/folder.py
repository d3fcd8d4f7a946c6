"""BEIR folders: a corpus, and questions with judged documents of it."""

from pathlib import Path

from noria.errors import DataError
from noria.evaluate import beir
from noria.evaluate.questions import Questions
from noria.evaluate.readers.entries import DOCUMENT, UNWRITABLE, Place, gathered
from noria.evaluate.readers.files import opened

FILES = ("corpus.jsonl", "queries.jsonl")


def read(path: Path, split: str) -> Questions:
    """The questions that ``split`` judges, with the documents that it grades above 0.

    As in all of a BEIR folder, a wrong line raises DataError: metrics over the rest of a published
    collection could be compared with nothing.
    """
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:
        raise DataError(
            f"a folder without {' and '.join(missing)}; expected a file of questions, or a BEIR "
            "folder with corpus.jsonl, queries.jsonl and qrels/", path,
        )  # fmt: skip
    for name in FILES:
        opened(path / name)
    collection = beir.read(path, split)
    for document in collection.documents:
        if len(document.id) > DOCUMENT or UNWRITABLE.search(document.id + document.text):
            raise DataError(f"document {document.id!r:.60} cannot be stored: its id is too long, "
                            "or it holds what is no character", path / FILES[0])  # fmt: skip
    entries = [
        (
            Place(path, f"question {id!r:.60}"),
            {
                "id": id,
                "question": text,
                "documents": [d for d, grade in collection.judgements[id].items() if grade > 0],
            },
        )
        for id, text in collection.questions.items()
    ]
    judged = (
        (place, entry)
        if entry["documents"]
        else place.wrong(f"no document is graded above 0 in {split}.tsv")
        for place, entry in entries
    )
    return gathered(path, judged, "questions with documents graded above 0", collection.documents)
