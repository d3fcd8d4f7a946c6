"""Where a text may be cut. Knows lines and sentences, not tokens.

Files are wrapped: most line ends stand in the middle of a sentence. A splitter that prefers line
ends to sentence ends then cuts sentences in half. So it is shown the text through a mask of the
same length, in which a newline stands only where a reader sees one.
"""

import re
from collections.abc import Sequence

from noria.corpus.formats.markdown import lines
from noria.types import Heading

SENTENCE_END = re.compile(r"[.!?:;\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)\]*_`]*$")
ITEM = re.compile(r"\s*(?:[-*+>|\u2022\u2023\u25e6\u25aa\u2013\u2014]|#{1,6}\s|\(?\w{1,3}[.)]\s)")
SHORT_LINE = 40  # characters; a wrapped line is longer, a title or an address shorter
MARKER = re.compile(r"^([ \t]*(?:[-*+\u2022][ \t]+)?(?:\d+\.)*\w{1,3})\.([ \t])", re.M)
NUMBERED = re.compile(r"\s*(?:\d+\.)+\d*\s+\S")  # '2.02 Home Base' in a PDF


def mask(text: str, headings: Sequence[Heading], fenced: bool) -> str:
    r"""``text`` with spaces for newlines that are mere wrapping, or part a heading from its text.

    ``fenced``: the text is Markdown, so that ``\`\`\``` opens code, where every line counts.

    >>> mask("a sentence that goes on and on, up to the\nnext line.\nAnother.", (), False)
    'a sentence that goes on and on, up to the next line.\nAnother.'
    >>> mask("# Title\n\nText.", [Heading(0, 1, "Title")], True)
    '# Title  Text.'
    """
    titles = {heading.start for heading in headings}
    shown: list[str] = []
    previous, was_code, bound = "", False, False
    for start, line, code in located(text, fenced):
        if start:
            soft = bound or (not code and not was_code and wrapped(previous, line))
            shown.append(" " if soft else "\n")
        shown.append(line)
        # a heading, the rules around it and the blank lines below it go with what follows
        bound = start in titles or (bound and not (speaks(previous) and speaks(line)))
        previous, was_code = line, code
    # the point in '1. Turn it on' ends no sentence
    return MARKER.sub(r"\1,\2", "".join(shown))


def located(text: str, fenced: bool) -> list[tuple[int, str, bool]]:
    """Each line with its offset, and whether it is code."""
    if fenced:
        return list(lines(text))
    found, at = [], 0
    for line in text.split("\n"):
        found.append((at, line, False))
        at += len(line) + 1
    return found


def wrapped(line: str, following: str) -> bool:
    """Whether ``following`` continues the sentence in ``line``."""
    line = line.rstrip()
    return (
        len(line) >= SHORT_LINE
        and bool(following.strip())
        and not SENTENCE_END.search(line)
        and not line.lstrip().startswith(("|", "#"))
        and not ITEM.match(following)
        and not NUMBERED.match(following)
    )


def speaks(line: str) -> bool:
    """Whether ``line`` has words, as rules and blank lines have not."""
    return any(map(str.isalnum, line))
