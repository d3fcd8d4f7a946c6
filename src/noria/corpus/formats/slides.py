"""PPTX -> slides: their titles, their texts, their tables, what the speaker notes say."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from noria.corpus.formats import archive as zipped
from noria.corpus.formats import table
from noria.corpus.formats.archive import Archive
from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.ooxml import child, main_part, relations
from noria.corpus.formats.plain import normalised
from noria.corpus.formats.xml import parse

TITLES = {"title", "ctrTitle"}
SPOKEN = {"t", "br"}
FURNITURE = {"dt", "ftr", "hdr", "sldNum", "sldImg"}


def extract(data: bytes) -> Extract:
    """The slides in the order in which they are shown, each a page."""
    archive = zipped.opened(data)
    part = main_part(archive)
    rels = relations(archive, part)
    order = child(parse(archive.read(part)), "sldIdLst")
    ids = [s.get("r:id", "") for s in order] if order is not None else []
    names = [rels[id].target for id in ids if id in rels]
    return assembled(
        block for number, name in enumerate(names, 1) for block in slide(archive, name, number)
    )


def slide(archive: Archive, name: str, number: int) -> Iterator[Block]:
    """One slide. Without a title it is called by its number, not by the title before it."""
    root = parse(archive.read(name))
    if root.get("show") in ("0", "false"):  # hidden; it keeps its number
        yield Block("", page=True)
        return
    shapes = list(shapes_of(root))
    title = " ".join(
        text for shape in shapes if placeholder(shape) in TITLES for text in paragraphs(shape)
    )
    yield Block(title or f"Slide {number}", 1, page=True)
    for shape in shapes:
        if placeholder(shape) in TITLES | FURNITURE:
            continue
        grid = next(shape.iter("tbl"), None)
        if grid is not None:
            yield from table.grid(rows(grid))
        else:
            yield from (Block(text) for text in paragraphs(shape))
    for relation in relations(archive, name).values():
        if relation.target not in archive:
            continue
        if relation.kind == "notesSlide":
            yield from notes(parse(archive.read(relation.target)))
        elif relation.kind == "diagramData":  # SmartArt
            drawn = parse(archive.read(relation.target))
            yield from (Block(text, item=True) for text in bulleted(paragraphs(drawn)))


def shapes_of(root: Element) -> Iterator[Element]:
    """The shapes of a slide, groups opened, each once."""
    for element in root:
        if element.tag in ("sp", "graphicFrame", "cxnSp"):
            yield element
        elif element.tag not in ("pic", "Fallback", "extLst", "timing"):
            yield from shapes_of(element)


def placeholder(shape: Element) -> str:
    """What kind of place of the layout ``shape`` fills; empty if none."""
    for element in shape.iter("ph"):
        return element.get("type", "body")
    return ""


def paragraphs(shape: Element) -> Iterator[str]:
    """The paragraphs in ``shape`` that are not empty."""
    for element in shape.iter("p"):
        parts = ("\n" if e.tag == "br" else e.text or "" for e in element.iter() if e.tag in SPOKEN)
        text = normalised("".join(parts)).strip()
        if text:
            yield text


def bulleted(texts: Iterator[str]) -> Iterator[str]:
    """Texts as items of a list."""
    return (f"- {text}" for text in texts)


def rows(grid: Element) -> Iterator[list[str]]:
    """The cells of a table."""
    for line in grid.iter("tr"):
        yield ["\n".join(paragraphs(cell)) for cell in line.iter("tc")]


def notes(root: Element) -> Iterator[Block]:
    """What the speaker has noted."""
    said = [
        text
        for shape in shapes_of(root)
        if placeholder(shape) not in FURNITURE
        for text in paragraphs(shape)
    ]
    if said:
        yield Block("Notes: " + "\n".join(said))
