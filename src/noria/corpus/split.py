"""Documents -> passages of a bounded number of tokens, along headings, paragraphs, sentences.

Every character that is not white space is in exactly one passage. Passages never overlap: an
encoder is slow, and what it reads twice is time lost.
"""

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.corpus.breaks import mask, speaks
from noria.errors import ConfigError, ModelError
from noria.types import Document, Item

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VERSION = 1  # raise whenever the cuts change: passages are then made anew
CONTEXT_TOKENS = 32  # of the headings above a passage, in what the encoder reads
LEAST_TOKENS = 8  # of a passage: below that nothing can be said
SMALL = 4  # a section below 1/4 of the budget joins its neighbour
STEPS = 8  # a long section is cut into even parts, their size rounded up to eighths
# The splitter reads all that is left of a line for each passage: n squared in the line's length.
BLOCK = 8_000  # characters, some ten passages; as many as there are cores are split side by side
AT_ONCE = 128  # texts counted together: what tokenizers make of a text is 100 times its size
GAPS = ("\n\n", "\n", ". ", "\u3002", " ")
# A tokenizer may take a whole line of base64 for one unknown token. English has 4.5 characters a
# token, long German compounds 8.
CHARACTERS_PER_TOKEN = 16
OPENING = re.compile(r"\A(?:#{1,6}[ \t].*\n\s*)*.*")  # Markdown headings, and one more line
MARKDOWN = {"text/markdown", "text/html"}


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document: from one heading to the next, or several small neighbours.

    ``bare``: nothing but headings.
    """

    start: int
    end: int
    level: int = 0
    path: tuple[str, ...] = ()
    bare: bool = False
    tokens: int = 0


@dataclass(frozen=True)
class TokenSplitter:
    """Cuts documents so that each passage, below its headings, fits what the encoder reads.

    ``tokenizer``: the encoder's ``tokenizer.json``. ``max_tokens``: what the encoder reads,
    special tokens not counted.
    """

    tokenizer: Path
    max_tokens: int
    passage_tokens: int = 200

    def __post_init__(self) -> None:
        if self.budget < LEAST_TOKENS:
            raise ConfigError(
                f"corpus.passage_tokens: {self.passage_tokens} tokens, of an encoder that reads "
                f"{self.max_tokens}, leave {self.budget} for a passage; expected {LEAST_TOKENS}"
            )

    @property
    def budget(self) -> int:
        """Tokens that a passage may have, leaving room for the headings above it."""
        return min(self.passage_tokens, self.max_tokens - context_tokens(self.max_tokens) - 1)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that decides the cuts."""
        try:
            digest = hashlib.sha256(self.tokenizer.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"{self.tokenizer}: cannot be read: {error.strerror}") from None
        parts = ["tokens", VERSION, self.passage_tokens, self.max_tokens, digest]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def count(self, text: str) -> int:
        """Number of tokens in ``text``, special tokens not counted."""
        return self._counts([text])[0]

    def split(self, document: Document) -> list[Item]:
        """Passages in reading order; none is longer than the encoder reads, headings included."""
        shown = mask(document.text, document.headings, document.media_type in MARKDOWN)
        sections = [block for section in sectioned(document) for block in blocks(section, shown)]
        outline = Outline(document, sections)
        groups = merged(self._measured(document.text, sections), self.budget)
        parts = [outline.passage(part.start, part.end) for part in self._cut(shown, groups)]
        found = [part for part in parts if part.text]  # a block may be all white space
        lengths = self._counts([self._embedded(item) for item in found])
        return [
            fitting
            for item, tokens in zip(found, lengths, strict=True)
            for fitting in ([item] if self._fits(item, tokens) else self._halved(outline, item))
        ]

    def _measured(self, text: str, sections: Iterable[Section]) -> list[Section]:
        sections = list(sections)
        counts = self._counts([text[s.start : s.end] for s in sections])
        return [replace(s, tokens=tokens) for s, tokens in zip(sections, counts, strict=True)]

    def _cut(self, shown: str, sections: Sequence[Section]) -> list[Section]:
        """``sections``, those above the budget in parts that are not."""
        long: dict[int, list[Section]] = {}
        for section in sections:
            if section.tokens > self.budget:
                long.setdefault(self._enough(section.tokens), []).append(section)
        parts: dict[int, list[Section]] = {}
        for enough, group in long.items():  # all at once: the splitter uses every core
            texts = [shown[section.start : section.end] for section in group]
            pieces = self._splitter(enough).chunk_all_indices(texts)
            for section, found in zip(group, pieces, strict=True):
                at = section.start
                spans = [Section(at + i, at + i + len(piece)) for i, piece in found]
                parts[at] = merged(self._measured(shown, spans), self.budget)
        return [part for section in sections for part in parts.get(section.start, [section])]

    def _enough(self, tokens: int) -> int:
        """Tokens that make a passage of a section so long: no last one of three words."""
        number = -(-tokens // self.budget)
        eighths = -(-tokens * STEPS // (number * self.budget))
        return self.budget * min(eighths, STEPS) // STEPS

    def _halved(self, outline: "Outline", item: Item) -> Iterator[Item]:
        """``item`` in smaller parts, for text that has few tokens in the mask and many without."""
        from semantic_text_splitter import TextSplitter

        for offset, piece in TextSplitter(max(1, len(item.text) // 2)).chunk_indices(item.text):
            part = outline.passage(item.start + offset, item.start + offset + len(piece))
            if not part.text:
                continue
            if len(part.text) == 1 or self._fits(part, self.count(self._embedded(part))):
                yield part
            else:
                yield from self._halved(outline, part)

    def _fits(self, item: Item, tokens: int) -> bool:
        long = len(item.text) > self.budget * CHARACTERS_PER_TOKEN
        return not long and tokens <= self.max_tokens

    def _embedded(self, item: Item) -> str:
        return embedding_text(item, self._count_title, self.max_tokens)

    def _count_title(self, title: str) -> int:
        known = self._titles
        if title not in known:
            if len(known) > 10_000:  # headings repeat within a document, not across thousands
                known.clear()
            known[title] = self.count(title)
        return known[title]

    @cached_property
    def _titles(self) -> dict[str, int]:
        return {}

    def _counts(self, texts: list[str]) -> list[int]:
        counts: list[int] = []
        for start in range(0, len(texts), AT_ONCE):
            some = texts[start : start + AT_ONCE]
            encodings = self._tokenizer.encode_batch_fast(some, add_special_tokens=False)
            counts += [len(encoding) for encoding in encodings]
        return counts

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self.tokenizer))
        except Exception as error:  # tokenizers raises nothing narrower
            raise ModelError(f"{self.tokenizer}: not a tokenizer: {error}") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _splitters(self) -> dict[int, Any]:
        return {}

    def _splitter(self, enough: int) -> Any:
        """A splitter that goes on to the budget only where ``enough`` tokens end no sentence."""
        from semantic_text_splitter import TextSplitter

        if enough not in self._splitters:
            self._splitters[enough] = TextSplitter.from_huggingface_tokenizer(
                self._tokenizer, (enough, self.budget)
            )
        return self._splitters[enough]


@dataclass(frozen=True)
class Outline:
    """A document's sections and pages, to say where in it a passage stands."""

    document: Document
    sections: Sequence[Section]

    @cached_property
    def _starts(self) -> list[int]:
        return [section.start for section in self.sections]

    def passage(self, start: int, end: int) -> Item:
        """The passage at that span, without white space around it."""
        document = self.document
        text = document.text[start:end]
        start += len(text) - len(text.lstrip())
        text = text.strip()
        end = start + len(text)
        return Item(
            id=passage_id(document.source, start, end, text),
            text=text,
            document=document.id,
            start=start,
            end=end,
            headings=self.path(start, end),
            page=bisect_right(document.pages, start) or None,
            fields=document.fields,
            groups=document.groups,
        )

    def path(self, start: int, end: int) -> tuple[str, ...]:
        """The headings that stand above everything the span says."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        touched = list(takewhile(lambda s: s.start < end, self.sections[first:]))
        speaking = [section.path for section in touched if not section.bare]
        return common(speaking or [section.path for section in touched])


def sectioned(document: Document) -> Iterator[Section]:
    """The document from heading to heading, what stands before the first included."""
    path: list[tuple[int, str]] = []
    bounds = [*(heading.start for heading in document.headings), len(document.text)]
    if document.text[: bounds[0]].strip():
        yield Section(0, bounds[0])
    for heading, end in zip(document.headings, bounds[1:], strict=True):
        path = [(level, title) for level, title in path if level < heading.level]
        path.append((heading.level, heading.title))
        yield Section(
            heading.start,
            end,
            heading.level,
            tuple(title for _, title in path),
            is_bare(document.text[heading.start : end]),
        )


def blocks(section: Section, shown: str) -> Iterator[Section]:
    """``section`` in parts of at most ``BLOCK`` characters, cut at the widest gap near their end.

    >>> [(b.start, b.end) for b in blocks(Section(0, 12_000), "Up. " * 3_000)]
    [(0, 8000), (8000, 12000)]
    """
    start = section.start
    while section.end - start > BLOCK:
        window = start + BLOCK // 2, start + BLOCK
        gaps = ((shown.rfind(gap, *window), len(gap)) for gap in GAPS)
        end = next((at + length for at, length in gaps if at >= 0), start + BLOCK)
        yield replace(section, start=start, end=end)
        start = end
    yield replace(section, start=start)


def is_bare(section: str) -> bool:
    r"""Whether a section is a heading and nothing else.

    >>> is_bare("# Guide\n\n"), is_bare("Guide\n===\n"), is_bare("# Guide\ntext")
    (True, True, False)
    """
    return sum(map(speaks, section.split("\n"))) <= 1


def merged(sections: Iterable[Section], budget: int) -> list[Section]:
    """Sections, with small ones joined to their neighbours."""
    groups: list[Section] = []
    for section in sections:
        if groups and joins(groups[-1], section, budget):
            groups[-1] = joined(groups[-1], section)
        else:
            groups.append(section)
    return groups


def joins(group: Section, section: Section, budget: int) -> bool:
    """Whether ``section`` belongs in the passage of the ``group`` before it."""
    if group.bare:  # a heading goes with what follows it
        return True
    if section.bare or section.level < group.level:  # a new chapter begins
        return False
    small = min(group.tokens, section.tokens) * SMALL < budget
    return small and group.tokens + section.tokens <= budget


def joined(group: Section, section: Section) -> Section:
    """Two neighbours as one."""
    return Section(
        group.start,
        section.end,
        section.level if group.bare else group.level,
        group.path,
        group.bare and section.bare,
        group.tokens + section.tokens,
    )


def common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What all paths begin with.

    >>> common([("Guide", "Install", "Linux"), ("Guide", "Install", "macOS")])
    ('Guide', 'Install')
    """
    levels = zip(*paths, strict=False)
    return tuple(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))


def passage_id(source: str, start: int, end: int, text: str) -> str:
    """The same for the same passage of the same source, ever after."""
    # JSON keeps the parts apart: ("a", 1, 23) is not ("a1", 2, 3)
    parts = json.dumps([source, start, end, text])
    return "p" + hashlib.sha256(parts.encode()).hexdigest()[:16]


def context_tokens(max_tokens: int) -> int:
    """How many of an encoder's tokens the headings may take.

    >>> context_tokens(254), context_tokens(40)
    (32, 10)
    """
    return min(CONTEXT_TOKENS, max_tokens // 4)


def embedding_text(item: Item, count: Callable[[str], int], max_tokens: int) -> str:
    r"""What an encoder reads of ``item``: the headings above it, a line end, its text.

    Headings that the text itself begins with are not said twice. If there are too many, the outer
    ones go; of a single one that is too long, the end. ``count`` and ``max_tokens`` are the
    encoder's.

    >>> item = Item("p1", "Turn it on.", headings=("Guide", "Pump"))
    >>> embedding_text(item, lambda text: len(text.split()), 254)
    'Guide > Pump\nTurn it on.'
    """
    said = OPENING.match(item.text)
    titles = [title for title in item.headings if not said or title not in said[0]]
    room = context_tokens(max_tokens)
    while len(titles) > 1 and count(" > ".join(titles)) > room:
        titles.pop(0)
    words = " > ".join(titles).split()
    while words and count(" ".join(words)) > room:
        words = words[: len(words) * 3 // 4]
    return f"{' '.join(words)}\n{item.text}" if words else item.text
