"""Finds personal data in a text: e-mail addresses, telephone and card numbers, IBANs.

By their form and their check digits; names and postal addresses are not found. What looks alike and
is none (dates, versions, order numbers, identifiers) is left alone: a check that cries wolf is
switched off. Knows no examples.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["iban", "card", "email", "phone"]
KINDS: tuple[Kind, ...] = ("iban", "card", "email", "phone")  # the longer ones first

LIKELY = re.compile(r"@|\d(?:\D{0,3}\d){6}")  # without either, there is nothing to find

EMAIL = re.compile(
    r"(?<![\w.+%/-])(?!git@)\w[\w.+%'-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}(?![\w@-])"
)
FILES = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|css|js|py|md|txt|html?)$", re.IGNORECASE)

LOGIN = re.compile(r"://[^\s/@]*:$")  # of an address: ftp://user:password@host.org

IBAN = re.compile(r"(?<![^\W_])([A-Z]{2})\d{2}(?=[ -]?[A-Z0-9]{2})", re.IGNORECASE)
# Characters of a country's IBANs, from SWIFT's IBAN registry.
LENGTHS = {
    country: int(length)
    for length, countries in re.findall(
        r"(\d+):(\S+)",
        "15:NO 16:BE 18:DK,FI,FK,FO,GL,NL,SD 19:MK,SI 20:AT,BA,EE,KZ,LT,LU,MN,XK "
        "21:CH,CR,HR,LI,LV 22:BG,BH,DE,GB,GE,IE,ME,RS,VA 23:AE,GI,IL,IQ,OM,SO,TL "
        "24:AD,CZ,ES,MD,PK,RO,SA,SE,SK,TN,VG 25:LY,PT,ST 26:IS,TR 27:BI,DJ,FR,GR,IT,MC,MR,SM "
        "28:AL,AZ,BY,CY,DO,GT,HN,HU,LB,NI,PL,SV 29:BR,EG,PS,QA,UA 30:JO,KW,MU,YE 31:MT,SC "
        "32:LC 33:RU",
    )
    for country in countries.split(",")
}

CARD = re.compile(r"(?<![\w.,+/-])[3-6](?:[ -]?\d){13,18}(?![\w/]|[.,-]\d)")
# Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay; with their numbers of digits
BRANDS = re.compile(
    r"4\d{15}(?:\d{3})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)

# Digits in groups, with what people put between them; "+" after a quantifier: nothing given back,
# so that no text, however odd, takes long.
BETWEEN = r"[ .\u00a0/-]{0,2}"
INTERNATIONAL = re.compile(
    r"(?<![\w.+])(?:\+|(?<!\d[ -])00[ ]?(?=[1-9]\d?\d?[ -]))[1-9]\d{0,2}+"
    rf"(?:{BETWEEN}(?:\(\d{{1,5}}\)|\d{{1,5}}+)){{1,7}}(?!\w|[.,:]\d)"
)
AMERICAN = re.compile(
    r"(?<![\w.,+/$-])(?<!\d )(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])\d{3}[ .-]\d{4}"
    r"(?![\w/%]|[.,:-]\d)"
)
NATIONAL = re.compile(  # with the 0 that is dialled within a country
    r"(?<![\w.,+/$-])(?<!\d )(?:\(0[1-9]\d{0,4}\)|0[1-9]\d{0,4}+)"
    r"(?:[ /.-]{1,3}\d{2,8}+){1,5}(?![\w/%]|[.,:-]\d)"
)
CALLED = re.compile(  # any number, behind a word that says what it is
    r"\b(?:tele?phone|phone|mobile|cell|fax|call|tel|text|whatsapp|telefon|handy|mobil|"
    r"t\u00e9l\u00e9phone|t\u00e9l|tel\u00e9fono|m\u00f3vil|telefono|cellulare)\b"
    r"(?: ?(?:number|no|nr|us|me|him|her|them|on|at|is|under|:|\.|=|#)){0,3}[ :.]{0,3}"
    r"((?:\(\d{2,5}\) ?)?\d(?:[ ./-]?\d){3,13})(?![\w/%]|[.,:-]\d)",
    re.IGNORECASE,
)
DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:19|20)\d\d)(?!\d)"
)
# words before a number that say that it is something else
OTHERWISE = re.compile(
    r"(?:order|invoice|ticket|case|part|serial|model|item|sku|ref(?:erence)?|id|isbn|issn|doi|"
    r"version|release|section|tracking|parcel|batch|build|pmid|nct|account|policy|claim|law|no\.)"
    r"[\w ]{0,12}[ .:#=-]{0,3}$",
    re.IGNORECASE,
)
UNBROKEN = 14  # characters of an international number without any space; longer ones are sums
BEFORE = 40  # characters that are looked at for such a word


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of personal data, from ``start`` to ``end`` of its text."""

    kind: Kind
    start: int
    end: int


def found(text: str) -> tuple[Found, ...]:
    """The personal data in ``text``, in its order; no two overlap.

    >>> found("Write to ada@example.org")
    (Found(kind='email', start=9, end=24),)
    """
    if not LIKELY.search(text):
        return ()
    pieces: list[Found] = []
    for kind in KINDS:
        for start, end in SEARCH[kind](text):
            if all(end <= each.start or each.end <= start for each in pieces):
                pieces.append(Found(kind, start, end))
    return tuple(sorted(pieces, key=lambda each: each.start))


def redacted(text: str) -> str:
    """``text`` with a placeholder for each piece of personal data, always the same one.

    >>> redacted("Write to ada@example.org, or call +41 44 668 18 00.")
    'Write to [email], or call [phone].'
    """
    for piece in reversed(found(text)):
        text = f"{text[: piece.start]}[{piece.kind}]{text[piece.end :]}"
    return text


def emails(text: str) -> Iterable[tuple[int, int]]:
    """Where e-mail addresses are."""
    return (
        match.span()
        for match in EMAIL.finditer(text)
        if not FILES.search(match[0])
        and not LOGIN.search(text[max(0, match.start() - BEFORE) : match.start()])
    )


def ibans(text: str) -> Iterable[tuple[int, int]]:
    """Where IBANs are: as long as their country has them, and their check digits fit."""
    for start in IBAN.finditer(text):
        length = LENGTHS.get(start[1].upper())
        if length is None:
            continue
        whole = re.compile(rf"[A-Z0-9](?:[ -]?[A-Z0-9]){{{length - 1}}}(?![^\W_])", re.IGNORECASE)
        match = whole.match(text, start.start())
        if match and checked(match[0]):
            yield match.span()


def checked(iban: str) -> bool:
    """Whether the check digits of an IBAN fit (ISO 7064, mod 97-10).

    >>> checked("DE89 3704 0044 0532 0130 00"), checked("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    bare = re.sub("[ -]", "", iban).upper()
    return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1


def cards(text: str) -> Iterable[tuple[int, int]]:
    """Where card numbers are: a known beginning, and the last digit fits."""
    for match in CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if BRANDS.fullmatch(digits) and luhn(digits):
            yield match.span()


def luhn(digits: str) -> bool:
    """Whether the last digit fits the others.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = (int(d) * 2 if at % 2 else int(d) for at, d in enumerate(reversed(digits)))
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def phones(text: str) -> Iterable[tuple[int, int]]:
    """Where telephone numbers are."""
    taken: list[tuple[int, int]] = []
    for pattern, low, high in (
        (INTERNATIONAL, 8, 15), (AMERICAN, 10, 11), (NATIONAL, 9, 12), (CALLED, 7, 15),
    ):  # fmt: skip
        for match in pattern.finditer(text):
            start, end = match.span(match.lastindex or 0)
            digits = sum(c.isdigit() for c in match[0])
            if not low <= digits <= high or DATE.search(text, max(0, start - 5), end + 5):
                continue
            if end - start == digits + 1 > UNBROKEN and text[start] == "+":
                continue
            otherwise = OTHERWISE.search(text[max(0, start - BEFORE) : start])
            if otherwise and pattern is not CALLED and text[start] != "+":
                continue
            if all(end <= one or other <= start for one, other in taken):
                taken.append((start, end))
    return taken


SEARCH: dict[Kind, Callable[[str], Iterable[tuple[int, int]]]] = {
    "iban": ibans, "card": cards, "email": emails, "phone": phones,
}  # fmt: skip
