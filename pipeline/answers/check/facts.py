"""Find the facts of a sentence that can be compared: numbers, dates, versions and names.

They are normalised, so that `2,048` equals `2048`, `PT24H` and `one day` equal `24 hours`, and
`12 November 2025` equals `2025-11-12`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from pipeline.answers.check.numbers import (
    MONEY,
    MONTH_NUMBERS,
    UNIT,
    UNITS,
    Date,
    Number,
    read_dates,
    read_numbers,
)
from pipeline.answers.documents.tokens import STOP_WORDS, stem

FactKind = Literal["number", "date", "version", "identifier", "name"]


class Quantity(NamedTuple):
    """What a number says.

    `dimension` and `size` are those of `Number`, `written` is the number without its unit, and
    `has_unit` tells whether it measures or counts something, as in 24 MB or 24 nodes.
    """

    dimension: str
    size: Decimal
    written: Decimal
    has_unit: bool


@dataclass(frozen=True)
class Fact:
    """A fact at `start` to `end` of a sentence; versions and names have lower-case text as value.

    Facts of claim and source are compared by `FactIndex.has`: equal values are not needed.
    """

    kind: FactKind
    text: str
    value: Quantity | Date | str
    start: int
    end: int


# "once a minute", "up to an hour": these say one, unlike "requests a second".
_ONE = re.compile(
    r"\b(?:up to|once|within|than|least|most|for|after|over|under|about)\s+"
    rf"(?:a|an)\s+({UNIT})(?!\w)"
    rf"|\bevery\s+({UNIT})(?!\w)",
    re.IGNORECASE,
)
_MULTIPLES = {"twice": 2, "doubl": 2, "tripl": 3, "thousand": 1000, "million": 1_000_000}
_MULTIPLE = re.compile(
    r"\b(twice)\b|\b(doubl|tripl)(?:e[ds]?|ing)\b|(?:(?<=per )|(?<=\ba ))(thousand|million)\b",
    re.IGNORECASE,
)
_EACH = re.compile(rf"\b(?:a|an|per|every|each)\s+({UNIT})(?!\w)", re.IGNORECASE)
_VERSION = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+)(?![\w]*\.\d)(?!\w)", re.IGNORECASE)
_CODE = re.compile(r"`+([^`\n]{1,200})`+")
_IDENTIFIER = re.compile(
    r"--[a-z][\w-]+"  # a flag
    r"|(?<!\w)[A-Za-z]\w*(?:[._:/]\w+)+"  # dotted, HTTP/2
    r"|(?<!\w)(?=\w*[A-Za-z])(?=[\w-]*\d)\w+(?:-\w+)*"  # letters and digits: S3, HRN-2025-03
    r"|(?<!\w)[A-Za-z]+_\w+"  # snake_case
    r"|(?<!\w)[A-Z]*[a-z]+[A-Z]\w*"  # CamelCase
    r"|(?<!\w)[A-Z][A-Z]+s?\b"  # SAML
)
_COUNTED = re.compile(r"\s+(?!(?:to|and|or|in|of|on|at|by|for|instead|from)\b)[a-z]{3,}")
_NUMBERED = re.compile(r"(?<![\w-])[A-Za-z]{2,}-\d[\w-]*")  # CVE-2025-1234
_NAME = re.compile(r"(?<![\w`'’-])[A-Z][a-z]+(?:['’]s)?(?:-[A-Za-z]+)*")


def find_facts(text: str) -> list[Fact]:
    """Return the facts of a sentence, in order.

    A capitalised word is a name unless the sentence begins with it. Where two facts overlap, the
    kind that is looked for first is kept.
    """
    facts: list[Fact] = []
    for fact in _candidates(text):
        if not any(fact.start < other.end and other.start < fact.end for other in facts):
            facts.append(fact)
    return sorted(facts, key=lambda fact: fact.start)


def _candidates(text: str) -> Iterator[Fact]:
    dates = read_dates(text)
    for match in _CODE.finditer(text):  # a command that holds a date, but not a date in code
        if any(match.start(1) < date.start < match.end() for date in dates):
            yield Fact("identifier", match[0], _fold(match[1]), *match.span())
    for date, start, end in dates:
        yield Fact("date", text[start:end], date, start, end)
    for match in _CODE.finditer(text):
        yield Fact("identifier", match[0], _fold(match[1]), *match.span())
    for match in _NUMBERED.finditer(text):
        yield Fact("identifier", match[0], _fold(match[0]), *match.span())
    numbers = list(read_numbers(text))
    for number in numbers:
        if not number.is_word and not _may_be_version(number):
            yield _number_fact(number, text)
    for match in _VERSION.finditer(text):
        yield Fact("version", match[0], match[1], *match.span())
    for number in numbers:
        if number.is_word and (abs(number.unscaled) > 1 or number.scale or number.dimension):
            yield _number_fact(number, text)
    for match in _ONE.finditer(text):
        dimension, size = UNITS[(match[1] or match[2]).lower()]
        single = Quantity(dimension, size, Decimal(1), True)
        yield Fact("number", match[0], single, *match.span())
    for match in _MULTIPLE.finditer(text):
        factor = Decimal(_MULTIPLES[(match[1] or match[2] or match[3]).lower()])
        multiple = Quantity("" if match[3] else "factor", factor, factor, True)
        yield Fact("number", match[0], multiple, *match.span())
    for match in _IDENTIFIER.finditer(text):
        yield Fact("identifier", match[0], _fold(match[0]), *match.span())
    for match in _NAME.finditer(text):
        begins = not re.search(r"\w", text[: match.start()])
        word = re.sub(r"['’]s$", "", match[0].lower())
        if not begins and word not in STOP_WORDS and word not in MONTH_NUMBERS:
            yield Fact("name", match[0], word, *match.span())


def _may_be_version(number: Number) -> bool:
    """Return whether a number looks like 2.4: without a sign for anything else."""
    return "." in number.text and not number.dimension and number.scale in ("", "m", "b")


def _number_fact(number: Number, text: str) -> Fact:
    written = number.text.lstrip("+-−– ")
    return Fact("number", written, _quantity(number, text), number.end - len(written), number.end)


def _quantity(number: Number, text: str) -> Quantity:
    # In notes about software 512M is memory as often as millions.
    ambiguous = number.scale in ("m", "b") and number.dimension not in MONEY
    written = abs(number.unscaled if ambiguous else number.value)
    counts = _COUNTED.match(text, number.end) is not None
    if not number.dimension:
        return Quantity("", written, written, counts)
    return Quantity(number.dimension, abs(number.size), written, True)


def _fold(code: str) -> str:
    return " ".join(code.lower().split())


class FactIndex:
    """The facts of a piece of a source, to look up those of a claim."""

    def __init__(self, text: str) -> None:
        facts = find_facts(text)
        self._text = _fold(text)
        self._dates = {fact.value for fact in facts if isinstance(fact.value, Date)}
        self._versions = {fact.value for fact in facts if fact.kind == "version"}
        self._quantities = set(_quantities_of(text, facts))
        self._words = {stem(word) for word in re.findall(r"[^\W_]+", self._text)}

    def has(self, fact: Fact) -> bool:
        """Return whether a passage of the source states this fact."""
        if isinstance(fact.value, Date):
            return any(_is_same_date(fact.value, date) for date in self._dates)
        if isinstance(fact.value, Quantity):
            return any(_is_same_quantity(fact.value, stated) for stated in self._quantities)
        if fact.kind == "version":
            return fact.value in self._versions or self._has_text(fact.value)
        if fact.kind == "identifier":
            return self._has_text(fact.value)
        return all(stem(word) in self._words for word in fact.value.split("-"))

    def missing(self, facts: Iterable[Fact]) -> list[Fact]:
        """Return the facts that the source does not state."""
        return [fact for fact in facts if not self.has(fact)]

    def _has_text(self, text: str) -> bool:
        """Return whether a text stands here whole, as `flow.Trigger` in `core.flow.Trigger`."""
        place = self._text.find(text)
        while place != -1:
            before = self._text[place - 1 : place]
            after = self._text[place + len(text) : place + len(text) + 2]
            grows = bool(re.match(r"\w|[.,]\d|-\d", after))
            if not re.match(r"[\w-]", before) and not (before == "." and text[0].isdigit()):
                plural = after[:1] == "s" and not re.match(r"\w", after[1:])
                if not grows or plural:
                    return True
            place = self._text.find(text, place + 1)
        return False


def _quantities_of(text: str, facts: Iterable[Fact]) -> Iterator[Quantity]:
    """Yield a source's numbers, and what stands for a number: `a minute`, a year in a date."""
    for fact in facts:
        if isinstance(fact.value, Quantity):
            yield fact.value
        elif isinstance(fact.value, Date):
            parts = [Decimal(part) for part in fact.value if part]
            yield from (Quantity("", part, part, False) for part in parts)
        elif fact.kind == "version" and fact.value.count(".") == 1:
            number = Decimal(fact.value)
            yield Quantity("", number, number, False)
        elif fact.kind == "identifier":  # in code or in a name: WebGL 2, `timeout: 30`
            code = fact.text.strip("`")
            yield from (_quantity(number, code) for number in read_numbers(code))
    for match in _EACH.finditer(text):
        dimension, size = UNITS[match[1].lower()]
        yield Quantity(dimension, size, Decimal(1), True)
    if re.search(r"\bone\b", text, re.IGNORECASE):
        yield Quantity("", Decimal(1), Decimal(1), False)


def _is_same_quantity(claimed: Quantity, stated: Quantity) -> bool:
    """Return whether two numbers agree; where one stands bare, as they are written.

    `timeout: 30` may be 30 seconds; 24 nodes are not 24 MB.
    """
    if claimed.dimension == stated.dimension:
        return claimed.size == stated.size
    bare = not claimed.has_unit or not stated.has_unit
    return bare and claimed.written == stated.written and claimed.dimension not in MONEY


def _is_same_date(claimed: Date, stated: Date) -> bool:
    return all(not part or part == other for part, other in zip(claimed, stated, strict=True))
