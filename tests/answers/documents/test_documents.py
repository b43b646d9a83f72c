"""Documents are parsed, cut into chunks, stored, replaced and fetched."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.answers.documents import presets
from pipeline.answers.documents.characters import join_hyphenated_lines
from pipeline.answers.documents.chunks import cut
from pipeline.answers.documents.documents import DocumentStore
from pipeline.answers.documents.presets import Preset, add_preset, fetch, is_allowed
from pipeline.answers.documents.reading import parse_document
from pipeline.core.cancel import Cancel
from pipeline.core.errors import (
    DocumentError,
    FaregroundError,
    NotPublished,
    SourceUnreachable,
    StorageError,
    UsageError,
)
from pipeline.core.settings.settings import Settings
from tests.support.examples import examples
from tests.support.servers import Server

NOTES = """---
title: "Heron 2.4 brings rest"
date: 2026-03-02T10:00:00
version: 2.4
---

Intro before any heading.

## Triggers

Waits 30 seconds.

```yaml
# not a heading
id: x
```

### Details

| name | value |
|---|---|
| one | 1 |
"""


@pytest.fixture
def documents(settings: Settings) -> DocumentStore:
    return DocumentStore(settings.documents_path)


def pdf_bytes(*pages: str, title: str = "A PDF", trailer: bytes = b"") -> bytes:
    """A small PDF 1.4 with a page for each text, its streams compressed."""
    return pdf_of(
        *(
            "BT /F1 12 Tf 72 720 Td {}ET".format(
                "".join(f"({line}) Tj 0 -14 Td " for line in text.split("\n"))
            )
            for text in pages
        ),
        title=title,
        trailer=trailer,
        one_page=False,
    )


def pdf_of(*texts: str, title: str = "A PDF", trailer: bytes = b"", one_page: bool = True) -> bytes:
    """A small PDF 1.4 of drawing commands, on one page or each on its own."""
    pages = ["\n".join(texts)] if one_page else list(texts)
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        stream = zlib.compress(text.encode())
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        head = f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode()
        objects.append(head + stream + b"\nendstream")
    objects.append(f"<< /Title ({title}) >>".encode())
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R /Info %d 0 R %b >>\n"
        b"startxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, len(objects) + 1, len(objects), trailer, len(body))
    )


# --- parsing


def test_front_matter_has_title_date_and_version_and_stays_in_the_text() -> None:
    parsed = parse_document(NOTES.encode(), "notes.md")
    assert (parsed.title, parsed.date, parsed.version) == (
        "Heron 2.4 brings rest",
        "2026-03-02",
        "2.4",
    )
    assert parsed.text == NOTES


def test_html_becomes_markdown_without_what_acts() -> None:
    page = b"""<!doctype html><html><head><title>Notes</title><script>alert(1)</script>
        <meta property="article:published_time" content="2026-04-05T00:00:00Z"></head>
        <body><nav>Menu</nav><main><h1>Heron 2.5</h1><p>Some <b>bold</b> &amp; plain text</p>
        <ul><li>one<li>two</ul><pre>a = 1
b = 2</pre><table><tr><th>x<th>y<tr><td>1<td>2</table>
        <img src=x onerror=alert(1)><iframe src="https://example.org"></iframe></main></body>"""
    parsed = parse_document(page, "page.html")
    assert (parsed.format, parsed.title, parsed.date) == ("html", "Notes", "2026-04-05")
    for text in (
        *("# Heron 2.5", "Some bold & plain text", "- one\n- two", "```\na = 1\nb = 2\n```"),
        "| x | y |\n| 1 | 2 |",
    ):
        assert text in parsed.text
    for text in ("alert", "Menu", "iframe", "example.org"):
        assert text not in parsed.text


def test_page_nested_deeper_than_the_stack_is_read() -> None:
    page = b"<html><body>" + b"<div>" * 20_000 + b"deep" + b"</div>" * 20_000
    assert "deep" in parse_document(page, "deep.html").text


def test_pdf_is_read_page_by_page() -> None:
    parsed = parse_document(pdf_bytes("Heron 2.4\nReleased 2026-03-02", "Second page"), "notes.pdf")
    assert (parsed.format, parsed.title, parsed.date) == ("pdf", "A PDF", "2026-03-02")
    assert (
        parsed.text.index("## Page 1") < parsed.text.index("Released") < parsed.text.index("Page 2")
    )


def test_pages_without_text_are_counted_and_said(
    settings: Settings, documents: DocumentStore
) -> None:
    stored = documents.add("report.pdf", pdf_bytes("Cover", "", ""), "upload:report", settings)
    assert (stored.pages, stored.pages_without_text) == (3, 2)
    assert stored.gaps == "2 of 3 pages have no text"
    assert documents.documents() == [stored]
    assert documents.add_text("Notes", "Some text", settings).gaps == ""


@pytest.mark.parametrize("title", ["", "untitled", "\\(anonymous\\)", "Microsoft Word - a.docx"])
def test_pdf_without_a_title_is_named_after_its_file(title: str) -> None:
    assert parse_document(pdf_bytes("Some text", title=title), "report-2026.pdf").title == (
        "report-2026"
    )


def test_table_in_pdf_keeps_its_rows() -> None:
    cells = [("Month", "Trips"), ("April", "35,612"), ("May", "57,360")]
    texts = [  # column by column, as many programs write them
        f"BT /F1 12 Tf {72 + 150 * column} {700 - 20 * row} Td ({cells[row][column]}) Tj ET"
        for column in range(2)
        for row in range(3)
    ]
    text = parse_document(pdf_of(*texts), "table.pdf").text
    assert "| Month | Trips |\n|---|---|\n| April | 35,612 |\n| May | 57,360 |" in text


def test_columns_of_prose_in_pdf_stay_apart() -> None:
    lines = [f"the quick brown fox jumps over line {number} of it" for number in range(8)]
    texts = [
        f"BT /F1 9 Tf {40 + 300 * column} {700 - 12 * row} Td ({lines[4 * column + row]}) Tj ET"
        for column in range(2)
        for row in range(4)
    ]
    assert "\n".join(lines) in parse_document(pdf_of(*texts), "paper.pdf").text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("ofﬁce and oﬀer", "office and offer"),
        ("con\u00adfigu\u00adration", "configuration"),
        ("cafe\u0301", "café"),
        ("１２\u00a0km", "12 km"),
        ("10⁵ m²", "10⁵ m²"),
        ("1½ hours", "1½ hours"),
    ],
)
def test_characters_are_unified_and_values_kept(written: str, text: str) -> None:
    assert parse_document(written.encode(), "a.md").text == text


def test_words_hyphenated_at_line_ends_are_joined() -> None:
    joined = join_hyphenated_lines("a transac-\ntion of well-known and well-\nknown, 3-\n4, A-\nB")
    assert joined == "a transaction of well-known and well-known, 3-\n4, A-\nB"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Größe €".encode(), "Größe €"),
        ("Größe €".encode("utf-16"), "Größe €"),
        ("Größe €".encode("utf-8-sig"), "Größe €"),
        ("Größe €".encode("cp1252"), "Größe €"),
        (b'<html><meta charset="iso-8859-2"><body>\xb1', "ą"),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree"),
    ],
)
def test_encodings_and_line_ends_are_recognized(content: bytes, text: str) -> None:
    assert text in parse_document(content, "a.txt").text


@pytest.mark.parametrize(
    ("content", "text", "unreadable"),
    [
        ("Größe €\n".encode() * 20 + b"\xff bad", "Größe €\n\ufffd bad", 1),
        ("Größe €\n".encode() * 20 + "€".encode()[:2], "Größe €\n\ufffd", 1),  # cut off
        ("“Größe” £\n".encode("cp1252") * 20, "“Größe” £", 0),
        ("Größe".encode("utf-16")[:-1], "Größ\ufffd", 1),
        (b'<html><meta charset="utf-8"><body>Caf\xe9', "Caf\ufffd", 1),
    ],
)
def test_damaged_bytes_do_not_change_the_encoding_and_are_counted(
    settings: Settings, documents: DocumentStore, content: bytes, text: str, unreadable: int
) -> None:
    stored = documents.add("a.txt", content, "upload:a", settings)
    assert text in documents.text(stored)
    assert stored.unreadable_characters == unreadable
    assert stored.gaps == ("1 character could not be read" if unreadable else "")
    assert documents.documents() == [stored]


def test_text_of_an_encoding_that_is_not_recognized_is_reported(
    settings: Settings, documents: DocumentStore
) -> None:
    content = "日本語の文書です。これは四十二ドルです。".encode("shift_jis")
    assert "could not be read" in documents.add("a.txt", content, "upload:a", settings).gaps


def test_text_with_a_nul_is_refused_with_a_cure_for_text() -> None:
    with pytest.raises(DocumentError, match=r"has 1 NUL byte.*If it is text, save it as UTF-8"):
        parse_document(b"# Heron\n\nHeron\0 rests.", "a.md")


def test_page_nested_too_deeply_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("was parsed")

    monkeypatch.setattr("subprocess.run", never)
    page = b"<html><body>" + b"<DIV class=x>" * 200_000 + b"deep" + b"</DIV>" * 200_000
    with pytest.raises(DocumentError, match="nested 200,000 deep, more than the limit of 30,000"):
        parse_document(page, "deep.html")


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "a.md", "no text"),
        (b"  \n\t ", "a.md", "no text"),
        (b"PK\x03\x04\0\0\0\0", "a.md", "binary"),
        (b"hello", "a.pdf", "not a PDF"),
        (b"%PDF-1.7\n garbage", "a.pdf", "cannot be read as a PDF"),
        (pdf_bytes("Hello")[:300], "a.pdf", "a.pdf"),
        (pdf_bytes(""), "a.pdf", "no text"),
        (b"%PDF-1.4\n" + b"[" * 200_000, "a.pdf", "a.pdf"),
        (b"x" * 5_000_001, "a.txt", "5,000,001 characters"),
        (b"x\n" * 200_001, "a.txt", "200,002 lines"),
    ],
)
def test_unreadable_document_is_refused_with_our_own_error(
    content: bytes, name: str, words: str
) -> None:
    with pytest.raises(DocumentError) as raised:
        parse_document(content, name)
    assert words in raised.value.problem
    assert raised.value.cure


@given(st.binary(max_size=400), st.sampled_from(["a.md", "a.txt", "a.html"]))
@examples(150)
def test_any_bytes_are_read_or_refused(content: bytes, name: str) -> None:
    try:
        text = parse_document(content, name).text
    except DocumentError:
        return
    assert text.strip()


# --- cutting

_LINES = st.sampled_from(
    ["# Title", "## Part", "### Deep ###", "Heading", "=====", "---", "```", "~~~", "", "",
     "| a | b |", "- item", "Some words. And more words.", "x" * 90, "    code", "#no heading"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=600), st.lists(_LINES, max_size=60).map("\n".join)),
       st.integers(1, 200))  # fmt: skip
@examples(300)
def test_every_character_is_in_exactly_one_chunk_and_no_chunk_is_too_long(
    text: str, limit: int
) -> None:
    chunks = cut(text, "origin", limit)
    assert "".join(chunk.text for chunk in chunks) == text
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert 0 < len(chunk.text) <= limit
        assert chunk.context.startswith("origin")


def test_chunks_follow_the_headings_and_name_them() -> None:
    chunks = cut(NOTES, "Heron 2.4, 2026-03-02")
    assert [chunk.heading for chunk in chunks] == ["", "Triggers", "Triggers > Details"]
    assert chunks[1].context == "Heron 2.4, 2026-03-02 > Triggers"
    assert "date: 2026-03-02" in chunks[0].text
    assert "# not a heading" in chunks[1].text


def test_code_and_tables_are_not_cut_where_they_fit() -> None:
    code = "```\n" + "line\n" * 40 + "```\n"
    table = "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 20
    text = "## Part\n\n" + "Some words here. " * 8 + "\n\n" + code + "\n" + table
    chunks = cut(text, "origin", 300)
    assert any(chunk.text.strip() == code.strip() for chunk in chunks)
    assert any(chunk.text.strip() == table.strip() for chunk in chunks)


def test_long_table_is_cut_between_rows_below_its_header() -> None:
    rows = [f"| setting {n} | {n * 7} |\n" for n in range(60)]
    chunks = cut("## Part\n| name | value |\n|---|---|\n" + "".join(rows), "origin", 300)
    assert len(chunks) > 3
    for chunk in chunks[1:]:
        assert all(line.startswith("| setting") for line in chunk.text.strip().split("\n"))
    for chunk in chunks[2:]:
        assert chunk.context == "origin > Part\n| name | value |"


@pytest.mark.parametrize(
    "piece", ["#", "# ", " ", "-", "|", "`", "[", "a.", "<div>", "- ", "=\n", "* a\n", "\n\n"]
)
def test_text_made_to_be_slow_is_cut_in_linear_time(piece: str) -> None:
    text = "# T\n" + piece * (80_000 // len(piece)) + "x"
    started = time.thread_time()
    chunks = cut(parse_document(text.encode(), "a.md").text, "origin")
    assert time.thread_time() - started < 4
    assert "".join(chunk.text for chunk in chunks) == text


# --- storing


def test_document_is_stored_with_address_size_and_checksum(
    settings: Settings, documents: DocumentStore, folder: Path
) -> None:
    path = folder / "notes.md"
    path.write_text(NOTES)
    added = documents.add_file(path, settings)
    (stored,) = documents.documents()
    assert stored == added
    assert (stored.address, stored.bytes, stored.chunks) == (str(path), len(NOTES), 3)
    assert len(stored.sha256) == 64
    assert documents.text(stored) == NOTES


def test_document_replaces_the_one_from_the_same_address(
    settings: Settings, documents: DocumentStore
) -> None:
    documents.add("a.md", b"# One\nfirst wording", "paste:a", settings)
    documents.add("b.md", b"# Two\nsomething else", "paste:b", settings)
    documents.add("a.md", b"# One\nsecond wording", "paste:a", settings)
    assert [d.title for d in documents.documents()] == ["One", "Two"]
    assert documents.rank(["first"], 5) == []
    assert len(documents.rank(["second"], 5)) == 1
    with sqlite3.connect(settings.documents_path) as connection:
        for table in ("chunks", "chunk_terms"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (2,)
    connection.close()


def test_broken_new_version_leaves_the_old_one(
    settings: Settings, documents: DocumentStore
) -> None:
    documents.add("a.md", b"# One\nwording", "paste:a", settings)
    with pytest.raises(DocumentError):
        documents.add("a.md", b"\0\1", "paste:a", settings)
    assert len(documents.rank(["word"], 5)) == 1


def test_removed_document_is_not_found(settings: Settings, documents: DocumentStore) -> None:
    added = documents.add_text("Pasted", "Some wording", settings)
    documents.remove(documents.find("Pasted"))
    assert documents.documents() == []
    assert documents.rank(["word"], 5) == []
    with pytest.raises(UsageError, match="no document"):
        documents.find(added.id)


def test_large_document_is_refused_unread(
    settings: Settings, documents: DocumentStore, folder: Path
) -> None:
    small = settings.model_copy(update={"max_document_mb": 0.001})
    path = folder / "big.md"
    path.write_text("x" * 1500)
    with pytest.raises(DocumentError, match="FAREGROUND_MAX_DOCUMENT_MB"):
        documents.add_file(path, small)
    with pytest.raises(DocumentError, match="cannot be read"):
        documents.add_file(folder / "none.md", settings)
    assert documents.documents() == []


def test_text_that_sqlite_cannot_hold_is_stored(
    settings: Settings, documents: DocumentStore
) -> None:
    added = documents.add_text("Odd \udc80 title", "lone \udfff surrogate \0 and NUL", settings)
    assert "lone" in documents.text(added)
    assert len(documents.rank(["surrog"], 5)) == 1


def test_damaged_store_says_what_to_do(settings: Settings, documents: DocumentStore) -> None:
    settings.home.mkdir()
    settings.documents_path.write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="move it away"):
        documents.documents()


# --- fetching


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server({"/notes.md": NOTES.encode()}) as server:
        monkeypatch.setenv("FAREGROUND_DOCUMENT_HOSTS", server.url.removeprefix("http://"))
        monkeypatch.setitem(
            presets.PRESETS, "test", Preset("test", "Test", f"{server.url}/notes.md")
        )
        yield server


def test_preset_is_fetched_once_and_stored_with_its_address(server: Server, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    documents = DocumentStore(settings.documents_path)
    added = add_preset("test", documents, settings)
    assert (added.title, added.address) == ("Heron 2.4 brings rest", f"{server.url}/notes.md")
    assert server.methods() == ["GET"]
    with pytest.raises(UsageError, match="no preset"):
        add_preset("other", documents, settings)


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ({"fail_status": 404}, NotPublished),
        ({"fail_status": 503}, SourceUnreachable),
        ({"redirect": "http://127.0.0.1:1/elsewhere"}, UsageError),
        ({"redirect": "file:///etc/passwd"}, UsageError),
        ({"redirect": "/notes.md"}, SourceUnreachable),
        ({"drop_after": 10}, SourceUnreachable),
    ],
)
def test_failed_fetch_is_reported_and_stores_nothing(
    server: Server, tmp_path: Path, behaviour: dict[str, object], error: type[FaregroundError]
) -> None:
    server.behave("/notes.md", **behaviour)
    settings = Settings(home=tmp_path / "home")
    documents = DocumentStore(settings.documents_path)
    with pytest.raises(error) as raised:
        add_preset("test", documents, settings)
    assert raised.value.cure
    assert documents.documents() == []


def test_redirect_within_the_allowed_hosts_is_followed(server: Server, tmp_path: Path) -> None:
    server.files["/moved.md"] = b"# Moved"
    server.behave("/notes.md", redirect="/moved.md")
    settings = Settings(home=tmp_path / "home")
    assert fetch(f"{server.url}/notes.md", settings, Cancel()) == b"# Moved"


def test_fetch_is_bounded_in_size_and_time(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path / "home", max_document_mb=0.0001)
    with pytest.raises(SourceUnreachable, match="larger than"):
        fetch(f"{server.url}/notes.md", settings, Cancel())
    monkeypatch.setattr(presets, "FETCH_SECONDS", 0.3)
    server.behave("/notes.md", drip=(1, 0.05))
    started = time.monotonic()
    with pytest.raises(SourceUnreachable, match="was not downloaded within"):
        fetch(f"{server.url}/notes.md", Settings(home=tmp_path), Cancel())
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "address",
    [
        "http://raw.githubusercontent.com.example.org/x",
        "https://user:pass@raw.githubusercontent.com/x",
        "https://raw.githubusercontent.com:8443/x",
        "ftp://raw.githubusercontent.com/x",
        "https://[::1/x",
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
    ],
)
def test_only_hosts_of_the_settings_are_allowed(settings: Settings, address: str) -> None:
    assert not is_allowed(address, settings)
    assert is_allowed("https://raw.githubusercontent.com/x", settings)
