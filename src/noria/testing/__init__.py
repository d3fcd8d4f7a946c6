"""What a plug-in's author tests it with: the laws of each seam, and fakes that need no weights.

    from noria.testing import check_retriever

    def test_mine():
        check_retriever(Mine(), Query("q", "how does a wheel lift water"), k=10)

Each law is a plain function that raises AssertionError, so that any test runner will do.
"""

from noria.testing.laws import (
    check_encoder,
    check_filter,
    check_llm,
    check_orderer,
    check_ranker,
    check_retriever,
    check_scorer,
    check_splitter,
)

__all__ = [
    "check_encoder",
    "check_filter",
    "check_llm",
    "check_orderer",
    "check_ranker",
    "check_retriever",
    "check_scorer",
    "check_splitter",
]
