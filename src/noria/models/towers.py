"""An encoder of two towers: questions by one that was taught, passages by the one it came from.

What was ingested stays as it is: only questions get other vectors. So the live passages know these
towers by the fingerprint of the passages' encoder, and a release by ``digest``, which covers both.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.errors import ModelError
from noria.models.encode import SentenceEncoder
from noria.models.folder import read
from noria.protocols import Encoder
from noria.store.content import write_json

if TYPE_CHECKING:
    from noria.protocols import Matrix

NOTE = "noria_tower.json"  # in the folder of a taught tower: whose passages it was taught to find


class Towers:
    """Encodes questions with ``queries`` and passages with ``passages``.

    ``taught_for``: fingerprint of the passages' encoder that ``queries`` was taught with, as its
    folder notes it; None where it is not known. Raises ModelError for towers that do not belong
    together: their vectors would be compared, and mean nothing.
    """

    def __init__(
        self, queries: SentenceEncoder, passages: Encoder, taught_for: str | None = None
    ) -> None:
        if taught_for is not None and taught_for != passages.fingerprint:
            raise ModelError(
                "this query encoder was taught to find the passages of another encoder "
                f"({taught_for[:12]}, not {passages.fingerprint[:12]}); teach one for this encoder "
                "(noria tune retriever), or put back the one it was taught with"
            )
        if queries.dimension != passages.dimension:
            raise ModelError(
                f"the query encoder's vectors have {queries.dimension} numbers and the passages' "
                f"{passages.dimension}; both must come from the same encoder"
            )
        self.queries, self.passages = queries, passages

    @property
    def fingerprint(self) -> str:
        """Of the passages' encoder: what was ingested with it stays valid."""
        return self.passages.fingerprint

    @property
    def digest(self) -> str:
        """Of both towers: what a release is named by, for questions find other passages."""
        parts = f"{self.queries.fingerprint}\0{self.passages.fingerprint}"
        return hashlib.sha256(parts.encode()).hexdigest()

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.passages.dimension

    @property
    def max_tokens(self) -> int:
        """Tokens of a passage that are read."""
        return self.passages.max_tokens

    def count(self, text: str) -> int:
        """Number of tokens in ``text``, special tokens not counted."""
        return self.passages.count(text)

    def encode_queries(self, texts: Sequence[str]) -> "Matrix":
        """One row a question, from the taught tower."""
        return self.queries.encode_queries(texts)

    def encode_passages(self, texts: Sequence[str]) -> "Matrix":
        """One row a passage, from the tower that made the index."""
        return self.passages.encode_passages(texts)


def towers(folder: Path, passages: Encoder, digest: str | None = None) -> Towers:
    """``passages`` with the taught tower that ``save`` wrote into ``folder``.

    ``digest`` of the folder, where it is known. Raises ModelError for a folder that does not say
    whose passages it was taught to find, or says another's.
    """
    taught_for = read(folder / NOTE).get("passages")
    if not isinstance(taught_for, str):
        raise ModelError(
            f"{folder}: no {NOTE} that says whose passages this encoder was taught to find; "
            "it is written by: noria tune retriever"
        )
    return Towers(SentenceEncoder(folder, digest=digest), passages, taught_for)


def save(model: Any, folder: Path, passages: str) -> None:
    """Write a taught tower, a SentenceTransformer, as a folder that SentenceEncoder reads.

    ``passages``: fingerprint of the encoder whose passages it was taught to find.
    """
    from noria.models.quiet import quiet

    with quiet():
        model.save(str(folder), create_model_card=False, safe_serialization=True)
    write_json(folder / NOTE, {"passages": passages})
