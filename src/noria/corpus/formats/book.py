"""EPUB -> chapters in reading order, each read as the web page that it is."""

import posixpath
import re
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from noria.corpus.formats import archive as zipped
from noria.corpus.formats import html, markdown
from noria.corpus.formats.archive import Archive
from noria.corpus.formats.extract import Block, Extract, assembled, joined, lowered
from noria.corpus.formats.ooxml import child, resolved
from noria.corpus.formats.xml import all_text, parse
from noria.errors import ExtractionError

PAGES = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml"}
FONTS = ("idpf.org/2008/embedding", "ns.adobe.com/pdf/enc#RC")  # fonts are obfuscated, not text

# The drawing stops at the next one: without a closing tag it must not cost n squared.
NOT_TEXT = re.compile(
    rb"<title\b[^<>]*>[^<]*</title>|<svg\b[^<]*+(?:<(?!/?svg\b)[^<]*+)*+</svg\s*>", re.I
)


def extract(data: bytes) -> Extract:
    """The book's title as the title, its chapters below it."""
    archive = zipped.opened(data)
    package = package_of(archive)
    root = parse(archive.read(package))
    chapters = spine(root, posixpath.dirname(package))
    locked = protected(archive)
    if any(name in locked for name in chapters):
        raise ExtractionError("its text is protected (DRM); only a book without it can be read")
    labels = contents(archive, root, posixpath.dirname(package))
    parts = [chapter(archive, name, labels.get(name, "")) for name in chapters if name in archive]
    title = next((all_text(e) for e in root.iter("title") if all_text(e)), "")
    if not title:
        return joined(parts)
    first = next((part.headings[0].title for part in parts if part.headings), "")
    if first == title:
        return joined(parts)
    return joined([assembled([Block(title, 1)]), *(lowered(part, 1) for part in parts)])


def package_of(archive: Archive) -> str:
    """The name of the file that lists the others."""
    container = parse(archive.read("META-INF/container.xml"))
    for rootfile in container.iter("rootfile"):
        return resolved("", rootfile.get("full-path", ""))
    raise ExtractionError("damaged: an EPUB without a package file; fetch it again")


def spine(root: Element, folder: str) -> list[str]:
    """The names of the chapters in reading order, without the table of contents."""
    items = {item.get("id", ""): item for item in root.iter("item")}
    order = [items.get(ref.get("idref", "")) for ref in root.iter("itemref")]
    return list(
        dict.fromkeys(
            resolved(folder, item.get("href", ""))
            for item in order
            if item is not None
            and item.get("media-type") in PAGES
            and "nav" not in item.get("properties", "").split()
        )
    )


def chapter(archive: Archive, name: str, label: str) -> Extract:
    """A chapter; ``label``, its name in the table of contents, is its heading if it has none."""
    part = html.extract(bare(archive.read(name)))
    if not part.text.strip():
        return Extract("")
    if part.headings or not label:
        return part
    return markdown.structured(part.text, label)


def bare(page: bytes) -> bytes:
    """``page`` without its title, which names the book or the file, and drawings."""
    return NOT_TEXT.sub(b"", page)


def contents(archive: Archive, root: Element, folder: str) -> dict[str, str]:
    """What the table of contents calls each file; the first name counts."""
    found: dict[str, str] = {}
    for item in root.iter("item"):
        name = resolved(folder, item.get("href", ""))
        is_nav = "nav" in item.get("properties", "").split()
        is_ncx = item.get("media-type") == "application/x-dtbncx+xml"
        if name not in archive or not (is_nav or is_ncx):
            continue
        tree = parse(archive.read(name))
        if is_ncx:
            entries = [
                (content.get("src", ""), all_text(name_of))
                for point in tree.iter("navPoint")
                if (content := child(point, "content")) is not None
                and (name_of := child(point, "navLabel")) is not None
            ]
        else:
            entries = [(link.get("href", ""), all_text(link)) for link in tree.iter("a")]
        for target, label in entries:
            path = target.partition("#")[0]
            found.setdefault(resolved(posixpath.dirname(name), path), label)
    return found


def protected(archive: Archive) -> set[str]:
    """The members that cannot be read without a key."""
    listed = "META-INF/encryption.xml"
    if listed not in archive:
        return set()
    names: set[str] = set()
    for data in parse(archive.read(listed)).iter("EncryptedData"):
        method = child(data, "EncryptionMethod")
        algorithm = method.get("Algorithm", "") if method is not None else ""
        if not any(font in algorithm for font in FONTS):
            names |= {resolved("", unquote(r.get("URI", ""))) for r in data.iter("CipherReference")}
    return names
