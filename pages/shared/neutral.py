"""Text of models and documents, made harmless before Streamlit shows it. Pure: no Streamlit.

Nothing is filtered out of hostile Markdown. Instead everything is escaped, and only bold, italics,
lists and code are written anew, so that an image, HTML, a link, a formula or a directive shows as
the letters it is made of. The whole text is made harmless each time it grows, so a construct that
is split across the pieces of a stream never exists.

Streamlit also looks for addresses, `:name:` icons and its own logo in text whose escapes are
resolved already, where no backslash helps; an invisible word joiner breaks those up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pages.shared.words import plain

_JOINER = "\u2060"
_BREAKS = (
    re.compile(r"(?<=:)(?=//)"),
    re.compile(r"(?<=www)(?=\.)", re.IGNORECASE),
    re.compile(r"(?<=@)(?=[\w-])"),
    re.compile(r"(?<=:)(?=[\w+-]+:|material|streamlit)"),
)
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_ITEM = re.compile(r"(?P<indent>\s*)(?P<mark>[-*+•]|\d{1,3}[.)])\s+(?P<text>\S.*)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*")
_INLINE = re.compile(
    r"(?P<ticks>`+)(?P<code>[^`\n]+)(?P=ticks)(?!`)"
    r"|(?P<strong>\*\*|__)(?P<bold>\S|\S[^\n]*?\S)(?P=strong)"
    r"|(?<![\w*])\*(?P<italic>[^\s*]|[^\s*][^*\n]*?[^\s*])\*(?![\w*])"
    r"|\[(?P<cited>\d{1,3}(?:\s?[,;]\s?\d{1,3})*)\](?!\()"
)

# Where the passage with a number stands on the page: an anchor's name, or None for no such number.
Anchor = Callable[[int], str | None]


def inert(text: str) -> str:
    """Return text on one line so that Markdown shows it letter by letter, and links nothing."""
    return _letters(" ".join(text.split()))


def neutral(text: str, anchor: Anchor = lambda _number: None) -> str:
    """Return Markdown in which only bold, italics, lists and code are left of somebody's own.

    Args:
        text: Markdown as it came, whole or as far as it has come.
        anchor: Makes a citation such as [2] a link within the page.
    """
    return "\n".join(_blocks(text.replace("\r\n", "\n").replace("\r", "\n"), anchor))


def _blocks(text: str, anchor: Anchor) -> Iterator[str]:
    fence, code, depth = "", list[str](), list[int]()
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                yield from _code(code)
                fence = ""
            else:
                code.append(line)
            continue
        if mark:
            # Without its language: some would be drawn instead of shown.
            fence, code, depth = mark[1], [], []
            continue
        if item := _ITEM.fullmatch(line):
            indent = len(item["indent"].expandtabs(4))
            while depth and depth[-1] >= indent:
                depth.pop()
            depth.append(indent)
            bullet = item["mark"] if item["mark"][0].isdigit() else "-"
            yield f"{'    ' * (len(depth) - 1)}{bullet} {_inline(item['text'], anchor)}"
            continue
        if not line.strip():
            yield ""
            continue
        if not line[0].isspace():
            depth = []
        if (heading := _HEADING.fullmatch(line)) and heading[1]:
            yield f"\n**{_letters(heading[1].replace('**', ''))}**\n"
        else:
            yield _inline(line.strip(), anchor)
    if fence:
        yield from _code(code)


def _code(lines: list[str]) -> Iterator[str]:
    longest = max((len(run) for run in re.findall(r"`+", "\n".join(lines))), default=0)
    ticks = "`" * max(3, longest + 1)
    yield ""
    yield from (ticks, *lines, ticks)
    yield ""


def _inline(line: str, anchor: Anchor) -> str:
    parts, end = [], 0
    for match in _INLINE.finditer(line):
        parts.append(_letters(line[end : match.start()]))
        parts.append(_span(match, anchor))
        end = match.end()
    parts.append(_letters(line[end:]))
    return "".join(parts)


def _span(match: re.Match[str], anchor: Anchor) -> str:
    if match["code"]:
        return f"{match['ticks']}{match['code']}{match['ticks']}"
    if match["bold"]:
        return f"**{_inline(match['bold'], anchor)}**"
    if match["italic"]:
        return f"*{_letters(match['italic'])}*"
    links = []
    for number in re.split(r"\s?[,;]\s?", match["cited"]):
        name = anchor(int(number))
        links.append(f"[{number}](#{name})" if name else number)
    return f"\\[{', '.join(links)}\\]"


def _letters(text: str) -> str:
    for pattern in _BREAKS:
        text = pattern.sub(_JOINER, text)
    return plain(text)
