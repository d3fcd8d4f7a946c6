"""Org: an outline as it stands, without what is addressed to Emacs."""

import re
from collections.abc import Iterator

from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.plain import decode

HEADLINE = re.compile(r"(\*{1,20})[ \t]+(.*)")
# 'DONE [100%] [#A] Title :tag:test:'
STATE = re.compile(r"(?:(?:TODO|DONE|WAIT|WAITING|NEXT|CANCEL|CANCELLED|CANCELED)[ \t]+)?")
TAGS = re.compile(r"[ \t]:[\w@#%:]{1,300}:$")
KEYWORD = re.compile(r"[ \t]*#\+(\w{1,40})(?:_\w{1,40})?:[ \t]*(.*)", re.I)
BLOCK = re.compile(r"[ \t]*#\+(begin|end)_(\w{1,40}).*", re.I)
DRAWER = re.compile(r"[ \t]*:(?:PROPERTIES|LOGBOOK):[ \t]*", re.I)
DRAWER_END = re.compile(r"[ \t]*:END:[ \t]*", re.I)
COMMENT = re.compile(r"[ \t]*#(?:[ \t].*)?")
LINK = re.compile(r"\[\[([^\[\]\n]{1,1000})\](?:\[([^\[\]\n]{1,1000})\])?\]")
TOLD = {"title", "subtitle", "author", "date", "caption"}


def extract(data: bytes) -> Extract:
    """The outline: titles without states and tags, the words of links, no properties."""
    return assembled(blocks(decode(data)))


def blocks(text: str) -> Iterator[Block]:
    r"""Headlines, and the text between them.

    >>> [(b.level, b.text) for b in blocks("#+title: Pump\n* TODO Parts :a:\n[[x][Bucket]]")]
    [(0, ''), (1, 'Pump'), (0, ''), (2, 'Parts'), (0, 'Bucket')]
    """
    said: list[str] = []
    code = drawer = titled = False
    for line in text.split("\n"):
        mark = BLOCK.fullmatch(line)
        if mark:
            code = mark[1].lower() == "begin"
        elif code:
            said.append(line)
        elif drawer or DRAWER.fullmatch(line):
            drawer = not DRAWER_END.fullmatch(line)
        elif headline := HEADLINE.fullmatch(line):
            yield Block("\n".join(said))
            said = []
            title = TAGS.sub("", STATE.sub("", headline[2].rstrip(), count=1))
            yield Block(words(title), len(headline[1]) + titled)
        elif keyword := KEYWORD.fullmatch(line):
            if keyword[1].lower() == "title":
                yield Block("\n".join(said))
                said = []
                titled = True
                yield Block(words(keyword[2]), 1)
            elif keyword[1].lower() in TOLD:
                said.append(f"{keyword[1]}: {words(keyword[2])}")
        elif not COMMENT.fullmatch(line):
            said.append(words(line))
    yield Block("\n".join(said))


def words(line: str) -> str:
    """``line`` with the words of its links."""
    return LINK.sub(lambda found: found[2] or found[1], line)
