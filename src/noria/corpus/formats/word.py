"""DOCX -> paragraphs, headings, numbered lists, tables and notes, in reading order.

Deleted text, comments, running heads and pictures are not read. Pages are not known: Word lays
them out anew on each machine.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from noria.corpus.formats import archive as zipped
from noria.corpus.formats import table
from noria.corpus.formats.archive import Archive
from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.ooxml import child, main_part, related, val, whole
from noria.corpus.formats.plain import normalised
from noria.corpus.formats.xml import parse

TITLE = -1  # as a style's level: above all headings
LEVELS = 9  # outline level 9 is the body
GONE = {"del", "moveFrom", "instrText", "delText", "Fallback", "pPr", "rPr", "tblPr"}
WIDEST = 100  # columns that a cell may span
INHERITED = 10  # styles that a style is based on
ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"),
         (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph style says: a heading's level (0: none), a list."""

    level: int = 0
    list_id: str = ""
    list_level: int = 0


@dataclass(frozen=True, slots=True)
class ListLevel:
    """How the items of a list are numbered at one depth; ``text`` is like ``%1.%2.``."""

    kind: str
    text: str
    start: int


@dataclass
class Word:
    """A document that is being read: its styles, its lists and how far they have counted."""

    styles: Mapping[str, Style]
    lists: Mapping[str, tuple[str, Mapping[int, ListLevel]]]
    notes: dict[tuple[str, str], Element]
    counts: dict[str, dict[int, int]] = field(default_factory=dict)
    titled: bool = False

    def blocks(self, parent: Element) -> Iterator[Block]:
        """What stands in ``parent``, a body, a cell or a text box."""
        for element in parent:
            if element.tag == "p":
                yield from self.paragraph(element)
            elif element.tag == "tbl":
                yield from table.grid(self.rows(element))
            elif element.tag not in GONE:  # content controls, inserted text
                yield from self.blocks(element)

    def paragraph(self, element: Element) -> Iterator[Block]:
        """A paragraph, the notes it refers to, and the text boxes anchored in it."""
        text = normalised("".join(self.words(element))).strip()
        style = self.styles.get(val(element, "pPr", "pStyle"), Style())
        outline = val(element, "pPr", "outlineLvl")
        level = whole(outline) + 1 if outline else style.level
        if text:
            number, is_item = self.number(element, style)
            if level == TITLE:
                self.titled = True
                yield Block(text, 1)
            elif 0 < level <= LEVELS:
                yield Block(f"{number} {text}".strip(), level + self.titled)
            else:
                yield Block(f"{number} {text}".strip(), item=is_item)
        for reference in element.iter():
            if reference.tag in ("footnoteReference", "endnoteReference"):
                # only where it is first referred to
                note = self.notes.pop((reference.tag[:-9], reference.get("id", "")), None)
                words = " ".join("".join(self.words(note)).split()) if note is not None else ""
                if words:
                    yield Block(f"[{words}]")
        for box in boxes(element):
            yield from self.blocks(box)

    def words(self, parent: Element) -> Iterator[str]:
        """The text of a paragraph or a note, without what is deleted or hidden in fields."""
        for element in parent:
            if element.tag == "t":
                yield element.text or ""
            elif element.tag in MARKS:
                yield MARKS[element.tag]
            elif element.tag not in GONE and element.tag != "txbxContent" and not hidden(element):
                yield from self.words(element)
                yield "\n" if element.tag == "p" else ""

    def rows(self, element: Element) -> Iterator[list[str]]:
        """The cells of a table, row by row; a cell of several columns is followed by empty ones."""
        for line in within(element, "tr"):
            cells: list[str] = []
            for cell in within(line, "tc"):
                span = min(whole(val(cell, "tcPr", "gridSpan"), 1), WIDEST)
                cells += [self.cell(cell), *[""] * (span - 1)]
            yield cells

    def cell(self, element: Element) -> str:
        """The text of a cell, what is in it in lines."""
        return "\n".join(block.text for block in self.blocks(element))

    def number(self, element: Element, style: Style) -> tuple[str, bool]:
        """The number or dash before a paragraph, and whether it is an item of a list."""
        own = child(element, "pPr", "numPr")
        list_id = val(own, "numId") or style.list_id
        deep = val(own, "ilvl")
        level = whole(deep) if deep else style.list_level
        abstract, levels = self.lists.get(list_id, ("", {}))
        here = levels.get(level)
        if here is None:
            return "", False
        if here.kind in ("bullet", "none"):
            return ("-" if here.kind == "bullet" else ""), here.kind == "bullet"
        counts = self.counts.setdefault(abstract, {})
        for deeper in [depth for depth in counts if depth > level]:
            del counts[deeper]
        counts[level] = counts.get(level, here.start - 1) + 1
        text = here.text
        for depth, shown in levels.items():
            count = counts.get(depth, shown.start)
            kind = "decimal" if depth != level and shown.kind == "bullet" else shown.kind
            text = text.replace(f"%{depth + 1}", numeral(count, kind))
        return text.strip(), True


def extract(data: bytes) -> Extract:
    """The text of a Word document."""
    archive = zipped.opened(data)
    part = main_part(archive)
    root = parse(archive.read(part))
    body = root.find("body")
    word = Word(
        styles(related(archive, part, "styles")),
        lists(related(archive, part, "numbering")),
        notes(archive, part),
    )
    return assembled(word.blocks(root if body is None else body))


def hidden(run: Element) -> bool:
    """Whether Word does not show a run of letters."""
    mark = child(run, "rPr", "vanish")
    return mark is not None and mark.get("val", "true") not in ("0", "false", "off")


def within(parent: Element, tag: str) -> Iterator[Element]:
    """The elements ``tag`` of a table or a row, but not those of tables in it."""
    for element in parent:
        if element.tag == tag:
            yield element
        elif element.tag != "tbl":
            yield from within(element, tag)


def boxes(paragraph: Element) -> Iterator[Element]:
    """The text boxes anchored in ``paragraph``, each once, not as Word repeats them."""
    waiting = list(paragraph)[::-1]
    while waiting:
        element = waiting.pop()
        if element.tag == "txbxContent":
            yield element
        elif element.tag not in GONE:
            waiting += list(element)[::-1]


def styles(root: Element | None) -> dict[str, Style]:
    """The paragraph styles by their ids, with what they inherit."""
    raw = {s.get("styleId", ""): s for s in root.iter("style")} if root is not None else {}
    return {name: style_of(name, raw) for name in raw}


def style_of(name: str, raw: Mapping[str, Element]) -> Style:
    """What a style and those it is based on say; the nearest counts."""
    level, list_id, list_level = 0, "", ""
    for _ in range(INHERITED):
        element = raw.get(name)
        if element is None:
            break
        level = level or own_level(element)
        numbered = child(element, "pPr", "numPr")
        list_id, list_level = (
            list_id or val(numbered, "numId"),
            list_level or val(numbered, "ilvl"),
        )
        name = val(element, "basedOn")
    return Style(level, list_id, whole(list_level))


def own_level(style: Element) -> int:
    """A heading's level by the style's name, which is the same in all languages, or its outline."""
    name = val(style, "name").lower()
    if name == "title":
        return TITLE
    if name.startswith("heading "):
        return whole(name[8:])
    outline = val(style, "pPr", "outlineLvl")
    return whole(outline) + 1 if outline and whole(outline) < LEVELS else 0


def lists(root: Element | None) -> dict[str, tuple[str, Mapping[int, ListLevel]]]:
    """The numbered lists by their ids: which counter they share, and how each level looks."""
    if root is None:
        return {}
    abstract = {
        a.get("abstractNumId", ""): {
            whole(lvl.get("ilvl", "")): ListLevel(
                val(lvl, "numFmt") or "decimal", val(lvl, "lvlText"), whole(val(lvl, "start"), 1)
            )
            for lvl in a.iter("lvl")
        }
        for a in root.iter("abstractNum")
    }
    return {
        num.get("numId", ""): (
            val(num, "abstractNumId"),
            abstract.get(val(num, "abstractNumId"), {}),
        )
        for num in root.iter("num")
    }


def notes(archive: Archive, part: str) -> dict[tuple[str, str], Element]:
    """Footnotes and endnotes by kind and id."""
    found: dict[tuple[str, str], Element] = {}
    for kind in ("footnote", "endnote"):
        root = related(archive, part, f"{kind}s")
        for note in root if root is not None else ():
            if note.get("type", "normal") == "normal":
                found[kind, note.get("id", "")] = note
    return found


def numeral(count: int, kind: str) -> str:
    """A number as a list shows it.

    >>> numeral(4, "decimal"), numeral(4, "upperLetter"), numeral(4, "lowerRoman")
    ('4', 'D', 'iv')
    """
    if not 0 < count < 4000:
        return str(count)
    if kind.endswith("Letter"):
        shown = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
    elif kind.endswith("Roman"):
        shown, left = "", count
        for worth, sign in ROMAN:
            shown += sign * (left // worth)
            left %= worth
    else:
        return f"{count:02}" if kind == "decimalZero" else str(count)
    return shown.upper() if kind.startswith("upper") else shown
