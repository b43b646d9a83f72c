"""Split Markdown into sentences, and pick those of an answer that claim something.

Answers and sources are split by the same rules: a sentence ends at its full stop, and at the end
of a paragraph, list item, heading, table row or line of code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.answers.check.facts import find_facts
from pipeline.core.markdown import Block, plain_text, read_blocks

SentenceKind = Literal["text", "heading", "row", "code"]


@dataclass(frozen=True)
class Sentence:
    """Characters `start` to `end` of a text, and what they say without Markdown's marks.

    Code keeps its backticks. A row of a table has the text of the table's header row in `head`;
    the header row itself has none.
    """

    start: int
    end: int
    text: str
    kind: SentenceKind = "text"
    head: str = ""


_LONGEST_SENTENCE = 1000  # characters; the time of a comparison grows with their square
_HEADER_LINE = re.compile(r"[\s|:-]+")  # between the header of a table and its rows
# A full stop, with quotes, marks and citations behind it, before what may begin a sentence; or the
# sign for a list item that Markdown does not know, but models write.
_END = re.compile(
    r"(?<=[.!?])[)\]\"'”*_`]*(?:\s*\[\d[\d,\s]*\])*\s+(?=[\"'“(*_`\[]*(?![a-zß-öø-ÿ])[\w`])|\n(?=•)"
    r"|(?<=[。！？])\s*(?=\S)"
    r"|\n(?=\**(?-i:[A-Z])[\w.'’-]*(?: [\w.'’()-]+){0,2}:\s)"  # somebody else speaks: a transcript
)
_END_OR_SEMICOLON = re.compile(_END.pattern + r"|;\s+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|no|fig|dr|mr|mrs|ms|inc|ca|cf|prof|st|sr|jr|gen|sen|rep"
    r"|gov|lt"
    r"|col|capt|sgt|rev|mt|co|ltd|corp|vol|pp|est|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
    r"|u\.s|u\.k|u\.n|(?-i:[A-Z]))\.)$",
    re.IGNORECASE,
)
_CITATION = re.compile(
    r"\[\^\w{1,20}\]|(?<=[^\W\d_]{3})[⁰¹²³⁴-⁹]+(?!\w)|(?<=[.!?])[⁰¹²³⁴-⁹]+(?!\w)"
    r"|(?<!\s)\s*(?:\[(?:source\s*)?\d{1,3}(?:\s*[,;–-]\s*(?:source\s*)?\d{1,3})*\]"
    r"|【[^】]{0,40}】|\((?:sources?)\s*\d[\d,\s]*\))",
    re.IGNORECASE,
)


def split_sentences(text: str, *, at_semicolons: bool = False) -> list[Sentence]:
    """Return the sentences of Markdown, in order; their spans do not overlap.

    Args:
        text: Markdown.
        at_semicolons: Whether a semicolon ends a sentence too.
    """
    end = _END_OR_SEMICOLON if at_semicolons else _END
    sentences = (sentence for block in read_blocks(text) for sentence in _split_block(block, end))
    return [sentence for sentence in sentences if sentence.text]


def _split_block(block: Block, end: re.Pattern[str]) -> Iterator[Sentence]:
    if block.kind == "text":
        yield from _split_paragraph(block, end)
    elif block.kind == "heading":
        last = block.lines[-1]
        span = (block.lines[0].start, last.start + len(last.text))
        yield Sentence(*span, strip_markup(block.text), "heading")
    elif block.kind == "code":
        for line in block.lines:
            yield Sentence(line.start, line.start + len(line.text), line.text, "code")
    else:
        head = ""
        for line in block.lines:
            if not _HEADER_LINE.fullmatch(line.text):
                row = strip_markup(line.text)
                yield Sentence(line.start, line.start + len(line.text), row, "row", head)
                head = head or row


def _split_paragraph(block: Block, end: re.Pattern[str]) -> Iterator[Sentence]:
    text = block.text
    begin = 0
    stops = [
        match.end()
        for match in end.finditer(text)
        if not _ABBREVIATION.search(text[max(0, match.start() - 8) : match.start()])
    ]
    for stop in _with_cuts([*stops, len(text)], text):
        raw = text[begin:stop].rstrip()
        if raw:
            start = _position(block, begin)
            yield Sentence(start, _position(block, begin + len(raw) - 1) + 1, strip_markup(raw))
        begin = stop


def _with_cuts(stops: list[int], text: str) -> Iterator[int]:
    """Yield the ends of sentences, and cut positions in sentences above the maximum length."""
    begin = 0
    for stop in stops:
        while stop - begin > _LONGEST_SENTENCE:
            space = text.rfind(" ", begin + 1, begin + _LONGEST_SENTENCE)
            begin = space + 1 if space > begin else begin + _LONGEST_SENTENCE
            yield begin
        begin = stop
        yield stop


def _position(block: Block, offset: int) -> int:
    """Return the position in the whole text of a character of `block.text`."""
    for line in block.lines:
        if offset <= len(line.text):
            return line.start + offset
        offset -= len(line.text) + 1
    return block.end


def strip_markup(text: str) -> str:
    """Return inline Markdown as one line of text, without marks and without citations."""
    return plain_text(_CITATION.sub("", text)).lstrip("> •")


def split_cells(row: str) -> list[str]:
    """Return the cells of a table's row."""
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def find_claims(answer: str) -> list[Sentence]:
    """Return what an answer claims: its sentences and table rows, without headings and code.

    A question, a lead-in ("Here are the features:"), a greeting, an offer and a sentence of one
    word claim nothing.
    """
    return [
        sentence
        for sentence in split_sentences(answer)
        if (sentence.kind == "text" or (sentence.kind == "row" and sentence.head))
        and not sentence.text.endswith(("?", ":"))
        and (len(sentence.text.split()) > 1 or _UNSPACED.search(sentence.text))
        and not _NO_CLAIM.match(sentence.text.replace("’", "'"))
    ]


# Scripts that put no spaces between words: Chinese, Japanese, Thai.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]{4}")
# What a sentence says to the reader, not of the matter: greetings, thanks, offers, lead-ins.
_NO_CLAIM = re.compile(
    r"(?:(?:hello|hi|hey|dear \w+|greetings|welcome|good (?:morning|afternoon|evening)"
    r"|sure(?: thing)?"
    r"|certainly|of course|absolutely|great|thanks|thank you|you're welcome|no problem|okay|ok"
    r"|yes|no"
    r"|there|all|everyone)\b[\s,!.–—-]*)*"
    r"(?:$|thanks\b|thank you\b|(?:that's |what )?an? (?:great|good|excellent|interesting) question"
    r"|(?:i|we) (?:hope|trust) (?:this|that|it|you)\b|hope (?:this|that|it) helps"
    r"|(?:please )?let (?:me|us) know\b|(?:please )?(?:feel|be) free to\b|don't hesitate\b"
    r"|please (?:don't|do not) hesitate\b|please (?:check|refer|see|consult|contact|provide"
    r"|specify)\b"
    r"|if you(?:'d| would)? (?:have|need|want|like|wish|are looking|prefer)\b.{0,80}"
    r"\b(?:let me|let us|feel free|i can|i'd|i'll|i'm|just ask|ask me|please)\b"
    r"|(?:i|we)(?:'d| would| will|'ll|'m| am| can| could)(?: also)? (?:be )?(?:happy|glad|help"
    r"|try|do my"
    r"|here|provide|summari[sz]e|answer|explain|walk)\b"
    r"|(?:here|below) (?:is|are|you)\b.{0,60}(?:summary|overview|answer|list|breakdown|go"
    r"|details)\b"
    r"|here's\b.{0,60}(?:summary|overview|answer|list|breakdown|what)\b"
    r"|(?:is there|do you have|would you like|shall i)\b|as an ai\b|(?:best|kind"
    r"|warm) (?:regards|wishes)"
    r"|sincerely\b|cheers\b|good luck\b|have a (?:great|good|nice)\b|enjoy\b.{0,20}!$"
    r"|(?:always )?(?:happy|glad) to (?:help|assist)\b)",
    re.IGNORECASE,
)

# What models say when they do not know; the last line is what our own prompts ask for.
_ABSTAINS = re.compile(
    r"\b(?:i|we)\s+(?:do not|don't|cannot|can't|could not|couldn't|am unable|am not able|have no)\b"
    r".{0,40}\b(?:know|say|find|tell|answer|determine|confirm|verify|see|information|access)\b"
    r"|\bi(?:'m| am) not (?:aware|sure|certain)\b"
    r"|\bno (?:\w+ ){0,3}information\b"
    r"|\b(?:sources?|documents?|passages?|context|text|notes?|information)\b.{0,60}"
    r"\b(?:do(?:es)? not|don't|doesn't|did not|didn't)\s+(?:\w+\s+)?"
    r"(?:mention|say|state|contain|include|specify|provide|answer|hold|tell|cover|describe|give)\b"
    r"|\b(?:is|are|was|were) not (?:mentioned|stated|specified)\b(?! by (?!the\b|this\b|these\b))"
    r"|\bnot (?:mentioned|stated|specified|found|provided|covered|given|described) (?:in|by)"
    r" (?:the|these|this|any of the|either) (?:\w+ )?"
    r"(?:sources?|documents?|passages?|context|text|notes?|information|article|page)\b"
    r"|\bi do not know\b",
    re.IGNORECASE,
)


def abstains(sentence: str) -> bool:
    """Return whether a sentence says that the answer is unknown, or not in the sources."""
    return _ABSTAINS.search(sentence.replace("’", "'")) is not None


def is_abstention(answer: str) -> bool:
    """Return whether an answer as a whole declines and claims no value besides.

    An answer that says "I do not know" about one part and answers another is no abstention.
    """
    texts = [sentence.text for sentence in split_sentences(answer) if sentence.kind != "heading"]
    declined = [text for text in texts if abstains(text)]
    others = [text for text in texts if not abstains(text)]
    return bool(declined) and not any(find_facts(text) for text in others) and len(others) <= 2
