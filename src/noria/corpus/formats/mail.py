"""Mail: who wrote to whom, when and what; attachments are handed on.

Of a text that comes as plain text and as a web page, one is read. Signatures are not checked.
"""

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value

from noria.corpus.formats import html
from noria.corpus.formats.extract import Attached, Block, Extract, assembled, joined, lowered
from noria.corpus.formats.plain import charset, decode, normalised
from noria.errors import ExtractionError

SHOWN = ("From", "To", "Cc", "Date")
# A file without any of these is no mail.
EXPECTED = ("From", "To", "Subject", "Date", "Received", "Content-Type", "MIME-Version")
DEEPEST = 50  # parts within parts
PARTS = 1_000
SIGNATURES = {
    "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
}  # fmt: skip
SAME = 0.8  # of a web page's words stand in the plain text too: it says the same
WORD = re.compile(r"\w+")
LONGEST_HEADER = 10_000  # characters that are looked at
# Python's reading of parameters costs n squared.
ENDLESS = re.compile(rb"^Content-(?:Type|Disposition):(?:[^\n]|\n[ \t]){20000}", re.I | re.M)
LONGEST_NAME = 200  # characters of an attachment's name


def extract(data: bytes) -> Extract:
    """A message: its subject as title, its text, and its attachments still to be read."""
    if ENDLESS.search(data):
        raise ExtractionError("damaged: not a mail message, one of its headers has no end")
    try:
        return read(message_from_bytes(data.lstrip(b"\r\n")))
    # what Python's email package raises where parameters of headers contradict each other
    except (MessageError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ExtractionError(f"damaged: a mail message with wrong headers ({reason})") from error


def read(message: Message) -> Extract:
    """What ``message`` says."""
    if not any(name in message for name in EXPECTED):
        raise ExtractionError("not a mail message: it has no From, Subject or Date")
    parts = list(leaves(message))
    texts = [p for p in parts if is_body(p)]
    attached = tuple(Attached(name_of(p), content(p)) for p in parts if is_attachment(p))
    return letter(
        header(message, "Subject"),
        [(name, header(message, name)) for name in SHOWN],
        body(texts),
        attached,
    )


def extract_signed(data: bytes) -> Extract:
    """A message that is signed; of a signature alone, or in binary, the reason why not."""
    if data[:1] == b"0" or data.startswith(b"-----BEGIN"):
        raise ExtractionError(
            "a signature in PKCS#7; if it holds its text, take it out first "
            "(openssl cms -verify -noverify -inform DER -in FILE -out FILE.eml)"
        )
    return extract(data)


def letter(
    subject: str,
    fields: Sequence[tuple[str, str]],
    text: Extract,
    attached: tuple[Attached, ...],
) -> Extract:
    """A message as one text; ``fields`` are what a reader sees above it."""
    said = "\n".join(f"{name}: {value}" for name, value in fields if value)
    names = ", ".join(part.name for part in attached)
    head = assembled([Block(subject, 1), Block(said)])
    tail = assembled([Block(f"Attachments: {names}" if names else "")])
    whole = joined([head, lowered(text, 1), tail])
    return Extract(whole.text, whole.headings, (), attached)


def leaves(message: Message, depth: int = 0) -> Iterator[Message]:
    """The parts that hold content; a message in the message is one."""
    if depth > DEEPEST:
        raise ExtractionError(f"its parts are nested more than {DEEPEST} deep")
    parts = message.get_payload()
    if not isinstance(parts, list) or message.get_content_type() == "message/rfc822":
        yield message
        return
    for part in parts[:PARTS]:
        if isinstance(part, Message):
            yield from leaves(part, depth + 1)


def is_attachment(part: Message) -> bool:
    """Whether a reader sees a part as a file, not as text."""
    return part.get_content_type() not in SIGNATURES and not is_body(part) and bool(content(part))


def is_body(part: Message) -> bool:
    """Whether a part is text to read at once."""
    named = part.get_content_disposition() == "attachment" or bool(part.get_filename())
    return part.get_content_type() in ("text/plain", "text/html") and not named


def body(parts: Sequence[Message]) -> Extract:
    """The text of a message; web pages only where they say more than the plain text."""
    plain = [text_of(p) for p in parts if p.get_content_type() == "text/plain"]
    said = [Extract(text.strip() + "\n") for text in plain if text.strip()]
    known = set(WORD.findall(" ".join(plain).lower()))
    for part in parts:
        if part.get_content_type() == "text/html":
            page = html.extract(text_of(part).encode()) if content(part).strip() else Extract("")
            words = WORD.findall(page.text.lower())
            if sum(word in known for word in words) < SAME * len(words):
                said.append(page)
    return joined(said)


def text_of(part: Message) -> str:
    """A part as text, in the encoding that it declares if that is true."""
    data = content(part)
    declared = part.get_content_charset()
    if declared:
        try:
            # as browsers do: what is declared Latin-1 is Windows-1252
            known = {"iso-8859-1": "cp1252", "us-ascii": "utf-8"}.get(declared, declared)
            return normalised(data.decode(charset(known)))
        except (LookupError, ValueError):
            return decode(data)
    return decode(data) if data.strip() else ""


def content(part: Message) -> bytes:
    """The bytes of a part, as they were before they were sent."""
    inner = part.get_payload()
    if isinstance(inner, list):  # message/rfc822
        return inner[0].as_bytes() if inner and isinstance(inner[0], Message) else b""
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def header(message: Message, name: str) -> str:
    """A header as people read it, on one line."""
    raw = str(message.get(name, ""))[:LONGEST_HEADER]
    try:
        text = str(make_header(decode_header(raw)))
    except (MessageError, LookupError, ValueError):
        text = raw
    # bytes that are in no encoding come as lone surrogates
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(normalised(clean).split())


def name_of(part: Message) -> str:
    """What an attachment is called."""
    if part.get_content_type() == "message/rfc822":
        return "message.eml"
    raw = part.get_filename()
    if raw is None:
        return "unnamed"
    name = collapse_rfc2231_value(raw)
    shown = Message()
    shown["Name"] = " ".join(name.split())
    return (header(shown, "Name") or "unnamed")[:LONGEST_NAME]
