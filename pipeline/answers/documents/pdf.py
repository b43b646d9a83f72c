"""Read the text of a PDF in a process of its own.

A broken or hostile PDF can keep its reader busy for ever or take all memory. A process can be
stopped and bounded; a thread cannot.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.core.errors import DocumentError

SECONDS = 60
MEMORY_BYTES = 2 * 2**30
MAX_PAGES = 2_000
MAX_CHARACTERS = 5_000_000


_GAP = re.compile(r" {2,}")
_LONG_CELL = 60  # characters; two columns of prose have cells of this length, a table hardly any
# What programs write as a title when nobody gave one.
_NO_TITLE = re.compile(
    r"\(?(?:untitled|unspecified|anonymous|none|title|document\d*)\)?"
    r"|microsoft \w+ - .*|.*\.(?:docx?|odt|rtf|tex|indd|pdf|pages)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class PdfText:
    """A PDF's text as Markdown, with a heading above each page that has text.

    `title` is empty if the PDF states none. `pages_without_text` are most often scanned images.
    """

    text: str
    title: str
    pages: int
    pages_without_text: int


def read_pdf(content: bytes, name: str) -> PdfText:
    """Return the text of a PDF; tables keep their rows.

    Raises DocumentError when it is broken, encrypted, or takes too much time or memory.
    """
    try:
        result = subprocess.run(
            [sys.executable, "-m", "pipeline.answers.documents.pdf"],
            input=content,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            cwd=Path(__file__).parents[3],  # where the package is, whatever the caller's folder
        )
        document = json.loads(result.stdout)
    except subprocess.TimeoutExpired:
        raise DocumentError(
            f"{name} could not be read as a PDF within {SECONDS} s.",
            cure="Save it again from a PDF reader, or add its text instead.",
        ) from None
    except (ValueError, OSError):
        document = {"problem": "is broken or exceeds the memory limit"}
    if "problem" in document:
        raise DocumentError(
            f"{name} {document['problem']}.",
            cure="Save it again from a PDF reader, or add its text instead.",
        )
    return PdfText(**document)


def _extract(content: bytes) -> dict[str, Any]:
    """Return the fields of a PdfText, or what is wrong with the PDF as the end of a sentence."""
    import io
    import logging

    from pypdf import PdfReader

    logging.disable(logging.CRITICAL)  # its warnings about broken files help nobody
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            return {"problem": "is encrypted with a password"}
        pages = len(reader.pages)
        if pages > MAX_PAGES:
            return {"problem": f"has {pages:,} pages, more than the limit of {MAX_PAGES:,}"}
        parts: list[str] = []
        characters = without_text = 0
        for number, page in enumerate(reader.pages, start=1):
            text = _page_text(page)
            if text:
                parts.append(f"## Page {number}\n\n{text}\n")
            else:
                without_text += 1
            characters += len(text)
            if characters > MAX_CHARACTERS:
                return {"problem": f"has more than {MAX_CHARACTERS:,} characters of text"}
        title = str(reader.metadata.title or "") if reader.metadata else ""
    except (Exception, RecursionError) as error:  # pypdf raises nearly anything
        return {"problem": f"cannot be read as a PDF ({type(error).__name__})"}
    if _NO_TITLE.fullmatch(title.strip()):
        title = ""
    clean = {"text": "\n".join(parts), "title": title}
    return {key: text.encode("utf-8", "replace").decode() for key, text in clean.items()} | {
        "pages": pages,
        "pages_without_text": without_text,
    }


def _page_text(page: Any) -> str:
    """Return a page's text as Markdown.

    The order of the text in the file is that of reading, but its table cells come singly; the
    layout has rows, but mixes columns of prose. So the layout is used where it shows a table.
    """
    text = (page.extract_text() or "").strip()
    if not text:
        return ""
    lines = str(page.extract_text(extraction_mode="layout") or "").split("\n")
    rows = [_GAP.split(line.strip()) for line in lines]
    if not _has_table(rows):
        return _escape(text)
    return _escape("\n".join(_with_tables(rows)).strip())


def _has_table(rows: list[list[str]]) -> bool:
    """Return whether lines hold a table, and no columns of prose beside each other."""
    split = [row for row in rows if len(row) > 1]
    prose = sum(all(len(cell) > _LONG_CELL / 2 for cell in row) for row in split)
    return prose < 3 and any(_is_row(a) and _is_row(b) and len(a) == len(b)
                             for a, b in pairwise(rows))  # fmt: skip


def _is_row(row: list[str]) -> bool:
    return len(row) > 1 and all(len(cell) <= _LONG_CELL for cell in row)


def _with_tables(rows: list[list[str]]) -> list[str]:
    """Return lines of Markdown; consecutive rows of as many cells become a table."""
    lines: list[str] = []
    before: list[str] = []
    for position, row in enumerate(rows):
        after = rows[position + 1] if position + 1 < len(rows) else []
        if _is_row(row) and len(row) in (len(before), len(after)):
            cells = [cell.replace("|", "\\|") for cell in row]
            starts = len(before) != len(row)
            lines += ["", f"| {' | '.join(cells)} |"] if starts else [f"| {' | '.join(cells)} |"]
            if starts:
                lines.append("|---" * len(row) + "|")
            before = row
        else:
            lines += ["", " ".join(row)] if before else [" ".join(row)]
            before = []
    return lines


def _escape(text: str) -> str:
    """Escape lines that Markdown would take for headings."""
    return "\n".join(f"\\{line}" if line.startswith("#") else line for line in text.split("\n"))


def main() -> None:
    """Read a PDF on stdin and print its text and title as JSON."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limit
    json.dump(_extract(sys.stdin.buffer.read()), sys.stdout)


if __name__ == "__main__":
    main()
