"""What a follow-up searches for: its own words, and those of the turns that it goes on from.

"Did she have other children?" finds nothing; with the turns before it, it finds her. No model is
asked: a small one rewrites badly, and a large one takes longer than the answer.
"""

from collections.abc import Sequence

TURNS = 4  # two questions with their answers
WORDS = 40  # of each turn that are taken up: a long answer would drown the question


def condensed(question: str, history: Sequence[str]) -> str:
    """The text to search with. ``history``: what was asked and answered before, oldest first.

    >>> condensed("When was she born?", ["Who dug the well?", "Ada dug it."])
    'Who dug the well? Ada dug it. When was she born?'
    >>> condensed("Who dug the well?", [])
    'Who dug the well?'
    """
    said = [" ".join(turn.split()[:WORDS]) for turn in history[-TURNS:]]
    return " ".join([*filter(None, said), question])
