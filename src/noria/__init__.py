"""Noria: lift your data into a language model, turn after turn."""

from noria.errors import NoriaError
from noria.types import Answer, Candidate, Citation, Document, Item, Query, Slate

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Candidate",
    "Citation",
    "Document",
    "Item",
    "NoriaError",
    "Query",
    "Slate",
    "__version__",
]
