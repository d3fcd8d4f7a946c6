"""What DOCX, PPTX and XLSX have in common: parts in a ZIP file, and relations between them."""

import posixpath
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from noria.corpus.formats.archive import Archive
from noria.corpus.formats.xml import parse
from noria.errors import ExtractionError


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: the last word of the relation's type, and the other part's name."""

    kind: str
    target: str


def relations(archive: Archive, part: str) -> dict[str, Relation]:
    """The relations of ``part`` by their ids; those of the whole file for an empty name."""
    folder, name = posixpath.split(part)
    rels = posixpath.join(folder, "_rels", f"{name}.rels")
    if rels not in archive:
        return {}
    return {
        rel.get("Id", ""): Relation(
            rel.get("Type", "").rpartition("/")[2], resolved(folder, rel.get("Target", ""))
        )
        for rel in parse(archive.read(rels))
        if rel.get("TargetMode") != "External"
    }


def resolved(folder: str, target: str) -> str:
    """The name in the archive of what a part in ``folder`` calls ``target``.

    >>> resolved("ppt/slides", "../media/a%20b.xml"), resolved("ppt", "/docProps/app.xml")
    ('ppt/media/a b.xml', 'docProps/app.xml')
    """
    path = posixpath.normpath(posixpath.join("/" + folder, unquote(target)))
    return path.lstrip("/")


def main_part(archive: Archive) -> str:
    """The name of the part that is the document. Raises ExtractionError if there is none."""
    for relation in relations(archive, "").values():
        if relation.kind == "officeDocument" and relation.target in archive:
            return relation.target
    raise ExtractionError("damaged: an Office file without a document; open and save it again")


def related(archive: Archive, part: str, kind: str) -> Element | None:
    """The root of the first part of that kind that ``part`` refers to, if there is one."""
    for relation in relations(archive, part).values():
        if relation.kind == kind and relation.target in archive:
            return parse(archive.read(relation.target))
    return None


def child(element: Element | None, *path: str) -> Element | None:
    """The element at ``path`` below ``element``, if all of it is there."""
    for tag in path:
        if element is None:
            return None
        element = element.find(tag)
    return element


def val(element: Element | None, *path: str) -> str:
    """The attribute ``val`` of the element at ``path``; empty if there is none."""
    found = child(element, *path)
    return found.get("val", "") if found is not None else ""


def whole(text: str, default: int = 0) -> int:
    """The number in ``text``; ``default`` if it is none, or absurd.

    >>> whole("3"), whole(""), whole("9" * 5000)
    (3, 0, 0)
    """
    return int(text) if text.isdecimal() and len(text) < 10 else default
