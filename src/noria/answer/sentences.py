"""Where sentences begin and end. A few rules, the same for answers and for passages."""

import re

# A sentence ends at . ! ? (and closing marks) before white space and something that can begin
# one, and at an empty line, a list item, a table row or a heading. Runs of marks and of white
# space are taken whole or not at all: giving them back is quadratic in a text of dots.
ENDING = re.compile(
    r"""(?<![.!?…])[.!?…]++["')\]\u201d\u2019*]*+\s++(?=["'(\[\u201c\u2018*]*[A-Z0-9\u00c0-\u024f])"""
    r"""|\n\s*\n\s*|\n\s*(?=[-*+#|>]\s?|\d+[.)]\s)"""
)
LONGEST = 8  # letters of an abbreviation; none is looked for further back
ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Prof|Jr|Sr|vs|etc|e\.g|i\.e|cf|al|Inc|Ltd|Co|No|Fig|Eq|approx|"
    r"Gen|Col|Capt|Lt|Sgt|Rev|Hon|Gov|Sen|Rep|Vol|pp?|ca|c)\.)\s+$"
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences of ``text``, without the white space around them.

    >>> text = "Dr. Ada wrote it. It ran!"
    >>> [text[start:end] for start, end in sentences(text)]
    ['Dr. Ada wrote it.', 'It ran!']
    """
    spans, start = [], 0
    for ending in ENDING.finditer(text):
        if ABBREVIATION.search(text, max(start, ending.start() - LONGEST), ending.end()):
            continue
        spans.append((start, ending.end()))
        start = ending.end()
    spans.append((start, len(text)))
    return [trimmed for span in spans if (trimmed := trim(text, *span))]


def trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The span without white space around it; None where nothing is left."""
    inner = text[start:end]
    left = len(inner) - len(inner.lstrip())
    right = len(inner.rstrip())
    return (start + left, start + right) if right > left else None
