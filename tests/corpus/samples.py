"""Small files of many formats, written by hand: each says something of water wheels."""

import zipfile
from collections.abc import Mapping
from io import BytesIO

RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns"


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def relations(**targets: str) -> str:
    """``relations(styles="styles.xml")``: the kind is the id without its digits."""
    rels = "".join(
        f'<Relationship Id="{id}" Type="{RELATIONSHIPS}/{id.rstrip("0123456789")}" Target="{to}"/>'
        for id, to in targets.items()
    )
    return f'<Relationships xmlns="{PACKAGE}">{rels}</Relationships>'


# Word


def p(text: str, properties: str = "", extra: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r>{extra}</w:p>"


def styled(text: str, style: str) -> str:
    return p(text, f'<w:pStyle w:val="{style}"/>')


def numbered(text: str, number: int, level: int = 0) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def word_table(rows: list[list[str]]) -> str:
    lines = (
        "<w:tr>" + "".join(f"<w:tc>{p(cell)}</w:tc>" for cell in row) + "</w:tr>" for row in rows
    )
    return f"<w:tbl>{''.join(lines)}</w:tbl>"


STYLES = f"""<w:styles xmlns:w="{WORD}">
<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:styleId="U1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Eigen"><w:name w:val="Mine"/><w:basedOn w:val="U1"/></w:style>
<w:style w:styleId="Body"><w:name w:val="Text"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>
</w:styles>"""
NUMBERING = f"""<w:numbering xmlns:w="{WORD}"><w:abstractNum w:abstractNumId="7">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl>
</w:abstractNum><w:abstractNum w:abstractNumId="8">
<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="&#xf0b7;"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num></w:numbering>"""
NOTES = f"""<w:footnotes xmlns:w="{WORD}"><w:footnote w:type="separator" w:id="0">{p("---")}
</w:footnote><w:footnote w:id="1">{p("Built in 1866.")}</w:footnote></w:footnotes>"""


def docx(body: str) -> bytes:
    return zipped(
        {
            "_rels/.rels": relations(officeDocument="word/document.xml"),
            "word/_rels/document.xml.rels": relations(
                styles="styles.xml", numbering="numbering.xml", footnotes="/word/footnotes.xml"
            ),
            "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body>'
            "</w:document>",
            "word/styles.xml": STYLES,
            "word/numbering.xml": NUMBERING,
            "word/footnotes.xml": NOTES,
        }
    )


# PowerPoint


def shape(kind: str, *paragraphs: str) -> str:
    place = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    texts = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in paragraphs)
    return f"<p:sp>{place}<p:txBody>{texts}</p:txBody></p:sp>"


def slide_table(rows: list[list[str]]) -> str:
    cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
    lines = ("<a:tr>" + "".join(map(cell.format, row)) + "</a:tr>" for row in rows)
    return (
        f"<p:graphicFrame><a:graphic><a:graphicData><a:tbl>{''.join(lines)}</a:tbl>"
        "</a:graphicData></a:graphic></p:graphicFrame>"
    )


def slide(content: str) -> str:
    return (
        f'<p:sld xmlns:p="{SLIDES}" xmlns:a="{DRAWING}"><p:cSld><p:spTree>{content}</p:spTree>'
        "</p:cSld></p:sld>"
    )


def pptx(slides: list[str], notes: str = "") -> bytes:
    """Slides that are stored in the wrong order, as they are after they were moved."""
    count = len(slides)
    ids = "".join(f'<p:sldId id="{256 + i}" r:id="slide{count - i}"/>' for i in range(count))
    members = {
        "_rels/.rels": relations(officeDocument="ppt/presentation.xml"),
        "ppt/presentation.xml": f'<p:presentation xmlns:p="{SLIDES}" xmlns:r="{RELATIONSHIPS}">'
        f"<p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            **{f"slide{i + 1}": f"slides/slide{i + 1}.xml" for i in range(count)}
        ),
        **{f"ppt/slides/slide{count - i}.xml": slide(text) for i, text in enumerate(slides)},
    }
    if notes:
        members[f"ppt/slides/_rels/slide{count}.xml.rels"] = relations(
            notesSlide="../notesSlides/notes1.xml"
        )
        members["ppt/notesSlides/notes1.xml"] = slide(shape("body", notes) + shape("sldNum", "1"))
    return zipped(members)


# Excel

FORMATS = ["General", "0.0%", "d/m/yyyy", "#,##0.00\\ [$€-407]", "h:mm", "[h]:mm"]


def cell(reference: str, value: str, style: int = 0, kind: str = "n") -> str:
    if kind == "inlineStr":
        return f'<c r="{reference}" t="{kind}"><is><t>{value}</t></is></c>'
    return f'<c r="{reference}" s="{style}" t="{kind}"><v>{value}</v></c>'


def rows(*lines: str) -> str:
    return "".join(f'<row r="{i}">{line}</row>' for i, line in enumerate(lines, 1) if line)


def xlsx(sheets: Mapping[str, str], strings: tuple[str, ...] = (), hidden: str = "") -> bytes:
    state = {True: ' state="hidden"', False: ""}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="worksheet{i}"{state[name == hidden]}/>'
        for i, name in enumerate(sheets, 1)
    )
    codes = "".join(
        f'<numFmt numFmtId="{164 + i}" formatCode="{code}"/>' for i, code in enumerate(FORMATS)
    )
    styles = "".join(f'<xf numFmtId="{164 + i}"/>' for i in range(len(FORMATS)))
    return zipped(
        {
            "_rels/.rels": relations(officeDocument="xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{RELATIONSHIPS}">'
            f"<sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(
                styles="styles.xml",
                sharedStrings="sharedStrings.xml",
                **{f"worksheet{i}": f"worksheets/sheet{i}.xml" for i in range(1, len(sheets) + 1)},
            ),
            "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><numFmts>{codes}</numFmts>'
            f"<cellXfs>{styles}</cellXfs></styleSheet>",
            "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}">'
            + "".join(f"<si><t>{text}</t></si>" for text in strings)
            + "</sst>",
            **{
                f"xl/worksheets/sheet{i}.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{content}'
                "</sheetData></worksheet>"
                for i, content in enumerate(sheets.values(), 1)
            },
        }
    )


# OpenDocument


def opendocument(kind: str, body: str) -> bytes:
    """``kind``: text, spreadsheet or presentation."""
    spaces = " ".join(
        f'xmlns:{name}="{OFFICE}:{name}:1.0"' for name in ("office", "text", "table", "style")
    )
    spaces += f' xmlns:draw="{OFFICE}:drawing:1.0" xmlns:presentation="{OFFICE}:presentation:1.0"'
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {spaces}><office:automatic-styles>"
            '<style:style style:name="P1" style:parent-style-name="Title"/>'
            f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>",
        }
    )


def od_table(name: str, table: list[list[str]]) -> str:
    cell_of = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    blank = '<table:table-cell table:number-columns-repeated="16000"/>'
    lines = (
        f"<table:table-row>{''.join(map(cell_of.format, row))}{blank}</table:table-row>"
        for row in table
    )
    rest = f'<table:table-row table:number-rows-repeated="1048570">{blank}</table:table-row>'
    return f'<table:table table:name="{name}">{"".join(lines)}{rest}</table:table>'


# EPUB


def epub(title: str, chapters: Mapping[str, str], labels: Mapping[str, str], **extra: str) -> bytes:
    items = "".join(
        f'<item id="{name}" href="text/{name}" media-type="application/xhtml+xml"/>'
        for name in chapters
    )
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    points = "".join(
        f"<navPoint><navLabel><text>{label}</text></navLabel>"
        f'<content src="text/{name}#a"/></navPoint>'
        for name, label in labels.items()
    )
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<container><rootfiles>"
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns:dc="dc"><metadata>'
            f"<dc:title>{title}</dc:title></metadata><manifest>{items}"
            '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>'
            f"<spine>{spine}</spine></package>",
            "OEBPS/toc.ncx": f"<ncx><navMap>{points}</navMap></ncx>",
            **{f"OEBPS/text/{name}": page for name, page in chapters.items()},
            **extra,
        }
    )
