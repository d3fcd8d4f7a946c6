"""Each format is read as a person would read it aloud: text, headings, tables, positions."""

import gzip
import json
import os
import struct
import zipfile
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import (
    cell,
    docx,
    epub,
    numbered,
    od_table,
    opendocument,
    p,
    pptx,
    relations,
    rows,
    shape,
    slide_table,
    styled,
    word_table,
    xlsx,
    zipped,
)
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from noria.corpus.formats.table import LINE
from noria.corpus.load import FORMATS, load
from noria.corpus.split import TokenSplitter
from noria.errors import ExtractionError
from noria.types import Document
from phrases import PHRASES


@pytest.fixture
def read(tmp_path):
    def read(name: str, content: bytes | str, max_file_mb: int = 100) -> Document:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return load(path, max_file_mb=max_file_mb)

    return read


def titles(document: Document) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in document.headings]


def page_texts(document: Document) -> list[str]:
    bounds = [*document.pages, len(document.text)]
    return [document.text[a:b].strip() for a, b in pairwise(bounds)]


def at_headings(document: Document) -> list[str]:
    return [document.text[h.start :].split("\n")[0].lstrip("# ") for h in document.headings]


# Tables of values


def test_a_row_of_csv_says_its_headers(read):
    document = read("a.csv", 'Part,Litres,Note\nBucket,12,"small, but\nstrong"\nTub,,27"\n')
    assert document.text == (
        '- Part: Bucket; Litres: 12; Note: small, but strong\n- Part: Tub; Note: 27"\n'
    )
    assert document.media_type == "text/csv"


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "Part;Litres\nBucket;1,5\n"), ("a.tsv", "Part\tLitres\nBucket\t1,5\n")],
)
def test_what_parts_the_cells_is_seen(read, name, text):
    assert read(name, text).text == "- Part: Bucket; Litres: 1,5\n"


def test_numbers_are_no_headers(read):
    assert read("a.csv", "1,2\n3,4\n").text == "- 1; 2\n- 3; 4\n"


def test_a_quote_that_is_never_closed_costs_a_row_at_most(read):
    lines = "".join(f"Wheel {i},{i}\n" for i in range(500))
    text = read("a.csv", f'Part,Litres\n"Bucket,1\n{lines}').text
    assert text.startswith('- Part: "Bucket; Litres: 1\n- Part: Wheel 0; Litres: 0\n')
    assert text.endswith("- Part: Wheel 499; Litres: 499\n")


def test_a_long_row_names_itself_in_each_line(read):
    story = "word " * 60
    text = read("a.csv", f"Part,A,B,C,D\nBucket,{story},{story},7,\n").text
    lines = text.strip().split("\n")
    assert [line[:20] for line in lines] == ["- Part: Bucket; A: w", "- Part: Bucket; B: w"]
    assert lines[1].endswith("word; C: 7")
    assert all(len(line) <= LINE + 2 for line in lines)


# JSON


def test_json_says_where_each_value_stands(read):
    value = {
        "shop": {"name": "Wheels", "open": True, "closed": None, "price": 10},
        "parts": [{"name": "Bucket", "tags": ["a", "b"], "size": {"l": 1}}, {"name": "Tub"}],
    }
    assert read("a.json", json.dumps(value).replace("10", "10.50")).text == (
        "- shop: name: Wheels; open: true; price: 10.50\n"
        "- parts: name: Bucket; tags: a, b; size.l: 1\n"
        "- parts: name: Tub\n"
    )


def test_a_wrong_line_of_jsonl_is_left_out(read):
    document = read("a.jsonl", '{"q": "Why?", "n": 1}\n{"q": \n\n["a", "b"]\n')
    assert document.text == "- q: Why?; n: 1\n- a, b\n"


def test_json_lines_that_are_called_json_are_read(read):
    assert read("a.json", '{"a": 1}\n{"a": 2}').text == "- a: 1\n- a: 2\n"


# XML


def test_xml_with_data_is_read_record_by_record(read):
    xml = """<?xml version="1.0"?><shop xmlns="urn:x" currency="EUR"><owner>Ada</owner>
    <part id="7"><name>Bucket</name><litres>12</litres></part>
    <part id="8"><name>Tub</name></part></shop>"""
    assert read("a.xml", xml).text == (
        "- shop: currency: EUR; owner: Ada\n"
        "- shop.part: id: 7; name: Bucket; litres: 12\n"
        "- shop.part: id: 8; name: Tub\n"
    )


def test_xml_with_an_article_is_read_as_text(read):
    xml = """<article><title>Wheels</title><section><title>Use</title>
    <para>It <emphasis>lifts</emphasis> water, &#233;t&#233;.</para></section></article>"""
    document = read("a.xml", xml)
    assert document.text == "# Wheels\n\n## Use\n\nIt lifts water, été.\n"
    assert titles(document) == [(1, "Wheels"), (2, "Use")]


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ('<!DOCTYPE a [<!ENTITY b "xxxx"><!ENTITY c "&b;&b;">]><a>&c;</a>', "entity 'b'"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "entity 'b'"),
        ("<a>" * 201 + "</a>" * 201, "nested more than 200 deep"),
        ("<a><b></a>", "mismatched tag: line 1, column 8"),
    ],
)
def test_xml_that_is_not_read_says_why(read, xml, reason):
    with pytest.raises(ExtractionError, match=reason):
        read("a.xml", xml)


# Word


def test_a_word_document_keeps_headings_lists_notes_and_tables(read):
    reference = '<w:r><w:footnoteReference w:id="1"/></w:r>'
    body = (
        styled("Water wheels", "Titel")
        + styled("Use", "U1")
        + p("It lifts", extra=f"<w:r><w:tab/><w:t>water.</w:t></w:r>{reference}")
        + numbered("Turn it on", 1)
        + numbered("slowly", 1, 1)
        + numbered("Wait", 1)
        + styled("Parts", "Eigen")
        + numbered("small", 2)
        + numbered("light", 2)
        + styled("Only text.", "Body")
        + word_table([["Part", "Litres"], ["Bucket", "12"]])
    )
    document = read("a.docx", docx(body))
    assert document.text == (
        "# Water wheels\n\n## Use\n\nIt lifts\twater.\n\n[Built in 1866.]\n\n"
        "1. Turn it on\n1.a) slowly\n2. Wait\n\n## Parts\n\n- small\n- light\n\n"
        "Only text.\n\n| Part | Litres |\n| --- | --- |\n| Bucket | 12 |\n"
    )
    assert titles(document) == [(1, "Water wheels"), (2, "Use"), (2, "Parts")]
    assert at_headings(document) == ["Water wheels", "Use", "Parts"]
    assert document.pages == ()


def test_deleted_text_is_gone_and_text_boxes_come_once(read):
    box = f"<w:txbxContent>{p('In a box.')}</w:txbxContent>"
    body = (
        p("Kept", extra="<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>")
        + p("", extra="<w:ins><w:r><w:t>Added.</w:t></w:r></w:ins>")
        + f'<w:p><mc:AlternateContent xmlns:mc="mc"><mc:Choice><w:r>{box}</w:r></mc:Choice>'
        f"<mc:Fallback><w:r>{box}</w:r></mc:Fallback></mc:AlternateContent></w:p>"
        "<w:sdt><w:sdtContent>" + p("In a form.") + "</w:sdtContent></w:sdt>"
    )
    assert read("a.docx", docx(body)).text == "Kept\n\nAdded.\n\nIn a box.\n\nIn a form.\n"


def test_a_long_table_in_a_document_is_read_row_by_row(read):
    table = [["Part", "Litres"], *([f"Bucket {i}", str(i)] for i in range(99))]
    text = read("a.docx", docx(word_table(table))).text
    assert text.startswith("- Part: Bucket 0; Litres: 0\n- Part: Bucket 1; Litres: 1\n")
    assert text.count("Litres") == 99


def test_a_table_in_a_table_is_read_once(read):
    inner = word_table([["deep"], ["deeper"]])
    body = f"<w:tbl><w:tr><w:tc>{inner}</w:tc><w:tc>{p('beside')}</w:tc></w:tr></w:tbl>"
    assert read("a.docx", docx(body)).text == "| deep deeper | beside |\n| --- | --- |\n"


# Slides


def test_slides_are_pages_in_the_order_shown(read):
    slides = [
        shape("title", "Water wheels") + shape("body", "They lift.", "They turn."),
        shape("", "No title here.") + shape("ftr", "Secret Inc."),
        shape("title", "Parts") + slide_table([["Part", "Litres"], ["Bucket", "12"]]),
    ]
    document = read("a.pptx", pptx(slides, notes="Speak up."))
    assert page_texts(document) == [
        "# Water wheels\n\nThey lift.\n\nThey turn.\n\nNotes: Speak up.",
        "# Slide 2\n\nNo title here.",
        "# Parts\n\n| Part | Litres |\n| --- | --- |\n| Bucket | 12 |",
    ]
    assert titles(document) == [(1, "Water wheels"), (1, "Slide 2"), (1, "Parts")]


# Sheets


def test_a_workbook_shows_values_as_people_see_them(read):
    sheet = rows(
        cell("A1", "Sales", kind="inlineStr"),
        cell("A2", "0", kind="s") + cell("B2", "1", kind="s") + cell("D2", "2", kind="s"),
        cell("A3", "0.152", 1) + cell("B3", "45000", 2) + cell("D3", "1250000.5", 3),
        cell("A4", "0.30000000000000004") + cell("B4", "1", kind="b") + cell("C4", "x", kind="str"),
        cell("A5", "0.5", 4) + cell("B5", "1.25", 5) + cell("D5", "#N/A", kind="e"),
    )
    hidden = rows(cell("A1", "secret", kind="inlineStr"))
    last = rows("", cell("B2", "0", kind="s"))
    strings = ("Share", "Day", "Price")
    content = xlsx({"May": sheet, "Lists": hidden, "Notes &amp; more": last}, strings, "Lists")
    document = read("a.xlsx", content)
    assert document.text == (
        "# May\n\nSales\n\n- Share: 15.2%; Day: 2023-03-15; Price: 1,250,000.50 €\n"
        "- Share: 0.3; Day: TRUE; x\n- Share: 12:00; Day: 30:00; Price: #N/A\n\n"
        "# Notes & more\n\nShare\n"
    )
    assert [document.text[page:][:6] for page in document.pages] == ["# May\n", "# Note", "# Note"]
    assert titles(document) == [(1, "May"), (1, "Notes & more")]


def test_a_second_table_has_its_own_headers(read):
    def line(number: int, *texts: str) -> str:
        return "".join(
            cell(f"{'ABC'[i]}{number}", text, kind="inlineStr") for i, text in enumerate(texts)
        )

    sheet = rows(
        line(1, "Part", "Litres"), line(2, "Bucket", "12"), "",
        line(4, "Town", "Wheels"), line(5, "Hama", "17"), "", line(7, "Ghent", "unknown"),
    )  # fmt: skip
    assert read("a.xlsx", xlsx({"S": sheet})).text == (
        "# S\n\n- Part: Bucket; Litres: 12\n- Town: Hama; Wheels: 17\n"
        "- Town: Ghent; Wheels: unknown\n"
    )


# OpenDocument


def test_an_odt_keeps_headings_lists_notes_and_tables(read):
    body = (
        '<text:p text:style-name="P1">Water wheels</text:p>'
        '<text:h text:outline-level="1">Use</text:h>'
        '<text:p>It<text:s text:c="2"/>lifts <text:span>water</text:span>.'
        "<text:note><text:note-citation>1</text:note-citation><text:note-body>"
        "<text:p>Built in 1866.</text:p></text:note-body></text:note></text:p>"
        "<text:list><text:list-item><text:p>small</text:p></text:list-item>"
        "<text:list-item><text:p>light</text:p></text:list-item></text:list>"
    ) + od_table("T", [["Part", "Litres"], ["Bucket", "12"]])
    document = read("a.odt", opendocument("text", body))
    assert document.text == (
        "# Water wheels\n\n## Use\n\nIt  lifts water.\n\n[Built in 1866.]\n\n- small\n- light\n\n"
        "| Part | Litres |\n| --- | --- |\n| Bucket | 12 |\n"
    )
    assert titles(document) == [(1, "Water wheels"), (2, "Use")]


def test_sheets_of_an_ods_are_pages(read):
    body = od_table("May", [["Part", "Litres"], ["Bucket", "12"]]) + od_table("June", [["none"]])
    document = read("a.ods", opendocument("spreadsheet", body))
    assert page_texts(document) == ["# May\n\n- Part: Bucket; Litres: 12", "# June\n\nnone"]


def test_slides_of_an_odp_are_pages(read):
    page = (
        '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>{}</text:p>'
        "</draw:text-box></draw:frame><draw:frame><draw:text-box><text:p>{}</text:p>"
        "</draw:text-box></draw:frame></draw:page>"
    )
    body = page.format("Wheels", "They lift.") + page.format("", "They turn.")
    document = read("a.odp", opendocument("presentation", body))
    assert page_texts(document) == ["# Wheels\n\nThey lift.", "# Slide 2\n\nThey turn."]


# Books


def test_a_book_has_its_chapters_as_headings(read):
    chapters = {
        "z.xhtml": "<html><head><title>f</title></head><h1>Use</h1><p>It lifts.</p></html>",
        "a.xhtml": "<html><body><p>Buckets and tubs.</p></body></html>",
    }
    document = read("a.epub", epub("Water wheels", chapters, {"a.xhtml": "Parts"}))
    assert document.text == "# Water wheels\n\n# Use\n\nIt lifts.\n\n# Parts\n\nBuckets and tubs.\n"
    assert titles(document) == [(1, "Water wheels"), (2, "Use"), (2, "Parts")]


def test_a_protected_book_says_so(read):
    lock = (
        "<encryption><EncryptedData><EncryptionMethod Algorithm='aes'/><CipherData>"
        "<CipherReference URI='OEBPS/text/a.xhtml'/></CipherData></EncryptedData></encryption>"
    )
    book = epub("T", {"a.xhtml": "<p>x</p>"}, {}, **{"META-INF/encryption.xml": lock})
    with pytest.raises(ExtractionError, match="protected"):
        read("a.epub", book)


# Mail

HEAD = (
    "From: =?utf-8?q?Ad=C3=A9?= <ada@example.org>\nTo: bo@example.org\nDate: Sat, 21 Nov 2026\n"
    "Subject: =?iso-8859-1?q?Wheel_caf=E9?=\nMIME-Version: 1.0\n"
)
SAID = "# Wheel café\n\nFrom: Adé <ada@example.org>\nTo: bo@example.org\nDate: Sat, 21 Nov 2026\n"


def multipart(*parts: str, kind: str = "mixed") -> str:
    joined = "".join(f"--B\n{part}\n" for part in parts)
    return f'{HEAD}Content-Type: multipart/{kind}; boundary="B"\n\n{joined}--B--\n'


PLAIN = "Content-Type: text/plain; charset=utf-8\n\nIt lifts water.\n"
PAGE = "Content-Type: text/html\n\n<p>It <b>lifts</b> water.</p>\n"


@pytest.mark.parametrize("kind", ["alternative", "mixed"])
def test_of_a_mail_the_plain_text_is_read_once(read, kind):
    document = read("a.eml", multipart(PLAIN, PAGE, kind=kind))
    assert document.text == f"{SAID}\nIt lifts water.\n"
    assert titles(document) == [(1, "Wheel café")]


def test_a_mail_of_html_only_is_read(read):
    assert read("a.eml", multipart(PAGE)).text == f"{SAID}\nIt **lifts** water.\n"


def attached(name: str, content: str) -> str:
    return (
        f'Content-Type: application/octet-stream; name="{name}"\n'
        f'Content-Disposition: attachment; filename="{name}"\n\n{content}\n'
    )


def test_attachments_are_listed_and_read(read):
    inner = "Content-Type: message/rfc822\n\nSubject: Old\n\nIt turned.\n"
    document = read(
        "a.eml",
        multipart(
            PLAIN, attached("parts.csv", "Part,Litres\nBucket,12\n"), attached("a.png", "x"),
            attached("bad.json", "{"), inner,
        ),
    )  # fmt: skip
    assert document.text == (
        f"{SAID}\nIt lifts water.\n\nAttachments: parts.csv, a.png, bad.json, message.eml\n\n"
        "## Attachment: parts.csv\n\n- Part: Bucket; Litres: 12\n\n"
        "## Attachment: bad.json\n\n[not read: damaged: not JSON (Expecting property name enclosed"
        " in double quotes: line 2 column 1 (char 2)); open it to check]\n\n"
        "## Attachment: message.eml\n\n# Old\n\nIt turned.\n"
    )
    assert titles(document)[-2:] == [(2, "Attachment: message.eml"), (3, "Old")]


def test_mail_in_mail_in_mail_ends(read):
    mail = "Subject: 0\n\nThe core.\n"
    for i in range(1, 9):
        mail = (
            f"Subject: {i}\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B{i}\n\n"
            f"--B{i}\nContent-Type: message/rfc822\n\n{mail}\n--B{i}--\n"
        )
    document = read("a.eml", mail)
    assert [title for _, title in titles(document) if title.isdigit()] == ["8", "7", "6", "5"]


def test_a_signed_text_is_read_and_a_signature_alone_is_not(read):
    text = (
        "MIME-Version: 1.0\nContent-Type: multipart/signed; boundary=B\n\n--B\nHello wheel.\n\n"
        "--B\nContent-Type: application/x-pkcs7-signature; name=smime.p7s\n\nMIIG\n--B--\n"
    )
    assert read("a.p7s", text).text == "Hello wheel.\n"
    with pytest.raises(ExtractionError, match="openssl cms"):
        read("b.p7s", b"0\x82\x06\x8b\x06\x09")


# Texts with marks


def test_rst_has_titles_however_long_their_rules_are(read):
    text = (
        ".. _top:\n\nWheels\n======================\n\nSee :ref:`the parts <p>` and\n"
        "``raw `x```.\n\nParts of it\n-----------\n\n* `Bucket <http://a.b>`__\n"
    )
    document = read("a.rst", text)
    assert document.text == (
        "# Wheels\n\nSee the parts and\n``raw `x```.\n\n## Parts of it\n\n* Bucket\n"
    )
    assert titles(document) == [(1, "Wheels"), (2, "Parts of it")]
    assert read("a.rst.txt", text).media_type == "text/x-rst"


def test_org_is_an_outline(read):
    text = (
        "#+TITLE: Wheels\n#+OPTIONS: toc:nil\n* DONE Use  :a:b:\n:PROPERTIES:\n:ID: 7\n:END:\n"
        "It [[http://a.b][lifts]] water.\n# aside\n#+begin_src sh\n# kept\n#+end_src\n** Parts\n"
    )
    document = read("a.org", text)
    assert document.text == "# Wheels\n\n## Use\n\nIt lifts water.\n# kept\n\n### Parts\n"
    assert titles(document) == [(1, "Wheels"), (2, "Use"), (3, "Parts")]


def test_rtf_keeps_headings_letters_and_tables(read):
    rtf = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}{\f1\fcharset204 Arial;}}"
        rb"{\stylesheet{\s0 Normal;}{\s5 heading 2;}}{\info{\title Hidden}}"
        rb"\pard\s5 Water wheels\par\pard\s0 Caf\'e9 \u8364?5, {\f1\'cf\'f0\'e8}, "
        rb"{\v hidden}{\field{\*\fldinst HYPERLINK x}{\fldrslt a link}}\{.\}"
        rb"{\footnote Built in 1866.}\par{\pict 89504e47}"
        rb"\trowd\intbl Part\cell Litres\cell\row\intbl Bucket\cell 12\cell\row\pard End\par}"
    )
    document = read("a.rtf", rtf)
    assert document.text == (
        "## Water wheels\n\nCafé €5, При, a link{.}\n\n[Built in 1866.]\n\n"
        "| Part | Litres |\n| --- | --- |\n| Bucket | 12 |\n\nEnd\n"
    )
    assert titles(document) == [(2, "Water wheels")]


def test_a_long_table_of_a_page_says_its_headers_again(read):
    lines = "".join(f"<tr><td>Bucket {i}</td><td>{i}</td></tr>" for i in range(60))
    page = f"<h1>T</h1><table><tr><th>Part</th><th>Litres</th></tr>{lines}</table><p>End.</p>"
    text = read("a.html", page).text
    assert text.startswith("# T\n\n- Part: Bucket 0; Litres: 0\n- Part: Bucket 1; Litres: 1\n")
    assert text.endswith("- Part: Bucket 59; Litres: 59\n\nEnd.\n")


# What a file is


def test_a_file_without_a_suffix_is_read_if_it_is_plainly_text(read):
    assert read("README", "Wheels.\n").media_type == "text/plain"
    assert read("paper", b"{\\rtf1 Wheels.\\par}").media_type == "application/rtf"
    for content in (b"caf\xe9", b"a\x00b", b"\x1b[1m"):
        with pytest.raises(ExtractionError, match="not plainly text"):
            read("data", content)


def test_a_file_is_what_it_is_whatever_it_is_called(read):
    document = read("notes.txt", docx(p("It lifts.")))
    assert (document.text, document.media_type) == ("It lifts.\n", FORMATS[".docx"].media_type)
    assert read("a.doc", b"{\\rtf1 It lifts.\\par}").text == "It lifts.\n"
    assert read("a.docx.gz", gzip.compress(docx(p("It lifts.")))).text == "It lifts.\n"


PNG = b"\x89PNG\r\n\x1a\n" + bytes(99)
LOCKED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.png", PNG, "an image: .* OCR"),
        ("a.txt", PNG, "an image: .* OCR"),
        ("a.mp3", b"ID3\x03" + bytes(99), "transcribe"),
        ("a.zip", zipped({"a.txt": "x"}), "an archive; unpack it first"),
        ("a.pdf", zipped({"a.txt": "x"}), "an archive; unpack it first"),
        ("a.docx", LOCKED, "encrypted"),
        ("a.py", b"print()", "source code"),
        ("a.xlsx", zipped({"xl/workbook.bin": "x"}), "save it as XLSX"),
        ("a.docx", b"only text", "damaged: a ZIP file that cannot be opened"),
        ("a.docx", docx(p("x"))[:-30], "damaged: a ZIP file that cannot be opened"),
        ("a.docx", zipped({"word/document.xml": "<a/>"}), "without a document"),
        ("a.docx", zipped({"_rels/.rels": relations(officeDocument="word/d.xml"),
                           "word/d.xml": "<a"}), "damaged: not XML"),
        ("a.odt", zipped({"mimetype": "application/vnd.oasis.opendocument.text"}),
         "damaged: 'content.xml' is missing"),
        ("a.epub", zipped({"mimetype": "application/epub+zip"}), "container.xml' is missing"),
        ("a.json", b'{"a": ', "damaged: not JSON .*line 1 column 7"),
        ("a.json", b"[" * 100_000, "nested more than 100 deep"),
        ("a.json", b'{"a":' * 150 + b"1" + b"}" * 150, "nested more than 100 deep"),
        ("a.jsonl", b"{\n}{\n", "no line is JSON .line 1"),
        ("a.eml", b"Dear all, it lifts.\n", "not a mail message"),
        ("a.rtf", b"{\\rtf1 It lifts", "cut short"),
        ("a.rtf", b"It lifts", "not RTF"),
        ("a.doc", b"It lifts", "."),
        ("a.xls", b"It lifts", "."),
        ("a.msg", b"It lifts", "."),
        ("a.pptx", pptx([]), "no text in it"),
        ("a.csv", b",,\n,,\n", "no text in it"),
        *((f"empty{suffix}", b" \n", "empty") for suffix in FORMATS),
    ],
)  # fmt: skip
def test_what_is_not_read_says_why(read, name, content, reason):
    with pytest.raises(ExtractionError, match=reason) as error:
        read(name, content)
    assert "\n" not in str(error.value)


# Archives that lie


def lying(declared: int, actual: int) -> bytes:
    """A DOCX whose document says that it has ``declared`` bytes, and has ``actual``."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", relations(officeDocument="word/document.xml"))
        archive.writestr("word/document.xml", b"<a>" + b" " * actual)
    data = bytearray(file.getvalue())
    size = struct.pack("<I", actual + 3)
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = struct.pack("<I", declared)
    return bytes(data)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zipped({"word/a.xml": os.urandom(700_000), "word/b.xml": os.urandom(700_000)}),
         "the file is larger than 1 MB"),
        (zipped({f"word/{i}.xml": b"<a/>" * 50_000 for i in range(6)}),
         "unpacked, it is larger than 1 MB"),
        (zipped({"word/a.xml": bytes(5_000_000)}), "more than 300 is taken for a bomb"),
        (zipped({f"word/{i}": b"" for i in range(20_001)}), "larger than|20001 files"),
        (lying(1_000, 5_000_000), "cannot be unpacked: Bad CRC-32"),
    ],
)  # fmt: skip
def test_a_bomb_is_refused(read, content, reason):
    with pytest.raises(ExtractionError, match=reason):
        read("a.docx", content, max_file_mb=1)


def test_a_member_packed_in_a_way_without_bounds_is_refused(read):
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("word/document.xml", bytes(9_000_000))
    with pytest.raises(ExtractionError, match="not read; repack it"):
        read("a.docx", file.getvalue())


# Whatever the bytes are

STARTS = [
    b"", b"{\\rtf1 ", b"<?xml version='1.0'?><a>", b"From: a\n\n", b"Subject: =?x?q?=E9?=\n",
    b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04", b"a,b\n", b'{"a": ', b"* a\n", b"a\n=\n",
]  # fmt: skip


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(sorted(FORMATS)),
    start=st.sampled_from(STARTS),
    data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode),
)
def test_any_bytes_are_read_or_refused(read, suffix, start, data):
    try:
        document = read(f"a{suffix}", start + data)
    except ExtractionError as error:
        document, reason = None, str(error)
    if document is None:
        assert reason
        assert "\n" not in reason
    else:
        assert document.text.strip()
        assert not {"\r", "\0"} & set(document.text)
        document.text.encode()
        assert all(0 <= h.start < len(document.text) for h in document.headings)
        assert list(document.pages) == sorted(document.pages)
        assert all(0 <= page <= len(document.text) for page in document.pages)


WHOLE = {
    ".docx": docx(styled("T", "U1") + numbered("x", 1) + word_table([["a", "b"]])),
    ".pptx": pptx([shape("title", "T") + slide_table([["a", "b"]])], notes="n"),
    ".xlsx": xlsx({"S": rows(cell("A1", "45000", 2) + cell("B1", "0", kind="s"))}, ("x",)),
    ".odt": opendocument("text", "<text:p>x</text:p>" + od_table("T", [["a"]])),
    ".ods": opendocument("spreadsheet", od_table("T", [["a", "b"]])),
    ".epub": epub("T", {"a.xhtml": "<p>x</p>"}, {"a.xhtml": "A"}),
    ".eml": multipart(PLAIN, PAGE, attached("a.csv", "a,b\n")).encode(),
    ".rtf": rb"{\rtf1{\fonttbl{\f0 A;}}\trowd\intbl a\cell\row\pard\u55357?x{\footnote n}\par}",
}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(sorted(WHOLE)),
    places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.floats(0.3, 1),
)
def test_any_damage_is_survived(read, suffix, places, cut):
    data = bytearray(WHOLE[suffix])
    for place, byte in places:
        data[int(place * len(data))] = byte
    try:
        document = read(f"a{suffix}", bytes(data[: int(cut * len(data))]))
    except ExtractionError as error:
        text = str(error)
    else:
        text = document.text
    text.encode()


XML = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_characters="<&\0"), max_size=9)
    | st.sampled_from(["1", "99999999999999999999", "-1", "\u00b2"]),
    lambda inner: st.builds(
        "<{0} {1}>{2}</{0}>".format,
        st.sampled_from(["w:p", "w:t", "w:r", "w:tbl", "w:tr", "w:tc", "w:numPr", "w:txbxContent"]),
        st.sampled_from(['w:val="9"', 'w:id="1"', 'w:val="\u00b2"', ""]),
        st.lists(inner, max_size=4).map("".join),
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=XML)
def test_any_elements_make_a_document(read, body):
    try:
        text = read("a.docx", docx(body)).text
    except ExtractionError as error:
        text = str(error)
    assert text
    text.encode()


def test_deep_documents_are_read_to_the_bound(read):
    table = p("core")
    for _ in range(48):
        table = f"<w:tbl><w:tr><w:tc>{table}</w:tc><w:tc>{p('x')}</w:tc></w:tr></w:tbl>"
    assert "core" in read("a.docx", docx(table)).text


# The real files

# Files of one sort, in a folder of the real data: what is told of all of them.
REAL = sorted(PHRASES)


@pytest.fixture
def data():
    return Path(os.environ["NORIA_DATA"]) / "docs"


@pytest.mark.shared
@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_read_once(data, name):
    text = load(data / name).text
    assert PHRASES[name] in text
    blocks = [" ".join(block.split()) for block in text.split("\n\n") if len(block) > 200]
    # a text may say a paragraph again; one that is read twice says each again
    assert len(set(blocks)) >= 0.9 * len(blocks)


@pytest.mark.shared
def test_of_the_real_files_only_images_are_not_read(data):
    reasons = {}
    for path in sorted([*(data / "r2r").iterdir(), *(data / "autorag").iterdir()]):
        try:
            text = load(path).text
        except ExtractionError as error:
            reasons[path.name] = str(error)
        else:
            assert text.strip()
    assert set(reasons) == {
        "bmp.bmp", "jpeg.jpeg", "jpg.jpg", "png.png", "screen_shot.png", "tiff.tiff",
    }  # fmt: skip
    assert all("OCR" in reason for reason in reasons.values())


# Cuts


def test_every_passage_of_a_table_says_its_headers(read, tmp_path):
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    splitter = TokenSplitter(tmp_path / "tokenizer.json", max_tokens=254, passage_tokens=200)
    lines = "".join(f"Bucket of oak {i},{i},made by hand in Hama\n" for i in range(300))
    document = read("a.csv", f"Part,Litres,Note\n{lines}")
    passages = [item.text for item in splitter.split(document)]
    assert len(passages) > 20
    assert all(text.startswith("- Part: Bucket") for text in passages)
    assert all(text.endswith("in Hama") for text in passages)
