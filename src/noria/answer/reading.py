"""Reads a text into what grounding compares: words by their stems, names, and numbers by value.

Knows nothing of passages or answers. What is a name is told by capitals, so it is a guess at the
beginning of a sentence, where any word has one.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from noria.answer.sentences import sentences
from noria.words import PLAIN, UNKNOWN, WORD, analysed, folded

Kind = Literal["word", "name", "first", "number"]  # first: a capital that may mean nothing

TOKEN = re.compile(rf"\d+(?:[.,]\d+)*(?![^\W_])|[%$\u20ac\u00a3]|{WORD.pattern}")
SIGNS = {"%": "percent", "$": "dollar", "\u20ac": "euro", "\u00a3": "pound"}
DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
DECIMAL = re.compile(r"\d{1,20}(?:\.\d{1,20})?")
OPENING = re.compile(r"[:\"\u201c\u2018\n?!*|]|- ")  # after these any word may have a capital
LIST_MARK = re.compile(r"\d+[.)]")
UNITS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
RANKS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
WRITTEN = {
    **{word: value for value, word in enumerate(UNITS.split())},
    **{word: 10 * value for value, word in enumerate(TENS.split(), 2)},
    **{word: value for value, word in enumerate(RANKS.split(), 1)},
}
DECADES = frozenset(TENS.split())
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
IDLE = frozenset({"zero", "one", "first"})  # "one of them" claims no number
TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "jr", "sr", "prof", "st"})


@dataclass(frozen=True, slots=True)
class Token:
    """One word, name or number. ``term``: what is compared; a number has "#" before its value.

    ``place``: how many tokens were before it. ``claims``: whether a text must have it to support
    the sentence. ``glued``: only white space is between it and the token before; ``pause``: a
    comma or colon comes next; ``in_words``: a number that is written in words.
    """

    term: str
    kind: Kind
    place: int
    claims: bool = True
    glued: bool = False
    pause: bool = False
    in_words: bool = False


def read(text: str, language: str, start: int = 0, pause: int = 0) -> list[Token]:
    """The tokens of ``text``, placed from ``start`` on; stop words have none.

    ``pause``: places left free after each sentence.

    >>> [t.term for t in read("Two wheels cost 25 million francs.", "en")]
    ['#2', 'wheel', 'cost', '#25000000', 'franc']
    >>> [t.term for t in read("In Hama it was 1,000 % of that.", "en") if t.kind == "name"]
    ['hama']
    """
    tokens: list[Token] = []
    for begin, end in sentences(text):
        sentence = unicodedata.normalize("NFKC", text[begin:end]).translate(PLAIN)
        if not LIST_MARK.fullmatch(sentence):
            found = list(sentence_tokens(sentence, language, start))
            tokens += found
            start += len(found) + (pause if found else 0)
    return tokens


def sentence_tokens(sentence: str, language: str, start: int) -> Iterator[Token]:
    """The tokens of one sentence, which is written plainly."""
    found = list(TOKEN.finditer(sentence))
    written = [m.group() for m in found]
    stops = [0, *(m.end() for m in found)]
    opening, place, at = True, start, 0
    while at < len(found):
        before = sentence[stops[at] : found[at].start()]
        opening = opening or OPENING.search(before) is not None
        number, used = value(written, at, language)
        if number is not None:
            claims = used > 1 or written[at].lower() not in IDLE
            in_words = not written[at][0].isdigit()
            yield Token(f"#{number}", "number", place, claims, in_words=in_words)
            place += 1
        else:
            kind, terms = word(written[at], language, opening)
            pause = sentence[found[at].end() : found[at].end() + 1] in (",", ":")
            claims = kind != "word" and claimed(written[at])
            for term in terms:
                yield Token(term, kind, place, claims, not before.strip(), pause)
                place += 1
        opening, at = False, at + used


def word(written: str, language: str, opening: bool) -> tuple[Kind, tuple[str, ...]]:
    """What kind of token a word is, and its terms; most stop words have none."""
    if written in SIGNS:
        return "word", (SIGNS[written],)
    lower = written.lower()
    terms = analysed(lower, language)
    if not written[0].isupper():
        return "word", terms
    if opening:
        return "first", terms
    if not terms and (written[1:].isupper() or lower == "may"):  # US, IT, WHO; the month
        terms = (folded(lower),)
    return "name", terms


def claimed(written: str) -> bool:
    """Whether a capital says more than "Mr" or the initial of a name."""
    return len(written) > 1 and written.lower() not in TITLES


def value(written: list[str], at: int, language: str) -> tuple[str | None, int]:
    """The number that begins at a word, in digits, and how many words it takes; None and 1.

    >>> value(["twenty", "five", "million"], 0, "en"), value(["1,000.50"], 0, "de")
    (('25000000', 3), ('1000.5', 1))
    """
    english = language in ("en", UNKNOWN)
    words = [w.lower() for w in written[at : at + 3]]
    used = 1
    if begins := DIGITS.match(words[0]):
        number = canonical(begins.group())
    elif english and words[0] in WRITTEN:
        amount = WRITTEN[words[0]]
        if words[0] in DECADES and len(words) > 1 and WRITTEN.get(words[1], 10) in range(1, 10):
            amount, used = amount + WRITTEN[words[1]], 2
        number = str(amount)
    else:
        return None, 1
    scale = SCALES.get(words[used], 0) if english and len(words) > used else 0
    if scale and DECIMAL.fullmatch(number):
        number, used = canonical(f"{Decimal(number) * scale:f}"), used + 1
    return number, used


def canonical(number: str) -> str:
    """A number in one way of writing.

    >>> canonical("1,000"), canonical("007"), canonical("2.50"), canonical("3.0")
    ('1000', '7', '2.5', '3')
    """
    number = number.replace(",", "")
    if number.count(".") == 1:
        number = number.rstrip("0").rstrip(".")
    whole = number.lstrip("0")
    return f"0{whole}" if not whole or whole.startswith(".") else whole
