"""Read the text of a PDF in a process of its own.

A broken or hostile PDF can keep its reader busy for ever or take all memory. A process can be
stopped and bounded; a thread cannot.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipeline.core.errors import DocumentError

SECONDS = 60
MEMORY_BYTES = 2 * 2**30
MAX_PAGES = 2_000
MAX_CHARACTERS = 5_000_000


def read_pdf(content: bytes, name: str) -> tuple[str, str]:
    """Return a PDF's text, with a heading above each page, and its title, which may be empty.

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
    return document["text"], document["title"]


def _extract(content: bytes) -> dict[str, str]:
    """Return text and title, or what is wrong with the PDF as the end of a sentence."""
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
        characters = 0
        for number, page in enumerate(reader.pages, start=1):
            text = (page.extract_text() or "").strip()
            if text:
                parts.append(f"## Page {number}\n\n{_escape(text)}\n")
            characters += len(text)
            if characters > MAX_CHARACTERS:
                return {"problem": f"has more than {MAX_CHARACTERS:,} characters of text"}
        title = str(reader.metadata.title or "") if reader.metadata else ""
    except (Exception, RecursionError) as error:  # pypdf raises nearly anything
        return {"problem": f"cannot be read as a PDF ({type(error).__name__})"}
    clean = {"text": "\n".join(parts), "title": title}
    return {key: text.encode("utf-8", "replace").decode() for key, text in clean.items()}


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
