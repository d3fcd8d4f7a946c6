"""What a file is by its first bytes, and why some kinds are not read.

Suffixes lie: a page saved as ``report.pdf``, a DOCX called ``notes.txt``. Knows no extractors.
"""

import re
from collections.abc import Mapping

from noria.corpus.formats import archive
from noria.errors import ExtractionError

PDF_MAGIC = re.compile(rb"%PDF-\d")
HTML_MAGIC = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!doctype html|<html)", re.I)
RTF_MAGIC = b"{\\rtf"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # binary Office files, before 2007 and encrypted
# Names in the directory of an OLE file; outer kinds first, for files hold others.
STREAMS = {
    ".msg": "__properties_version1.0",
    ".ppt": "PowerPoint Document",
    ".doc": "WordDocument",
    ".xls": "Workbook",
}
MIMETYPES = {
    b"application/epub+zip": ".epub",
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
}
MEMBERS = {
    "word/": ".docx",
    "ppt/": ".pptx",
    "xl/": ".xlsx",
    "META-INF/container.xml": ".epub",
}

IMAGE = "an image: its text can only be had by OCR; run it first (ocrmypdf --image-dpi 300 IN OUT)"
SOUND = "a recording of sound or pictures; transcribe it first"
ARCHIVE = "an archive; unpack it first"
PROGRAM = "a program, not a document"
SOURCE = "source code or settings, not a document"
KEY = "a signature, a key or encrypted data; decrypt it first"
DATA = "a database or numbers; export what matters as CSV"
APPLE = "an Apple iWork file; export it as DOCX, PPTX, XLSX or PDF"
BINARY_SHEET = "a binary workbook; save it as XLSX"
FONT = "a font"
LOCKED = "it is encrypted; save it without a password"

MAGIC = (
    (re.compile(rb"\x89PNG\r|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*", re.S), IMAGE),
    (re.compile(rb"BM.{4}\0{4}|RIFF.{4}WEBP", re.S), IMAGE),
    (re.compile(rb"ID3[\2-\4]|OggS\0|fLaC\0|\x1aE\xdf\xa3", re.S), SOUND),
    (re.compile(rb"RIFF.{4}(?:WAVE|AVI )|.{4}ftyp", re.S), SOUND),
    (re.compile(rb"7z\xbc\xaf\x27|Rar!\x1a|\xfd7zXZ\0|BZh[1-9]1AY|\x28\xb5\x2f\xfd"), ARCHIVE),
    (re.compile(rb"\x7fELF|MZ.{58}..\0\0|\xca\xfe\xba\xbe", re.S), PROGRAM),
    (re.compile(rb"SQLite format 3\0|PAR1|ARROW1"), DATA),
)  # fmt: skip


def listed(*reasons: tuple[str, str]) -> dict[str, str]:
    """Why the suffixes of each list are not read."""
    return {f".{name}": reason for names, reason in reasons for name in names.split()}


UNREAD: Mapping[str, str] = listed(
    ("png jpg jpeg gif bmp tif tiff webp heic heif avif ico svg svgz psd ai eps djvu jp2", IMAGE),
    ("mp3 wav ogg oga opus flac m4a aac wma aiff mp4 m4v mkv mov avi webm mpg mpeg wmv", SOUND),
    ("zip tar tgz tbz txz bz2 xz zst 7z rar jar war deb rpm iso dmg cab whl", ARCHIVE),
    ("exe dll so dylib o a lib pyc pyd class wasm bin msi apk app", PROGRAM),
    ("py pyi js mjs ts jsx tsx c h cc cpp hpp cs java go rs rb php pl sh bash zsh bat", SOURCE),
    ("ps1 sql css scss less toml yaml yml ini cfg conf lock ipynb r m swift kt scala lua", SOURCE),
    ("sig asc gpg pgp pem crt cer der p12 pfx key", KEY),
    ("sqlite sqlite3 db parquet arrow feather npy npz safetensors gguf h5 pickle pkl mdb", DATA),
    ("pages numbers", APPLE),
    ("xlsb", BINARY_SHEET),
    ("ttf otf woff woff2", FONT),
)  # fmt: skip


def suffix_of_content(data: bytes) -> str:
    """The suffix that ``data`` should have, if that is plain; empty if it is not.

    Raises ExtractionError for what is plainly of a kind that is not read.
    """
    if PDF_MAGIC.match(data):
        return ".pdf"
    if data.startswith(archive.MAGIC):
        return suffix_of_archive(data)
    if data.startswith(OLE_MAGIC):
        return suffix_of_ole(data)
    if data.startswith(RTF_MAGIC):
        return ".rtf"
    if HTML_MAGIC.match(data[:1024]):
        return ".html"
    for magic, reason in MAGIC:
        if magic.match(data):
            raise ExtractionError(reason)
    return ""


def suffix_of_archive(data: bytes) -> str:
    """What kind of document a ZIP file is."""
    found = archive.opened(data)
    if "mimetype" in found:
        declared = found.read("mimetype").strip()
        if declared in MIMETYPES:
            return MIMETYPES[declared]
    for member, suffix in MEMBERS.items():
        if any(name.startswith(member) for name in found.members):
            if "xl/workbook.bin" in found:
                raise ExtractionError(BINARY_SHEET)
            return suffix
    raise ExtractionError(APPLE if "Index/Document.iwa" in found else ARCHIVE)


def suffix_of_ole(data: bytes) -> str:
    """What kind of document an OLE file is; empty if it is none that is known."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise ExtractionError(LOCKED)
    for suffix, stream in STREAMS.items():
        if stream.encode("utf-16-le") in data:
            return suffix
    return ""
