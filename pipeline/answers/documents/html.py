"""Convert HTML to Markdown: headings, lists, tables and code stay, everything that acts is dropped.

The parser takes four times as long for twice the nesting of blocks. So a page that is nested deeply
is refused; and because no cheap check is exact, a page with many tags is read in a process of its
own, which can be stopped.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from pipeline.core.errors import DocumentError

SECONDS = 30
TAGS_IN_PROCESS = 10_000  # nested as deep as can be, they take about two seconds

MAX_DEPTH = 30_000  # of blocks; the parser takes three seconds

_NESTING = re.compile(
    "<(/?)(?:div|section|article|main|header|footer|aside|nav|ul|ol|dl|blockquote|figure|details"
    r"|table|form)\b",
    re.IGNORECASE,
)
# Their content is no text of the page.
_DROPPED_TAGS = """
script style noscript template iframe object embed svg math head nav form button select textarea
audio video canvas dialog
"""
_DROPPED = frozenset(_DROPPED_TAGS.split())
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_BLOCK_TAGS = """
p div section article main header footer aside ul ol dl dt dd table thead tbody tfoot blockquote
figure figcaption details summary hr address body html
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())


def read_html(source: str, name: str) -> tuple[str, str, str]:
    """Return the text of a page as Markdown, its title and its date; the last two may be empty.

    Raises DocumentError when it is nested too deeply, or reading it takes too long.
    """
    if source.count("<") <= TAGS_IN_PROCESS:
        return _convert(source)
    if (depth := _depth(source)) > MAX_DEPTH:
        raise DocumentError(
            f"{name} is HTML that is nested {depth:,} deep, more than the limit of {MAX_DEPTH:,}.",
            cure="Add its text instead.",
        )
    try:
        result = subprocess.run(
            [sys.executable, "-m", "pipeline.answers.documents.html"],
            input=source.encode("utf-8", "replace"),
            capture_output=True,
            timeout=SECONDS,
            check=False,
            cwd=Path(__file__).parents[3],  # where the package is, whatever the caller's folder
        )
        text, title, date = json.loads(result.stdout)
    except (subprocess.TimeoutExpired, ValueError, OSError):
        raise DocumentError(
            f"{name} could not be read as HTML within {SECONDS} s.",
            cure="It is nested too deeply or too large; add its text instead.",
        ) from None
    return text, title, date


def _depth(source: str) -> int:
    """Return about how deep the blocks of a page are nested."""
    depth = deepest = 0
    for tag in _NESTING.finditer(source):
        depth = max(depth - 1, 0) if tag[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest


def _convert(source: str) -> tuple[str, str, str]:
    tree = LexborHTMLParser(source)
    title = tree.css_first("title")
    date = ""
    for selector in ("meta[property='article:published_time']", "meta[name=date]", "time"):
        node = tree.css_first(selector)
        if node:
            date = node.attributes.get("content") or node.attributes.get("datetime") or ""
            break
    root = tree.css_first("main") or tree.css_first("article") or tree.body or tree.root
    text = _markdown(root) if root else ""
    return text, title.text(deep=True).strip() if title else "", date


def _markdown(root: LexborNode) -> str:
    """Walk the tree without recursion: a page may be nested deeper than Python's stack."""
    parts: list[str] = []
    code = 0  # how many <pre> are around
    node: LexborNode | None = root
    while node is not None:
        tag = node.tag or ""
        if node.is_text_node:
            content = node.text_content or ""
            parts.append(content if code else re.sub(r"\s+", " ", content))
        elif node.is_element_node and tag not in _DROPPED:
            parts.append(_opening(tag, code))
            code += tag == "pre"
            if node.child is not None:
                node = node.child
                continue
            code -= tag == "pre"
            parts.append(_closing(tag, code))
        while node is not None and node is not root and node.next is None:
            node = node.parent
            if node is None or _is_same(node, root):
                node = None
                break
            closed = node.tag or ""
            code -= closed == "pre"
            parts.append(_closing(closed, code))
        node = None if node is None or _is_same(node, root) else node.next
    return _tidy("".join(parts))


def _is_same(left: LexborNode, right: LexborNode) -> bool:
    return left.mem_id == right.mem_id


def _opening(tag: str, code: int) -> str:
    if tag in _HEADINGS:
        return f"\n\n{_HEADINGS[tag]} "
    if tag == "pre":
        return "\n\n```\n" if not code else ""
    if tag == "li":
        return "\n- "
    if tag == "tr":
        return "\n| "
    if tag == "br":
        return "\n"
    return "\n\n" if tag in _BLOCKS else ""


def _closing(tag: str, code: int) -> str:
    if tag == "pre":
        return "\n```\n\n" if not code else ""
    if tag in ("td", "th"):
        return " | "
    return "\n\n" if tag in _BLOCKS or tag in _HEADINGS else ""


def _tidy(text: str) -> str:
    """Drop trailing spaces, and leave at most one empty line between blocks."""
    lines = [line.rstrip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def main() -> None:
    """Read a page on stdin and print what `read_html` returns as JSON."""
    json.dump(_convert(sys.stdin.buffer.read().decode()), sys.stdout)


if __name__ == "__main__":
    main()
