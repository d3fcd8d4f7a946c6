import gzip
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.corpus.discover import discover
from noria.corpus.load import FORMATS, load
from noria.errors import ExtractionError, UsageError

ENCRYPTED = b"/Encrypt << /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >> /ID [<00><00>]" % (
    b"41" * 32,
    b"42" * 32,
)


def pdf(*pages: str, trailer: bytes = b"") -> bytes:
    """A PDF with the lines of each page, one below the other, in Helvetica."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * i) for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, page in enumerate(pages):
        shown = b" ".join(b"(%s) Tj T*" % line.encode() for line in page.split("\n") if line)
        content = b"BT /F1 12 Tf 72 720 Td 14 TL %s ET" % shown
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * i),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R %s >>" % (
        size, b"".join(places), size, trailer,
    ) + b"\nstartxref\n%d\n%%%%EOF\n" % len(out)  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def titles(document):
    return [(heading.level, heading.title) for heading in document.headings]


# Markdown


def test_markdown_keeps_its_text_and_finds_its_headings(write):
    code = "```sh\n# not a heading\n```"
    text = f"# Pump\n\nIt lifts.\n\n{code}\n\nParts\n-----\n\n### A `b` [c](d) ###\n"
    document = load(write("a.md", text))
    assert document.text == text
    assert document.media_type == "text/markdown"
    assert titles(document) == [(1, "Pump"), (2, "Parts"), (3, "A b c")]
    assert [text[h.start :].split("\n")[0] for h in document.headings] == [
        "# Pump", "Parts", "### A `b` [c](d) ###",
    ]  # fmt: skip


def test_front_matter_is_no_text_but_gives_the_title(write):
    document = load(write("a.md", '---\ntitle: "Water wheels"\ntags: [a]\n---\n\n## Parts\n\nx\n'))
    assert document.text == "# Water wheels\n\n## Parts\n\nx\n"
    assert titles(document) == [(1, "Water wheels"), (2, "Parts")]


def test_a_rule_at_the_start_is_not_front_matter(write):
    text = "---\nJust text.\n---\n"
    assert load(write("a.md", text)).text == text


@pytest.mark.parametrize("text", ["- item\n---\n", "| a |\n---\n", "two\nlines\n---\n", "#hash\n"])
def test_these_are_not_headings(write, text):
    assert load(write("a.md", text)).headings == ()


def test_pictures_inside_the_text_are_left_out(write):
    assert load(write("a.md", f"![A](data:image/png;base64,{'A' * 999}) b")).text == "![A]() b"


# HTML

PAGE = """<!DOCTYPE html><html><head><title>Pumps &amp; wheels</title><style>p {}</style></head>
<body><nav><a href="index.html">Home</a></nav>
<div class="related" role="navigation"><h3>Navigation</h3><a href="n.html">next</a></div>
<h1>Pumps<a class="headerlink" href="#pumps" title="Permalink">¶</a></h1>
<p>A <b>pump</b> moves
water, see <a href="wheel.html">the wheel</a>.</p>
<ul><li><a href="a.html">1. Scope</a></li><li><a href="b.html">2. Parts</a></li>
<li><a href="c.html">3. Use</a></li></ul>
<table><tr><th>Part</th><th>Litres</th></tr><tr><td>Bucket<br>small</td><td>12</td></tr></table>
<pre>lift(a)[0](b)</pre><script>track()</script>
<div class="footer">Created using Sphinx</div></body></html>"""

READ = """# Pumps

A **pump** moves
water, see the wheel.

| Part | Litres |
| --- | --- |
| Bucket small | 12 |

```
lift(a)[0](b)
```
"""


def test_html_is_what_a_reader_sees(write):
    document = load(write("a.html", PAGE))
    assert document.text == READ
    assert titles(document) == [(1, "Pumps")]


def test_a_page_without_title_heading_gets_its_title(write):
    page = "<title>Pumps &amp; wheels</title><p>Text.</p><h2>Parts</h2><p>Bucket.</p>"
    document = load(write("a.html", page))
    assert document.text == "# Pumps & wheels\n\nText.\n\n## Parts\n\nBucket.\n"


def test_a_page_of_links_only_stays(write):
    links = "".join(f"<li><a href='{i}.html'>Chapter {i}</a></li>" for i in range(4))
    assert "Chapter 3" in load(write("a.html", f"<h1>Guide</h1><ul>{links}</ul>")).text


def test_no_open_paragraph_is_lost(write):
    """Kreuzberg 4.10 drops what stands below 63 elements, and an open <p> holds the next."""
    page = "".join(f"<p>line {i}\n" for i in range(200))
    assert load(write("a.html", page)).text.count("line") == 200


@pytest.mark.parametrize(
    "page",
    [
        '<meta charset="iso-8859-1"><p>café “quoted”'.encode("cp1252"),
        "<?xml version='1.0' encoding='utf-16'?><p>café “quoted”".encode("utf-16"),
        "<p>café “quoted”".encode("cp1252"),
        '<meta charset="no-such"><p>café “quoted”'.encode(),
    ],
)
def test_html_in_any_encoding(write, page):
    assert load(write("a.html", page)).text == "café “quoted”\n"


# Plain text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_in_any_encoding(write, encoding):
    assert load(write("a.txt", "naïve\r\ncafé\r".encode(encoding))).text == "naïve\ncafé\n"


def test_text_with_underlined_headings(write):
    text = "=====\nGuide\n=====\n\nParts\n-----\nA bucket.\n\n--\nAda\n"
    document = load(write("a.txt", text))
    assert document.text == text
    assert titles(document) == [(1, "Guide"), (2, "Parts")]
    assert [h.start for h in document.headings] == [0, text.index("Parts")]


def test_html_in_a_text_file_is_html(write):
    assert load(write("a.txt", "<!doctype html><p>x <b>y</b>")).media_type == "text/html"
    assert load(write("b.txt", "a <html> tag")).media_type == "text/plain"


# PDF


def test_pdf_pages_have_exact_offsets(write):
    document = load(write("a.pdf", pdf("First page.\nIt goes on", "and ends here.", "", "Fourth.")))
    assert document.text == "First page.\nIt goes on\nand ends here.\n\nFourth."
    assert document.pages == (0, 23, 38, 39)
    assert [document.text[p : p + 5] for p in document.pages] == [
        "First",
        "and e",
        "\nFour",
        "Fourt",
    ]


def test_the_table_of_contents_gives_headings_and_goes(write):
    contents = "1.1 Scope . . . . . . 2\n1.2 A title that is longer than\na line . . . . . . 2"
    body = "1.1 Scope\nWater.\n1.2 A title that is longer than a\nline\nWheels."
    document = load(write("a.pdf", pdf(contents, body)))
    assert document.text == f"\n{body}"
    assert titles(document) == [(1, "1.1 Scope"), (1, "1.2 A title that is longer than a line")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pdf("", ""), "without text"),
        (pdf("secret", trailer=ENCRYPTED), "encrypted"),
        (pdf("x")[:200], "damaged"),
        (b"garbage" * 50, "not a PDF"),
        (b"", "empty"),
    ],
)
def test_a_pdf_that_cannot_be_read_says_why(write, content, reason):
    path = write("a.pdf", content)
    with pytest.raises(ExtractionError, match=reason) as error:
        load(path)
    assert "\n" not in str(error.value)


# Limits


def test_gzip_is_looked_through(write):
    document = load(write("a.MD.gz", gzip.compress(b"# Pump\n")), id="docs/a.MD.gz")
    assert (document.id, document.media_type) == ("docs/a.MD.gz", "text/markdown")
    assert titles(document) == [(1, "Pump")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"x" * 1_000_001, "the file is larger than 1 MB"),
        ("a.txt.gz", gzip.compress(b"x" * 1_000_001), "unpacked, it is larger than 1 MB"),
        ("a.txt.gz", gzip.compress(b"text")[:-9], "damaged gzip"),
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n", "empty"),
        ("a.html", b"<html><body></body></html>", "no text"),
        ("a.xyz", b"text", "unknown file type '.xyz'; known: .csv, .doc,"),
        ("a.txt", bytes(range(256)) * 9, "not text"),
        ("a.txt", b"\x00\x01" * 99, "not text"),
    ],
)
def test_what_cannot_be_read_says_why(write, name, content, reason):
    with pytest.raises(ExtractionError, match=reason):
        load(write(name, content), max_file_mb=1)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(ExtractionError, match="not a regular file"):
        load(tmp_path / "a.txt")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    suffix=st.sampled_from([*FORMATS, ".txt.gz"]),
    start=st.sampled_from(
        [b"", b"%PDF-1.7\n", b"<html>", b"# ", b"---\n", b"\xff\xfe", b"<table>"]
    ),
    data=st.binary(max_size=300) | st.text(max_size=300).map(str.encode),
)
def test_garbage_is_read_or_refused(write, suffix, start, data):
    try:
        document = load(write(f"a{suffix}", start + data))
    except ExtractionError as error:
        reason = str(error)
    else:
        reason = ""
        assert document.text.strip()
        assert not {"\r", "\0"} & set(document.text)
        assert all(0 <= h.start < len(document.text) for h in document.headings)
    assert "\n" not in reason


# Which files


@pytest.fixture
def tree(write, tmp_path, monkeypatch):
    for name in ["docs/b.md", "docs/a/z.txt", "docs/c.xyz", "docs/.git/x.md", ".noria/y.md"]:
        write(name, "text")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("tree")
def test_folders_are_searched_in_order_and_unknown_types_counted():
    found = [(file.id, file.skipped) for file in discover(["./docs/"])]
    assert found == [
        ("docs/a/z.txt", ""), ("docs/b.md", ""), ("docs/c.xyz", "unknown type '.xyz'"),
    ]  # fmt: skip


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("copyright", ""),
        ("README", ""),
        ("photo.PNG", "an image: .* OCR"),
        ("main.py", "source code"),
        ("~$report.docx", "a file is open"),
        ("all.tar.gz", "an archive"),
    ],
)
def test_what_is_skipped_in_a_folder_has_its_reason(write, name, reason):
    write(f"docs/{name}", "text")
    found = {file.id: file.skipped for file in discover(["docs"])}
    assert re.search(reason, found[f"docs/{name}"])
    assert bool(found[f"docs/{name}"]) == bool(reason)


@pytest.mark.usefixtures("tree")
def test_the_state_folder_is_not_a_document():
    assert [file.id for file in discover(["."])][:2] == ["docs/a/z.txt", "docs/b.md"]


@pytest.mark.usefixtures("tree")
def test_a_file_named_by_the_user_is_taken_whatever_its_type():
    assert [(f.id, f.skipped) for f in discover(["docs/c.xyz"])] == [("docs/c.xyz", "")]


@pytest.mark.usefixtures("tree")
def test_each_file_comes_once_under_its_first_id():
    assert [f.id for f in discover(["docs/b.md", "docs", "docs/../docs/b.md"])] == [
        "docs/b.md", "docs/a/z.txt", "docs/c.xyz",
    ]  # fmt: skip


@pytest.mark.usefixtures("tree")
def test_links_in_circles_end():
    Path("docs/a/up").symlink_to(Path("docs").resolve())
    Path("docs/broken.md").symlink_to("nowhere.md")
    found = {file.id: file.skipped for file in discover(["docs"])}
    assert found.pop("docs/broken.md") == "broken link"
    assert set(found) == {"docs/a/z.txt", "docs/b.md", "docs/c.xyz"}


@pytest.mark.usefixtures("tree")
def test_a_missing_path_is_refused_before_anything_is_read():
    with pytest.raises(UsageError, match="nowhere: no such file"):
        discover(["docs", "nowhere"])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("물레방아는 강에서 물을 들어 올린다. 하루에 일곱 시간 동안 돌아간다.\n", "euc_kr"),
        ("水車は川から水を汲み上げる。毎日七時間回り続ける。\n", "shift_jis"),
        ("水車は川から水を汲み上げる。毎日七時間回り続ける。\n", "euc_jp"),
        ("水车从河里提水。每天转动七个小时。春天的水很多。\n", "gb18030"),
        ("Вода поднимается колесом из реки каждый день до вечера.\n", "cp1251"),
        ("Вода поднимается колесом из реки каждый день до вечера.\n", "koi8_r"),
        ("Die Schöpfräder fließen über die Straße, während Häuser blühen.\n", "cp1252"),
        ("Le débit élevé du fleuve où l'été s'achève: “ça va”, naïve.\n", "cp1252"),
        ("naïve café\n", "cp1252"),
    ],
)
def test_old_encodings_are_told_by_their_letters(tmp_path, text, encoding) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes((text * 4).encode(encoding))
    assert load(path).text == text * 4
