"""ODT, ODS and ODP -> text: paragraphs, lists, tables, notes; sheets and slides are pages.

Deleted text, comments, running heads and pictures are not read. Cells show what people see, for
the file says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from noria.corpus.formats import archive as zipped
from noria.corpus.formats import table
from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.ooxml import child, whole
from noria.corpus.formats.plain import normalised
from noria.corpus.formats.xml import all_text, parse
from noria.errors import ExtractionError

GONE = {
    "tracked-changes", "annotation", "annotation-end", "forms", "sequence-decls", "settings",
    "notes-configuration", "ruby-text", "object",
}  # fmt: skip
WIDEST = 16_384  # columns
REPEATED = 100  # times that one cell or row is written again; blank ones fill a sheet
SPACES = 1_000


def extract(data: bytes) -> Extract:
    """The text of an OpenDocument file, whichever of the three."""
    archive = zipped.opened(data)
    if "META-INF/manifest.xml" in archive and any(
        element.tag == "encryption-data"
        for element in parse(archive.read("META-INF/manifest.xml")).iter()
    ):
        raise ExtractionError("it is encrypted; save it without a password")
    root = parse(archive.read("content.xml"))
    styles = [root, parse(archive.read("styles.xml"))] if "styles.xml" in archive else [root]
    reading = OpenDocument(titles_of(styles))
    body = child(root, "body")
    for kind in body if body is not None else ():
        if kind.tag == "spreadsheet":
            return assembled(sheets(kind))
        if kind.tag == "presentation":
            return assembled(reading.slides(kind))
        return assembled(reading.blocks(kind))
    raise ExtractionError("damaged: an OpenDocument file without a body; open and save it again")


def titles_of(roots: list[Element]) -> frozenset[str]:
    """The paragraph styles of a title: 'Title' and what is derived from it."""
    derived = {"Title"}
    for root in reversed(roots):  # styles.xml first: content.xml refers to it
        for style in root.iter("style"):
            if style.get("parent-style-name") in derived:
                derived.add(style.get("name", ""))
    return frozenset(derived)


@dataclass
class OpenDocument:
    """A document that is being read: the styles of titles, and whether there was one."""

    titles: frozenset[str]
    titled: bool = False

    def blocks(self, parent: Element, mark: str = "") -> Iterator[Block]:
        """What stands in ``parent``; ``mark`` opens an item of a list."""
        for element in parent:
            if element.tag in ("p", "h"):
                yield from self.paragraph(element, mark)
                mark = ""
            elif element.tag == "table":
                yield from table.grid(rows(element))
            elif element.tag in ("list-item", "list-header"):
                yield from self.blocks(element, "- " if element.tag == "list-item" else "")
            elif element.tag not in GONE:
                yield from self.blocks(element, mark)

    def paragraph(self, element: Element, mark: str) -> Iterator[Block]:
        """A paragraph or heading, then the notes and text boxes anchored in it."""
        said = text(element)
        level = whole(element.get("outline-level", ""), 1) if element.tag == "h" else 0
        if level:
            level = min(level, 9) + self.titled
        elif element.get("style-name") in self.titles and said:
            self.titled, level = True, 1
        if said:
            yield Block(said, level) if level else Block(mark + said, item=bool(mark))
        for inner in anchored(element):
            if inner.tag == "note":
                words = " ".join(map(all_text, inner.iter("note-body")))
                yield Block(f"[{words}]" if words else "")
            else:
                yield from self.blocks(inner)

    def slides(self, presentation: Element) -> Iterator[Block]:
        """The slides, their titles first."""
        number = 0
        for page in presentation:
            if page.tag != "page":
                continue
            number += 1
            frames = [frame for frame in page if frame.tag != "notes"]
            titles = [frame for frame in frames if frame.get("class") == "title"]
            title = " ".join(filter(None, map(all_text, titles)))
            yield Block(title or f"Slide {number}", 1, page=True)
            for frame in frames:
                if frame not in titles:
                    yield from self.blocks(frame) if frame.tag not in GONE else ()
            for notes in page.iter("notes"):
                said = "\n".join(filter(None, map(text, notes.iter("p"))))
                yield Block(f"Notes: {said}" if said else "")


def anchored(element: Element) -> Iterator[Element]:
    """The notes, text boxes and tables in a paragraph, outermost first."""
    for inner in element:
        if inner.tag in ("note", "text-box"):
            yield inner
        elif inner.tag not in GONE:
            yield from anchored(inner)


def text(element: Element) -> str:
    """The text of a paragraph itself."""
    return normalised("".join(words(element))).strip()


def words(element: Element) -> Iterator[str]:
    """The pieces of a paragraph's text; white space counts once, as in HTML."""
    yield " ".join(f".{element.text or ''}.".split())[1:-1]
    for inner in element:
        if inner.tag == "s":
            yield " " * min(whole(inner.get("c", ""), 1), SPACES)
        elif inner.tag == "tab":
            yield "\t"
        elif inner.tag == "line-break":
            yield "\n"
        elif inner.tag not in GONE | {"note", "text-box"}:
            yield from words(inner)
        yield " ".join(f".{inner.tail or ''}.".split())[1:-1]


def sheets(spreadsheet: Element) -> Iterator[Block]:
    """The sheets, each under its name; a hidden one keeps its number."""
    for sheet in spreadsheet:
        if sheet.tag == "table":
            yield Block(sheet.get("name", ""), 1, page=True)
            yield from table.blocks(rows(sheet))


def rows(parent: Element) -> Iterator[list[str]]:
    """The rows of a table, those in groups included."""
    for element in parent:
        if element.tag == "table-row":
            cells = list(cells_of(element))
            times = whole(element.get("number-rows-repeated", ""), 1)
            for _ in range(min(times, REPEATED) if any(cells) else 1):
                yield cells
        elif element.tag in ("table-header-rows", "table-row-group", "table-rows"):
            yield from rows(element)


def cells_of(row: Element) -> Iterator[str]:
    """What the cells of a row show."""
    width = 0
    for cell in row:
        if cell.tag in ("table-cell", "covered-table-cell"):
            said = "\n".join(filter(None, map(text, paragraphs(cell))))
            times = whole(cell.get("number-columns-repeated", ""), 1)
            # blank cells hold places; a row ends with thousands of them
            for _ in range(min(times, REPEATED, WIDEST - width)):
                yield said
                width += 1


def paragraphs(cell: Element) -> Iterator[Element]:
    """The paragraphs in a cell, but not those of its comment."""
    for element in cell:
        if element.tag in ("p", "h"):
            yield element
        elif element.tag not in GONE:
            yield from paragraphs(element)
