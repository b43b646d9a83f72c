"""A document cut into chunks by its headings; every character is in exactly one of them.

Cutting by heading and naming title, date, version and heading above each chunk is what finds the
right passage: docs/answers.md has the figures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CHUNK_CHARACTERS = 1500  # the measured optimum of 800, 1,500 and whole sections

_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Chunk:
    """Characters `start` to `end` of a document's text.

    `heading` is the path of headings above it, joined by " > ". `context` is what stands above the
    chunk when it is searched and when a model reads it: "title, date, version > heading", and the
    header row where a table was cut.
    """

    start: int
    end: int
    heading: str
    context: str
    text: str


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    kind: str  # text, code, table
    head: str = ""  # the header row of a table


def cut(text: str, origin: str, limit: int = CHUNK_CHARACTERS) -> list[Chunk]:
    """Cut Markdown into chunks of at most `limit` characters.

    Args:
        text: Markdown, or plain text; front matter stays part of it.
        origin: What the document is: "title, date, version".
        limit: Characters; only a single character is never cut.
    """
    chunks = []
    for start, end, path in _sections(text):
        if path and origin.startswith(path[0]):  # the title need not be said twice
            path = path[1:]
        heading = " > ".join(path)
        above = f"{origin} > {heading}" if heading else origin
        for span in _pack(text, start, end, limit):
            context = f"{above}\n{span.head}" if span.head else above
            chunks.append(
                Chunk(span.start, span.end, heading, context, text[span.start : span.end])
            )
    return chunks


def cut_fixed(text: str, origin: str, size: int) -> list[Chunk]:
    """Cut text every `size` characters, wherever that is: the baseline to compare with."""
    return [
        Chunk(start, min(start + size, len(text)), "", origin, text[start : start + size])
        for start in range(0, len(text), size)
    ]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with the position it starts at, its newline included."""
    position = 0
    for line in text.splitlines(keepends=True):
        yield position, line
        position += len(line)


def _sections(text: str) -> list[tuple[int, int, tuple[str, ...]]]:
    """Return start, end and path of headings of each section; together they are the whole text."""
    starts: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    stack: list[tuple[int, str]] = []
    for start, level, title in headings(text):
        stack = [entry for entry in stack if entry[0] < level] + [(level, title)]
        path = tuple(name for _, name in stack if name)
        # A heading with nothing below it but a deeper heading is no passage of its own.
        body = text[starts[-1][0] : start].strip()
        if not body or ("\n" not in body and body.startswith("#") and starts[-1][1]):
            starts[-1] = (starts[-1][0], path)
        else:
            starts.append((start, path))
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return [
        (start, end, path) for (start, path), end in zip(starts, ends, strict=True) if end > start
    ]


def _is_heading(block: str) -> bool:
    return _HEADING.match(block) is not None and "\n" not in block.strip()


def headings(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield position, level and title of each heading outside of code and front matter."""
    fence = ""
    previous: tuple[int, str] | None = None
    matter = text.startswith("---\n")
    for position, line in _lines(text):
        bare = line.rstrip("\n")
        if matter:
            matter = position == 0 or bare not in ("---", "...")
            continue
        if mark := _FENCE.match(bare):
            if not fence:
                fence = mark[1]
            elif bare.strip().startswith(fence) and not bare.strip().strip(fence[0]):
                fence = ""
            previous = None
            continue
        if fence:
            continue
        if heading := _HEADING.match(bare):
            yield position, len(heading[1]), bare[heading.end() :].strip().rstrip("#").strip()
            previous = None
        elif previous and (under := _UNDERLINE.match(bare)):
            yield previous[0], 1 if under[1][0] == "=" else 2, previous[1].strip()
            previous = None
        else:
            # Only a line of its own can be underlined into a heading, not a paragraph or a list.
            alone = previous is None and bare.strip() and bare.lstrip()[0] not in "-*+>|#=:"
            previous = (position, bare) if alone else (None if not bare.strip() else previous)


def _pack(text: str, start: int, end: int, limit: int) -> Iterator[_Span]:
    """Yield a section's spans of at most `limit` characters, blocks kept whole where they fit."""
    if end - start <= limit:
        yield _Span(start, end, "text")
        return
    open_span: _Span | None = None
    for block in _blocks(text, start, end):
        for piece in _split(text, block, limit):
            if open_span and not piece.head and piece.end - open_span.start <= limit:
                open_span = _Span(open_span.start, piece.end, "text", open_span.head)
                continue
            if open_span:
                yield open_span
            open_span = piece
    if open_span:
        yield open_span


def _blocks(text: str, start: int, end: int) -> Iterator[_Span]:
    """Yield paragraphs, fenced code and tables, each with the blank lines after it."""
    block_start, kind, fence, blank = start, "", "", False
    for offset, line in _lines(text[start:end]):
        position, bare = start + offset, line.strip()
        if fence:
            if bare.startswith(fence) and not bare.strip(fence[0]):
                fence = ""
            continue
        mark = _FENCE.match(line)
        here = "code" if mark else "table" if bare.startswith("|") else "text" if bare else ""
        ended = here and kind and (blank or here != kind or mark)
        if ended and not _is_heading(text[block_start:position]):  # it goes with what is below it
            yield _Span(block_start, position, kind)
            block_start = position
        fence = mark[1] if mark else ""
        kind, blank = here or kind, not here
    yield _Span(block_start, end, kind or "text")


def _split(text: str, block: _Span, limit: int) -> Iterator[_Span]:
    """Yield a block in pieces of at most `limit` characters: whole lines, sentences or words."""
    if block.end - block.start <= limit:
        yield block
        return
    content = text[block.start : block.end]
    head = ""
    if block.kind == "table":
        head = content[content.index("|") :].split("\n", 1)[0].strip()
    begin = 0
    for stop in _cuts(content, _marks(content, block.kind), limit):
        again = head if begin else ""
        yield _Span(block.start + begin, block.start + stop, block.kind, again)
        begin = stop


def _marks(content: str, kind: str) -> Iterable[int]:
    """Return where a block may be cut, the better kinds of places only where there are some."""
    lines = [position for position, _ in _lines(content)]
    if kind != "text":
        return lines
    return sorted({*lines, *(match.end() for match in _SENTENCE_END.finditer(content))})


def _cuts(content: str, marks: Iterable[int], limit: int) -> Iterator[int]:
    """Yield the ends of pieces: at the last mark that fits, else at a space, else anywhere."""
    begin, last = 0, 0
    for mark in [*marks, len(content)]:
        while mark - begin > limit:
            if last > begin:
                stop = last
            else:
                space = content.rfind(" ", begin + 1, begin + limit)
                stop = space + 1 if space > begin else begin + limit
            yield stop
            begin = stop
        last = mark
    if begin < len(content):
        yield len(content)
