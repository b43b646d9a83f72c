"""Make text of models and documents harmless before Streamlit shows it. Pure: no Streamlit.

Nothing is filtered out of hostile Markdown. Instead everything is escaped, and only bold, italics,
lists and code are written anew, so that an image, HTML, a link, a formula or a directive shows as
the letters it is made of. The whole text is made harmless each time it grows, so a construct that
is split across the pieces of a stream never exists.

Streamlit also looks for addresses, `:name:` icons and its own logo in text whose escapes are
resolved already, where no backslash helps; an invisible word joiner breaks those up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from markdown_it.token import Token

from pages.components.common.words import plain
from pipeline.core.markdown import make_parser

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
    """Return Markdown of which only bold, italics, lists and code are left.

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
                text = self._inline(token.children or [])
                if block.type == "heading_open" and "**" not in text:
                    text = f"**{text}**"
                for line in text.split("\n"):
                    yield self._indent(line)

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

    def _inline(self, tokens: Sequence[Token]) -> str:
        parts = []
        for token in tokens:
            if token.type == "text":
                parts.append(self._cite(token.content))
            elif token.type == "code_inline":
                parts.append(_code_span(token.content))
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
