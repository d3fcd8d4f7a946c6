"""Markdown: its front matter, its headings, its fenced code."""

import re
from collections.abc import Iterator

from noria.corpus.formats.extract import Extract
from noria.corpus.formats.plain import decode
from noria.types import Heading

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M)
KEY_LINE = re.compile(r"^[\w-]+[ \t]*:", re.M)
TITLE_LINE = re.compile(r"^title[ \t]*:(.*)$", re.M | re.I)
FENCE = re.compile(r" {0,3}(?:[-*+][ \t]+|\d+[.)][ \t]+)?(`{3,}|~{3,})(.*)")
ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t](.*))?")
CLOSING = re.compile(r"(?:^|[ \t])#+$")
SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
NOT_A_PARAGRAPH = re.compile(r" {4}|\t|\s*(?:[-*+>|]|\d+[.)]\s|#{1,6}\s)")
EMBEDDED = re.compile(r"(!\[[^\]\n]{0,1000}\]\()data:[^)\s]*+")

LONGEST_TITLE = 500  # characters: a longer line is a paragraph with a # before it

# [text](target "title"), with one level of brackets inside each; possessive, so never quadratic.
LINK = re.compile(
    r"!?\[((?:[^\[\]\\]|\\.|\[[^\[\]]{0,200}\]){0,2000}+)\]"
    r"\((?:<[^<>\n]*+>|(?:[^()\s\\]|\\.|\([^()\s]{0,500}\))*+)"
    r"(?:\s+\"(?:[^\"\\]|\\.)*+\")?\s*\)"
)
PERMALINK = re.compile(r"[\u00b6\ue000-\uf8ff]|\{#[\w-]+\}|<[^<>]+>")
EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1")
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def extract(data: bytes) -> Extract:
    """The Markdown as it stands, without its front matter and embedded images."""
    text = decode(data)
    front = FRONT_MATTER.match(text)
    title = ""
    if front and KEY_LINE.search(front[1]):  # else it is a rule, a text, a rule
        text = text[front.end() :].lstrip("\n")
        line = TITLE_LINE.search(front[1])
        title = line[1].strip().strip("'\"") if line else ""
    return structured(EMBEDDED.sub(r"\1", text), title)


def structured(text: str, title: str = "") -> Extract:
    """``text`` with its headings, under ``title`` where it has no title of its own."""
    found = tuple(headings(text))
    if title and not any(heading.level == 1 for heading in found):
        text = f"# {title}\n\n{text}"
        found = tuple(headings(text))
    return Extract(text, found)


def headings(text: str) -> Iterator[Heading]:
    r"""Headings in order, those in code left out.

    >>> [(h.start, h.level, h.title) for h in headings("Guide\n=====\n\n## Set *up* ##\n")]
    [(0, 1, 'Guide'), (13, 2, 'Set up')]
    """
    before, line, line_at = "", "", 0
    for at, current, code in lines(text):
        if code:
            before, line = "", ""
            continue
        if match := ATX.fullmatch(current):
            if title := clean(CLOSING.sub("", (match[2] or "").strip())):
                yield Heading(at, len(match[1]), title)
            current = ""
        elif underlined(before, line) and (match := SETEXT.fullmatch(current)):
            if title := clean(line):
                yield Heading(line_at, 1 if match[1][0] == "=" else 2, title)
            current = ""
        before, line, line_at = line, current, at


def underlined(before: str, line: str) -> bool:
    """Whether ``line`` could be a heading's text: a paragraph of that one line."""
    return bool(line.strip()) and not before.strip() and not NOT_A_PARAGRAPH.match(line)


def lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Each line with its offset, and whether it is part of fenced code."""
    fence, at = "", 0
    for line in text.split("\n"):
        match = FENCE.match(line)
        if fence:
            yield at, line, True
            closes = match and match[1].startswith(fence) and not match[2].strip()
            fence = "" if closes else fence
        elif match and not (match[1][0] == "`" and "`" in match[2]):
            fence = match[1]
            yield at, line, True
        else:
            yield at, line, False
        at += len(line) + 1


def unlink(text: str) -> str:
    """``text`` with each link and image replaced by its words.

    >>> unlink('see [the *guide*](a_(b).html "Guide") or ![a wheel](wheel.png)')
    'see the *guide* or a wheel'
    """
    return LINK.sub(r"\1", text)


def clean(title: str) -> str:
    """A heading as a reader sees it.

    >>> clean('3.1. `dpkg` and **friends**[¶](#x "Permalink")')
    '3.1. dpkg and friends'
    """
    bare = PERMALINK.sub("", unlink(title[:LONGEST_TITLE]))
    for _ in range(2):  # *`nested`*
        bare = EMPHASIS.sub(r"\2", bare)
    return " ".join(ESCAPE.sub(r"\1", bare).split())
