"""Find the facts of a sentence that can be compared: numbers, dates, versions, names and so on.

They are normalised, so that `2,048` equals `2048`, `PT24H` and `one day` equal `24 hours`, and
`12 November 2025` equals `2025-11-12`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from pipeline.answers.check.dates import (
    MONTH_NUMBERS,
    Clock,
    Date,
    is_same_clock,
    read_clocks,
    read_dates,
    read_months_and_years,
    read_weekdays,
)
from pipeline.answers.check.names import has_name
from pipeline.answers.check.numbers import WORDS, Number, read_numbers
from pipeline.answers.check.quantities import Quantity, is_same_quantity, read_quantity
from pipeline.answers.check.units import UNIT, UNITS
from pipeline.answers.documents.tokens import STOP_WORDS, stem

FactKind = Literal[
    "number", "date", "clock", "weekday", "ordinal", "score", "version", "identifier", "name"
]


@dataclass(frozen=True)
class Fact:
    """A fact at `start` to `end` of a sentence; versions and names have lower-case text as value.

    Facts of claim and source are compared by `FactIndex.has`: equal values are not needed.
    """

    kind: FactKind
    text: str
    value: Quantity | Date | Clock | int | tuple[int, int] | str
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
    r"\b(twice)\b|\b(doubl|tripl)(?:e[ds]?|ing)\b|(?<=per )(thousand|million)\b",
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
_NUMBERED = re.compile(r"(?<![\w-])[A-Za-z]{2,}-\d[\w-]*")  # CVE-2025-1234
_NAME = re.compile(r"(?<![\w`'’-])[^\W\d_][^\W\d_]+(?:['’]s)?(?:-[^\W\d_]+)*")
_ORDINAL_WORDS = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
"""
_ORDINALS = {word: number for number, word in enumerate(_ORDINAL_WORDS.split(), 1)}
_TENS = "|".join(word for word, value in WORDS.items() if value >= 20)
_ORDINAL = re.compile(
    r"(?<![\w.])(?P<digits>\d{1,4})(?:st|nd|rd|th)\b"
    rf"|\b(?P<tens>{_TENS})-(?P<ones>{'|'.join(list(_ORDINALS)[:9])})\b"
    rf"|\b(?P<word>{'|'.join(_ORDINALS)})(?![-\w])(?!\s*[,.;:)]|$)",
    re.IGNORECASE,
)
# A second is a time unless it is the second of something; "at first" counts nothing.
_BEFORE_ORDINAL = re.compile(
    r"\b(?:the|his|her|its|their|our|my|in|finished|came|every|\w+['’]s)\s$", re.IGNORECASE
)
_SCORE = re.compile(r"(?<![\w.,:/-])(\d{1,3})\s?[-–]\s?(\d{1,3})(?![\w.,/-]*\d|\w|\s?%)")
_SCORE_WORD = re.compile(
    r"\b(?:w[io]n|los[et]|lost|beat|beaten|lead|leads|led|draw|drew|drawn|tied?|defeat|victory"
    r"|score|"
    r"match|game|final|vote[ds]?|ahead|trail|down|up|record|ruled)",
    re.IGNORECASE,
)
_UNIT_BEHIND = re.compile(rf"\s?-?(?:{UNIT}|[a-z]{{3,}}s)\b")


def find_facts(text: str) -> list[Fact]:
    """Return the facts of a sentence, in order.

    A capitalised word is a name unless the sentence begins with it. Where two facts overlap, the
    kind that is looked for first is kept.
    """
    return list(_find_facts(text))


@lru_cache(maxsize=20_000)
def _find_facts(text: str) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    taken = bytearray(len(text) + 1)
    spans: set[tuple[int, int]] = set()
    for fact in _candidates(text):
        span = (fact.start, fact.end)
        is_range = fact.kind == "date" and span in spans  # 3 to 5 May: both days have one span
        if is_range or not any(taken[fact.start : fact.end]):
            facts.append(fact)
            taken[fact.start : fact.end] = b"\1" * (fact.end - fact.start)
            if fact.kind == "date":
                spans.add(span)
    return tuple(sorted(facts, key=lambda fact: fact.start))


def _candidates(text: str) -> Iterator[Fact]:
    has_digits = any(char.isdigit() for char in text)
    dates = read_dates(text)
    for match in _CODE.finditer(text):  # a command that holds a date, but not a date in code
        if any(match.start(1) < date.start < match.end() for date in dates):
            yield Fact("identifier", match[0], _fold(match[1]), *match.span())
    for date, start, end in dates:
        yield Fact("date", text[start:end], date, start, end)
    for match in _CODE.finditer(text):
        yield Fact("identifier", match[0], _fold(match[1]), *match.span())
    for match in _NUMBERED.finditer(text) if has_digits else ():
        yield Fact("identifier", match[0], _fold(match[0]), *match.span())
    for clock, start, end in read_clocks(text):
        yield Fact("clock", text[start:end], clock, start, end)
    numbers = list(read_numbers(text))
    for number in numbers:
        if number.is_word and number.dimension == "share":  # a fifth is no fifth
            yield _number_fact(number, text)
    yield from _scores_and_ordinals(text)
    months = [] if "`" in text and not has_digits else read_months_and_years(text, dates)
    for date, start, end in months:
        yield Fact("date", text[start:end], date, start, end)
    for number in numbers:
        if not number.is_word and not _may_be_version(number):
            yield _number_fact(number, text)
    for match in _VERSION.finditer(text) if has_digits else ():
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
    for weekday, start, end in read_weekdays(text):
        yield Fact("weekday", text[start:end], weekday, start, end)
    yield from _names(text)


def _names(text: str) -> Iterator[Fact]:
    begins = True
    for match in _NAME.finditer(text):
        word = re.sub(r"['’]s$", "", match[0])
        # Scripts without capitals have no other sign of a name.
        is_name = word[0].isupper() or not (word[0].islower() or word.isascii())
        is_first = begins and not re.search(r"\w", text[: match.start()])
        begins = False
        folded = word.lower()
        if is_name and not is_first and folded not in STOP_WORDS and folded not in MONTH_NUMBERS:
            yield Fact("name", match[0], folded, *match.span())


def _scores_and_ordinals(text: str) -> Iterator[Fact]:
    if any(char in text for char in "-–") and _SCORE_WORD.search(text):
        for match in _SCORE.finditer(text):
            if not _UNIT_BEHIND.match(text, match.end()):
                yield Fact("score", match[0], (int(match[1]), int(match[2])), *match.span())
    for match in _ORDINAL.finditer(text):
        if match["word"]:
            word = match["word"].lower()
            if word in ("first", "second") and not _BEFORE_ORDINAL.search(
                text[max(0, match.start() - 24) : match.start()]
            ):
                continue
            number = _ORDINALS[word]
        elif match["tens"]:
            number = WORDS[match["tens"].lower()] + _ORDINALS[match["ones"].lower()]
        else:
            number = int(match["digits"])
        yield Fact("ordinal", match[0], number, *match.span())


def _may_be_version(number: Number) -> bool:
    """Return whether a number looks like 2.4: without a sign for anything else."""
    return "." in number.text and not number.dimension and number.scale in ("", "m", "b")


def _number_fact(number: Number, text: str) -> Fact:
    written = number.text.lstrip("+-−– ")
    if number.value < 0:
        written = number.text.strip()
    return Fact(
        "number", written, read_quantity(number, text), number.end - len(written), number.end
    )


def _fold(code: str) -> str:
    return " ".join(code.lower().split())


class FactIndex:
    """The facts of pieces of a source, to look up those of a claim."""

    def __init__(self, *texts: str) -> None:
        facts = [(text, find_facts(text)) for text in texts]
        self._text = _fold("\n".join(texts))
        self._dates = {f.value for _, part in facts for f in part if isinstance(f.value, Date)}
        self._clocks = {f.value for _, part in facts for f in part if isinstance(f.value, Clock)}
        self._plain = {
            (fact.kind, fact.value)
            for _, part in facts
            for fact in part
            if fact.kind in ("version", "weekday", "ordinal", "score")
        }
        self._quantities = {q for text, part in facts for q in _quantities_of(text, part)}
        self._words = {stem(word) for word in re.findall(r"[^\W_]+", self._text)}

    def has(self, fact: Fact) -> bool:
        """Return whether a passage of the source states this fact."""
        value = fact.value
        if isinstance(value, Date):
            return any(_is_same_date(value, date) for date in self._dates) or (
                value.year > 0
                and not value.month
                and any(q.written == value.year and not q.dimension for q in self._quantities)
            )
        if isinstance(value, Clock):
            return any(is_same_clock(value, clock) for clock in self._clocks)
        if isinstance(value, Quantity):
            return any(is_same_quantity(value, stated) for stated in self._quantities)
        if fact.kind == "weekday":
            return ("weekday", value) in self._plain or any(
                date.weekday == value for date in self._dates
            )
        if fact.kind in ("version", "identifier"):
            text = str(value)
            return (
                (fact.kind, text) in self._plain
                or self._has_text(text)
                or (fact.kind == "identifier" and has_name(text, self._words, self._text))
            )
        if fact.kind == "name":
            return has_name(str(value), self._words, self._text)
        return (fact.kind, value) in self._plain or (
            fact.kind == "ordinal" and any(date.day == value for date in self._dates)
        )

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
        elif fact.kind == "version" and str(fact.value).count(".") == 1:
            number = Decimal(str(fact.value))
            yield Quantity("", number, number, False)
        elif fact.kind == "identifier":  # in code or in a name: WebGL 2, `timeout: 30`
            code = fact.text.strip("`")
            yield from (read_quantity(number, code) for number in read_numbers(code))
    for match in _EACH.finditer(text):
        dimension, size = UNITS[match[1].lower()]
        yield Quantity(dimension, size, Decimal(1), True)
    if re.search(r"\bone\b", text, re.IGNORECASE):
        yield Quantity("", Decimal(1), Decimal(1), False)


def _is_same_date(claimed: Date, stated: Date) -> bool:
    return all(not part or part == other for part, other in zip(claimed, stated, strict=True))
