"""Finds in a passage what could be the answer to a question: names, numbers, terms.

Told by signs alone (capitals, digits, quotation marks, stop words), in any language. Knows no
questions and no models.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from noria.answer.sentences import sentences
from noria.words import PAIRS, stops, terms, words

FEWEST, MOST = 6, 20  # words of a sentence that tells something, and that a small model copes with
LETTERS_SHARE = 0.75  # of what is no white space; tables of numbers and code have fewer
LONGEST = 60  # characters of an answer
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


def spans(text: str, language: str, headings: Sequence[str] = ()) -> list[Span]:
    """The possible answers in ``text``, the best of each sentence before the second best of any.

    What the headings name, or the text more than once, is what it is about: any question about it
    would name it, too.

    >>> text = "The great wheel of Hama was built for the town in 1361."
    >>> [text[span.start:span.end] for span in spans(text, "en")]
    ['1361', 'Hama']
    >>> [text[span.start:span.end] for span in spans(text, "en", ["The wheels of Hama"])]
    ['1361']
    """
    about = set(terms(" ".join(headings), language))
    flat = text.casefold()
    found: list[tuple[int, int, Span]] = []
    for sentence in sentences(text):
        first, last = bare(text, *sentence)
        if not tells(text[first:last], language):
            continue
        for place, (start, end) in enumerate(answers(text, first, last, language)):
            answer = text[start:end].casefold()
            if flat.count(answer) == 1 and not about.issuperset(terms(answer, language)):
                found.append((place, first, Span(start, end, first, last)))
    return [span for *_, span in sorted(found, key=lambda each: each[:2])]


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
    """Spans of a sentence that could be an answer: numbers, names, quoted terms."""
    found: list[tuple[int, int]] = []
    for start, end in chain(
        numbers(text, first, last, language),
        names(text, first, last, language),
        quoted(text, first, last),
    ):
        apart = all(end <= other or start >= until for other, until in found)
        if apart and end - start <= min(LONGEST, (last - first) / 2):
            found.append((start, end))
    return found


def numbers(text: str, first: int, last: int, language: str) -> Iterator[tuple[int, int]]:
    """Numbers of two characters or more, with the word that follows where it may be a unit.

    It is none if it belongs to grammar, or if the number belongs to a name: "Version 0.1 has".
    """
    for match in NUMBER.finditer(text, first, last):
        unit = match["unit"]
        before = text[first : match.start()].split()
        named = (
            len(before) > 0 and before[-1][0].isupper() and not stops(before[-1].lower(), language)
        )
        bare = unit is not None and (named or stops(unit.lower(), language))
        end = match.start("unit") - 1 if bare else match.end()
        if end - match.start() > 1:
            yield match.start(), end


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
