"""Parse a Markdown, text, HTML or PDF document into Markdown, with its title, date and version.

Documents are hostile input: sizes are bounded before anything is parsed, PDFs are read in a
process of their own that can be stopped, and every failure is a DocumentError.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import PurePath

from pipeline.answers.documents.characters import join_hyphenated_lines, unify_characters
from pipeline.core.errors import DocumentError
from pipeline.core.markdown import read_blocks

MAX_CHARACTERS = 5_000_000  # of text, some 1,500 book pages; a PDF can hold more than its size says
MAX_LINES = 200_000  # of text: parsing a line of Markdown takes up to 0.1 ms
MAX_FRONT_MATTER = 5_000  # characters
FORMATS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
    ".txt": "text",
    ".text": "text",
    ".rst": "text",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
}

_CURE = "Add a Markdown, text, HTML or PDF file."
_DATE = re.compile(r"\b((?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?!\d)")
_VERSION = re.compile(r"(?<![\w.])v?(\d{1,9}(?:\.\d{1,9}){1,3})(?![\w.]*\d)")
_FIELD = re.compile(r"^([A-Za-z_]+):[ \t]+(.+?)[ \t]*$", re.MULTILINE)
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([A-Za-z0-9_-]{2,40})", re.IGNORECASE)
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class ParsedDocument:
    """A document's text as Markdown, and what it says of itself.

    `format` is one of the values of FORMATS; `date` is YYYY-MM-DD. Date and version are empty where
    the document states none. `pages` and those of them without text are 0 of what is no PDF.
    `unreadable_characters` counts those in whose place is U+FFFD.
    `unreadable_characters` have a replacement character in their place.
    """

    text: str
    format: str
    title: str
    date: str
    version: str
    pages: int = 0
    pages_without_text: int = 0
    unreadable_characters: int = 0


def parse_document(content: bytes, name: str) -> ParsedDocument:
    """Parse the bytes of a document.

    Args:
        content: The bytes as they were received.
        name: A file name, whose ending tells the format where the bytes do not; or a title.

    Raises DocumentError when the document is empty, binary, broken, encrypted or too long.
    """
    format = _detect_format(content, name)
    title = date = ""
    pages = pages_without_text = unreadable = 0
    if format == "pdf":
        from pipeline.answers.documents.pdf import read_pdf

        pdf = read_pdf(content, name)
        text, title = join_hyphenated_lines(pdf.text), pdf.title
        pages, pages_without_text = pdf.pages, pdf.pages_without_text
    else:
        text, unreadable = _decode(content, name, html=format == "html")
        if format == "html":
            from pipeline.answers.documents.html import read_html

            text, title, date = read_html(text, name)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    _check_length(text, name)
    text, title = unify_characters(text), unify_characters(title)
    if not text.strip():
        cure = "If it is scanned, run it through OCR first." if format == "pdf" else _CURE
        raise DocumentError(f"{name} has no text in it.", cure=cure)
    fields = _front_matter(text) if format == "markdown" else {}
    title = fields.get("title") or title or _first_heading(text, format) or PurePath(name).stem
    title = " ".join(title.split())[:200]
    date = _first_match(_DATE, fields.get("date", ""), date, title, text[:600])
    version = _first_match(_VERSION, fields.get("version", ""), title)
    return ParsedDocument(text, format, title, date, version, pages, pages_without_text, unreadable)


def _check_length(text: str, name: str) -> None:
    lines = text.count("\n") + 1
    for count, limit, unit in (
        (len(text), MAX_CHARACTERS, "characters"),
        (lines, MAX_LINES, "lines"),
    ):
        if count > limit:
            raise DocumentError(
                f"{name} has {count:,} {unit} of text, more than the limit of {limit:,}.",
                cure="Split it, or add only the relevant part.",
            )


def _detect_format(content: bytes, name: str) -> str:
    if content[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    start = content[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    format = FORMATS.get(PurePath(name).suffix.lower(), "markdown")
    if format == "pdf":
        raise DocumentError(f"{name} is not a PDF, although its name says so.", cure=_CURE)
    return format


def _decode(content: bytes, name: str, *, html: bool) -> tuple[str, int]:
    """Decode bytes by their byte order mark, as UTF-8, as the HTML says, else as Windows-1252.

    A few damaged bytes do not change the encoding. Returns the text, and how many characters of it
    could not be read.
    """
    encoding = next((_BOMS[mark] for mark in _BOMS if content.startswith(mark)), "")
    if not encoding and (nuls := content.count(b"\0")):
        raise DocumentError(
            f"{name} has {nuls:,} NUL {'byte' if nuls == 1 else 'bytes'}: it is a binary file, or "
            "text that is not UTF-8.",
            cure="If it is text, save it as UTF-8 without NUL characters.",
        )
    if not encoding:
        try:
            return content.decode("utf-8"), 0
        except UnicodeDecodeError:
            pass
    if html and not encoding and (charset := _CHARSET.search(content[:4096])):
        encoding = charset[1].decode("ascii")
    for each in filter(None, (encoding, "utf-8" if _is_mostly_utf8(content) else "")):
        try:
            return _decode_with_gaps(content, each)
        except (LookupError, UnicodeError):
            pass  # no text encoding of that name
    return _decode_with_gaps(content, "cp1252")


def _is_mostly_utf8(content: bytes) -> bool:
    """Return whether more characters beyond ASCII are valid UTF-8 than not.

    In text of another encoding, hardly any of them are.
    """
    text, invalid = _decode_with_gaps(content, "utf-8")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return beyond_ascii - invalid > invalid


def _decode_with_gaps(content: bytes, encoding: str) -> tuple[str, int]:
    text = content.decode(encoding, errors="replace")
    return text, text.count("\N{REPLACEMENT CHARACTER}")


def _front_matter(text: str) -> dict[str, str]:
    """Return the plain `name: value` lines of a Markdown file's front matter.

    It is read line by line, because only three fields matter and a YAML parser invites attacks.
    """
    if not text.startswith("---\n"):
        return {}
    end = text.find("\n---", 3)
    block = text[4:end] if 0 < end < MAX_FRONT_MATTER else ""
    return {name.lower(): value.strip("\"' ") for name, value in _FIELD.findall(block)}


def _first_heading(text: str, format: str) -> str:
    """Return the first heading, or the first line of plain text if it is short; else "".

    The headings of a PDF are ours, one a page.
    """
    if format == "pdf":
        return ""
    if format == "text":
        line = text.strip().split("\n", 1)[0]
        return line if len(line) < 100 else ""
    return next((block.text for block in read_blocks(text) if block.level and block.text), "")


def _first_match(pattern: re.Pattern[str], *texts: str) -> str:
    """Return the group of the first match in the first text that has one, or nothing."""
    return next((match[1] for text in texts if (match := pattern.search(text))), "")
