"""Markdown as sentences, and the sentences of an answer as claims.

The same cut serves an answer and a source: a sentence ends at its full stop, and also at the end
of a paragraph, list item, heading, table cell or line of code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "heading", "row", "code"]


@dataclass(frozen=True)
class Sentence:
    """Characters `start` to `end` of a text, and what they say without Markdown's marks.

    Code spans keep their backticks. A row of a table has the table's header row in `head`.
    """

    start: int
    end: int
    text: str
    kind: Kind = "text"
    head: str = ""


_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+(?=\S)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_RULE = re.compile(r"\s*[-|:=*_\s]+$")
_END = re.compile(r"(?<=[.!?])[)\]\"'”*_`]*(?:\s*\[\d[\d,\s]*\])*\s+(?=[\"'“(*_`\[]*[A-Z0-9`])")
_PART_END = re.compile(_END.pattern + r"|;\s+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|no|fig|dr|mr|mrs|ms|inc|ca|cf)\.)$", re.I
)
_CITATION = re.compile(
    r"\s*(?:\[(?:source\s*)?\d{1,3}(?:\s*[,;–-]\s*(?:source\s*)?\d{1,3})*\]"
    r"|【[^】]{0,40}】|\((?:sources?)\s*\d[\d,\s]*\))",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"!\[([^\]]{0,300})\]\([^)]{0,2000}\)")
_LINK = re.compile(r"\[([^\]]{0,300})\]\([^)]{0,2000}\)")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_EMPHASIS = re.compile(r"(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)|~~|\\(?=[!-/:-@\[-`{-~])")


def sentences(text: str, *, parts: bool = False) -> list[Sentence]:
    """Return the sentences of Markdown in the order they stand; spans do not overlap.

    With `parts` a semicolon ends one too.
    """
    end = _PART_END if parts else _END
    return [sentence for sentence in _sentences(text, end) if sentence.text]


def _sentences(text: str, stop: re.Pattern[str]) -> Iterator[Sentence]:
    fence, head = "", ""
    start = end = 0  # of the open paragraph or list item
    position = 0
    for line in text.splitlines(keepends=True):
        begin, position = position, position + len(line)
        bare = line.strip()
        mark = _FENCE.match(line)
        row = bare.startswith("|") and not fence
        own = bool(mark or fence or row or not bare or _RULE.match(line) or _HEADING.match(line))
        if own or _ITEM.match(line):
            yield from _split(text, start, end, stop)
            start = begin
        end = position
        if not own:
            continue
        start = position
        if mark and (not fence or bare.startswith(fence)):
            fence = "" if fence else mark[1]
        elif fence:
            yield Sentence(begin, position, bare, "code")
        elif _HEADING.match(line):
            yield Sentence(begin, position, strip(bare.strip("# ")), "heading")
        elif row and not _RULE.match(line):
            yield Sentence(begin, position, strip(bare), "row", head)
            head = head or strip(bare)
        if not row:
            head = ""
    yield from _split(text, start, end, stop)


def _split(text: str, start: int, end: int, stop: re.Pattern[str]) -> Iterator[Sentence]:
    """Yield the sentences of one paragraph or list item."""
    block = text[start:end]
    begin = 0
    for match in stop.finditer(block):
        if _ABBREVIATION.search(block[max(0, match.start() - 8) : match.start()]):
            continue
        yield _sentence(text, start + begin, start + match.end())
        begin = match.end()
    yield _sentence(text, start + begin, end)


def _sentence(text: str, start: int, end: int) -> Sentence:
    raw = text[start:end]
    item = _ITEM.match(raw)
    return Sentence(start, end, strip(raw[item.end() :] if item else raw))


def strip(text: str) -> str:
    """Return Markdown without images, links, tags, emphasis and source marks, on one line."""
    text = _CITATION.sub("", text)
    text = _LINK.sub(r"\1", _IMAGE.sub(r"\1", text))
    text = _EMPHASIS.sub("", _TAG.sub(" ", text))
    return " ".join(text.lstrip("> ").split())


def cells(row: str) -> list[str]:
    """Return the cells of a table's row."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def claims(answer: str) -> list[Sentence]:
    """Return what an answer claims: its sentences and table rows, without headings and code.

    A question, a lead-in ("Here are the features:") and a sentence of one word claim nothing.
    """
    return [
        sentence
        for sentence in sentences(answer)
        if (sentence.kind == "text" or (sentence.kind == "row" and sentence.head))
        and not sentence.text.endswith(("?", ":"))
        and len(sentence.text.split()) > 1
    ]


# What models say when they do not know; the last line is what our own prompts ask for.
_ABSTAINS = re.compile(
    r"\b(?:i|we)\s+(?:do not|don't|cannot|can't|could not|couldn't|am unable|am not able|have no)\b"
    r".{0,40}\b(?:know|say|find|tell|answer|determine|confirm|verify|see|information|access)\b"
    r"|\bi(?:'m| am) not (?:aware|sure|certain)\b"
    r"|\bno (?:\w+ ){0,3}information\b"
    r"|\b(?:sources?|documents?|passages?|context|text|notes?|information)\b.{0,60}"
    r"\b(?:do(?:es)? not|don't|doesn't|did not|didn't)\s+(?:\w+\s+)?"
    r"(?:mention|say|state|contain|include|specify|provide|answer|hold|tell|cover|describe|give)\b"
    r"|\b(?:is|are|was|were) not (?:mentioned|stated|specified|given|provided|covered|known)\b"
    r"|\bnot (?:mentioned|stated|specified|found|provided) in the\b"
    r"|\bi do not know\b",
    re.IGNORECASE,
)


def abstains(sentence: str) -> bool:
    """Whether a sentence says that the answer is not known, or not in the sources."""
    return _ABSTAINS.search(sentence.replace("’", "'")) is not None


def is_abstention(answer: str) -> bool:
    """Whether an answer as a whole declines: it says so, and claims nothing with a value besides.

    An answer that says "I do not know" about one part and answers another is no abstention.
    """
    from pipeline.answers.facts import facts

    found = [sentence.text for sentence in sentences(answer) if sentence.kind != "heading"]
    declined = [text for text in found if abstains(text)]
    others = [text for text in found if not abstains(text)]
    return bool(declined) and not any(facts(text) for text in others) and len(others) <= 2
