"""XML, read safely: nothing is fetched, no entity is expanded, depth is bounded.

``extract`` turns any XML file into text; ``parse`` and ``visit`` are for formats made of XML.
"""

from collections.abc import Callable, Iterator
from html.entities import html5
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from noria.corpus.formats import structured
from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.plain import normalised
from noria.errors import ExtractionError

DEEPEST = 200  # elements within each other; DOCX with tables in tables has forty
SPACE = "}"  # between a namespace and a name, in no name
# Attributes are known by their local names; of 'id' and 'r:id' only these keep a prefix.
RELATIONSHIPS = "/relationships"
PROSE = 5  # document-like: a fifth of the characters stand beside elements, or in long stretches
STRETCH = 80  # characters
TITLES = {"title", "head", "heading", "h1", "h2", "h3", "h4", "h5", "h6"}


def parse(data: bytes) -> Element:
    """The root of ``data``; names are local, without their namespaces.

    Raises ExtractionError if it is damaged, too deep, or declares entities.
    """
    return built(data, "", ignore)


def visit(data: bytes, tag: str, see: Callable[[Element], None]) -> Element:
    """As ``parse``, but each element ``tag`` is shown to ``see`` and then emptied.

    So a sheet of a million rows needs the memory of one.
    """
    return built(data, tag, see)


def ignore(_: Element) -> None:
    """See nothing in an element."""


def built(data: bytes, tag: str, see: Callable[[Element], None]) -> Element:
    """The tree of ``data``, with the elements ``tag`` shown and emptied on the way."""
    tree = Tree(tag, see)
    parser = expat.ParserCreate(namespace_separator=SPACE)
    parser.buffer_text = True
    parser.buffer_size = 65_536
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.builder.data
    parser.EntityDeclHandler = refuse
    parser.SkippedEntityHandler = tree.skipped
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ExtractionError(f"damaged: not XML ({error}); open it to check") from error
    except (LookupError, ValueError) as error:  # an encoding that is unknown or has wide letters
        raise ExtractionError(f"XML in an encoding that is not read: {error}") from error
    return tree.builder.close()


class Tree:
    """What the parser reports, made a tree."""

    def __init__(self, tag: str, see: Callable[[Element], None]) -> None:
        self.builder = TreeBuilder()
        self.tag, self.see = tag, see
        self.names: dict[str, str] = {}
        self.depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element opens."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExtractionError(f"elements are nested more than {DEEPEST} deep")
        if name not in self.names:
            self.names[name] = name.rpartition(SPACE)[2]
        if SPACE in "".join(attributes):
            attributes = {local(key): value for key, value in attributes.items()}
        self.builder.start(self.names[name], attributes)

    def end(self, name: str) -> None:
        """An element closes."""
        self.depth -= 1
        element = self.builder.end(self.names[name])
        if element.tag == self.tag:
            self.see(element)
            element.clear()

    def skipped(self, name: str, is_parameter: bool) -> None:
        """An entity of a DTD that is not read: HTML's are known all the same."""
        if not is_parameter:
            self.builder.data(html5.get(f"{name};", f"&{name};"))


def refuse(name: str, *_: object) -> None:
    """Say why a file that declares an entity is not read: it may be a bomb, or fetch a file."""
    raise ExtractionError(
        f"it declares an entity '{name}', and entities are not expanded; "
        "resolve it first (xmllint --noent)"
    )


def local(name: str) -> str:
    """The name of an attribute without its namespace, but for relationships."""
    space, _, bare = name.rpartition(SPACE)
    return f"r:{bare}" if space.endswith(RELATIONSHIPS) else bare


def all_text(element: Element) -> str:
    """The text in ``element`` on one line."""
    return " ".join("".join(element.itertext()).split())


def extract(data: bytes) -> Extract:
    """An article as text with headings; data as lines that name their elements."""
    root = parse(data)
    if is_article(root):
        return assembled(article(root, 1))
    return assembled(structured.blocks({root.tag: value(root)}))


def is_article(root: Element) -> bool:
    """Whether people read ``root`` as a text, elements being its typography."""
    beside = total = 0
    for element in root.iter():
        text = (element.text or "").strip()
        tails = sum(len((child.tail or "").strip()) for child in element)
        total += len(text) + tails
        prose = tails or len(element) or len(text) >= STRETCH
        beside += len(text) + tails if prose else 0
    return beside * PROSE >= total


def article(element: Element, level: int) -> Iterator[Block]:
    """The paragraphs below ``element``; a title is a heading as deep as its section."""
    spoken = (element.text or "").strip() or any((child.tail or "").strip() for child in element)
    if element.tag in TITLES:
        yield Block(all_text(element), level)
    elif spoken or not len(element):
        yield Block(normalised("".join(element.itertext())).strip())
    else:
        titled = any(child.tag in TITLES for child in element)
        for child in element:
            deeper = titled and child.tag not in TITLES
            yield from article(child, level + deeper)


def value(element: Element) -> structured.Value:
    """``element`` as JSON would say it: children by name, several of a name as a list."""
    text = normalised(element.text or "").strip()
    if not len(element) and not element.attrib:
        return text
    members: dict[str, structured.Value] = dict(element.attrib)
    several: dict[str, list[structured.Value]] = {}
    for child in element:
        several.setdefault(child.tag, []).append(value(child))
        text = f"{text} {(child.tail or '').strip()}".strip()
    for name, values in several.items():
        # an attribute of the same name comes first
        values = [members[name], *values] if name in members else values
        members[name] = values if len(values) > 1 else values[0]
    if text:
        return {"": text, **members} if members else text
    return members
