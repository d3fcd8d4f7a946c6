"""Files that strangers make, or disks and editors by accident: a hundred and more kinds.

Each function writes one kind into an empty folder. ``KINDS`` has them by name. Nothing here is
taken from anybody's exploit: each is the plainest file of its kind, written by hand.
"""

import base64
import gzip
import io
import json
import os
import random
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from noria.corpus.load import FORMATS

Kind = Callable[[Path], None]
KINDS: dict[str, Kind] = {}
SECRET = "the-secret-of-a-file-that-nobody-named"
MB = 1_000_000


def kind(write: Kind) -> Kind:
    assert write.__name__ not in KINDS
    KINDS[write.__name__] = write
    return write


def content(name: str, make: Callable[[], bytes | str], suffix: str) -> None:
    """A kind that is one file of what ``make`` returns."""

    def write(folder: Path) -> None:
        data = make()
        (folder / f"{name}{suffix}").write_bytes(data.encode() if isinstance(data, str) else data)

    write.__name__ = name
    kind(write)


def zipped(entries: Iterable[tuple[str, bytes]], level: int = 1) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


# Office files: archives of XML

W = b'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
TYPES = (
    b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    b'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package'
    b'.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>%s</Types>'
)
OFFICE = b"application/vnd.openxmlformats-officedocument."
RELATIONS = (
    b'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    b'relationships">%s</Relationships>'
)
RELATION = (
    b'<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    b'relationships/%s" Target="%s"/>'
)
WORDS = b"<w:p><w:r><w:t>The wheel turns.</w:t></w:r></w:p>"


def override(part: bytes, what: bytes) -> bytes:
    return b'<Override PartName="%s" ContentType="%s%s+xml"/>' % (part, OFFICE, what)


def docx_parts(body: bytes = WORDS, before: bytes = b"") -> list[tuple[str, bytes]]:
    document = b"%s<w:document %s><w:body>%s</w:body></w:document>" % (before, W, body)
    kind = override(b"/word/document.xml", b"wordprocessingml.document.main")
    return [
        ("[Content_Types].xml", TYPES % kind),
        ("_rels/.rels", RELATIONS % (RELATION % (1, b"officeDocument", b"word/document.xml"))),
        ("word/document.xml", b'<?xml version="1.0" encoding="UTF-8"?>' + document),
    ]


def docx(body: bytes = WORDS, before: bytes = b"") -> bytes:
    return zipped(docx_parts(body, before))


S = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
ROW = b'<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>Wheel</t></is></c></row></sheetData>'


def xlsx(sheet: bytes = ROW, strings: bytes = b"") -> bytes:
    kinds = override(b"/xl/workbook.xml", b"spreadsheetml.sheet.main")
    kinds += override(b"/xl/worksheets/sheet1.xml", b"spreadsheetml.worksheet")
    kinds += override(b"/xl/sharedStrings.xml", b"spreadsheetml.sharedStrings")
    book = (
        b"<workbook %s xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/"
        b"relationships'><sheets><sheet name='Pumps' sheetId='1' r:id='rId1'/></sheets></workbook>"
    )
    rels = RELATION % (1, b"worksheet", b"worksheets/sheet1.xml")
    rels += RELATION % (2, b"sharedStrings", b"sharedStrings.xml")
    return zipped([
        ("[Content_Types].xml", TYPES % kinds),
        ("_rels/.rels", RELATIONS % (RELATION % (1, b"officeDocument", b"xl/workbook.xml"))),
        ("xl/workbook.xml", book % S),
        ("xl/_rels/workbook.xml.rels", RELATIONS % rels),
        ("xl/worksheets/sheet1.xml", b"<worksheet %s>%s</worksheet>" % (S, sheet)),
        ("xl/sharedStrings.xml", b"<sst %s>%s</sst>" % (S, strings)),
    ])  # fmt: skip


P = (
    b'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    b'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    b'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
SHAPE = b"<p:sp><p:txBody><a:p><a:r><a:t>The wheel turns.</a:t></a:r></a:p></p:txBody></p:sp>"


def pptx(shapes: bytes = SHAPE, slides: int = 1) -> bytes:
    numbers = range(1, slides + 1)
    kinds = override(b"/ppt/presentation.xml", b"presentationml.presentation.main")
    ids = b"".join(b'<p:sldId id="%d" r:id="rId%d"/>' % (255 + n, n) for n in numbers)
    slide = b"<p:sld %s><p:cSld><p:spTree>%s</p:spTree></p:cSld></p:sld>" % (P, shapes)
    rels = b"".join(RELATION % (n, b"slide", b"slides/slide1.xml") for n in numbers)
    return zipped([
        ("[Content_Types].xml", TYPES % kinds),
        ("_rels/.rels", RELATIONS % (RELATION % (1, b"officeDocument", b"ppt/presentation.xml"))),
        ("ppt/presentation.xml",
         b"<p:presentation %s><p:sldIdLst>%s</p:sldIdLst></p:presentation>" % (P, ids)),
        ("ppt/_rels/presentation.xml.rels", RELATIONS % rels),
        ("ppt/slides/slide1.xml", slide),
        ("ppt/slides/_rels/slide1.xml.rels",
         RELATIONS % (RELATION % (1, b"slide", b"slide1.xml"))),
    ])  # fmt: skip


ODF = b"urn:oasis:names:tc:opendocument:xmlns:"


def odt(body: bytes = b"<text:p>The wheel turns.</text:p>", before: bytes = b"") -> bytes:
    spaces = b" ".join(
        b'xmlns:%s="%s%s:1.0"' % (name, ODF, name) for name in (b"office", b"text", b"table")
    )
    content = b"<office:document-content %s><office:body><office:text>%s</office:text>"
    content += b"</office:body></office:document-content>"
    return zipped([
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", b'<?xml version="1.0"?>' + before + content % (spaces, body)),
        ("META-INF/manifest.xml", b"<manifest/>"),
    ])  # fmt: skip


def epub(chapter: bytes = b"<p>The wheel turns.</p>", spine: int = 1, nav: bytes = b"") -> bytes:
    refs = b"<itemref idref='c'/>" * spine
    return zipped([
        ("mimetype", b"application/epub+zip"),
        ("META-INF/container.xml",
         b"<container xmlns='urn:oasis:names:tc:opendocument:xmlns:container' version='1.0'>"
         b"<rootfiles><rootfile full-path='content.opf' media-type='application/oebps-package+xml'"
         b"/></rootfiles></container>"),
        ("content.opf",
         b"<package xmlns='http://www.idpf.org/2007/opf' version='2.0' unique-identifier='i'>"
         b"<metadata xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>Wheels</dc:title>"
         b"<dc:identifier id='i'>w</dc:identifier><dc:language>en</dc:language></metadata>"
         b"<manifest><item id='c' href='c.xhtml' media-type='application/xhtml+xml'/><item "
         b"id='ncx' href='toc.ncx' media-type='application/x-dtbncx+xml'/></manifest>"
         b"<spine toc='ncx'>%s</spine></package>" % refs),
        ("toc.ncx", b"<ncx xmlns='http://www.daisy.org/z3986/2005/ncx/'><navMap>%s</navMap></ncx>"
         % nav),
        ("c.xhtml", b"<html xmlns='http://www.w3.org/1999/xhtml'><body>%s</body></html>" % chapter),
    ])  # fmt: skip


LAUGHS = b"<!DOCTYPE l [<!ENTITY a0 'ha'>%s]>" % b"".join(
    b"<!ENTITY a%d '%s'>" % (i, b"&a%d;" % (i - 1) * 10) for i in range(1, 10)
)


def blanks() -> bytes:
    return b" " * (60 * MB)


def laughing(root: bytes) -> bytes:
    return LAUGHS + root


def lying() -> bytes:
    """An archive whose directory says that its largest part has ten bytes."""
    data = bytearray(docx(b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>" % (b"x" * (60 * MB))))
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        name_length = struct.unpack_from("<H", data, at + 28)[0]
        if data[at + 46 : at + 46 + name_length] == b"word/document.xml":
            struct.pack_into("<I", data, at + 24, 10)
        at = data.find(b"PK\x01\x02", at + 4)
    start = data.index(b"word/document.xml") - 30
    struct.pack_into("<I", data, start + 22, 10)
    return bytes(data)


def overlapping(copies: int = 5000) -> bytes:
    """An archive in which thousands of names share the bytes of one part."""
    data = zipped([("word/media/0.xml", b"<a>%s</a>" % (b"x" * MB)), *docx_parts()])
    end = data.rindex(b"PK\x05\x06")
    size, start = struct.unpack_from("<II", data, end + 12)
    directory = data[start : start + size]
    length = 46 + struct.unpack_from("<H", directory, 28)[0]
    shared = b"".join(
        directory[:46] + (b"word/media/%05d.xml" % i)[: length - 46].ljust(length - 46, b"x")
        for i in range(copies)
    )
    count = 4 + copies
    tail = struct.pack("<HHHHIIH", 0, 0, count, count, size + len(shared), start, 0)
    return data[:start] + directory + shared + b"PK\x05\x06" + tail


def nested(depth: int = 200) -> bytes:
    data = docx()
    for _ in range(depth):
        data = zipped([*docx_parts(), ("word/embeddings/inner.docx", data)])
    return data


def wrong_checksum() -> bytes:
    data = bytearray(docx(b"<w:p>%s</w:p>" % (b"x" * 10_000)))
    at = data.index(b"word/document.xml") + 60
    data[at] ^= 0xFF
    return bytes(data)


def flagged_encrypted() -> bytes:
    data = bytearray(docx())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    return bytes(data)


TEXT = b"<w:p><w:r><w:t>%s</w:t></w:r></w:p>"
OFFICE_KINDS: dict[str, tuple[Callable[[], bytes], str]] = {
    "docx_bomb": (lambda: docx(blanks()), ".docx"),
    "docx_bomb_of_letters": (lambda: docx(TEXT % (b"x" * (60 * MB))), ".docx"),
    "docx_lying_sizes": (lying, ".docx"),
    "docx_overlapping_parts": (overlapping, ".docx"),
    "docx_nested": (nested, ".docx"),
    "docx_of_30000_parts": (
        lambda: zipped([*docx_parts(), *((f"x/{i}", b"") for i in range(30_000))]), ".docx"),
    "docx_wrong_checksum": (wrong_checksum, ".docx"),
    "docx_flagged_encrypted": (flagged_encrypted, ".docx"),
    "docx_climbing_names": (
        lambda: zipped([*docx_parts(), ("../../climbed.txt", b"x"), ("/tmp/climbed", b"x")]),
        ".docx"),
    "docx_without_document": (lambda: zipped(docx_parts()[:2]), ".docx"),
    "docx_same_part_twice": (lambda: docx() + docx(), ".docx"),
    "docx_deep_tables": (
        lambda: docx(b"<w:tbl><w:tr><w:tc>" * 20_000 + WORDS + b"</w:tc></w:tr></w:tbl>" * 20_000),
        ".docx"),
    "docx_unclosed": (lambda: docx(b"<w:p><w:r>" * 100_000), ".docx"),
    "docx_billion_laughs": (lambda: docx(TEXT % b"&a9;", LAUGHS), ".docx"),
    "docx_grid_span": (
        lambda: docx(b"<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val='2000000000'/></w:tcPr>"
                     + WORDS + b"</w:tc></w:tr></w:tbl>"), ".docx"),
    "xlsx_bomb": (lambda: xlsx(strings=blanks()), ".xlsx"),
    "xlsx_far_cell": (
        lambda: xlsx(b"<dimension ref='A1:XFD1048576'/><sheetData><row r='1048576'>"
                     b"<c r='XFD1048576'><v>7</v></c></row><row r='1'><c r='A1'><v>1</v></c></row>"
                     b"</sheetData>"), ".xlsx"),
    "xlsx_impossible_cell": (
        lambda: xlsx(b"<sheetData><row r='99999999999'><c r='ZZZZZZZZ99999999999'><v>7</v></c>"
                     b"</row></sheetData>"), ".xlsx"),
    "xlsx_missing_string": (
        lambda: xlsx(b"<sheetData><row r='1'><c r='A1' t='s'><v>4000000000</v></c></row>"
                     b"</sheetData>"), ".xlsx"),
    "xlsx_merged_whole": (
        lambda: xlsx(ROW + b"<mergeCells><mergeCell ref='A1:XFD1048576'/></mergeCells>"), ".xlsx"),
    "xlsx_numbers_that_are_none": (
        lambda: xlsx(b"<sheetData><row r='1'><c r='A1'><v>1e999</v></c><c r='B1'><v>wheel</v></c>"
                     b"<c r='C1' t='d'><v>9999-99-99</v></c></row></sheetData>"), ".xlsx"),
    "pptx_bomb": (lambda: pptx(blanks()), ".pptx"),
    "pptx_one_slide_2000_times": (lambda: pptx(slides=2_000), ".pptx"),
    "pptx_deep_groups": (
        lambda: pptx(b"<p:grpSp>" * 20_000 + SHAPE + b"</p:grpSp>" * 20_000), ".pptx"),
    "odt_bomb": (lambda: odt(blanks()), ".odt"),
    "odt_two_billion_spaces": (
        lambda: odt(b"<text:p>wheel<text:s text:c='2000000000'/>turns</text:p>"), ".odt"),
    "odt_repeated_cells": (
        lambda: odt(b"<table:table><table:table-row table:number-rows-repeated='1048576'>"
                    b"<table:table-cell table:number-columns-repeated='16384'><text:p>wheel"
                    b"</text:p></table:table-cell></table:table-row></table:table>"), ".odt"),
    "odt_deep_lists": (
        lambda: odt(b"<text:list><text:list-item>" * 20_000 + b"<text:p>wheel</text:p>"
                    + b"</text:list-item></text:list>" * 20_000), ".odt"),
    "odt_billion_laughs": (lambda: odt(b"<text:p>&a9;</text:p>", LAUGHS), ".odt"),
    "epub_bomb": (lambda: epub(blanks()), ".epub"),
    "epub_one_chapter_20000_times": (lambda: epub(spine=20_000), ".epub"),
    "epub_deep_contents": (
        lambda: epub(nav=b"<navPoint id='n'>" * 20_000 + b"</navPoint>" * 20_000), ".epub"),
    "epub_deep_chapter": (lambda: epub(b"<div>" * 50_000 + b"wheel"), ".epub"),
    "archive_without_end": (lambda: docx()[:-30], ".docx"),
    "archive_that_is_all_comment": (
        lambda: b"PK\x05\x06" + b"\0" * 16 + b"\xff\xff" + b"x" * 65_535, ".xlsx"),
}  # fmt: skip
for name, (make, suffix) in OFFICE_KINDS.items():
    content(name, make, suffix)


# gzip


def squeezed(data: bytes) -> bytes:
    return gzip.compress(data, 1)


content("gzip_bomb", lambda: squeezed(blanks()), ".txt.gz")
content("gzip_in_gzip", lambda: squeezed(squeezed(b"The wheel turns.")), ".txt.gz")
content("gzip_cut_off", lambda: squeezed(random.Random(1).randbytes(9_999))[:5_000], ".txt.gz")
content("gzip_of_many_members", lambda: squeezed(b"wheel ") * 50_000, ".txt.gz")
content("gzip_with_garbage", lambda: squeezed(b"The wheel turns.") + b"garbage", ".txt.gz")
content("gzip_wrong_checksum", lambda: squeezed(b"The wheel turns.")[:-8] + b"\0" * 8, ".txt.gz")
content("gzip_that_is_none", lambda: b"The wheel turns.", ".txt.gz")


# PDF


def pdf(*objects: bytes, trailer: bytes = b"", version: bytes = b"1.7") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    out, places = bytearray(b"%PDF-" + version + b"\n"), []
    for number, body in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    size = len(objects) + 1
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R %s >>" % (
        size, b"".join(places), size, trailer,
    )  # fmt: skip
    return bytes(out) + b"\nstartxref\n%d\n%%%%EOF\n" % start


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


CATALOG = b"<< /Type /Catalog /Pages 2 0 R %s >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
    b"/Resources << /Font << /F1 5 0 R >> /XObject << /X 6 0 R >> >> %s >>"
)
SHOW = b"BT /F1 12 Tf 72 720 Td (The wheel turns.) Tj ET"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica %s >>"
PLAIN_PDF = (CATALOG % b"", PAGES, PAGE % b"", stream(SHOW), FONT % b"")


def deflated(data: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        data = zlib.compress(data, 1)
    return stream(data, b"/Filter [%s]" % (b"/FlateDecode " * times))


def changed(at: int, body: bytes, *more: bytes) -> bytes:
    """A plain PDF with one object replaced, and more behind."""
    objects = [*PLAIN_PDF, *more]
    objects[at - 1] = body
    return pdf(*objects)


def many_pages() -> bytes:
    kids = b"3 0 R " * 100_000
    return changed(2, b"<< /Type /Pages /Kids [%s] /Count 100000 >>" % kids)


def tower_of_pages() -> bytes:
    """Page trees below page trees, each with the next one ten times."""
    trees = [
        b"<< /Type /Pages /Kids [%s] /Count 1000000000 >>" % (b"%d 0 R " % (i + 3) * 10)
        for i in range(10)
    ]
    return pdf(CATALOG % b"", *trees, PAGE % b"", stream(SHOW), FONT % b"")


DRAW = stream(b"/X Do /X Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << "
              b"/XObject << /X 6 0 R >> >>")  # fmt: skip
PDF_KINDS: dict[str, Callable[[], bytes]] = {
    "pdf_page_tree_loop": lambda: changed(
        2, b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 /Parent 2 0 R >>"),
    "pdf_tower_of_pages": tower_of_pages,
    "pdf_one_page_100000_times": many_pages,
    "pdf_count_that_lies": lambda: changed(
        2, b"<< /Type /Pages /Kids [3 0 R] /Count 2147483647 >>"),
    "pdf_count_below_zero": lambda: changed(2, b"<< /Type /Pages /Kids [3 0 R] /Count -5 >>"),
    "pdf_object_that_is_itself": lambda: changed(4, b"4 0 R"),
    "pdf_length_that_is_itself": lambda: changed(
        4, b"<< /Length 4 0 R >>\nstream\n" + SHOW + b"\nendstream"),
    "pdf_length_that_lies": lambda: changed(
        4, b"<< /Length 4000000000 >>\nstream\n" + SHOW + b"\nendstream"),
    "pdf_tables_that_loop": lambda: pdf(*PLAIN_PDF, trailer=b"/Prev 9"),
    "pdf_table_before_itself": lambda: pdf(*PLAIN_PDF).replace(
        b"/Root", b"/Prev %d /Root" % pdf(*PLAIN_PDF).index(b"xref")),
    "pdf_bomb": lambda: changed(4, deflated(b"(x) Tj " * 20_000_000)),
    "pdf_bomb_in_bombs": lambda: changed(4, deflated(b" " * (100 * MB), 6)),
    "pdf_hundred_filters": lambda: changed(4, deflated(SHOW, 100)),
    "pdf_object_stream_bomb": lambda: changed(
        5, stream(zlib.compress(b"7 0 " * 20_000_000, 1),
                  b"/Type /ObjStm /N 20000000 /First 80000000 /Filter /FlateDecode")),
    "pdf_deep_arrays": lambda: changed(4, b"[" * 200_000 + b"]" * 200_000),
    "pdf_deep_dictionaries": lambda: changed(4, b"<< /A " * 100_000 + b">>" * 100_000),
    "pdf_drawing_that_draws_itself": lambda: changed(
        4, stream(SHOW + b" /X Do"), FONT % b"", DRAW),
    "pdf_nested_states": lambda: changed(4, stream(b"q " * 1_000_000 + SHOW)),
    "pdf_million_operators": lambda: changed(4, stream(b"(wheel) Tj 1 0 Td " * 300_000)),
    "pdf_huge_page": lambda: changed(
        3, (PAGE % b"").replace(b"612 792", b"1e30 -99999999999999999999")),
    "pdf_font_that_maps_to_itself": lambda: changed(
        5, FONT % b"/ToUnicode 5 0 R /Encoding 5 0 R /DescendantFonts [5 0 R]"),
    "pdf_outline_loop": lambda: pdf(
        CATALOG % b"/Outlines 6 0 R", *PLAIN_PDF[1:],
        b"<< /First 6 0 R /Last 6 0 R /Next 6 0 R /Parent 6 0 R /Title (a) /Count 9 >>"),
    "pdf_script": lambda: pdf(
        CATALOG % b"/OpenAction << /S /JavaScript /JS (while(true){}) >>", *PLAIN_PDF[1:]),
    "pdf_launch": lambda: pdf(
        CATALOG % b"/OpenAction << /S /Launch /F (/bin/sh) >>", *PLAIN_PDF[1:]),
    "pdf_form_that_loops": lambda: pdf(
        CATALOG % b"/AcroForm << /Fields [6 0 R] >>", *PLAIN_PDF[1:],
        b"<< /Kids [6 0 R] /Parent 6 0 R /T (a) >>"),
    "pdf_header_alone": lambda: b"%PDF-1.7\n",
    "pdf_without_end": lambda: pdf(*PLAIN_PDF)[:-60],
    "pdf_without_objects": lambda: b"%PDF-1.7\ntrailer\n<< /Root 1 0 R >>\nstartxref\n0\n%%EOF",
    "pdf_behind_garbage": lambda: b"x" * 2000 + pdf(*PLAIN_PDF),
    "pdf_locked": lambda: pdf(*PLAIN_PDF, trailer=b"/Encrypt << /Filter /Standard /V 1 /R 2 /O <"
                              + b"41" * 32 + b"> /U <" + b"42" * 32 + b"> /P -4 >>"
                              b" /ID [<00><00>]"),
    "pdf_locked_by_itself": lambda: pdf(*PLAIN_PDF, b"6 0 R", trailer=b"/Encrypt 6 0 R"),
}  # fmt: skip
for name, make in PDF_KINDS.items():
    content(name, make, ".pdf")


# XML


def external(folder: Path) -> bytes:
    """The address of a file that no document may show."""
    secret = folder.parent / f"{folder.name}.secret"
    secret.write_text(SECRET)
    return str(secret).encode()


@kind
def xml_external_entity(folder: Path) -> None:
    entity = b"<!DOCTYPE a [<!ENTITY s SYSTEM 'file://%s'>]>" % external(folder)
    (folder / "a.xml").write_bytes(entity + b"<a>wheel &s;</a>")


@kind
def xml_external_types(folder: Path) -> None:
    declared = b"<!DOCTYPE a [<!ENTITY %% s SYSTEM 'file://%s'>%%s;]>" % external(folder)
    (folder / "a.xml").write_bytes(declared + b"<a>wheel</a>")


@kind
def xml_include(folder: Path) -> None:
    (folder / "a.xml").write_bytes(
        b"<a xmlns:x='http://www.w3.org/2001/XInclude'>wheel<x:include parse='text' "
        b"href='file://%s'/></a>" % external(folder)
    )


@kind
def docx_external_entity(folder: Path) -> None:
    entity = b"<!DOCTYPE w [<!ENTITY s SYSTEM 'file://%s'>]>" % external(folder)
    (folder / "a.docx").write_bytes(docx(TEXT % b"wheel &s;", entity))


@kind
def rst_includes(folder: Path) -> None:
    secret = external(folder).decode()
    (folder / "a.rst").write_text(
        f"Wheel\n=====\n\n.. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n\n"
        f".. csv-table::\n   :file: {secret}\n"
    )


@kind
def org_includes(folder: Path) -> None:
    (folder / "a.org").write_bytes(b'* Wheel\n#+INCLUDE: "%s"\n' % external(folder))


@kind
def html_frames_and_links(folder: Path) -> None:
    address = b"file://" + external(folder)
    (folder / "a.html").write_bytes(
        b"<html><body><p>wheel</p><iframe src='%s'></iframe><object data='%s'></object>"
        b"<link rel='import' href='%s'></body></html>" % (address, address, address)
    )


XML_KINDS: dict[str, Callable[[], bytes]] = {
    "xml_billion_laughs": lambda: LAUGHS + b"<l>&a9;</l>",
    "xml_quadratic_entities": lambda: (
        b"<!DOCTYPE l [<!ENTITY a '%s'>]><l>%s</l>" % (b"x" * 100_000, b"&a;" * 10_000)),
    "xml_entity_that_is_itself": lambda: b"<!DOCTYPE l [<!ENTITY a '&a;'>]><l>&a;</l>",
    "xml_deep": lambda: b"<a>" * 200_000 + b"wheel" + b"</a>" * 200_000,
    "xml_unclosed": lambda: b"<a>wheel" * 100_000,
    "xml_100000_attributes": lambda: b"<a %s>wheel</a>" % b" ".join(
        b"b%d='x'" % i for i in range(100_000)),
    "xml_long_attribute": lambda: b"<a b='%s'>wheel</a>" % (b"x" * 10 * MB),
    "xml_long_name": lambda: b"<%s>wheel</%s>" % (b"x" * 5 * MB, b"x" * 5 * MB),
    "xml_open_section": lambda: b"<a><![CDATA[" + b"wheel " * 100_000,
    "xml_open_comment": lambda: b"<a><!--" + b"-" * MB,
    "xml_wrong_encoding": lambda: b"<?xml version='1.0' encoding='utf-16'?><a>wheel</a>",
    "xml_odd_encoding": lambda: b"<?xml version='1.0' encoding='punycode'?><a>wheel</a>",
    "xml_100000_namespaces": lambda: b"".join(
        b"<x%d:a xmlns:x%d='u:%d'/>" % (i, i, i) for i in range(100_000)).join((b"<a>", b"</a>")),
    "xml_with_nulls": lambda: b"<a>wh\0eel</a>",
}  # fmt: skip
for name, make in XML_KINDS.items():
    content(name, make, ".xml")


# JSON

JSON_KINDS: dict[str, Callable[[], bytes | str]] = {
    "json_deep_arrays": lambda: "[" * 200_000 + "]" * 200_000,
    "json_deep_objects": lambda: '{"a":' * 100_000 + "1" + "}" * 100_000,
    "json_open": lambda: "[" * 1_000_000,
    "json_huge_number": lambda: '{"a": ' + "9" * 1_000_000 + "}",
    "json_huge_exponent": lambda: '{"a": 1e999999999, "b": -1e400, "text": "wheel"}',
    "json_not_a_number": lambda: '{"a": NaN, "b": [Infinity, -Infinity], "text": "wheel"}',
    "json_half_characters": lambda: r'{"\ud800": "wheel \udfff \ud83d turns"}',
    "json_escaped_nulls": lambda: r'{"a": "wheel\u0000\u0001\u001b[2J turns"}',
    "json_same_key": lambda: '{"a": 1, ' * 1 + ", ".join(['"a": "wheel"'] * 100_000) + "}",
    "json_100000_keys": lambda: json.dumps({str(i): "wheel" for i in range(100_000)}),
    "json_long_string": lambda: json.dumps({"a": "wheel " * 2_000_000}),
    "json_cut_off": lambda: '{"a": "wheel", "b": ["tur',
    "json_then_more": lambda: '{"a": "wheel"} {"a": "turns"}',
    "json_single_value": lambda: "7",
    "json_of_half_a_mark": lambda: b"\xef\xbb{}",
}
for name, make in JSON_KINDS.items():
    content(name, make, ".json")
content("jsonl_broken_lines", lambda: '{"a": "wheel"}\n{"a": \n\n[1,\n"turns"\n' * 1000, ".jsonl")
content("jsonl_deep_line", lambda: '{"a": "wheel"}\n' + "[" * 200_000 + "\n", ".jsonl")
content("jsonl_100000_lines", lambda: '{"a": 1}\n' * 100_000, ".jsonl")


# HTML

HTML_KINDS: dict[str, Callable[[], bytes | str]] = {
    "html_unclosed": lambda: "<div>wheel " * 100_000,
    "html_unclosed_paragraphs": lambda: "<p>wheel " * 30_000,
    "html_unclosed_fonts": lambda: "<font><b><i>wheel " * 30_000,
    "html_deep": lambda: "<div>" * 100_000 + "wheel" + "</div>" * 100_000,
    "html_deep_tables": lambda: "<table><tr><td>" * 10_000 + "wheel",
    "html_deep_lists": lambda: "<ul><li>wheel" * 20_000,
    "html_deep_quotes": lambda: "<blockquote>wheel" * 20_000,
    "html_misnested": lambda: "<b><p>wheel</b></p><a><a><table><b><tr><p>" * 2_000,
    "html_open_comment": lambda: "<p>wheel</p><!--" + "-" * MB,
    "html_open_script": lambda: "<p>wheel</p><script>" + "x" * MB,
    "html_open_title": lambda: "<title>" * 100_000,
    "html_open_metas": lambda: "<meta " * 200_000,
    "html_open_classes": lambda: "<div class='footer" * 50_000,
    "html_footers": lambda: '<div class="footer">' * 50_000,
    "html_permalinks": lambda: '<a class="headerlink"' * 50_000,
    "html_long_attribute": lambda: f"<p class='{'x ' * 2_000_000}'>wheel</p>",
    "html_100000_attributes": lambda: (
        "<p " + " ".join(f"a{i}=b" for i in range(100_000)) + ">wheel</p>"),
    "html_open_references": lambda: "&amp" * 200_000 + "&#x" * 200_000 + "&#99999999999;wheel",
    "html_open_brackets": lambda: "<" * MB,
    "html_wide_row": lambda: "<table><tr>" + "<td>7" * 100_000 + "</table>",
    "html_long_table": lambda: "<table>" + "<tr><td>wheel<td>turns" * 10_000 + "</table>",
    "html_spans": lambda: "<table><tr><td colspan=2000000000 rowspan=2000000000>wheel</table>",
    "html_says_utf16": lambda: "<meta charset=utf-16><p>wheel</p>",
    "html_says_punycode": lambda: "<meta charset=punycode><p>" + "wheel-" * 50_000 + "a" * 200_000,
    "html_says_idna": lambda: "<meta charset=idna><p>" + "xn--wheel" * 50_000,
    "html_says_zlib": lambda: "<meta charset=zlib><p>wheel</p>",
    "html_says_escapes": lambda: r"<meta charset=unicode_escape><p>wheel \ud800 \N{DIGIT ONE}</p>",
    "html_says_utf7": lambda: "<meta charset=utf-7><p>wheel +ADw-script+AD4-</p>",
    "html_says_undefined": lambda: "<meta charset=undefined><p>wheel</p>",
    "html_half_references": lambda: "<p>wheel &#xD800; &#xDFFF; &#0; &#x110000;</p>",
    "html_many_links": lambda: "<p>" + "<a href='a(b'>[wheel](</a>" * 30_000,
    "html_pointer_lines": lambda: (
        "<ul><li>" + "<a href='x'>](</a>" * 100 + ")" * 500_000 + "x</ul>"),
    "html_ticks": lambda: "<p>" + "".join("`" * (i % 9) + "a" for i in range(200_000)) + "</p>",
    "html_preformatted": lambda: "<pre>" + "wheel\n" * 50_000,
    "html_foreign": lambda: "<svg><foreignObject><math><mtext>wheel" * 5_000,
    "html_forms": lambda: "<select><option>wheel" * 50_000,
}  # fmt: skip
for name, make in HTML_KINDS.items():
    content(name, make, ".html")


# Markdown

MARKDOWN_KINDS: dict[str, Callable[[], str]] = {
    "md_deep_quotes": lambda: ">" * 100_000 + " wheel",
    "md_deep_lists": lambda: "".join(" " * i + "- wheel\n" for i in range(3_000)),
    "md_wide_table": lambda: "|" + "a|" * 1_000_000 + "\n|" + "-|" * 1_000_000 + "\n",
    "md_30000_headings": lambda: "# wheel\n" * 30_000,
    "md_30000_nested_headings": lambda: "".join(
        f"{'#' * (i % 6 + 1)} w{i}\n" for i in range(30_000)
    ),
    "md_underlined_30000_times": lambda: "wheel\n===\n\n" * 30_000,
    "md_open_fence": lambda: "```\n" + "wheel\n" * 100_000,
    "md_many_fences": lambda: "~~~\n```\n" * 100_000,
    "md_open_brackets": lambda: "# " + "[" * 500_000,
    "md_open_links": lambda: "# wheel " + "[a](" * 200_000,
    "md_open_link_heading": lambda: ("# " + "[a](b" * 90 + "\n") * 2_000,
    "md_emphasis": lambda: ("# " + "*a" * 240 + "\n") * 2_000,
    "md_stars": lambda: "*" * 500_000,
    "md_ticks": lambda: "`" * 500_000,
    "md_front_matter_open": lambda: "---\n" + "title: wheel\n" * 100_000,
    "md_front_matter_dashes": lambda: "---\n" * 200_000,
    "md_front_matter_laughs": lambda: "---\na: &a [w]\nb: &b [*a, *a]\nc: [*b, *b]\n---\nw\n",
    "md_embedded_images": lambda: "![](data:" * 100_000,
    "md_embedded_image": lambda: "wheel ![a](data:image/png;base64," + "A" * 5 * MB + ")",
    "md_permalinks": lambda: ("# wheel " + "{#" * 200 + "\n") * 5_000,
    "md_numbers": lambda: "1." * 500_000 + " wheel\n" + "1" * 500_000 + "\n",
    "md_escapes": lambda: "# " + "\\" * 500_000,
    "md_sentence_ends": lambda: (". " + '"' * 1_000) * 1_000 + "x\nwheel",
}  # fmt: skip
for name, make in MARKDOWN_KINDS.items():
    content(name, make, ".md")


# Plain text

LINE = "The wheel lifts water out of the river and into the fields above it. "
TEXT_KINDS: dict[str, Callable[[], bytes | str]] = {
    "text_line_of_20_mb": lambda: LINE * (20 * MB // len(LINE)),
    "text_word_of_10_mb": lambda: "a" * 10 * MB,
    "text_base64": lambda: random.Random(2).randbytes(2 * MB).hex(),
    "text_one_byte": lambda: "a",
    "text_white_space": lambda: " \n\t\r\n" * MB,
    "text_300000_lines": lambda: "a\n" * 300_000,
    "text_rules": lambda: "a\n===\n" * 50_000,
    "text_long_rules": lambda: "=" * MB + "\n" + "=" * MB + "\n" + "a" * MB + "\n" + "=" * MB,
    "text_dots": lambda: " ." * MB,
    "text_broken_utf8": lambda: b"wheel \xc3\x28 \xa0\xa1 \xe2\x28\xa1 \xf0\x28\x8c\xbc turns",
    "text_overlong_utf8": lambda: b"wheel \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf turns",
    "text_surrogates_in_utf8": lambda: b"wheel \xed\xa0\xbd\xed\xb8\x80 turns",
    "text_cut_in_a_character": lambda: "水車".encode()[:-1],
    "text_utf16_without_mark": lambda: "The wheel turns.".encode("utf-16-le"),
    "text_utf16_odd": lambda: b"\xff\xfe" + "The wheel turns.".encode("utf-16-le") + b"x",
    "text_utf16_halves": lambda: b"\xff\xfe" + b"\x3d\xd8" * 1000,
    "text_utf32": lambda: "The wheel turns.".encode("utf-32"),
    "text_mark_alone": lambda: b"\xef\xbb\xbf",
    "text_marks": lambda: "\ufeff" * 10_000 + "wheel",
    "text_nulls": lambda: b"wheel\0turns\0" * 10_000,
    "text_all_nulls": lambda: b"\0" * MB,
    "text_one_null": lambda: b"The wheel\0 turns. " * 2 + b"It lifts water. " * 100,
    "text_escapes": lambda: "wheel \x1b[2J\x1b]0;title\x07 turns " + "and goes on " * 100,
    "text_bidi": lambda: "\u202e\u2066\u202a" * 50_000 + "wheel",
    "text_combining": lambda: "w" + "\u0301" * 500_000,
    "text_joined_emoji": lambda: "\U0001f468\u200d" * 300_000,
    "text_unassigned": lambda: "wheel \U000e0001\U0010ffff\ufffe\uffff turns",
    "text_ligatures": lambda: "\ufdfa" * 300_000,
    "text_line_ends": lambda: "wheel\u2028\u2029\x0b\x0c\x85\r\r\n" * 50_000,
    "text_korean_euc": lambda: "수차가 물을 들어 올린다. ".encode("euc-kr") * 100,
    "text_korean_cp949": lambda: "똠방각하 물레방아 ".encode("cp949") * 100,
    "text_arabic_1256": lambda: "الناعورة ترفع الماء ".encode("cp1256") * 100,
    "text_japanese_2022": lambda: "水車は水を上げる。".encode("iso2022_jp") * 100,
    "text_japanese_sjis": lambda: "水車は水を上げる。".encode("shift_jis") * 100,
    "text_thai_without_spaces": lambda: "กังหันน้ำยกน้ำขึ้นจากแม่น้ำ" * 20_000,
    "text_chinese_without_spaces": lambda: "水车把水从河里提上来" * 100_000,
    "text_ebcdic": lambda: "The wheel turns. ".encode("cp500") * 100,
}
for name, make in TEXT_KINDS.items():
    content(name, make, ".txt")


# Tables

TABLE_KINDS: dict[str, tuple[Callable[[], bytes | str], str]] = {
    "csv_100000_columns": (
        lambda: ",".join(f"c{i}" for i in range(100_000)) + "\n" + "7," * 99_999 + "7\n", ".csv"),
    "csv_wide_and_long": (
        lambda: ",".join(f"column{i}" for i in range(2_000)) + "\n" + ("7," * 1_999 + "7\n") * 100,
        ".csv"),
    "csv_open_quote": (lambda: 'a,b\n"wheel,' + "turns\n" * 1_700_000, ".csv"),
    "csv_long_field": (lambda: "a,b\n" + "wheel " * 500_000 + ",7\n", ".csv"),
    "csv_quotes": (lambda: '"' * 1_000_001, ".csv"),
    "csv_ragged": (
        lambda: "a,b\n" + "".join("7," * (i % 50) + "\n" for i in range(10_000)), ".csv"),
    "csv_nulls": (lambda: b"a,b\nwh\0eel,7\n" * 1000, ".csv"),
    "csv_one_column": (lambda: "wheel\n" * 50_000, ".csv"),
    "csv_of_separators": (lambda: ",;\t|" * 200_000, ".csv"),
    "csv_formulas": (lambda: "a,b\n=cmd|'/c calc'!A0,@SUM(1)\n", ".csv"),
    "csv_carriage_returns": (lambda: "a,b\rwheel,7\r" * 1000, ".csv"),
    "csv_headers_alike": (lambda: "a,a,a,,\n1,2,3,4,5,6,7\n" * 1000, ".csv"),
    "tsv_open_quote": (lambda: 'a\tb\n"wheel\t' + "turns\n" * 100_000, ".tsv"),
}  # fmt: skip
for name, (make, suffix) in TABLE_KINDS.items():
    content(name, make, suffix)


# Mail


def letter(*headers: str, body: str = "The wheel turns.") -> str:
    return "\n".join(("From: ada@example.org", "Subject: Wheels", *headers, "", body))


def multiparts(depth: int) -> str:
    body = "The wheel turns."
    for i in range(depth):
        head = f'Content-Type: multipart/mixed; boundary="b{i - 1}"' if i else "X: y"
        body = f"--b{i}\n{head}\n\n{body}\n--b{i}--"
    return letter(f'Content-Type: multipart/mixed; boundary="b{depth - 1}"', body=body)


def letters_in_letters(depth: int) -> str:
    inner = letter()
    for _ in range(depth):
        inner = letter("Content-Type: message/rfc822", body=inner)
    return inner


MAIL_KINDS: dict[str, Callable[[], bytes | str]] = {
    "eml_1000_nested_parts": lambda: multiparts(1000),
    "eml_1000_letters_in_letters": lambda: letters_in_letters(1000),
    "eml_20000_parts": lambda: letter(
        'Content-Type: multipart/mixed; boundary="b"',
        body="--b\nContent-Type: text/plain\n\nwheel\n" * 20_000),
    "eml_100000_headers": lambda: letter(*(f"X-{i}: y" for i in range(100_000))),
    "eml_long_header": lambda: letter("X: " + "y" * 10 * MB),
    "eml_long_subject": lambda: letter("Subject: " + "=?utf-8?b?d2hlZWw=?= " * 50_000),
    "eml_open_boundary": lambda: letter('Content-Type: multipart/mixed; boundary="b', body="--b\n"),
    "eml_empty_boundary": lambda: letter('Content-Type: multipart/mixed; boundary=""',
                                         body="--\n\nwheel\n----\n"),
    "eml_boundary_missing": lambda: letter("Content-Type: multipart/mixed"),
    "eml_broken_base64": lambda: letter("Content-Transfer-Encoding: base64", body="w!h@e#e$l=="),
    "eml_broken_quoting": lambda: letter(
        "Content-Transfer-Encoding: quoted-printable", body="whe=ZZl =\n=E6=B0="),
    "eml_unknown_charset": lambda: letter("Content-Type: text/plain; charset=x-none"),
    "eml_punycode_charset": lambda: letter(
        "Content-Type: text/plain; charset=punycode", body="wheel-" + "a" * 200_000),
    "eml_bomb_attached": lambda: letter(
        'Content-Type: multipart/mixed; boundary="b"',
        body="--b\n\nwheel\n--b\nContent-Type: application/zip\nContent-Disposition: attachment; "
        'filename="../../a.zip"\nContent-Transfer-Encoding: base64\n\n'
        + base64.encodebytes(zipped([("a", b"\0" * (20 * MB))])).decode() + "--b--"),
    "eml_html_alone": lambda: letter("Content-Type: text/html", body="<p>wheel" * 50_000),
    "eml_dates": lambda: letter("Date: Fri, 99 Foo 99999999999 99:99:99 +99999"),
    "eml_addresses": lambda: letter("To: " + "(" * 50_000 + '"' * 50_000),
    "eml_nulls": lambda: b"From: a\0b\nSubject: \0\n\nwheel\0turns",
    "eml_without_headers": lambda: "\n\n\nThe wheel turns.",
}  # fmt: skip
for name, make in MAIL_KINDS.items():
    content(name, make, ".eml")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
content("msg_mark_alone", lambda: OLE, ".msg")
content("msg_sectors_that_loop", lambda: (
    OLE + b"\0" * 16 + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6) + b"\0" * 6
    + struct.pack("<IIIIIIIII", 0, 1, 0, 0, 4096, 0, 1, 0, 0) + struct.pack("<109I", *[0] * 109)
    + struct.pack("<128I", *[0] * 128) * 4
), ".msg")  # fmt: skip
content("msg_huge_tables", lambda: (
    OLE + b"\0" * 16 + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6) + b"\0" * 6
    + struct.pack("<IIIIIIIII", 0, 2**31, 0, 0, 4096, 0, 2**31, 0, 2**31) + b"\xff" * 436
), ".msg")  # fmt: skip


# RTF, reStructuredText, Org

RTF_KINDS: dict[str, Callable[[], bytes | str]] = {
    "rtf_deep_groups": lambda: r"{\rtf1 " + "{" * 200_000 + "wheel" + "}" * 200_001,
    "rtf_open_groups": lambda: r"{\rtf1 " + r"{\b wheel" * 100_000,
    "rtf_closed_too_often": lambda: r"{\rtf1 wheel" + "}" * 100_000,
    "rtf_binary_that_lies": lambda: r"{\rtf1 wheel \bin2147483647 x}",
    "rtf_characters": lambda: r"{\rtf1 wheel \u-1? \u55357? \u99999999999? \'zz \'8 turns}",
    "rtf_90000_words": lambda: r"{\rtf1 " + r"\par\b\i0" * 30_000 + " wheel}",
    "rtf_pictures": lambda: r"{\rtf1 wheel {\pict\pngblip " + "89" * 2 * MB + "}}",
    "rtf_objects": lambda: r"{\rtf1 wheel {\object\objdata " + "d0cf11e0" * 100_000 + "}}",
    "rtf_mark_alone": lambda: r"{\rtf1",
    "rtf_long_word": lambda: "{\\rtf1 \\" + "a" * MB + " wheel}",
    "rtf_table": lambda: r"{\rtf1 \trowd" + r"\cellx99\intbl wheel\cell" * 50_000 + r"\row}",
}
for name, make in RTF_KINDS.items():
    content(name, make, ".rtf")
MARKUP_KINDS: dict[str, tuple[Callable[[], str], str]] = {
    "rst_replaced_by_itself": (
        lambda: ".. |a| replace:: |b|\n.. |b| replace:: |a|\n\nWheel |a|.\n",
        ".rst",
    ),
    "rst_deep_lists": (lambda: "".join("  " * i + "- wheel\n\n" for i in range(2_000)), ".rst"),
    "rst_wide_table": (lambda: ("+" + "--+" * 20_000 + "\n|" + "a |" * 20_000 + "\n") * 3, ".rst"),
    "rst_open_roles": (lambda: ":ref:`" * 200_000, ".rst"),
    "rst_odd_rules": (lambda: "wheel\n" + "=-" * 200_000 + "\n", ".rst"),
    "org_deep_stars": (lambda: "*" * 200_000 + " wheel\n", ".org"),
    "org_deeper_and_deeper": (lambda: "".join("*" * i + " w\n" for i in range(1, 2_000)), ".org"),
    "org_open_blocks": (lambda: "#+BEGIN_SRC\n:PROPERTIES:\n| a\n" * 50_000, ".org"),
    "org_open_links": (lambda: "* " + "[[" * 200_000, ".org"),
    "org_emphasis": (lambda: "*/_=~+" * 100_000, ".org"),
}
for name, (make, suffix) in MARKUP_KINDS.items():
    content(name, make, suffix)


# Every format damaged

SAMPLES: dict[str, Callable[[], bytes]] = {
    ".docx": docx, ".xlsx": xlsx, ".pptx": pptx, ".odt": odt, ".epub": epub,
    ".pdf": lambda: pdf(*PLAIN_PDF),
    ".eml": lambda: letter().encode(),
    ".rtf": lambda: rb"{\rtf1 The wheel turns.}",
    ".xml": lambda: b"<a>The wheel turns.</a>",
    ".html": lambda: b"<html><body><h1>Wheel</h1><p>The wheel turns.</p></body></html>",
    ".json": lambda: b'{"a": "The wheel turns."}',
    ".msg": lambda: OLE + b"\0" * 2000,
}  # fmt: skip
WORDING = b"Wheel\n=====\n\nThe wheel, it turns.\n"


def every_format(name: str, damage: Callable[[bytes, str], bytes]) -> None:
    """A kind of one file for each suffix that Noria knows, and each that others know."""

    def write(folder: Path) -> None:
        for suffix in sorted({*FORMATS, *SAMPLES}):
            whole = SAMPLES.get(suffix, lambda: WORDING)()
            (folder / f"damaged{suffix}").write_bytes(damage(whole, suffix))

    write.__name__ = name
    kind(write)


def at_random(suffix: str, size: int = 20_000) -> bytes:
    return random.Random(suffix).randbytes(size)


def flipped(whole: bytes, suffix: str) -> bytes:
    chance, data = random.Random(suffix), bytearray(whole)
    for _ in range(max(1, len(data) // 50)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


every_format("whole", lambda whole, suffix: whole)
every_format("cut_in_half", lambda whole, suffix: whole[: len(whole) // 2])
every_format("cut_at_the_end", lambda whole, suffix: whole[:-7])
every_format("without_a_start", lambda whole, suffix: whole[7:])
every_format("with_bytes_flipped", flipped)
every_format("empty", lambda whole, suffix: b"")
every_format("blank", lambda whole, suffix: b" \n" * 1000)
every_format("nulls", lambda whole, suffix: b"\0" * 10_000)
every_format("random_bytes", lambda whole, suffix: at_random(suffix))
every_format("random_after_its_start", lambda whole, suffix: whole[:20] + at_random(suffix))
every_format("random_letters", lambda whole, suffix: at_random(suffix).hex().encode())
every_format("doubled", lambda whole, suffix: whole + whole)
every_format("of_another_kind_pdf", lambda whole, suffix: pdf(*PLAIN_PDF))
every_format("of_another_kind_docx", lambda whole, suffix: docx())
every_format("of_another_kind_html", lambda whole, suffix: SAMPLES[".html"]())
every_format(
    "of_another_kind_image", lambda whole, suffix: b"\x89PNG\r\n\x1a\n" + at_random(suffix)
)
every_format("of_another_kind_program", lambda whole, suffix: b"\x7fELF" + at_random(suffix))
every_format("gzipped_beneath_its_name", lambda whole, suffix: squeezed(whole))


# Names

NAMES: dict[str, bytes] = {
    "name_with_newline": b"two\nlines.txt",
    "name_with_quotes": b'it\'s "quoted" `so`.txt',
    "name_with_statement": b"'); DROP TABLE passages; --.txt",
    "name_not_utf8": b"wheel-\xff\xfe.txt",
    "name_of_255_bytes": b"w" * 251 + b".txt",
    "name_with_dash": b"--prune.txt",
    "name_with_emoji": "\U0001f6b0 水車.txt".encode(),
    "name_with_spaces": b"  wheel  .txt",
    "name_ending_in_space": b"wheel.txt ",
    "name_with_backslash": b"c:\\wheel.txt",
    "name_with_percent": b"%s%n%00.txt",
    "name_with_escape": b"wheel\x1b[2J\x07.txt",
    "name_with_direction": "wheel\u202etxt.exe.txt".encode(),
    "name_with_braces": b"{0}{id}$HOME~.txt",
    "name_with_markup": b"[bold]<b>wheel.txt",
    "name_with_glob": b"*?[a].txt",
    "name_of_suffix_alone": b"txt",
    "name_with_capital_suffix": b"WHEEL.TXT",
    "name_with_many_suffixes": b"a.gz.gz.pdf.docx.txt.gz.txt",
    "name_composed_otherwise": "whe\u0301el.txt".encode(),
}
for name, raw in NAMES.items():

    def named(folder: Path, raw: bytes = raw) -> None:
        with open(os.fsencode(folder) + b"/" + raw, "wb") as file:
            file.write(b"The wheel turns.")

    named.__name__ = name
    kind(named)


# Folders and what is no file


@kind
def link_to_its_own_folder(folder: Path) -> None:
    (folder / "again").symlink_to(folder)


@kind
def links_in_a_circle(folder: Path) -> None:
    (folder / "a.txt").symlink_to(folder / "b.txt")
    (folder / "b.txt").symlink_to(folder / "a.txt")


@kind
def links_that_multiply(folder: Path) -> None:
    """Each folder has ten links to the next: followed blindly, 10^8 ways lead to one file."""
    for i in range(8):
        (folder / f"level{i}").mkdir()
        for j in range(10):
            (folder / f"level{i}" / f"way{j}").symlink_to(folder / f"level{i + 1}")
    (folder / "level8").mkdir()
    (folder / "level8" / "end.txt").write_text("The wheel turns.")


@kind
def link_to_nowhere(folder: Path) -> None:
    (folder / "a.txt").symlink_to("/nonexistent/a.txt")


@kind
def link_to_endless_zeros(folder: Path) -> None:
    (folder / "a.txt").symlink_to("/dev/zero")


@kind
def link_to_memory(folder: Path) -> None:
    (folder / "a.txt").symlink_to("/proc/self/mem")


@kind
def link_with_a_long_target(folder: Path) -> None:
    (folder / "a.txt").symlink_to("x" * 300)


@kind
def pipe(folder: Path) -> None:
    os.mkfifo(folder / "a.txt")


@kind
def door(folder: Path) -> None:
    """A socket; its address must be short, so it is made from within."""
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("a.txt")
    finally:
        os.fchdir(here)
        os.close(here)


@kind
def locked_file(folder: Path) -> None:
    """Which root may read all the same."""
    (folder / "a.txt").write_text("The wheel turns.")
    (folder / "a.txt").chmod(0)


@kind
def locked_folder(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "a.txt").write_text("The wheel turns.")
    (folder / "a").chmod(0)


@kind
def sparse_gigabyte(folder: Path) -> None:
    with (folder / "a.txt").open("wb") as file:
        file.write(b"The wheel turns.")
        file.truncate(1_000 * MB)


@kind
def folder_named_like_a_file(folder: Path) -> None:
    (folder / "a.txt").mkdir()
    (folder / "a.txt" / "b.pdf").mkdir()


def descend(folder: Path, name: str, times: int) -> None:
    """Folders below folders, made from within: their whole path may be too long to be said."""
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        for _ in range(times):
            os.mkdir(name)
            os.chdir(name)
        Path("a.txt").write_text("The wheel turns.")
    finally:
        os.fchdir(here)
        os.close(here)


@kind
def deep_folders(folder: Path) -> None:
    """As deep as a path may name."""
    descend(folder, "d", (4_000 - len(str(folder))) // 2)


@kind
def deeper_than_paths_can_name(folder: Path) -> None:
    descend(folder, "d" * 200, 25)


@kind
def thousand_tiny_files(folder: Path) -> None:
    for i in range(1000):
        (folder / f"{i}.txt").write_text(f"wheel {i}")


@kind
def same_file_by_many_names(folder: Path) -> None:
    (folder / "a.txt").write_text("The wheel turns.")
    for i in range(100):
        (folder / f"{i}.txt").hardlink_to(folder / "a.txt")


@kind
def empty_folders(folder: Path) -> None:
    for i in range(200):
        (folder / str(i)).mkdir()
