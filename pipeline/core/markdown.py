"""Read Markdown with markdown-it-py: its blocks with their positions, and its inline text.

Everything that must understand Markdown starts from here: documents are cut into chunks along
their headings, answers are split into claims, and text from outside is shown without what acts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, paragraph
from markdown_it.token import Token

BlockKind = Literal["heading", "text", "table", "code"]

# Lists and quotes nested deeper than this are read as paragraphs: each level of nesting takes
# time proportional to the length of the line.
_DEEPEST = 20
# A link is looked for from each bracket to the end of the text, so the time grows with the square
# of their number: 0.1 s for this many.
_MOST_BRACKETS = 300

_LINE_END = re.compile(r"\r\n?|\n")
# The line between the header and the rows of a table, with or without pipes at its ends.
_SEPARATOR = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
_FIRST_FIELD = re.compile(r"---\r?\n[A-Za-z_][\w-]*:")
_MARKUP = re.compile(r"[*_`\[\]<>&\\!\n]")
_EDGE_MARKS = re.compile(r"^\*+(?=\w)|(?<=\S)\*+$")


def make_parser(*disabled: str) -> MarkdownIt:
    """Return a parser of CommonMark that takes indented text, HTML and references for text.

    Models indent lists by four spaces and more, where CommonMark sees code, and nothing that a
    reader sees may be missing from what is parsed.

    Args:
        disabled: Names of more of markdown-it's rules to leave out.
    """
    parser = MarkdownIt("commonmark", {"maxNesting": 2 * _DEEPEST})
    parser.block.ruler.before("table", "flatten", _flatten_deep_nesting)
    return parser.disable(["code", "html_block", "reference", *disabled])


def _flatten_deep_nesting(state: StateBlock, line: int, last: int, silent: bool) -> bool:
    """Read the next lines as a paragraph if they are nested too deep.

    The parser's own limit, `maxNesting`, would drop the rest of the text.
    """
    return not silent and state.level >= _DEEPEST and paragraph(state, line, last, silent)


# Tables are told apart from paragraphs by `_paragraph`: markdown-it makes 1 kB of tokens of each
# cell, those included that a row lacks, which a hostile document has millions of.
_BLOCKS = make_parser("inline", "text_join")
_INLINE = make_parser()
_INLINE_WITHOUT_LINKS = make_parser("link", "image")


@dataclass(frozen=True)
class Line:
    """A line of a block without indent, list marker and quote mark.

    `start` is the position of its first character in the whole text.
    """

    start: int
    text: str


@dataclass(frozen=True)
class Block:
    """A heading, a paragraph or list item, a table, or a fenced piece of code.

    Attributes:
        kind: "text" is a paragraph, a list item or front matter.
        start: Position of its first line.
        end: Position after its last line.
        lines: What it says. Code is without its fences, a heading without its marks; a table has
            its header first, then, if it was written, the line that separates header and rows.
        level: 1 to 6 of a heading that is neither in a list nor in a quote, otherwise 0.
    """

    kind: BlockKind
    start: int
    end: int
    lines: tuple[Line, ...]
    level: int = 0

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(line.text for line in self.lines)


def read_blocks(text: str) -> list[Block]:
    """Return the blocks of Markdown, in order; they do not overlap.

    Lines that begin with a pipe are a table also without the line that GitHub's Markdown demands
    below the header: part of a table may have been cut off.
    """
    matter = _front_matter_end(text)
    starts = [match.end() for match in _LINE_END.finditer(text, matter)]
    lines = _Lines(text, [matter, *starts])
    blocks = []
    if matter:
        fields = _Lines(text, [0, *(m.end() for m in _LINE_END.finditer(text, 0, matter))])
        inner = fields.between(1, len(fields.starts) - 2)
        blocks.append(Block("text", 0, matter, tuple(inner)))
    tokens = _BLOCKS.parse(text[matter:])
    for position, token in enumerate(tokens):
        if token.map is None:
            continue
        first, after = token.map
        start, end = lines.start(first), lines.start(after)
        if token.type == "heading_open":
            level = 0 if token.level else int(token.tag[1])
            content = lines.matching(first, tokens[position + 1].content)
            blocks.append(Block("heading", start, end, content, level))
        elif token.type == "fence":
            content = lines.matching(first + 1, token.content.removesuffix("\n"))
            blocks.append(Block("code", start, end, content if token.content else ()))
        elif token.type == "paragraph_open":
            blocks += _paragraph(lines.matching(first, tokens[position + 1].content), start, end)
    return blocks


def _paragraph(content: tuple[Line, ...], start: int, end: int) -> Iterator[Block]:
    """Yield a paragraph, as tables its lines that begin with a pipe, or follow a table's header."""
    of_table = find_table_lines([line.text for line in content])
    groups = [
        (is_table, tuple(line for line, _ in lines))
        for is_table, lines in groupby(
            zip(content, of_table, strict=True), lambda line_and_kind: line_and_kind[1]
        )
    ]
    for number, (is_table, lines) in enumerate(groups):
        after = groups[number + 1][1][0].start if number + 1 < len(groups) else end
        yield Block("table" if is_table else "text", start, after, lines)
        start = after


def find_table_lines(lines: Sequence[str]) -> list[bool]:
    """Return for each line of a paragraph, without space around it, whether it is of a table."""
    header = next(
        (
            number - 1
            for number, line in enumerate(lines)
            if number and "|" in lines[number - 1] and is_table_separator(line)
        ),
        len(lines),
    )
    return [number >= header or line.startswith("|") for number, line in enumerate(lines)]


def is_table_separator(line: str) -> bool:
    """Return whether a line is one that separates the header of a table from its rows."""
    return _SEPARATOR.fullmatch(line) is not None


class _Lines:
    """The lines of a text, by number, with where each starts."""

    def __init__(self, text: str, starts: list[int]) -> None:
        self.starts = starts
        self._text = text

    def start(self, number: int) -> int:
        """Return where a line starts, or the end of the text for the line after the last."""
        return self.starts[number] if number < len(self.starts) else len(self._text)

    def between(self, first: int, after: int) -> Iterator[Line]:
        """Yield lines without the space around them."""
        for number in range(first, after):
            line = self._text[self.start(number) : self.start(number + 1)]
            bare = line.lstrip()
            yield Line(self.start(number) + len(line) - len(bare), bare.rstrip())

    def matching(self, first: int, content: str) -> tuple[Line, ...]:
        """Return lines from `first` on as the parser gives them, without markers before them."""
        lines = []
        for number, wanted in enumerate(content.split("\n"), first):
            line = self._text[self.start(number) : self.start(number + 1)].rstrip()
            bare = wanted.strip()
            # A heading may have marks behind it too.
            place = line.rfind(bare) if bare in line else max(0, len(line) - len(bare))
            lines.append(Line(self.start(number) + place, bare))
        return tuple(lines)


def _front_matter_end(text: str) -> int:
    """Return where the front matter of a text ends, 0 if it has none."""
    if not _FIRST_FIELD.match(text):
        return 0
    end = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE).search(text, 4)
    return end.end() if end else 0


def plain_text(text: str) -> str:
    """Return inline Markdown as one line of text, without emphasis, links, images and tags.

    A link leaves its text, an image its description. Code keeps its backticks, which tell names
    from words.
    """
    if not _MARKUP.search(text):
        return " ".join(text.split())
    parser = _INLINE if text.count("[") <= _MOST_BRACKETS else _INLINE_WITHOUT_LINKS
    parts = (_text_of(token) for token in _flatten(parser.parseInline(text)))
    line = " ".join("".join(parts).split())
    # Emphasis over several sentences leaves a mark without its other half.
    return _EDGE_MARKS.sub("", line)


def _flatten(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.children:
            yield from _flatten(token.children)
        else:
            yield token


def _text_of(token: Token) -> str:
    if token.type == "code_inline":
        return f"{token.markup}{token.content}{token.markup}"
    if token.type in ("softbreak", "hardbreak", "html_inline"):
        return " "
    return token.content
