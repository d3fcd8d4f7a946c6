"""RTF -> paragraphs, headings by their styles, tables, footnotes.

Pictures, running heads, deleted and hidden text are not read.
"""

import codecs
import re
from dataclasses import dataclass, field, replace

from noria.corpus.formats import table
from noria.corpus.formats.extract import Block, Extract, assembled
from noria.corpus.formats.plain import normalised
from noria.errors import ExtractionError

TOKEN = re.compile(
    r"\\([A-Za-z]{1,32})(-?\d{1,9})?[ ]?"  # a control word and its number
    r"|\\'([0-9A-Fa-f]{2})"  # a byte
    r"|\\([^A-Za-z])"  # a control sign
    r"|([{}])"
    r"|([^\\{}\r\n]+)"  # text
)
SILENT = {
    "colortbl", "pict", "object", "objdata", "header", "headerl", "headerr", "headerf",
    "footer", "footerl", "footerr", "footerf", "fldinst", "listtable", "listoverridetable",
    "rsidtbl", "generator", "themedata", "datastore", "xmlnstbl", "revtbl", "bkmkstart",
    "bkmkend", "sp", "annotation", "atnid", "atnauthor", "ftnsep", "ftnsepc", "aftnsep",
    "aftnsepc", "pgptbl", "mmathPr", "latentstyles", "info", "nonshppict", "filetbl",
}  # fmt: skip
SPOKEN = {"shpinst", "shptxt"}  # text boxes, though marked as what may be left out
WORDS = {
    "tab": "\t", "line": "\n", "emdash": "\u2014", "endash": "\u2013", "lquote": "\u2018",
    "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d", "bullet": "\u2022",
    "emspace": " ", "enspace": " ", "nestcell": "\t", "nestrow": "\n",
}  # fmt: skip
SIGNS = {"~": "\u00a0", "_": "-", "{": "{", "}": "}", "\\": "\\"}
CHARSETS = {
    128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250",
}  # fmt: skip
HEADING = re.compile(r"heading ([1-9])", re.I)
DEEPEST = 10_000  # groups in each other


@dataclass(frozen=True, slots=True)
class State:
    """What holds inside a group: where its text goes, and how it is written."""

    into: str = ""
    encoding: str = ""
    fallback: int = 1
    hidden: bool = False


@dataclass
class Rtf:
    """A file that is being read."""

    encoding: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=dict)
    found: list[Block] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    note: list[str] = field(default_factory=list)
    notes: list[Block] = field(default_factory=list)
    pending: bytearray = field(default_factory=bytearray)
    cells: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    state: State = State()
    stack: list[State] = field(default_factory=list)
    skip: int = 0  # characters that stand in for the one before
    starred: bool = False
    font: int = 0
    style: int = 0  # the style that is described, or that the paragraph has
    outline: int = 0
    in_table: bool = False

    def read(self, source: str) -> list[Block]:
        """The blocks of ``source``."""
        at = 0
        while match := TOKEN.search(source, at):
            at = match.end()
            word, number, byte, sign, brace, text = match.groups()
            if word == "bin":
                at += max(int(number or 0), 0)
            elif word:
                self.control(word, None if number is None else int(number))
            elif byte:
                self.byte(int(byte, 16))
            elif sign:
                self.starred = self.starred or sign == "*"
                self.say(SIGNS.get(sign, ""))
            elif brace:
                self.group(brace)
            else:
                self.text(text)
        self.paragraph()
        self.table()
        if self.stack:
            raise ExtractionError("damaged: cut short, its last group is open; fetch it again")
        return self.found

    def group(self, brace: str) -> None:
        """A group opens or closes."""
        self.flush()
        self.starred, self.skip = False, 0
        if brace == "{":
            if len(self.stack) >= DEEPEST:
                raise ExtractionError(f"groups are nested more than {DEEPEST} deep")
            self.stack.append(self.state)
        elif self.stack:
            left, self.state = self.state, self.stack.pop()
            if left.into == "footnote" and self.state.into != "footnote":
                said = " ".join(whole(self.note).split())
                self.notes += [Block(f"[{said}]")] if said else []
                self.note = []

    def control(self, word: str, number: int | None) -> None:
        """A control word: a letter, a mark, or something that holds from here on."""
        if word == "u" and number is not None:
            self.flush()
            self.say(chr(number % 65_536))
            self.skip = self.state.fallback
            return
        if self.skip:
            self.skip -= 1
            return
        if self.starred or word in SILENT:
            self.flush()
            into = self.state.into if self.starred and word in SPOKEN else "nowhere"
            self.state, self.starred = replace(self.state, into=into), False
        elif word in ("fonttbl", "stylesheet", "footnote"):
            self.flush()
            into = self.state.into if self.state.into == "nowhere" else word
            self.state = replace(self.state, into=into)
        elif word in WORDS:
            self.flush()
            self.say(WORDS[word])
        else:
            self.format(word, number)
            self.mark(word, number)

    def format(self, word: str, number: int | None) -> None:
        """How letters are written from here on."""
        value = number or 0
        if word == "f":
            self.flush()
            self.font = value
            self.state = replace(self.state, encoding=self.fonts.get(value, ""))
        elif word == "fcharset" and value in CHARSETS and self.state.into == "fonttbl":
            self.fonts[self.font] = CHARSETS[value]
        elif word == "ansicpg" and known(f"cp{value}"):
            self.encoding = f"cp{value}"
        elif word in ("mac", "pc"):
            self.encoding = {"mac": "mac-roman", "pc": "cp437"}[word]
        elif word == "uc":
            self.state = replace(self.state, fallback=min(value, 10))
        elif word in ("v", "deleted"):
            self.flush()
            self.state = replace(self.state, hidden=number != 0)
        elif word == "plain":
            self.flush()
            self.state = replace(self.state, hidden=False, encoding="")

    def mark(self, word: str, number: int | None) -> None:
        """Paragraphs, their styles, and tables."""
        if word == "s":
            self.style = number or 0
        elif word == "outlinelevel":
            self.outlined(min((number or 0) + 1, 10))
        elif self.state.into in ("fonttbl", "stylesheet", "nowhere"):
            return
        elif word == "pard":
            self.style = self.outline = 0
            self.in_table = False
        elif word == "intbl":
            self.in_table = True
        elif word in ("par", "sect", "page"):
            self.flush()
            self.paragraph()
        elif word == "cell":
            self.flush()
            self.cells.append(whole(self.words).strip())
            self.words = []
        elif word == "row":
            self.rows.append(self.cells)
            self.cells = []

    def outlined(self, level: int) -> None:
        """A paragraph, or a style, is a heading; level 10 is the body."""
        if self.state.into == "stylesheet":
            self.levels.setdefault(self.style, level % 10)
        elif not self.state.into:
            self.outline = level

    def paragraph(self) -> None:
        """A paragraph ends; in a table, a line of a cell."""
        if self.state.into == "footnote":
            self.note.append("\n")
            return
        if self.in_table:
            self.words.append("\n")
            return
        text = whole(self.words).strip()
        self.words = []
        if text:
            self.table()
            level = (self.outline or self.levels.get(self.style, 0)) % 10
            self.found.append(Block(text, level, item=text.startswith(("\u2022", "- "))))
        self.found += self.notes
        self.notes = []

    def table(self) -> None:
        """A table ends."""
        if self.cells:
            self.rows.append(self.cells)
        self.found += table.grid(self.rows)
        self.rows, self.cells = [], []

    def byte(self, value: int) -> None:
        """A byte of a letter in the font's encoding."""
        if self.skip:
            self.skip -= 1
        else:
            self.pending.append(value)

    def text(self, text: str) -> None:
        """Letters as they stand; some only for readers that do not know the one before."""
        left = text[self.skip :]
        self.skip = max(self.skip - len(text), 0)
        if self.state.into == "stylesheet" and (match := HEADING.search(left)):
            self.levels[self.style] = int(match[1])
        self.pending += left.encode("latin-1")

    def flush(self) -> None:
        """Bytes become letters when the encoding may change."""
        if self.pending:
            encoding = self.state.encoding or self.encoding
            data, self.pending = bytes(self.pending), bytearray()
            self.say(data.decode(encoding, "replace"))

    def say(self, text: str) -> None:
        """Text goes where the group's text goes."""
        if self.state.hidden or not text:
            return
        if self.pending:
            self.flush()
        if self.state.into == "footnote":
            self.note.append(text)
        elif not self.state.into:
            self.words.append(text)


def extract(data: bytes) -> Extract:
    """The text of an RTF file."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise ExtractionError("not RTF, or damaged at its start; open it to check")
    return assembled(Rtf().read(data.rstrip(b"\0").decode("latin-1")))


def known(encoding: str) -> bool:
    """Whether Python has that encoding of letters."""
    try:
        return codecs.lookup(encoding).name.startswith(("cp", "utf"))
    except LookupError:
        return False


def whole(pieces: list[str]) -> str:
    """Pieces as one text; what is written as two halves of a letter becomes one."""
    text = "".join(pieces)
    return normalised(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
