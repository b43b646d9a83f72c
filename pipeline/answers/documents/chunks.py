"""Cut a document into chunks along its headings; every character is in exactly one chunk.

Cutting along headings, with title, date, version and heading above each chunk, finds the passage
that answers more often than other ways of cutting: docs/answers.md has the measurement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.core.markdown import Block, read_blocks

CHUNK_CHARACTERS = 1500  # the best of 800, 1,500 and whole sections
# Of the headings and of the header row above a chunk. They are copied to each chunk, so that a long
# one would fill memory and disk.
CONTEXT_CHARACTERS = 300

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Chunk:
    """Characters `start` to `end` of a document's text.

    Attributes:
        heading: The headings above it, from the outermost to the nearest, joined by " > ".
        context: What stands above the chunk for the search and for a model: "title, date,
            version > heading", and the header row if the chunk continues a table.
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
    kind: str = "text"
    head: str = ""  # header row of the table that the span continues


@dataclass(frozen=True)
class _Section:
    """The blocks from one heading to the next; `headings` are those above, outermost first."""

    start: int
    end: int
    headings: tuple[str, ...]
    blocks: tuple[Block, ...]


def cut(text: str, origin: str, limit: int = CHUNK_CHARACTERS) -> list[Chunk]:
    """Cut Markdown into chunks.

    Args:
        text: Markdown or plain text; front matter is part of the first chunk.
        origin: What the document is: "title, date, version".
        limit: Most characters of a chunk.
    """
    chunks = []
    for section in _sections(text):
        headings = section.headings
        if headings and origin.startswith(headings[0]):  # the title is in the origin
            headings = headings[1:]
        heading = _shorten(" > ".join(headings))
        above = f"{origin} > {heading}" if heading else origin
        for span in _pack(text, section, limit):
            context = f"{above}\n{_shorten(span.head)}" if span.head else above
            content = text[span.start : span.end]
            chunks.append(Chunk(span.start, span.end, heading, context, content))
    return chunks


def _shorten(text: str) -> str:
    return text if len(text) <= CONTEXT_CHARACTERS else f"{text[: CONTEXT_CHARACTERS - 1]}…"


def cut_fixed(text: str, origin: str, size: int) -> list[Chunk]:
    """Cut text after every `size` characters: the baseline to compare with."""
    return [
        Chunk(start, min(start + size, len(text)), "", origin, text[start : start + size])
        for start in range(0, len(text), size)
    ]


def _sections(text: str) -> Iterator[_Section]:
    """Yield the sections of a text, which together are the whole text.

    A heading above nothing but the next heading is no section of its own: it begins the next one.
    """
    start = 0
    path: list[tuple[int, str]] = []  # level and title of the headings above
    blocks: list[Block] = []
    has_body = False
    for block in read_blocks(text):
        if block.level:
            if has_body:
                titles = tuple(title for _, title in path if title)
                yield _Section(start, block.start, titles, tuple(blocks))
                start, blocks, has_body = block.start, [], False
            title = " ".join(block.text[:CONTEXT_CHARACTERS].split())
            path = [above for above in path if above[0] < block.level] + [(block.level, title)]
        else:
            has_body = True
        blocks.append(block)
    if text:
        yield _Section(start, len(text), tuple(title for _, title in path if title), tuple(blocks))


def _pack(text: str, section: _Section, limit: int) -> Iterator[_Span]:
    """Yield spans of at most `limit` characters; blocks that fit are not divided."""
    if section.end - section.start <= limit:
        yield _Span(section.start, section.end)
        return
    open_span: _Span | None = None
    for span in _group(section):
        for piece in _divide(text, span, limit):
            if open_span and not piece.head and piece.end - open_span.start <= limit:
                open_span = replace(open_span, end=piece.end)
                continue
            if open_span:
                yield open_span
            open_span = piece
    if open_span:
        yield open_span


def _group(section: _Section) -> Iterator[_Span]:
    """Yield what belongs together: lists, headings with what is below, tables, pieces of code.

    Each span includes the blank lines after it. That of a table has its header row in `head`.
    """
    span = _Span(section.start, section.end)
    before: Block | None = None
    for block in section.blocks:
        head = block.lines[0].text if block.kind == "table" else ""
        is_apart = before and (
            block.kind != before.kind or block.kind == "code" or block.start > before.end
        )
        if before and before.kind != "heading" and is_apart:
            yield replace(span, end=block.start)
            span = _Span(block.start, section.end, block.kind, head)
        elif before is None or before.kind == "heading":
            span = replace(span, kind=block.kind, head=head)
        before = block
    yield span


def _divide(text: str, span: _Span, limit: int) -> Iterator[_Span]:
    """Yield a span in pieces of at most `limit` characters: whole lines, sentences or words."""
    if span.end - span.start <= limit:
        yield replace(span, head="")
        return
    content = text[span.start : span.end]
    begin = 0
    for end in _cut_ends(content, _cut_positions(content, span.kind), limit):
        head = span.head if begin else ""
        yield _Span(span.start + begin, span.start + end, span.kind, head)
        begin = end


def _cut_positions(content: str, kind: str) -> Sequence[int]:
    """Return where content may be cut: between lines, in text also between sentences."""
    positions = {match.end() for match in re.finditer(r"\n", content)}
    if kind == "text":
        positions |= {match.end() for match in _SENTENCE_END.finditer(content)}
    return sorted(positions)


def _cut_ends(content: str, positions: Iterable[int], limit: int) -> Iterator[int]:
    """Yield the ends of pieces: at the last position that fits, else at a space, else anywhere."""
    begin, last = 0, 0
    for position in [*positions, len(content)]:
        while position - begin > limit:
            if last > begin:
                end = last
            else:
                space = content.rfind(" ", begin + 1, begin + limit)
                end = space + 1 if space > begin else begin + limit
            yield end
            begin = end
        last = position
    if begin < len(content):
        yield len(content)
