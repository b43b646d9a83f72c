"""Read a passage as the pieces that claims are compared with, each once.

A piece is a sentence, a list item with its lead-in, or a row or cell of a table. A sentence that
goes on about what the one before names ("It ...", "The film ...") is joined with it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise

from pipeline.answers.check.claims import Sentence, split_cells, split_sentences
from pipeline.answers.check.fact_index import FactIndex
from pipeline.answers.check.reading import SentenceReading, read_sentence
from pipeline.answers.check.vocabulary import canonical, content_words
from pipeline.answers.documents.retrieval import Passage

_SPEAKER = re.compile(r"([^\W\d_a-z][\w.'’-]*(?: [\w.'’()-]+){0,2}):\s")
_LABEL = re.compile(r"([\w.'’()-]+(?: [\w.'’()-]+){0,3}):\s")
_CONTINUES = re.compile(
    r"(?:it|its|he|his|she|her|they|their|this|these|those|the default|both|there)\b", re.IGNORECASE
)
_PRONOUN = re.compile(
    r"\b(?:it|its|he|his|him|she|her|they|their|them|this|these|who)\b|^(?:the|that|those|both"
    r"|in|on|"
    r"at|after|before)\b",
    re.IGNORECASE,
)
_THE = re.compile(r"\b[Tt]he ([a-z]+)\b(?! (?:in|of|at|from|near|on) [A-Z])(?! [A-Z])")
_BEGINS_ANEW = re.compile(r"(?:the|an?|each|all|both|some|no)\s", re.IGNORECASE)
_REFERS = re.compile(
    r"\b(?:it|its|he|his|him|she|her|they|their|them|this|these|those|who)\b", re.IGNORECASE
)
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+$")
_NAME_WITHIN = re.compile(r"(?:(?<=[\w,;:] )|(?<=[(\"]))[^\W\d_a-z][^\W\d_]+")
_NAME_FIRST = re.compile(r"[^\W\d_a-z][^\W\d_]*[^\W\d_A-Z]")
_LOWER = re.compile(r"(?<![\w`])[^\W\d_A-Z][^\W\d_]+")
_WITH_DIGIT = re.compile(r"[^\W\d]*\d\w*")
_NO = ("no", "none", "false", "✗", "✘", "❌")
_DATE_OF_DOCUMENT = re.compile(r"\b\d{4}-\d\d-\d\d\b")

Rivals = tuple[frozenset[str], tuple[frozenset[str], ...]]
"""The words that name a row or column of a table, and those that name each of the others."""


@dataclass(frozen=True, eq=False)
class Window:
    """A piece of a passage.

    Attributes:
        quote: Its span (start, end) of the passage's text; None of what the document's date says.
        reading: What it says.
        context: The words of the title and the headings above it.
        inherited: The names in the sentences before, if it goes on about them.
        rivals: What names the other rows and columns of its table.
        cells: Of a whole row, the windows of its cells.
        above: Title, date and headings; their values count as its own.
    """

    quote: tuple[int, int] | None
    reading: SentenceReading
    context: frozenset[str]
    inherited: frozenset[str]
    rivals: tuple[Rivals, ...]
    above: str
    cells: tuple[Window, ...] = ()

    @property
    def text(self) -> str:
        """What it says, on one line."""
        return self.reading.text

    @cached_property
    def words(self) -> frozenset[str]:
        """The words that it says itself, with names that it goes on about."""
        return self.reading.all_words | self.inherited

    @cached_property
    def facts(self) -> FactIndex:
        """Its values and names, with those of title, headings and the sentences before."""
        return FactIndex(self.reading.text, self.above, " ".join(sorted(self.inherited)))


@dataclass(frozen=True, eq=False)
class PassageReading:
    """The windows of a passage, and which of its words are names: capitalised within sentences.

    `first_names` are capitalised too, but only where a sentence begins.
    """

    windows: tuple[Window, ...]
    names: frozenset[str]
    first_names: frozenset[str]


def read_passage(passage: Passage) -> PassageReading:
    """Return the reading of a passage, from a cache if it was read before."""
    return _read_passage(passage.document, passage.context, passage.text)


@lru_cache(maxsize=512)
def _read_passage(document: str, context: str, text: str) -> PassageReading:
    sentences = split_sentences(text, at_semicolons=True)
    above = read_sentence(context)
    heading = read_sentence(context.rsplit(" > ", 1)[-1])
    # Below "Not supported" nothing is supported: such a heading is read with each item instead.
    words = above.all_words - heading.negated
    windows = list(_windows(text, sentences, words, context))
    if heading.negated:
        windows += [
            replace(window, reading=read_sentence(f"{heading.text}: {window.text}"))
            for window in windows
            if window.text != heading.text
        ]
    if date := _DATE_OF_DOCUMENT.search(context):
        released = read_sentence(f"{document} was released on {date[0]}.")
        windows.append(Window(None, released, words, frozenset(), (), context))
    spoken = [sentence.text for sentence in sentences if sentence.kind == "text"]
    lower = {word for text in spoken for word in _LOWER.findall(text)}
    within = {name.lower() for text in spoken for name in _NAME_WITHIN.findall(text)} - lower
    first = {m[0].lower() for text in spoken if (m := _NAME_FIRST.match(text))} - lower
    speakers = (match[1].lower() for text in spoken if (match := _SPEAKER.match(text)))
    within |= {word for name in speakers for word in re.findall(r"\w+", name)}
    return PassageReading(tuple(windows), frozenset(within), frozenset(first))


def _windows(
    text: str, sentences: list[Sentence], words: frozenset[str], context: str
) -> Iterator[Window]:
    chain: list[Sentence] = []
    lead: Sentence | None = None
    speaker: frozenset[str] = frozenset()  # whose turn it is in a transcript
    recent: list[SentenceReading] = []  # the sentences before, of which names are inherited
    rows = _rows(sentences)
    labels = {label for sentence in sentences if (label := _label(text, sentence))}
    for before, sentence in pairwise([None, *sentences]):
        assert sentence is not None
        span = (sentence.start, sentence.end)
        if sentence.kind == "row" and sentence.head:
            whole, *cells = [
                Window(span, read_sentence(row_text), words, frozenset(), rivals, context)
                for row_text, rivals in _row_texts(sentence, rows[sentence.head])
            ]
            yield replace(whole, cells=tuple(cells))
            yield from cells
            continue
        reading = read_sentence(sentence.text)
        inherited = _inherited(reading, recent) if sentence.kind == "text" else frozenset()
        if match := _SPEAKER.match(sentence.text):
            speaker = frozenset(re.findall(r"\w+", match[1].lower()))
        elif "\n\n" in text[before.end if before else 0 : sentence.start]:
            speaker = frozenset()
        inherited |= speaker
        is_item = _is_item(text, sentence.start)
        label = _label(text, sentence)
        rivals = (_rivals(label, labels - {label}),) if label else ()
        yield Window(span, reading, words, inherited, rivals, context)
        if lead and is_item:
            joined = read_sentence(f"{lead.text.rstrip(':')} {sentence.text}")
            yield Window(span, joined, words, inherited, (), context)
        if before and before.kind == sentence.kind == "text" and _continues(before, sentence):
            chain = [*(chain or [before]), sentence]
            joined = read_sentence(" ".join(part.text for part in chain[-3:]))
            yield Window((chain[-3:][0].start, sentence.end), joined, words, inherited, (), context)
        else:
            chain = []
        if sentence.text.endswith(":") or (lead and not is_item):
            lead = sentence if sentence.text.endswith(":") else None
        if sentence.kind == "text":  # the items of a list lend no names to what follows it
            recent = [] if is_item else [*recent[-1:], reading]


def _label(text: str, sentence: Sentence) -> str:
    """Return the label of a list item, such as "Free plan" of "Free plan: 5 users"."""
    match = _LABEL.match(sentence.text)
    return match[1] if match and _is_item(text, sentence.start) else ""


def _is_item(text: str, start: int) -> bool:
    line = text.rfind("\n", 0, start) + 1
    return _ITEM.fullmatch(text, line, start) is not None


def _continues(before: Sentence, sentence: Sentence) -> bool:
    goes_on = before.text.endswith(";") and not _BEGINS_ANEW.match(sentence.text)
    return goes_on or _CONTINUES.match(sentence.text) is not None


def _inherited(reading: SentenceReading, recent: list[SentenceReading]) -> frozenset[str]:
    if not _PRONOUN.search(reading.text):
        return frozenset()
    is_named = any(fact.kind in ("name", "identifier") for fact in reading.facts)
    known = frozenset[str]().union(*(before.all_words for before in recent))
    again = {canonical(match[1]) for match in _THE.finditer(reading.text)} & known
    if is_named and not again and not _REFERS.search(reading.text):
        return frozenset()  # "the depot in Linz" is not the one before; "the film" is
    names: set[str] = set()
    for before in recent:
        names |= {str(fact.value) for fact in before.facts if fact.kind in ("name", "identifier")}
        first = before.sequence[0] if before.sequence else None
        if first and first.is_content:
            names.add(first.term)
            names.add(first.raw)
    return frozenset(names)


def _rows(sentences: Iterable[Sentence]) -> dict[str, set[str]]:
    """Return the first cells of all rows by the header of their table."""
    keys: dict[str, set[str]] = {}
    for sentence in sentences:
        if sentence.kind == "row" and sentence.head:
            keys.setdefault(sentence.head, set()).add(split_cells(sentence.text)[0])
    return keys


def _row_texts(row: Sentence, keys: set[str]) -> Iterator[tuple[str, tuple[Rivals, ...]]]:
    """Yield a table row and each of its cells as text, with the rows and columns they compete with.

    Args:
        row: The row.
        keys: The first cells of all rows: a row is named by its first cell.
    """
    heads, values = split_cells(row.head), split_cells(row.text)
    rows = _rivals(values[0], keys - {values[0]})
    pairs = list(zip(heads, values, strict=False))
    yield ", ".join(_said_of(head, value) for head, value in pairs), (rows,)
    for head, value in pairs[1:]:
        columns = _rivals(head, {other for other in heads[1:] if other != head})
        yield f"{heads[0]} {values[0]}: {_said_of(head, value)}", (rows, columns)


def _said_of(head: str, value: str) -> str:
    return f"not {head}" if value.lower().strip(" .") in _NO else f"{head}: {value}"


def _rivals(own: str, others: Iterable[str]) -> Rivals:
    return naming_words(own), tuple(naming_words(name) for name in others)


def naming_words(text: str) -> frozenset[str]:
    """Return the content words and the words with digits of a row or column name."""
    numbers: list[str] = [m[0] for m in _WITH_DIGIT.finditer(text.lower())]
    return frozenset([*content_words(text), *numbers])
