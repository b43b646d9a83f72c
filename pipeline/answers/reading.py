"""Bytes of a Markdown, text, HTML or PDF document, as Markdown with what is known about it.

Documents are hostile input: sizes are bounded before anything is parsed, PDFs are read in a
process of their own that can be stopped, and whatever goes wrong is a DocumentError.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import PurePath

from pipeline.answers.chunks import headings
from pipeline.errors import DocumentError

MAX_CHARACTERS = 5_000_000  # of text, some 1,500 book pages; a PDF can hold more than its size says
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

_CURE = "Give Markdown, text, HTML or PDF."
_DATE = re.compile(r"\b((?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?!\d)")
_VERSION = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+){1,3})(?![\w.]*\d)")
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
class Reading:
    """A document's text as Markdown, and its title, date (YYYY-MM-DD) and version, or nothing."""

    text: str
    format: str
    title: str
    date: str
    version: str


def read(content: bytes, name: str) -> Reading:
    """Return what a document says.

    `name` is a file's name, whose ending tells the kind where the bytes do not, or a title.
    Raises DocumentError when it is empty, binary, broken, encrypted or too long.
    """
    kind = _kind(content, name)
    title = date = ""
    if kind == "pdf":
        from pipeline.answers.pdf import read_pdf

        text, title = read_pdf(content, name)
    else:
        text = _decode(content, name, html=kind == "html")
        if kind == "html":
            from pipeline.answers.html import read_html

            text, title, date = read_html(text, name)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    if len(text) > MAX_CHARACTERS:
        raise DocumentError(
            f"{name} has {len(text):,} characters of text, more than the {MAX_CHARACTERS:,} that "
            "are taken.",
            cure="Split it, or give the part that matters.",
        )
    if not text.strip():
        cure = "If it is scanned, run it through OCR first." if kind == "pdf" else _CURE
        raise DocumentError(f"{name} has no text in it.", cure=cure)
    fields = _front_matter(text) if kind == "markdown" else {}
    title = fields.get("title") or title or _first_heading(text, kind) or PurePath(name).stem
    title = " ".join(title.split())[:200]
    date = _first(_DATE, fields.get("date", ""), date, title, text[:600])
    version = _first(_VERSION, fields.get("version", ""), title)
    return Reading(text, kind, title, date, version)


def _kind(content: bytes, name: str) -> str:
    if content[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    start = content[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "html"
    kind = FORMATS.get(PurePath(name).suffix.lower(), "markdown")
    if kind == "pdf":
        raise DocumentError(f"{name} is not a PDF, though it is called one.", cure=_CURE)
    return kind


def _decode(content: bytes, name: str, *, html: bool) -> str:
    """Return bytes as text: by their mark, as UTF-8, as the HTML says, else as Windows-1252."""
    for mark, encoding in _BOMS.items():
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    if b"\0" in content:
        raise DocumentError(f"{name} is a binary file, no text.", cure=_CURE)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if html and (charset := _CHARSET.search(content[:4096])):
        try:
            return content.decode(charset[1].decode("ascii"), errors="replace")
        except (LookupError, UnicodeError):
            pass  # no text encoding of that name
    return content.decode("cp1252", errors="replace")


def _front_matter(text: str) -> dict[str, str]:
    """Return the plain `name: value` lines of a Markdown file's front matter.

    Read line by line, because only three fields matter and a YAML parser is a door for attacks.
    """
    if not text.startswith("---\n"):
        return {}
    end = text.find("\n---", 3)
    block = text[4:end] if 0 < end < MAX_FRONT_MATTER else ""
    return {name.lower(): value.strip("\"' ") for name, value in _FIELD.findall(block)}


def _first_heading(text: str, kind: str) -> str:
    if kind == "text":
        return text.strip().split("\n", 1)[0] if len(text.strip().split("\n", 1)[0]) < 100 else ""
    return next((title for _, _, title in headings(text) if title), "")


def _first(pattern: re.Pattern[str], *texts: str) -> str:
    """Return the first match of a pattern's group in the first text that has one."""
    return next((found[1] for text in texts if (found := pattern.search(text))), "")
