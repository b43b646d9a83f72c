"""Make text of models and documents harmless before Streamlit shows it. Pure: no Streamlit.

Nothing is filtered out of hostile Markdown. Instead everything is escaped, and only bold, italics,
lists, tables and code are written anew, so that an image, HTML, a link, a formula or a directive
shows as the letters it is made of. The whole text is made harmless each time it grows, so a
construct that is split across the pieces of a stream never exists.

Streamlit also looks for addresses, `:name:` icons and its own logo in text whose escapes are
resolved already, where no backslash helps; an invisible word joiner breaks those up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from markdown_it.token import Token

from pages.components.common.words import plain
from pipeline.core.markdown import find_table_lines, is_table_separator, make_parser

_MOST_CELLS = 2_000  # of a table: a hostile one has thousands of columns that its rows lack
_JOINER = "\u2060"
_BREAKS = (
    re.compile(r"(?<=:)(?=//)"),
    re.compile(r"(?<=www)(?=\.)", re.IGNORECASE),
    re.compile(r"(?<=@)(?=[\w-])"),
    re.compile(r"(?<=:)(?=[\w+-]+:|material|streamlit)"),
)
_CITATION = re.compile(r"\[(\d{1,3}(?:\s?[,;]\s?\d{1,3})*)\](?!\()")
# What is left are paragraphs, headings, lists, fenced code, code spans and emphasis.
_PARSER = make_parser(
    *("blockquote", "hr", "lheading", "link", "image"),
    *("autolink", "html_inline", "entity", "escape"),
)

# Where the passage with a number is on the page: the name of its anchor, None for no such passage.
Anchor = Callable[[int], str | None]


def inert(text: str) -> str:
    """Return text on one line so that Markdown shows it letter by letter, and links nothing."""
    return _letters(" ".join(text.split()))


def neutral(text: str, anchor: Anchor = lambda _number: None) -> str:
    """Return Markdown of which only bold, italics, lists, tables and code are left.

    Args:
        text: Markdown from outside, whole or as far as it has arrived.
        anchor: Makes a citation such as [2] a link within the page.
    """
    return "\n".join(_Writer(anchor).write(_PARSER.parse(text)))


class _Writer:
    """Writes the tokens of the parser as Markdown again."""

    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._indents: list[str] = []  # of the list items around, outermost first
        self._markers: list[str] = []  # of the innermost of them, which have no text yet
        self._has_text = False

    def write(self, tokens: Sequence[Token]) -> Iterator[str]:
        """Yield the lines of the Markdown."""
        for position, token in enumerate(tokens):
            if token.type == "list_item_open":
                marker = f"{token.info}{token.markup} " if token.info else "- "
                self._markers.append(marker)
                self._indents.append(" " * len(marker))
            elif token.type == "list_item_close":
                if self._markers:  # nothing is in it; "- - -" alone would be a rule
                    yield self._indent(_JOINER)
                self._indents.pop()
            elif token.type in ("bullet_list_open", "ordered_list_open"):
                if not self._indents:
                    yield from self._gap()
            elif token.type == "fence":
                yield from self._gap()
                yield from self._code(token.content)
            elif token.type == "inline" and token.content:
                block = tokens[position - 1]
                if not block.hidden:
                    yield from self._gap()
                if block.type == "paragraph_open" and "|" in token.content:
                    yield from self._paragraph(token)
                    continue
                text = self._inline(token.children or [])
                if block.type == "heading_open" and "**" not in text:
                    text = f"**{text}**"
                for line in text.split("\n"):
                    yield self._indent(line)

    def _paragraph(self, token: Token) -> Iterator[str]:
        """Yield the lines of a paragraph that may hold a table."""
        lines = [line.strip() for line in token.content.split("\n")]
        of_table = find_table_lines(lines)
        if not any(of_table):
            yield from map(self._indent, self._inline(token.children or []).split("\n"))
            return
        groups = groupby(zip(of_table, lines, strict=True), lambda entry: entry[0])
        for number, (is_table, entries) in enumerate(groups):
            part = [line for _, line in entries]
            if number:
                yield self._indent("")
            if is_table:
                yield from map(self._indent, self._table(part))
            else:
                text = self._inline(_parse_inline("\n".join(part)))
                yield from map(self._indent, text.split("\n"))

    def _table(self, lines: Sequence[str]) -> Iterator[str]:
        """Yield a table; without a separator, or a very large one, row by row as lines of text."""
        has_header = len(lines) > 1 and is_table_separator(lines[1])
        rows = [_split_row(line) for line in lines if not is_table_separator(line)]
        columns = len(rows[0]) if rows else 0
        # A short row is filled up in the browser, so what counts are all cells.
        if not has_header or not columns or columns * len(rows) > _MOST_CELLS:
            for line in lines:
                yield f"{self._inline(_parse_inline(line))}  "
            return
        for number, row in enumerate(rows):
            # A browser would leave out the cells of a row that is longer than the header.
            cells = [*row[: columns - 1], " | ".join(row[columns - 1 :])]
            written = (self._inline(_parse_inline(cell), in_table=True) for cell in cells)
            yield f"| {' | '.join(written)} |"
            if not number:
                yield f"|{' --- |' * columns}"

    def _gap(self) -> Iterator[str]:
        """Yield the empty line before a block, unless it is the first of all or of an item."""
        if self._has_text and not self._markers:
            yield ""

    def _indent(self, line: str) -> str:
        """Return a line as it stands in the list items around it."""
        self._has_text = True
        outer = self._indents[: len(self._indents) - len(self._markers)]
        line = "".join((*outer, *self._markers, line))
        self._markers.clear()
        return line

    def _code(self, content: str) -> Iterator[str]:
        # Without its language: some would be drawn instead of shown.
        ticks = "`" * max(3, _longest_ticks(content) + 1)
        for line in (ticks, *content.removesuffix("\n").split("\n"), ticks):
            yield self._indent(line)

    def _inline(self, tokens: Sequence[Token], *, in_table: bool = False) -> str:
        parts = []
        for token in tokens:
            if token.type == "text":
                parts.append(self._cite(token.content))
            elif token.type == "code_inline":
                code = _code_span(token.content)
                parts.append(code.replace("|", "\\|") if in_table else code)
            elif token.type in ("softbreak", "hardbreak"):
                parts.append("\n")
            else:  # the mark of bold or italics
                parts.append(token.markup)
        return "".join(parts)

    def _cite(self, text: str) -> str:
        """Return text letter by letter, its citations as links to their passages."""
        parts, end = [], 0
        for match in _CITATION.finditer(text):
            links = []
            for number in re.split(r"\s?[,;]\s?", match[1]):
                name = self._anchor(int(number))
                links.append(f"[{number}](#{name})" if name else number)
            parts.append(f"{_letters(text[end : match.start()])}\\[{', '.join(links)}\\]")
            end = match.end()
        return "".join((*parts, _letters(text[end:])))


def _parse_inline(text: str) -> list[Token]:
    return _PARSER.parseInline(text)[0].children or []


def _split_row(line: str) -> list[str]:
    """Return the cells of a row; an escaped pipe is part of a cell."""
    bare = re.sub(r"(?<!\\)\|$", "", line.removeprefix("|"))
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", bare)]


def _code_span(content: str) -> str:
    ticks = "`" * (_longest_ticks(content) + 1)
    space = " " if content.startswith(("`", " ")) or content.endswith(("`", " ")) else ""
    return f"{ticks}{space}{content}{space}{ticks}"


def _longest_ticks(content: str) -> int:
    return max(map(len, re.findall(r"`+", content)), default=0)


def _letters(text: str) -> str:
    for pattern in _BREAKS:
        text = pattern.sub(_JOINER, text)
    return plain(text)
