"""The kinds of judgements, and what each must say. The HTTP service and files ask the same."""

from collections.abc import Sequence

KINDS = ("thumb", "correction", "ranking", "comment", "copied", "asked-again")


def lacking(kind: str, value: object, text: str | None, ranking: Sequence[str]) -> str | None:
    """What a judgement lacks for its kind, if it lacks something.

    >>> lacking("thumb", None, None, ())
    'value: a thumb is 1 or -1'
    >>> lacking("comment", None, "Nice!", ()) is None
    True
    """
    if kind == "thumb" and value is None:
        return "value: a thumb is 1 or -1"
    if kind in ("correction", "comment") and not (text or "").strip():
        return f"text: a {kind} has some"
    if kind == "ranking" and (len(set(ranking)) != len(ranking) or len(ranking) < 2):
        return "ranking: expected the ids of two or more answers, each once, the best first"
    return None
