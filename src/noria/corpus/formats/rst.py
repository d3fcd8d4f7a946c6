"""reStructuredText, without what is addressed to the program that sets it."""

import re
from collections.abc import Iterator

from noria.corpus.formats import plain
from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.plain import decode

LONGEST_RULE = 1_000  # characters; the language says only that it is as long as the title
RULE = re.compile(r"([^\w\s])\1*")
# '.. _target:' alone on a line, '.. index:: x'
LABEL = re.compile(r"^\.\. (?:_[^\n:]{0,200}:|index::[^\n]*|highlight::[^\n]*)[ \t]*\n", re.M)
# :ref:`words <target>`, :ref:`target`, `words <address>`_
ROLE = re.compile(r"(?::[\w.+-]{1,40}:)?`([^`<]{1,300}?)(?:\s{1,80}<[^`>]{1,1000}>)?`_{0,2}")
LITERAL = re.compile(r"``[^\n]{1,500}?``")
PIECE = re.compile(f"({LITERAL.pattern})|{ROLE.pattern}")


def extract(data: bytes) -> Extract:
    """The text with the words of links and roles, its underlined titles as headings."""
    return assembled(blocks(LABEL.sub("", decode(data))))


def blocks(text: str) -> Iterator[Block]:
    r"""Titles, and the text between them.

    >>> [(b.level, b.text) for b in blocks("Guide\n=======\n\nSee :ref:`a pump <pump>`.")]
    [(0, ''), (1, 'Guide'), (0, 'See a pump.')]
    """
    at = 0
    for heading in plain.headings(text, LONGEST_RULE):
        yield Block(tidied(text[at : heading.start]))
        yield Block(tidied(heading.title), heading.level)
        at = heading.start
        for _ in range(3):  # a rule, the title, a rule
            end = text.find("\n", at)
            line = text[at : end if end >= 0 else len(text)].strip()
            if line and line != heading.title and not RULE.fullmatch(line):
                break
            at = end + 1 if end >= 0 else len(text)
    yield Block(tidied(text[at:]))


def tidied(text: str) -> str:
    """``text`` without labels and targets.

    >>> tidied("See :ref:`the pump <pump>`, ``a `b` c`` and `here <https://a.b>`_.")
    'See the pump, ``a `b` c`` and here.'
    """
    return PIECE.sub(lambda m: m[1] or m[2], LABEL.sub("", text))
