"""HTML -> Markdown, without what surrounds the text."""

import html
import re

from noria.corpus.formats import markdown, table
from noria.corpus.formats.extract import Extract, kreuzberg
from noria.corpus.formats.plain import BYTE_ORDER_MARKS, charset, decode, normalised

CHARSET = re.compile(
    rb"<(?:meta\b[^<>]*?charset|\?xml\b[^<>]*?encoding)\s*=\s*[\"']?([\w.:-]+)", re.I
)
DECLARED_WITHIN = 1024  # bytes, as browsers do
# Every pattern here stops at the next '<': text without a closing tag must not cost n squared.
TITLE = re.compile(r"<title\b[^<>]*>([^<]*)</title>", re.I)
# kreuzberg turns these into a heading 'title: …' and lines 'meta-generator: …'
METADATA = re.compile(TITLE.pattern + r"|<meta\b[^<>]*>", re.I)
# What kreuzberg's own removal of navigation leaves: DocBook's Prev and Next, Sphinx's footer and
# permalinks.
FURNITURE = re.compile(
    r"<div\b[^<>]*\bclass=[\"'](?:navheader|navfooter|footer)[\"'][^<>]*>(?:(?!</?div\b).)*</div>"
    r"|<a\b[^<>]*\bclass=[\"']headerlink[\"'][^<>]*>[^<]*</a>",
    re.I | re.S,
)
# Old pages leave <p> open. kreuzberg nests such paragraphs and silently drops all below the 63rd.
PARAGRAPH = re.compile(r"<p(?=[\s>])", re.I)
OPTIONS = {
    "extract_metadata": False,
    "autolinks": False,
    "br_in_tables": True,
    "preprocessing": {
        "enabled": True,
        "preset": "aggressive",
        "remove_navigation": True,
        "remove_forms": True,
    },
}
# A list item or a line that is nothing but a link to a page of the same site.
POINTER = re.compile(
    r"\s*(?:[-*+]|\d+[.)])\s+(?:\d[\d.]*\s+)?"
    r"\[.{1,300}\]\((?!https?:)[^\s]*(?: \"[^\"]*\")?\)[ |»]*"
)
TABLE_OF_CONTENTS = 3  # pointers in a row
CODE = r"(?P<code>`{1,8}+)(?:[^`]|(?!(?P=code))`)*+(?P=code)"
CODE_OR_LINK = re.compile(f"{CODE}|{markdown.LINK.pattern}")
LINE_BREAKS = re.compile(r"(?:<br>[ \t]?)+")  # kept in cells: tables that only lay a page out
PADDING = re.compile(r" {2,}")
RULE = re.compile(r"-{4,}")
TABLE_RULE = re.compile(r"[|\s:-]*")
LINK_IN_CODE = re.compile(r"\[([^\[\]]{1,500})\]\((?:https?|mailto):[^()\s]*\)")


def extract(data: bytes) -> Extract:
    """The page as Markdown: what a reader sees, so no targets of links.

    Markdown, because plain output repeats the text of tables that stand in tables.
    """
    source = decoded(data)
    title = TITLE.search(source)
    bare = PARAGRAPH.sub("</p><p", FURNITURE.sub("", METADATA.sub("", source)))
    result = kreuzberg(bare.encode(), "text/html", output_format="markdown", html_options=OPTIONS)
    text = with_headers(tidied(without_contents(normalised(result.content))))
    if not text.strip():
        return Extract("")
    return markdown.structured(text, " ".join(html.unescape(title[1]).split()) if title else "")


def decoded(data: bytes) -> str:
    """The page's text by its mark or its declaration, else as plain text is guessed."""
    declared = CHARSET.search(data[:DECLARED_WITHIN])
    marked = any(data.startswith(mark) for mark, _ in BYTE_ORDER_MARKS)
    if not declared or marked:
        return decode(data)
    name = declared[1].decode("ascii", "replace").lower()
    try:
        encoding = charset(name)
        # as browsers do: what is declared Latin-1 is Windows-1252
        text = data.decode("cp1252" if encoding in {"iso8859-1", "ascii"} else encoding)
    except (LookupError, UnicodeError):  # a declaration that is not true
        return decode(data)
    return normalised(text)


def without_contents(text: str) -> str:
    """``text`` without lists of links to elsewhere, unless it is nothing else.

    They say where things stand, never what: they would win searches with no answer in them.
    """
    kept: list[str] = []
    run: list[str] = []
    for _, line, code in [*markdown.lines(text), (0, "", False)]:
        if not code and POINTER.fullmatch(line):
            run.append(line)
            continue
        dropped = len(run) >= TABLE_OF_CONTENTS
        kept += [] if dropped else run
        run = []
        if line or not dropped:  # the blank line before it parts what is left
            kept.append(line)
    bare = "\n".join(kept).strip("\n") + "\n"
    return bare if re.search(r"\w", re.sub(r"^#.*$", "", bare, flags=re.M)) else text


def tidied(text: str) -> str:
    r"""``text`` as it reads, but for code: words of links, lines that end, tables not padded.

    >>> tidied("`a[0](b)` and [words](target.html)<br>next<br><br>last")
    '`a[0](b)` and words\nnext\n\nlast'
    """
    return "\n".join(line if code else tidied_line(line) for _, line, code in markdown.lines(text))


def tidied_line(line: str) -> str:
    """One line of Markdown as it reads; in a table it stays one line."""
    line = CODE_OR_LINK.sub(words, line)
    if line.startswith("|"):
        return RULE.sub("---", PADDING.sub(" ", line.replace("<br>", " ")))
    return LINE_BREAKS.sub(lambda found: "\n" * min(found[0].count("<"), 2), line)


def with_headers(text: str) -> str:
    """``text`` with its long tables row by row, each with its headers; what lays out stays."""
    written: list[str] = []
    rows: list[str] = []
    for _, line, code in [*markdown.lines(text), (0, "", False)]:
        if line.startswith("|") and not code:
            rows.append(line)
            continue
        written += long_table(rows)
        rows = []
        written.append(line)
    return "\n".join(written[:-1])


def long_table(rows: list[str]) -> list[str]:
    """The lines of a Markdown table, as lines of a list if it is long and has headers."""
    if sum(map(len, rows)) <= table.SMALL or len(rows) < 3 or not TABLE_RULE.fullmatch(rows[1]):
        return rows
    cells = [table.cells_of(line) for line in (rows[0], *rows[2:])]
    if not table.is_header(cells[0]):
        return rows
    return [block.text for block in table.blocks(cells)]


def words(match: re.Match[str]) -> str:
    """What stays of a piece of inline code or a link."""
    return LINK_IN_CODE.sub(r"\1", match[0]) if match["code"] else match[2]
