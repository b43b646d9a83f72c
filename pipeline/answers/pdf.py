"""The text of a PDF, read in a process of its own.

A broken or hostile PDF can keep its reader busy for ever or eat all memory; a process can be
stopped and bounded, a thread cannot.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipeline.errors import DocumentError

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
            [sys.executable, "-m", "pipeline.answers.pdf"],
            input=content,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            cwd=Path(__file__).parents[2],  # where the package is, whatever the caller's folder
        )
        found = json.loads(result.stdout)
    except subprocess.TimeoutExpired:
        raise DocumentError(
            f"{name} could not be read as a PDF within {SECONDS} s.",
            cure="Save it anew from a PDF reader, or give its text.",
        ) from None
    except (ValueError, OSError):
        found = {"problem": "is broken, or needs more memory than it may have"}
    if "problem" in found:
        raise DocumentError(
            f"{name} {found['problem']}.", cure="Save it anew from a PDF reader, or give its text."
        )
    return found["text"], found["title"]


def _extract(content: bytes) -> dict[str, str]:
    """Return text and title, or the problem, as it is written to stdout."""
    import io
    import logging

    from pypdf import PdfReader

    logging.disable(logging.CRITICAL)  # its complaints about broken files are of no use here
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            return {"problem": "is encrypted with a password"}
        pages = len(reader.pages)
        if pages > MAX_PAGES:
            return {"problem": f"has {pages:,} pages, more than the {MAX_PAGES:,} that are taken"}
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
    except (Exception, RecursionError) as error:  # the library raises nearly anything
        return {"problem": f"cannot be read as a PDF ({type(error).__name__})"}
    clean = {"text": "\n".join(parts), "title": title}
    return {key: text.encode("utf-8", "replace").decode() for key, text in clean.items()}


def _escape(text: str) -> str:
    """Keep a page's own lines from being taken for headings."""
    return "\n".join(f"\\{line}" if line.startswith("#") else line for line in text.split("\n"))


def main() -> None:
    """Read a PDF on stdin and print text and title as JSON: what `read_pdf` starts."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        pass  # Windows has no such limit
    json.dump(_extract(sys.stdin.buffer.read()), sys.stdout)


if __name__ == "__main__":
    main()
