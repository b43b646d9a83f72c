"""Find the facts of a sentence that can be compared: numbers, dates, versions, names and so on.

They are normalised, so that `2,048` equals `2048`, `PT24H` and `one day` equal `24 hours`, and
`12 November 2025` equals `2025-11-12`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from pipeline.answers.check.dates import (
    MONTH_NUMBERS,
    Clock,
    Date,
    DateRelation,
    date_relation,
    read_clocks,
    read_dates,
    read_months_and_years,
    read_weekdays,
)
from pipeline.answers.check.numbers import WORDS, Number, read_numbers
from pipeline.answers.check.quantities import Quantity, read_quantity
from pipeline.answers.check.units import UNIT, UNITS
from pipeline.answers.documents.tokens import STOP_WORDS

FactKind = Literal[
    "number", "date", "clock", "weekday", "ordinal", "score", "version", "identifier", "name"
]


# The kinds of facts of which a sentence may state several, each of something else.
VALUES = ("number", "clock", "score", "date", "ordinal")


@dataclass(frozen=True)
class Fact:
    """A fact at `start` to `end` of a sentence; versions and names have lower-case text as value.

    Of a date, `relation` is what is said of it: "before 1960".

    Facts of claim and source are compared by `fact_index.FactIndex`: equal values are not needed.
    """

    kind: FactKind
    text: str
    value: Quantity | Date | Clock | int | tuple[int, int] | str
    start: int
    end: int
    relation: DateRelation = ""

    @property
    def bare(self) -> object:
        """The value, of a number without its unit: that of "from 3 to 5 minutes"."""
        return self.value.written if isinstance(self.value, Quantity) else self.value


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
_VERSION = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+)(?![\w]*\.\d)(?!\w)", re.IGNORECASE)
_CODE = re.compile(r"`+([^`\n]{1,200})`+")
_IDENTIFIER = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+"  # an e-mail address
    r"|--[a-z][\w-]+"  # a flag
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
    rf"|\b(?P<word>{'|'.join(_ORDINALS)})(?!\w|-(?!\w+est\b))(?!\s*[,.;:)]|$)",
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
            yield Fact("identifier", match[0], fold(match[1]), *match.span())
    for date, start, end, _ in dates:
        relation = date_relation(text, start)
        yield Fact("date", text[start:end], date, start, end, relation)
    for match in _CODE.finditer(text):
        yield Fact("identifier", match[0], fold(match[1]), *match.span())
    for match in _NUMBERED.finditer(text) if has_digits else ():
        yield Fact("identifier", match[0], fold(match[0]), *match.span())
    for clock, start, end in read_clocks(text):
        yield Fact("clock", text[start:end], clock, start, end)
    numbers = [number for number in read_numbers(text) if not _is_title(number, text)]
    for number in numbers:
        if number.is_word and number.dimension == "share":  # a fifth is no fifth
            yield _number_fact(number, text)
    yield from _scores_and_ordinals(text)
    months = [] if "`" in text and not has_digits else read_months_and_years(text, dates)
    for date, start, end, relation in months:
        relation = relation or date_relation(text, start)
        yield Fact("date", text[start:end], date, start, end, relation)
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
        yield Fact("identifier", match[0], fold(match[0]), *match.span())
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


def _is_title(number: Number, text: str) -> bool:
    """Return whether a number word is part of a capitalized title, as in "Count to Nine"."""
    begins = not re.search(r"\w", text[: number.start])
    return number.is_word and text[number.start].isupper() and not begins


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


def fold(code: str) -> str:
    return " ".join(code.lower().split())
