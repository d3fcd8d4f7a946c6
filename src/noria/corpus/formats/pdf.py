"""PDF -> text with page offsets."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from noria.corpus.formats.extract import Extract, kreuzberg
from noria.corpus.formats.plain import normalised
from noria.errors import ExtractionError
from noria.types import Heading

LEADERS = re.compile(r"(?:[ \t]{0,3}\.){4,}|(?:[ \t]\u2026){2,}")  # 'Scope . . . . . . 3'
NUMBER = re.compile(r"\d+(?:\.\d+)*")
FULL_LINE = 30  # characters; a shorter line is not wrapped
RUNNING = 3  # pages that begin or end alike have a running head
WORD = re.compile(r"\w")
HYPHEN_AT_LINE_END = re.compile(r"[\x02\u00ad\ufffe]\s*")  # so PDFium marks a word broken in two


def extract(data: bytes) -> Extract:
    """The text of all pages, one after the other.

    kreuzberg reads with PDFium, in the same order as pypdfium2, but takes out repeated running
    heads and most hyphens at line ends. Its ``content`` appends tables a second time and
    its Markdown guesses headings (items of lists, code), so only its plain pages are used.
    """
    if b"%PDF-" not in data[:1024]:
        raise ExtractionError("not a PDF file, or damaged at its start; open it to check")
    raw = without_running_heads([tidy(page) for page in page_texts(data)])
    if not any(WORD.search(page) for page in raw):
        raise ExtractionError(
            "a PDF without text, scanned perhaps; run it through OCR first (ocrmypdf)"
        )
    entries = dict(entry for page in raw for entry in contents(page))
    pages = ["" if is_contents(page) else LEADERS.sub(" \u2026", page) for page in raw]
    # one newline, not two: a sentence may run on to the next page
    text = "\n".join(pages)
    starts = accumulate((len(page) + 1 for page in pages[:-1]), initial=0)
    return Extract(text, tuple(headings(text, entries)), tuple(starts))


def page_texts(data: bytes) -> Sequence[str]:
    """The text of each page."""
    from kreuzberg import PageConfig

    try:
        result = kreuzberg(data, "application/pdf", pages=PageConfig(extract_pages=True))
    except ExtractionError as error:
        if "password" in str(error):
            raise ExtractionError("the PDF is encrypted; save it without a password") from error
        raise ExtractionError(f"the PDF is damaged ({error}); open and save it again") from error
    return [page["content"] for page in result.pages or ()]


def tidy(page: str) -> str:
    r"""``page`` without blanks around its lines, broken words joined.

    >>> tidy("a tem\x02\nplate \nof two")
    'a template\nof two'
    """
    joined = normalised(HYPHEN_AT_LINE_END.sub("", page))
    return "\n".join(line.strip() for line in joined.split("\n")).strip()


def without_running_heads(pages: Sequence[str]) -> list[str]:
    r"""``pages`` without first and last lines that repeat but for their numbers.

    The first of each stays: it may be the head of a table.

    >>> without_running_heads(["Guide 1\nWater", "Guide 2\nrises", "Guide 3\nhere"])
    ['Guide 1\nWater', 'rises', 'here']
    """
    split = [page.split("\n") for page in pages]
    for end in (0, -1):
        counts = Counter(without_digits(lines[end]) for lines in split if lines)
        seen: set[str] = set()
        for lines in split:
            line = without_digits(lines[end]) if lines else ""
            if lines and line in seen and counts[line] >= RUNNING:
                del lines[end]
            seen.add(line)
    return ["\n".join(lines).strip() for lines in split]


def without_digits(line: str) -> str:
    """What of a running head is the same on each page."""
    return re.sub(r"\d+", "", line).strip()


def contents(page: str) -> Iterator[tuple[str, str]]:
    r"""The numbers of headings that ``page`` points to, each with the whole line.

    >>> list(contents("1 Scope 3\n1.1 What this standard\ncovers . . . . . 3"))
    [('1.1', '1.1 What this standard covers')]
    """
    entry: list[str] = []
    for line in page.split("\n"):
        if NUMBER.match(line):
            entry = []
        title, *rest = LEADERS.split(line, maxsplit=1)
        entry.append(title.strip())
        number = NUMBER.match(entry[0])
        if rest and number:
            yield number[0], " ".join(entry)
            entry = []


def is_contents(page: str) -> bool:
    """Whether most lines of ``page`` point to others.

    It says where things stand, never what: it would win searches with no answer in it.
    """
    lines = page.split("\n")
    return sum(bool(LEADERS.search(line)) for line in lines) * 2 > len(lines)


def headings(text: str, entries: Mapping[str, str]) -> Iterator[Heading]:
    r"""The lines that the table of contents names, each once, nested by their numbers.

    Sizes of letters would tell of more headings, and of many that are none.

    >>> list(headings("2.1 Words\nA term is a word.", {"2.1": "2.1 Words"}))
    [Heading(start=0, level=1, title='2.1 Words')]
    """
    wanted, at = dict(entries), 0
    above: list[str] = []
    for line in text.split("\n"):
        number = NUMBER.match(line)
        if number and opens(line, wanted.get(number[0], "")):
            title = wanted.pop(number[0])
            # not all headings are found: 3.1.2 may follow 2.7, and is not part of it
            above = [outer for outer in above if number[0].startswith(outer + ".")]
            above.append(number[0])
            yield Heading(at, len(above), title)
        at += len(line) + 1


def opens(line: str, title: str) -> bool:
    """Whether ``line`` is ``title``, or as much of it as fits a line."""
    return line == title or (len(line) >= FULL_LINE and title.startswith(line))
