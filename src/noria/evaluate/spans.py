"""Finds in a passage what could be the answer to a question: names, numbers, terms, phrases.

Told by signs alone (capitals, digits, quotation marks, stop words), in any language. Knows no
questions and no models.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from noria.answer.sentences import sentences
from noria.words import PAIRS, stops, words

FEWEST, MOST = 6, 45  # words of a sentence that tells something, and that is no list
LETTERS_SHARE = 0.75  # of what is no white space; tables of numbers and code have fewer
LONGEST = 60  # characters of an answer
PHRASE = 4  # words of a phrase that is an answer
UNSPACED = 8  # characters that make up for a sentence's words where no spaces part them

# Marks that only a table, code or a form has.
MARKUP = re.compile(r"[|{}\\=<>]|\]\(|https?:|^\W*$|\.{4}|_{3}|```|~~~")
ENDS = re.compile(r"[.!\u3002\uff01\u0964][\"')\]\u201d\u2019*`]*$")
QUOTED = re.compile(
    r"`([^`\n]{2,60})`|\u201c([^\u201d\n]{2,60})\u201d|\u00ab\s?([^\u00bb\n]{2,60}?)\s?\u00bb"
)
WORD = re.compile(r"[^\W_][\w'\u2019-]*")
NUMBER = re.compile(
    r"(?<![\w.,/:-])[$\u20ac\u00a3]?\d+(?:[.,:]\d+)*(?:\s?%|\s(?P<unit>[^\W\d_][\w'\u2019-]*))?(?![\w/:-])"
)
LIST_MARK = re.compile(r"(?:[-*+>#]|\d+[.)])\s+")


@dataclass(frozen=True, slots=True)
class Span:
    """A possible answer: ``text[start:end]``, in the sentence ``text[first:last]``."""

    start: int
    end: int
    first: int
    last: int


def spans(text: str, language: str) -> list[Span]:
    """The possible answers in ``text``, the best of each sentence before the second best of any.

    >>> text = "The great wheel of Hama was built for the town in 1361."
    >>> [text[span.start:span.end] for span in spans(text, "en")]
    ['1361', 'Hama', 'great wheel']
    """
    ranked = [
        (place, first, Span(start, end, first, last))
        for first, last in map(lambda each: bare(text, *each), sentences(text))
        if tells(text[first:last], language)
        for place, (start, end) in enumerate(answers(text, first, last, language))
    ]
    return [span for _, _, span in sorted(ranked, key=lambda each: each[:2])]


def bare(text: str, first: int, last: int) -> tuple[int, int]:
    """A sentence without the mark of a list before it."""
    mark = LIST_MARK.match(text, first, last)
    return (mark.end() if mark else first, last)


def tells(sentence: str, language: str) -> bool:
    """Whether a sentence is prose that tells something: no heading, question, table or code.

    >>> tells("The wheel of Hama was built in 1361.", "en"), tells("| 1361 | 21 m |", "en")
    (True, False)
    """
    if MARKUP.search(sentence) or not ENDS.search(sentence):
        return False
    said = words(sentence)
    size = sum(len(word) / UNSPACED * FEWEST if PAIRS.match(word) else 1 for word in said)
    inked = sum(not c.isspace() for c in sentence)
    letters = sum(c.isalpha() for c in sentence)
    return FEWEST <= size <= MOST and letters >= LETTERS_SHARE * inked


def answers(text: str, first: int, last: int, language: str) -> list[tuple[int, int]]:
    """Spans of a sentence that could be an answer: numbers, names, quoted terms, phrases."""
    found: list[tuple[int, int]] = []
    for start, end in chain(
        numbers(text, first, last, language),
        names(text, first, last, language),
        quoted(text, first, last),
        phrases(text, first, last, language),
    ):
        apart = all(end <= other or start >= until for other, until in found)
        if apart and end - start <= min(LONGEST, (last - first) / 2):
            found.append((start, end))
    return found


def numbers(text: str, first: int, last: int, language: str) -> Iterator[tuple[int, int]]:
    """Numbers, with the word that follows where it is none of grammar: "21 metres"."""
    for match in NUMBER.finditer(text, first, last):
        unit = match["unit"]
        common = unit is not None and stops(unit.lower(), language)
        yield match.start(), match.start("unit") - 1 if common else match.end()


def names(text: str, first: int, last: int, language: str) -> Iterator[tuple[int, int]]:
    """Runs of capitalised words; one word alone at the beginning may be any word."""
    for run in runs(text, first, last, lambda word: word[0].isupper()):
        while run and stops(run[0].group().lower(), language):
            run = run[1:]
        if run and not (len(run) == 1 and run[0].start() == first):
            yield run[0].start(), run[-1].end()


def quoted(text: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """What stands in quotation marks, or in those of code."""
    for match in QUOTED.finditer(text, first, last):
        group = match.lastindex or 0
        yield match.span(group)


def phrases(text: str, first: int, last: int, language: str) -> Iterator[tuple[int, int]]:
    """Runs of two to four words between stop words, the last one first: it is often the object."""
    found = runs(text, first, last, lambda word: not stops(word.lower(), language))
    for run in reversed(found):
        if 2 <= len(run) <= PHRASE and run[0].start() > first:
            yield run[0].start(), run[-1].end()


def runs(
    text: str, first: int, last: int, fits: Callable[[str], bool]
) -> list[list[re.Match[str]]]:
    """Words in a row that fit, with nothing but white space between them."""
    found: list[list[re.Match[str]]] = []
    end = -1
    for match in WORD.finditer(text, first, last):
        if fits(match.group()):
            if found and end >= 0 and text[end : match.start()].isspace():
                found[-1].append(match)
            else:
                found.append([match])
            end = match.end()
        else:
            end = -1
    return found
